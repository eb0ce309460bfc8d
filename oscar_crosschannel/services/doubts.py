"""What people wrote that may mean stop: marketing waits until a member of staff has read it (rule 17)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from ..core.events import Event
from ..core.facts import SMS
from ..models import ContactPoint, InboxEvent, Suppression, UnreadReply
from . import consents, contacts, suppressions


def raise_doubt(channel: str, address: str, event: Event, *, now: datetime) -> None:
    """Stop marketing to an address until somebody has read `event`, which is in the inbox already."""
    suppressions.suppress(
        channel,
        address,
        cause=Suppression.Cause.REVIEW,
        scope=Suppression.Scope.MARKETING,
        reply=InboxEvent.objects.get(name=event.name, key=event.key),
        now=now,
    )


def unread(reply_id: int) -> UnreadReply | None:
    """What waits because of this reply; None when it was settled, or a later reply took its place."""
    return UnreadReply.objects.select_related("reply").filter(reply_id=reply_id).order_by("pk").first()


@transaction.atomic
def was_stop(reply_id: int, *, by: str, now: datetime) -> bool:
    """Staff read it as a stop: it is revoked in the person's own words. False when there is nothing to settle."""
    found = unread(reply_id)
    address = address_of(found) if found is not None else ""
    if found is None or not address:
        return False
    contacts.lock([contact.pk for contact in contacts.find_by_address(found.channel, address)])
    found = unread(reply_id)  # settled meanwhile, perhaps by the person
    if found is None or found.reply is None:
        return False
    consents.revoke(
        found.channel,
        address,
        topics=None,
        source="reply",
        mechanism="staff",
        verbatim=found.reply.data.get("body", ""),
        provider_id=found.reply.key,
        message_id=found.reply.data.get("message"),
        actor=by,
        received_at=found.reply.occurred_at,
        now=now,
    )
    return True


def was_no_stop(reply_id: int, *, by: str, note: str, now: datetime) -> bool:
    """Staff read it as something else: marketing goes on as it was. False when there is nothing to settle."""
    return suppressions.dismiss_reply(reply_id, note=f"{by}: {note}", now=now)


def address_of(found: UnreadReply) -> str:
    """The address that waits; empty when it is known by its digest only, and the reply does not tell it."""
    point = ContactPoint.objects.filter(channel=found.channel, digest=found.digest).order_by("pk").first()
    if point is not None:
        return point.address
    return contacts.known_as(SMS, found.reply.phone) if found.channel == SMS and found.reply else ""
