"""Reading rows into what policies may know: five statements for a batch, whatever its size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings as django_settings
from django.db.models import Q

from ..conf import settings
from ..core.facts import (
    SMS,
    Answer,
    Block,
    Cap,
    ConsentFacts,
    Facts,
    PointFacts,
    Purpose,
    Reserved,
    Sent,
)
from ..core.lifecycle import State
from ..core.policies import DEFAULT_CAPS, RESERVATION
from ..core.timing import Hours, hours_for
from ..models import Consent, Contact, ContactPoint, Message, Suppression
from ..models.messages import Lane
from . import law
from .plans import Plans


@dataclass(frozen=True, slots=True)
class _Rows:
    points: Mapping[int, list[ContactPoint]]
    consents: Mapping[int, dict[str, ConsentFacts]]
    blocks: Mapping[tuple[str, str], Block]
    sent: Mapping[int, list[Sent]]
    sent_to: Mapping[str, list[tuple[int, Sent]]]  #: by address digest, with whose message it was
    reserved: Mapping[int, list[Reserved]]


def gather(
    contacts: Iterable[Contact], plans: Plans, *, now: datetime, closed: Mapping[str, datetime]
) -> dict[int, Facts]:
    """Facts by contact id. `closed` are the resting channels, until when."""
    people = {contact.pk: contact for contact in contacts}
    caps = current_caps()
    found = _read(people, plans, caps, now)
    return {pk: _facts(contact, found, caps=caps, now=now, closed=closed) for pk, contact in people.items()}


def current_caps() -> tuple[Cap, ...]:
    """The caps in force: the project's, or the default ones."""
    if settings.CAPS is None:
        return DEFAULT_CAPS
    return tuple(Cap(**{**cap, "channels": frozenset(cap.get("channels", ()))}) for cap in settings.CAPS)


def sms_hours(contact: Contact, point: ContactPoint) -> Hours:
    """When marketing may be texted to this number."""
    return hours_for(
        zone=contact.zone,
        candidate_zones=tuple(point.zones),
        country=point.country or contact.country,
        address_country=contact.country,
        region=contact.region,
        fallback_zones=(django_settings.TIME_ZONE,),
        rules=law.book(),
    )


def _read(people: Collection[int], plans: Plans, caps: tuple[Cap, ...], now: datetime) -> _Rows:
    points: dict[int, list[ContactPoint]] = defaultdict(list)
    for point in ContactPoint.objects.filter(contact_id__in=people, current=True):
        points[point.contact_id].append(point)
    every_point = [point for group in points.values() for point in group]
    digests = {point.digest for point in every_point}
    consents: dict[int, dict[str, ConsentFacts]] = defaultdict(dict)
    for consent in Consent.objects.filter(point_id__in=[point.pk for point in every_point]):
        consents[consent.point_id][consent.topic] = ConsentFacts(
            answer=Answer(consent.answer), until=consent.until
        )
    blocks = {
        (row.channel, row.digest): Block(row.scope)
        for row in Suppression.objects.filter(digest__in=digests, lifted_at=None)
    }
    sent, sent_to, reserved = _messages(people, digests, plans, caps, now)
    return _Rows(points, consents, blocks, sent, sent_to, reserved)


def _messages(
    people: Collection[int], digests: Collection[str], plans: Plans, caps: tuple[Cap, ...], now: datetime
) -> tuple[dict[int, list[Sent]], dict[str, list[tuple[int, Sent]]], dict[int, list[Reserved]]]:
    longest = max([*(cap.window for cap in caps), settings.VOUCHER_GAP])
    since = now - longest
    # what they got under another contact, before it was known who they are
    merged = dict(Contact.objects.filter(merged_into__in=people).values_list("pk", "merged_into_id"))
    messages = Message.objects.filter(
        Q(contact_id__in=[*people, *merged], attempted_at__gt=since)
        | Q(address_digest__in=digests, attempted_at__gt=since)
        | Q(contact_id__in=people, state=State.PLANNED, due_at__lte=now + RESERVATION)
    ).only(
        "contact_id", "attempted_at", "channel", "purpose", "intent", "lane", "voucher", "address_digest",
        "state", "due_at", "priority", "flow_id", "step_key",
    )  # fmt: skip
    sent: dict[int, list[Sent]] = defaultdict(list)
    sent_to: dict[str, list[tuple[int, Sent]]] = defaultdict(list)
    reserved: dict[int, list[Reserved]] = defaultdict(list)
    for message in messages:
        if message.attempted_at is None:
            # only marketing takes room under a cap
            if message.purpose == Purpose.MARKETING:
                reserved[message.contact_id].append(_reserved(message, plans))
            continue
        value = _sent(message)
        person = merged.get(message.contact_id) or message.contact_id
        sent[person].append(value)
        sent_to[message.address_digest].append((person, value))
    return sent, sent_to, reserved


def _sent(message: Message) -> Sent:
    assert message.attempted_at is not None
    return Sent(
        at=message.attempted_at,
        channel=message.channel,
        purpose=Purpose(message.purpose),
        intent=message.intent,
        campaign=message.lane == Lane.CAMPAIGN,
        offers_voucher=message.voucher,
        digest=message.address_digest,
    )


def _reserved(message: Message, plans: Plans) -> Reserved:
    planned = plans.get(message.flow_id)
    step = planned.plan.step(message.step_key) if planned else None
    return Reserved(
        id=message.pk,
        due_at=message.due_at,
        priority=message.priority,
        channels=step.channels if step else (),
        intent=message.intent,
        campaign=message.lane == Lane.CAMPAIGN,
    )


def _facts(
    contact: Contact, found: _Rows, *, caps: tuple[Cap, ...], now: datetime, closed: Mapping[str, datetime]
) -> Facts:
    mine = found.sent.get(contact.pk, [])
    points = found.points.get(contact.pk, [])
    others = [
        replace(sent, same_contact=False)
        for point in points
        for contact_id, sent in found.sent_to.get(point.digest, [])
        if contact_id != contact.pk
    ]
    return Facts(
        now=now,
        points={
            point.channel: PointFacts(
                id=point.pk,
                address=point.address,
                digest=point.digest,
                consents=found.consents.get(point.pk, {}),
                blocked=found.blocks.get((point.channel, point.digest)),
            )
            for point in points
        },
        primary_channel=contact.primary_channel,
        hours={point.channel: sms_hours(contact, point) for point in points if point.channel == SMS},
        caps=caps,
        sent=tuple(mine + others),
        reserved=tuple(found.reserved.get(contact.pk, [])),
        closed=closed,
        voucher_gap=settings.VOUCHER_GAP,
    )
