"""The ledger of what people agreed to, and the current answers that follow from it.

Rows are added, never changed. Each carries a digest over itself and over the row before it for the
same address, so a changed or removed row shows. Only the newest rows of an address can be removed
without a trace here; the current answers that name them hold them by a foreign key.

Two things are allowed that evidence otherwise forbids, and only here: `pseudonymise`, when a person is
erased, and `forget`, when nothing has happened with an address for longer than any law asks for.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.db import models
from django.db.models import QuerySet

from ..core.consent import Action, ConsentEvent as Said, current
from ..core.facts import Answer
from ..models import Consent, ConsentEvent, ContactPoint, Watermark

Ledger = ConsentEvent.Action
#: What says who somebody is, and what it becomes when they are erased; their address becomes its digest.
#: The words that were shown, when, where and how they were answered stay: they prove no less without a name.
_BLANK: dict[str, Any] = {
    "point_id": None,
    "address_given": "",
    "page_url": "",
    "ip": None,
    "user_agent": "",
    "session": "",
    "order_number": "",
    "verbatim": "",
}
#: Watermarks: when the whole ledger was last examined, and was found so.
WHOLE, BROKEN = "ledger-whole", "ledger-broken"
#: An examination names so many altered entries.
MOST_NAMED = 1000
_PSEUDONYM = re.compile("[0-9a-f]{64}")
#: An empty box says nothing, nor does a question that ran out: its answer stays the one to be confirmed.
_NO_ANSWERS = (Ledger.DECLINE, Ledger.EXPIRE, Ledger.UNASKED)
#: Which entry an answer follows from, the last of its kind: a question asked later takes no agreement's place.
_SAYS = {Answer.GRANTED: Ledger.GRANT, Answer.PENDING: Ledger.REQUEST, Answer.REVOKED: Ledger.REVOKE}
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
    before = ledger(event.channel, event.address, event.contact_id).order_by("-pk")
    event.previous_digest = before.values_list("digest", flat=True).first() or ""
    event.digest = _digest(event)
    event.save(force_insert=True)
    if event.point is not None:
        every_topic = set(event.point.consents.values_list("topic", flat=True))
        _derive(event.point, every_topic if _is_about_everything(event) else _named_topics(event))
    return event


def ledger(channel: str, address: str, contact_id: int | None) -> QuerySet[ConsentEvent]:
    """The rows that are sealed together: those for an address; without one, those of a contact."""
    rows: QuerySet[ConsentEvent] = ConsentEvent.objects.filter(channel=channel, address=address)
    # an empty box beside an empty field: one ledger per contact
    return rows if address else rows.filter(contact=contact_id)


def altered(channel: str, address: str, contact_id: int | None = None) -> list[int]:
    """Ids of the rows for an address that are not what was written, or whose row before them is gone."""
    return _wrong(ledger(channel, address, contact_id).order_by("pk"))


def examined(*, chunk: int = 2000) -> Iterator[tuple[ConsentEvent, bool]]:
    """Every row of the ledger, and whether it is as it was written. Streams: memory holds one address at a time."""
    named = ConsentEvent.objects.exclude(address="").order_by("address", "channel", "pk")
    for _, chain in groupby(named.iterator(chunk), lambda event: (event.address, event.channel)):
        yield from _examine(chain)
    nameless = ConsentEvent.objects.filter(address="").order_by("contact_id", "channel", "pk")
    for _, chain in groupby(nameless.iterator(chunk), lambda event: (event.contact_id, event.channel)):
        yield from _examine(chain)


@dataclass(slots=True)
class Examination:
    """What an examination of the whole ledger found."""

    rows: int = 0
    since: datetime | None = None  #: when the oldest entry was written
    altered: list[int] = field(
        default_factory=list
    )  #: ids of the first entries that are not what was written
    wrong: int = 0  #: how many there are


def examine(*, now: datetime) -> Examination:
    """Examine the whole ledger, and note for the admin what came of it."""
    found = Examination()
    for event, is_whole in examined():
        found.rows += 1
        found.since = min(found.since or event.at, event.at)
        if not is_whole:
            found.wrong += 1
            found.altered = [*found.altered, event.pk][:MOST_NAMED]
    Watermark.objects.filter(name__in=[WHOLE, BROKEN]).delete()
    Watermark.objects.create(name=BROKEN if found.wrong else WHOLE, at=now)
    return found


def pseudonymise(gone: QuerySet[ConsentEvent], *, digest: Callable[[str, str], str]) -> int:
    """Take from these rows what says whose they are, and seal what is left anew; returns how many they were.

    `digest(channel, address)` stands for an address from then on. Other people's rows for the same address
    stay as they are, sealed without these. A row that was altered before still shows as altered. The caller
    holds the locks of everybody who uses the addresses, and appends the row that says why.
    """
    count = 0
    for channel, address, contact_id in sorted(_ledgers_of(gone), key=str):
        if _PSEUDONYM.fullmatch(address):
            continue  # erased once before
        rows = list(ledger(channel, address, contact_id).order_by("pk"))
        leaving = set(gone.filter(pk__in=[event.pk for event in rows]).values_list("pk", flat=True))
        pseudonym = digest(channel, address) if address else ""
        there = list(ledger(channel, pseudonym, contact_id).order_by("pk")) if pseudonym else []
        wrong = {*_wrong(rows), *_wrong(there)}
        left = [_unnamed(event, pseudonym) for event in rows if event.pk in leaving]
        _seal([event for event in rows if event.pk not in leaving], wrong)
        _seal(sorted([*there, *left], key=lambda event: event.pk), wrong)
        count += len(left)
    return count


def forget(channel: str, address: str, contact_id: int | None) -> int:
    """Delete the rows of one `ledger`, and the answers that follow from them; returns how many rows."""
    rows = _writable().filter(pk__in=ledger(channel, address, contact_id).values("pk"))
    Consent.objects.filter(event__in=rows.values("pk")).delete()
    return rows.delete()[0]


def is_revoked(point: ContactPoint | None, channel: str, address: str, topic: str) -> bool:
    """Whether the last answer on this topic was to stop; an empty topic asks for everything.

    A request answers nothing: anybody can type an address.
    """
    said = _words_on(point, channel, address, topic).exclude(action__in=[Ledger.REQUEST, Ledger.EXPIRE])
    return _ends_in_a_stop(said, topic)


def is_stopped(point: ContactPoint | None, channel: str, address: str, topic: str) -> bool:
    """`is_revoked`, and nothing was asked since: another stop would have nothing to stop."""
    return _ends_in_a_stop(_words_on(point, channel, address, topic), topic)


def last_answer_by_name() -> models.Subquery:
    """To annotate current answers (`Consent`) with: the action that last named the very topic.

    The entry that an answer follows from does not tell, once somebody has asked anew for what was stopped.
    """
    named = ConsentEvent.objects.filter(
        point=models.OuterRef("point"),
        topic=models.OuterRef("topic"),
        action__in=[Ledger.GRANT, Ledger.REVOKE],
    ).exclude(basis=ConsentEvent.Basis.UNPROVEN)
    return models.Subquery(named.order_by("-pk").values("action")[:1])


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
    answers = events.exclude(action=Ledger.DECLINE).exclude(basis=ConsentEvent.Basis.UNPROVEN)
    last = answers.order_by("-pk").first()
    return last is not None and last.action == Ledger.REVOKE and last.topic in ("", topic)


def _derive(point: ContactPoint, topics: Collection[str]) -> None:
    """Write the point's current answers on these topics anew from its rows of the ledger."""
    events = [
        event
        for event in point.consent_events.select_related("text").order_by("pk")
        if event.basis != ConsentEvent.Basis.UNPROVEN and event.action not in _NO_ANSWERS
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
    said = [event for event in events if event.action == _SAYS[facts.answer]][-1]
    is_granted = facts.answer is Answer.GRANTED
    answer = {
        "answer": facts.answer,
        "basis": said.basis if is_granted else "",
        "proven_age": said.proven_age if is_granted else None,
        "until": facts.until,
        "since": said.at,
        "event": said,
    }
    Consent.objects.update_or_create(point=point, topic=topic, defaults=answer)


def _named_topics(event: ConsentEvent) -> set[str]:
    if event.topic:
        return {event.topic}
    named = set(event.text.topics) if event.text else set()
    return named & set(event.chosen.split()) if event.chosen else named


def _is_about(event: ConsentEvent, topic: str) -> bool:
    return _is_about_everything(event) or topic in _named_topics(event)


def _is_about_everything(event: ConsentEvent) -> bool:
    return not event.topic and event.text is None


def _tidy(event: ConsentEvent) -> None:
    """Make what people and browsers sent storable: no NUL (PostgreSQL refuses it), no overlong text."""
    for column in ConsentEvent._meta.concrete_fields:
        value = getattr(event, column.attname)
        if isinstance(column, models.CharField | models.TextField) and isinstance(value, str):
            setattr(event, column.attname, value.replace("\x00", "")[: column.max_length])
    event.ip = _plain_ip(event.ip)


def _plain_ip(text: str | None) -> str | None:
    """The one way to write an IP address, so that the digest survives the database; None for none."""
    try:
        found = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


def _ledgers_of(rows: QuerySet[ConsentEvent]) -> set[tuple[str, str, int | None]]:
    named = rows.order_by().values_list("channel", "address", "contact_id").distinct()
    return {(channel, address, None if address else contact) for channel, address, contact in named}


def _examine(chain: Iterable[ConsentEvent]) -> Iterator[tuple[ConsentEvent, bool]]:
    seen = {""}
    for event in chain:
        yield event, event.digest == _digest(event) and event.previous_digest in seen
        seen.add(event.digest)


def _wrong(chain: Iterable[ConsentEvent]) -> list[int]:
    return [event.pk for event, is_whole in _examine(chain) if not is_whole]


def _unnamed(event: ConsentEvent, pseudonym: str) -> ConsentEvent:
    event.address = pseudonym
    for name, blank in _BLANK.items():
        setattr(event, name, blank)
    return event


def _seal(chain: Sequence[ConsentEvent], wrong: Collection[int]) -> None:
    """Write these rows as they are now, each tied to the one before it; what was wrong stays wrong."""
    before = ""
    for event in chain:
        event.previous_digest = before
        if event.pk not in wrong:
            event.digest = _digest(event)
        before = event.digest
        changed = {name: getattr(event, name) for name in ("address", *_BLANK, "previous_digest", "digest")}
        _writable().filter(pk=event.pk).update(**changed)


def _writable() -> models.QuerySet[ConsentEvent]:
    """The ledger without its guard."""
    return models.QuerySet(ConsentEvent)


def _digest(event: ConsentEvent) -> str:
    row = {name: _plain(getattr(event, name)) for name in _SEALED}
    canonical = json.dumps(
        {name: value for name, value in row.items() if value not in (None, "")}, sort_keys=True
    )
    return hashlib.sha256((event.previous_digest + canonical).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
