"""The ledger of what people agreed to, and the current answers that follow from it.

Rows are added, never changed. Each carries a digest over itself and over the row before it for the
same address, so a changed or removed row shows.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.db.models import QuerySet

from ..core.consent import Action, ConsentEvent as Said, current
from ..models import Consent, ConsentEvent, ContactPoint

Ledger = ConsentEvent.Action
#: What the digest covers: everything but itself. Empty values are left out, so that a field
#: added by a later version leaves old digests as they are.
_SEALED = [
    field.attname for field in ConsentEvent._meta.concrete_fields if field.name not in ("id", "digest")
]


def append(event: ConsentEvent) -> ConsentEvent:
    """Add one row to the ledger and bring the point's current answers up to date.

    Two contacts that share an address can append at the same instant; both rows then name the same
    row before them, which `altered` accepts.
    """
    _tidy(event)
    before = ConsentEvent.objects.filter(channel=event.channel, address=event.address).order_by("-pk")
    if not event.address:  # an empty box beside an empty field: one ledger per contact
        before = before.filter(contact=event.contact)
    event.previous_digest = before.values_list("digest", flat=True).first() or ""
    event.digest = _digest(event)
    event.save(force_insert=True)
    if event.point is not None:
        every_topic = set(event.point.consents.values_list("topic", flat=True))
        _derive(event.point, every_topic if _is_about_everything(event) else _named_topics(event))
    return event


def altered(channel: str, address: str) -> list[int]:
    """Ids of the rows for an address that are not what was written, or whose row before them is gone."""
    seen, wrong = {""}, []
    for event in ConsentEvent.objects.filter(channel=channel, address=address).order_by("pk"):
        if event.digest != _digest(event) or event.previous_digest not in seen:
            wrong.append(event.pk)
        seen.add(event.digest)
    return wrong


def is_revoked(point: ContactPoint | None, channel: str, address: str, topic: str) -> bool:
    """Whether the last answer on this topic was to stop; an empty topic asks for everything.

    A request answers nothing: anybody can type an address.
    """
    return _ends_in_a_stop(_words_on(point, channel, address, topic).exclude(action=Ledger.REQUEST), topic)


def is_stopped(point: ContactPoint | None, channel: str, address: str, topic: str) -> bool:
    """`is_revoked`, and nothing was asked since: another stop would have nothing to stop."""
    return _ends_in_a_stop(_words_on(point, channel, address, topic), topic)


def carry_revocations(old: ContactPoint, kept: ContactPoint, *, now: datetime) -> bool:
    """What was revoked for `old` is revoked for `kept`, the same address of the contact that stays.

    Returns whether that took anything from `kept`.
    """
    carried = False
    topics = {consent.topic for point in (old, kept) for consent in point.consents.all()}
    for topic in sorted(topics):
        if not is_revoked(old, old.channel, old.address, topic):
            continue
        if is_revoked(kept, kept.channel, kept.address, topic):
            continue
        carried = True
        append(
            ConsentEvent(
                contact=kept.contact,
                point=kept,
                channel=kept.channel,
                address=kept.address,
                address_given=kept.address,
                topic=topic,
                action=Ledger.REVOKE,
                basis=ConsentEvent.Basis.NONE,
                source="merge",
                mechanism="merge",
                actor="system",
                at=now,
            )
        )
    return carried


def _words_on(point: ContactPoint | None, channel: str, address: str, topic: str) -> QuerySet[ConsentEvent]:
    events = ConsentEvent.objects.filter(channel=channel, address=address, point=point)
    return events.filter(topic__in=[topic, ""]) if topic else events


def _ends_in_a_stop(events: QuerySet[ConsentEvent], topic: str) -> bool:
    last = events.exclude(action=Ledger.DECLINE).order_by("-pk").first()
    return last is not None and last.action == Ledger.REVOKE and last.topic in ("", topic)


def _derive(point: ContactPoint, topics: Collection[str]) -> None:
    """Write the point's current answers on these topics anew from its rows of the ledger."""
    events = [
        event
        for event in point.consent_events.select_related("text").order_by("pk")
        if event.basis != ConsentEvent.Basis.UNPROVEN and event.action != Ledger.DECLINE
    ]
    for topic in topics:
        _derive_topic(point, topic, [event for event in events if _is_about(event, topic)])


def _derive_topic(point: ContactPoint, topic: str, events: list[ConsentEvent]) -> None:
    facts = current(
        Said(action=Action(event.action), at=event.at, until=event.expires_at) for event in events
    )
    if facts is None:
        point.consents.filter(topic=topic).delete()
        return
    answer = {"answer": facts.answer, "until": facts.until, "since": events[-1].at, "event": events[-1]}
    Consent.objects.update_or_create(point=point, topic=topic, defaults=answer)


def _named_topics(event: ConsentEvent) -> set[str]:
    if event.topic:
        return {event.topic}
    return set(event.text.topics) if event.text else set()


def _is_about(event: ConsentEvent, topic: str) -> bool:
    return _is_about_everything(event) or topic in _named_topics(event)


def _is_about_everything(event: ConsentEvent) -> bool:
    return not event.topic and event.text is None


def _tidy(event: ConsentEvent) -> None:
    """Make what people and browsers sent storable: no NUL (PostgreSQL refuses it), no overlong text."""
    for field in ConsentEvent._meta.concrete_fields:
        value = getattr(event, field.attname)
        if isinstance(field, models.CharField | models.TextField) and isinstance(value, str):
            setattr(event, field.attname, value.replace("\x00", "")[: field.max_length])
    event.ip = _plain_ip(event.ip)


def _plain_ip(text: str | None) -> str | None:
    """The one way to write an IP address, so that the digest survives the database; None for none."""
    try:
        found = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


def _digest(event: ConsentEvent) -> str:
    row = {name: _plain(getattr(event, name)) for name in _SEALED}
    canonical = json.dumps(
        {name: value for name, value in row.items() if value not in (None, "")}, sort_keys=True
    )
    return hashlib.sha256((event.previous_digest + canonical).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
