"""Reading rows into what policies may know: as many statements for a full batch as for one message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import F, OuterRef, Q, Subquery

from ..conf import settings
from ..core.facts import (
    SMS,
    Answer,
    Basis,
    Block,
    ConsentFacts,
    Facts,
    PointFacts,
    Purpose,
    Reserved,
    Sent,
)
from ..core.lifecycle import State
from ..core.policies import RESERVATION
from ..models import Consent, ConsentEvent, Contact, ContactPoint, Message, Suppression
from ..models.messages import Lane
from . import evidence, sms_budget, texting
from .limits import Limits
from .plans import Plans


@dataclass(frozen=True, slots=True)
class _Rows:
    points: Mapping[int, list[ContactPoint]]
    pauses: Mapping[int, datetime | None]  #: by point, of anybody who uses its address
    consents: Mapping[int, dict[str, ConsentFacts]]
    blocks: Mapping[tuple[str, str], Block]
    sent: Mapping[int, list[Sent]]
    sent_to: Mapping[str, list[tuple[int, Sent]]]  #: by address digest, with whose message it was
    reserved: Mapping[int, list[Reserved]]


def gather(
    contacts: Iterable[Contact],
    plans: Plans,
    limits: Limits,
    *,
    now: datetime,
    closed: Mapping[str, datetime],
    instead: Mapping[int, ContactPoint] | None = None,
) -> dict[int, Facts]:
    """Facts by contact id. `closed` are the resting channels, until when.

    `instead`: by contact id an address to be written to, whatever the one in use on its channel.
    """
    people = {contact.pk: contact for contact in contacts}
    found = _read(people, plans, limits, now, instead or {})
    spent = sms_budget.spent(limits.budgets, now)
    silent = frozenset[str]() if texting.is_possible() else frozenset({SMS})
    return {
        pk: replace(_facts(contact, found, limits, now=now, closed=closed, spent=spent), silent=silent)
        for pk, contact in people.items()
    }


def _read(
    people: Collection[int],
    plans: Plans,
    limits: Limits,
    now: datetime,
    instead: Mapping[int, ContactPoint],
) -> _Rows:
    points: dict[int, list[ContactPoint]] = defaultdict(list)
    in_use = ContactPoint.objects.filter(contact_id__in=people, current=True)
    for point in in_use.annotate(paused_until=_pause_of_any(now)):
        if (other := instead.get(point.contact_id)) is None or other.channel != point.channel:
            points[point.contact_id].append(point)
    for contact_id, other in instead.items():
        points[contact_id].append(other)
    every_point = [point for group in points.values() for point in group]
    digests = {point.digest for point in every_point}
    pauses = {point.pk: getattr(point, "paused_until", None) for point in every_point}
    consents: dict[int, dict[str, ConsentFacts]] = defaultdict(dict)
    answers = Consent.objects.filter(point_id__in=[point.pk for point in every_point])
    for consent in answers.annotate(
        last_by_name=evidence.last_answer_by_name(), any_hour=F("event__text__any_hour")
    ):
        consents[consent.point_id][consent.topic] = ConsentFacts(
            answer=Answer(consent.answer),
            until=consent.until,
            basis=Basis(consent.basis or Basis.NONE),
            proven_age=consent.proven_age,
            stopped_by_name=consent.last_by_name == ConsentEvent.Action.REVOKE,
            any_hour=bool(consent.any_hour),
        )
    blocks = {
        (row.channel, row.digest): Block(row.scope)
        for row in Suppression.objects.filter(digest__in=digests, lifted_at=None)
    }
    sent, sent_to, reserved = _messages(people, digests, plans, limits, now)
    return _Rows(points, pauses, consents, blocks, sent, sent_to, reserved)


def _pause_of_any(now: datetime) -> Subquery:
    """The longest pause of anybody who uses an address."""
    users = ContactPoint.objects.filter(digest=OuterRef("digest"), channel=OuterRef("channel"), current=True)
    pausing = users.filter(contact__paused_until__gt=now, contact__merged_into=None)
    return Subquery(pausing.order_by("-contact__paused_until").values("contact__paused_until")[:1])


def _messages(
    people: Collection[int], digests: Collection[str], plans: Plans, limits: Limits, now: datetime
) -> tuple[dict[int, list[Sent]], dict[str, list[tuple[int, Sent]]], dict[int, list[Reserved]]]:
    since = now - max(limits.memory(), settings.VOUCHER_GAP)
    # what they got under another contact, before it was known who they are
    merged = dict(Contact.objects.filter(merged_into__in=people).values_list("pk", "merged_into_id"))
    messages = Message.objects.filter(
        Q(contact_id__in=[*people, *merged], attempted_at__gt=since)
        | Q(address_digest__in=digests, attempted_at__gt=since)
        | Q(contact_id__in=people, state=State.PLANNED, due_at__lte=now + RESERVATION)
    ).only(
        "contact_id", "attempted_at", "channel", "purpose", "intent", "lane", "voucher", "address_digest",
        "state", "due_at", "priority", "flow_id", "step_key", "topic",
    )  # fmt: skip
    sent: dict[int, list[Sent]] = defaultdict(list)
    sent_to: dict[str, list[tuple[int, Sent]]] = defaultdict(list)
    reserved: dict[int, list[Reserved]] = defaultdict(list)
    for message in messages:
        if message.attempted_at is None:
            # only marketing takes room under a cap, and no shadow does
            planned = plans.get(message.flow_id)
            is_shadow = planned is not None and planned.plan.shadow
            if message.purpose == Purpose.MARKETING and not is_shadow:
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
        topic=message.topic,
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
        topic=message.topic,
        campaign=message.lane == Lane.CAMPAIGN,
    )


def _facts(
    contact: Contact,
    found: _Rows,
    limits: Limits,
    *,
    now: datetime,
    closed: Mapping[str, datetime],
    spent: Mapping[str, datetime],
) -> Facts:
    mine = found.sent.get(contact.pk, [])
    points = found.points.get(contact.pk, [])
    others = [
        replace(sent, same_contact=False)
        for point in points
        for contact_id, sent in found.sent_to.get(point.digest, [])
        if contact_id != contact.pk
    ]
    terms = {point.channel: limits.terms(contact, point) for point in points if point.channel == SMS}
    return Facts(
        now=now,
        points={
            point.channel: PointFacts(
                id=point.pk,
                address=point.address,
                digest=point.digest,
                consents=found.consents.get(point.pk, {}),
                blocked=found.blocks.get((point.channel, point.digest)),
                paused_until=found.pauses[point.pk],
            )
            for point in points
        },
        primary_channel=contact.primary_channel,
        hours={channel: each.hours for channel, each in terms.items()},
        bases={channel: each.bases for channel, each in terms.items()},
        one_way=frozenset(channel for channel, each in terms.items() if each.one_way),
        paused_until=contact.paused_until,
        guarded=limits.guarded,
        held=frozenset(settings.HELD_UNTIL_MORNING),
        spent=spent,
        caps=sum((each.caps for each in terms.values()), limits.caps_of(contact)),
        sent=tuple(mine + others),
        reserved=tuple(found.reserved.get(contact.pk, [])),
        closed=closed,
        voucher_gap=settings.VOUCHER_GAP,
    )
