"""Stops: heard from anywhere, at once, and for everybody who uses the address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from ..conf import settings
from ..core.rulings import Reason
from ..models import ConsentEvent, ContactPoint, Suppression
from . import contacts, evidence, grants, recall, suppressions

Action, Basis = ConsentEvent.Action, ConsentEvent.Basis


@transaction.atomic
def revoke(
    channel: str,
    address: str,
    *,
    topics: Sequence[str] | None,
    source: str,
    mechanism: str,
    now: datetime,
    verbatim: str = "",
    provider_id: str = "",
    message_id: int | None = None,
    actor: str = "customer",
    cause: Suppression.Cause = Suppression.Cause.REVOKED,
    received_at: datetime | None = None,
) -> bool:
    """Stop these topics, or everything (None), for everybody who uses this address on this channel.

    Everything also suppresses the address: for texts all of them, for email marketing. What is
    claimed is taken back in the same transaction. Returns False when nothing was left to stop.
    `received_at`: when it was said, if somebody notes it later.
    """
    address = contacts.known_as(channel, address)
    people = contacts.lock([contact.pk for contact in contacts.find_by_address(channel, address)])
    points = list(
        ContactPoint.objects.select_related("contact")
        .filter(channel=channel, address=address, contact__in=people)
        .order_by("contact_id")
    )
    changed = False
    for topic in [""] if topics is None else topics:
        stop = ConsentEvent(
            channel=channel,
            address=address,
            address_given=address,
            topic=topic,
            action=Action.REVOKE,
            basis=Basis.NONE,
            source=source,
            mechanism=mechanism,
            verbatim=verbatim,
            provider_id=provider_id,
            message_id=message_id,
            actor=actor,
            brand=settings.BRAND,
            received_at=received_at or now,
            at=now,
        )
        changed = _withdraw(stop, points) or changed
    if topics is None:
        scope = suppressions.scope_of_stop(channel, cause)
        return suppressions.suppress(channel, address, cause=cause, scope=scope, now=now) or changed
    recall.recall_contacts(
        [contact.pk for contact in people], reason=Reason.OPTED_OUT, now=now, channel=channel
    )
    return changed


def _withdraw(stop: ConsentEvent, points: Sequence[ContactPoint]) -> bool:
    """Note the stop for each point of the address, or for the address alone when nobody is known to use it."""
    changed = False
    for point in points or (None,):
        if evidence.is_stopped(point, stop.channel, stop.address, stop.topic):
            continue
        evidence.append(
            grants.copy_of(stop, point_id=point and point.pk, contact_id=point and point.contact_id)
        )
        changed = True
    return changed
