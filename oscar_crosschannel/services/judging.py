"""T1: lock a batch of due messages and their contacts, decide, claim what goes out.

One transaction, a constant number of statements. It never waits: rows that somebody else holds
are skipped and found again by a later batch.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import CharField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Concat

from ..conf import settings
from ..core.decision import Decision, Drop, Send, Wait, decide_together
from ..core.facts import SMS, Candidate, Facts, Purpose, Sent
from ..core.lifecycle import State
from ..core.plan import Step
from ..core.policies import DEFAULT_POLICIES, Policy, as_sent, hours_bind
from ..core.rulings import Reason
from ..core.timing import GUARD, Hours, is_zone, spread, westernmost
from ..models import Contact, ContactPoint, Enrolment, Message
from ..models.messages import Lane
from . import conditions, enrolments, facts, failures, questions, rows, topics, vouchers
from .limits import Limits
from .plans import PlannedFlow, Plans

logger = logging.getLogger(__name__)

#: What a policy raised on is judged again after this time.
AGAIN = timedelta(minutes=15)

_COLUMNS = (
    "state",
    "channel",
    "point",
    "address_digest",
    "token",
    "lease_until",
    "attempted_at",
    "due_at",
    "reason",
    "decision",
    "resolved_at",
    "flow_version",
    "voucher",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A message this worker may hand over, with all that sending needs."""

    message: Message
    planned: PlannedFlow
    step: Step
    channel: str
    address: str
    address_digest: str
    valid_until: datetime  #: it must not reach the person later
    call_until: datetime  #: the provider must not be called later
    zone: str  #: whose clock the words mean; empty: the shop's
    own_zone: str  #: where the person is; empty: nobody knows it for sure
    one_way: bool  #: the person cannot answer, so the words must name another way out (rule 29)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction of judging decided."""

    token: UUID
    judged: int
    claims: tuple[Claim, ...]


def judge(
    lane: int,
    plans: Plans,
    limits: Limits,
    *,
    now: datetime,
    closed: Mapping[str, datetime],
    policies: Sequence[Policy] = DEFAULT_POLICIES,
) -> Batch:
    """Judge up to a batch of due messages of one lane."""
    token = uuid4()
    with transaction.atomic():
        due_now = _locked(lane, now)
        asked = _points_asked(due_now, now)
        messages = _undisputed(due_now, asked)
        if not messages:
            return Batch(token, 0, ())
        verdicts, known = _verdicts(messages, asked, plans, limits, policies, now=now, closed=closed)
        claims = [
            _claim(message, verdict, plans, known[message.pk], now)
            for message in messages
            if isinstance(verdict := verdicts[message.pk], Send)
        ]
        _write(messages, verdicts, known, plans=plans, token=token, now=now)
        dropped = [message for message in messages if isinstance(verdicts[message.pk], Drop)]
        _free(
            [pk for pk, said in verdicts.items() if isinstance(said, Drop) and said.reason == Reason.SHADOW]
        )
        _move_on(dropped, plans, now)
        # a code of an earlier try that certainly did not go out, and will not
        vouchers.withdraw(_without_code(messages, verdicts, plans), now=now)
    return Batch(token, len(messages), tuple(claims))


def due(lane: int, now: datetime) -> QuerySet[Message]:
    """What waits to be judged."""
    return Message.objects.filter(lane=lane, state=State.PLANNED, due_at__lte=now)


def _locked(lane: int, now: datetime) -> list[Message]:
    """Due messages, locked together with their contacts.

    Both tables must be locked: PostgreSQL re-checks only locked rows, and without the contact's
    lock two workers break a cap in a quarter of the cases.
    """
    limit = settings.JUDGE_BATCH_CAMPAIGN if lane == Lane.CAMPAIGN else settings.JUDGE_BATCH
    return list(
        due(lane, now)
        .select_related("contact", "enrolment")
        .select_for_update(skip_locked=True, of=("self", "contact"), no_key=True)
        .order_by("due_at", "id")[:limit]
    )


def _points_asked(messages: Sequence[Message], now: datetime) -> dict[int, ContactPoint]:
    """By contact id the number to be asked for its YES where another one is in use. No statement without questions."""
    people = {message.contact_id for message in messages if message.topic == topics.QUESTIONS}
    return questions.points_asked(people, now=now) if people else {}


def _undisputed(messages: Sequence[Message], asked: Mapping[int, ContactPoint]) -> list[Message]:
    """Leave out whose address another worker may be judging for somebody else: legal caps count by address.

    The lock of an address is that of the first contact who ever used it. What is left out stays due.
    """
    people = {message.contact_id for message in messages}
    users = ContactPoint.objects.filter(digest=OuterRef("digest")).order_by("contact_id")
    written_to = Q(current=True) | Q(pk__in=[point.pk for point in asked.values()])
    mine = ContactPoint.objects.filter(written_to, contact_id__in=people)
    first_users = list(mine.values_list("contact_id", Subquery(users.values("contact_id")[:1])))
    others = {first for _, first in first_users} - people
    if not others:
        return list(messages)
    free = Contact.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
    held = {*people, *free.filter(pk__in=others).order_by("pk").values_list("pk", flat=True)}
    disputed = {contact_id for contact_id, first in first_users if first not in held}
    return [message for message in messages if message.contact_id not in disputed]


def _verdicts(
    messages: Sequence[Message],
    asked: Mapping[int, ContactPoint],
    plans: Plans,
    limits: Limits,
    policies: Sequence[Policy],
    *,
    now: datetime,
    closed: Mapping[str, datetime],
) -> tuple[dict[int, Decision], dict[int, Facts]]:
    """What is decided, and what was known for it, by message id."""
    known = _known(messages, asked, plans, limits, now=now, closed=closed)
    verdicts: dict[int, Decision] = {}
    # together is judged what shares its facts: of whom they are, and whether of the number that is asked
    candidates: dict[tuple[int, bool], list[Candidate]] = defaultdict(list)
    unmet = conditions.unmet(messages, plans)
    for message in messages:
        planned = plans.get(message.flow_id)
        step = planned.plan.step(message.step_key) if planned else None
        if planned is None or step is None:
            verdicts[message.pk] = Drop(Reason.STEP_REMOVED if planned else Reason.FLOW_OFF, ())
        elif not planned.plan.enabled:
            verdicts[message.pk] = Drop(Reason.FLOW_OFF, ())
        else:
            candidate = candidate_of(message, step, plans, condition_met=message.pk not in unmet)
            candidates[message.contact_id, _asks_another(message, asked)].append(candidate)
    sent: dict[str, list[Sent]] = defaultdict(list)
    for group in candidates.values():
        informed = _informed(known[group[0].id], sent)
        decided = _decide(group, informed, policies)
        for candidate in group:
            if isinstance(decision := decided[candidate.id], Send):
                gone = replace(as_sent(candidate, decision.channel, informed, now), same_contact=False)
                sent[gone.digest].append(gone)
        verdicts |= decided
    return verdicts, known


def _known(
    messages: Sequence[Message],
    asked: Mapping[int, ContactPoint],
    plans: Plans,
    limits: Limits,
    *,
    now: datetime,
    closed: Mapping[str, datetime],
) -> dict[int, Facts]:
    """Facts by message id. A number is itself asked for its YES, also while another one is in use."""
    people = facts.gather([message.contact for message in messages], plans, limits, now=now, closed=closed)
    known = {message.pk: people[message.contact_id] for message in messages}
    to_others = [message for message in messages if _asks_another(message, asked)]
    if to_others:
        contacts = [message.contact for message in to_others]
        points = {message.contact_id: asked[message.contact_id] for message in to_others}
        of_the_asked = facts.gather(contacts, plans, limits, now=now, closed=closed, instead=points)
        known |= {message.pk: of_the_asked[message.contact_id] for message in to_others}
    return known


def _asks_another(message: Message, asked: Mapping[int, ContactPoint]) -> bool:
    """Whether this is a question to a number of the contact that is not in use."""
    return message.topic == topics.QUESTIONS and message.contact_id in asked


def _informed(known: Facts, sent: Mapping[str, Sequence[Sent]]) -> Facts:
    """One contact's facts, with what the batch sends to others at the same addresses (legal caps)."""
    others = [each for point in known.points.values() for each in sent.get(point.digest, ())]
    return replace(known, sent=(*known.sent, *others)) if others else known


def _decide(group: Sequence[Candidate], known: Facts, policies: Sequence[Policy]) -> dict[int, Decision]:
    """One contact's decisions. A policy that raises for it must not hold up everybody else."""
    try:
        return decide_together(group, known, policies)
    except Exception as error:
        failures.log(logger, error, "judging contact #%d failed", group[0].contact_id)
        return {each.id: Wait(known.now + AGAIN, "", Reason.CONTEXT_ERROR, ()) for each in group}


def candidate_of(message: Message, step: Step, plans: Plans, *, condition_met: bool) -> Candidate:
    """What policies get to know of a message; `enrolment` should be loaded with it."""
    run, planned = message.enrolment, plans.get(message.flow_id)
    return Candidate(
        id=message.pk,
        contact_id=message.contact_id,
        topic=message.topic,
        purpose=Purpose(message.purpose),
        intent=message.intent,
        channels=(message.leg,) if message.leg else step.channels,
        priority=message.priority,
        due_at=message.due_at,
        expires_at=message.expires_at,
        leg=message.leg,
        patience=step.patience,
        planned_at=planned.plan.due_at(step, run.anchor_at) if planned and run else None,
        campaign=message.lane == Lane.CAMPAIGN,
        any_hour=step.any_hour,
        offers_voucher=step.voucher,
        wanted=run is None or run.state == Enrolment.State.ACTIVE,
        condition_met=condition_met,
        held_out=run is not None and run.held_out,
        minimum_age=plans.minimum_age(message.topic),
        texts_by_consent=topics.texts_by_consent(message.topic),
        excluded=frozenset(message.excluded),
        shadow=planned.plan.shadow if planned else False,
    )


def _claim(message: Message, verdict: Send, plans: Plans, known: Facts, now: datetime) -> Claim:
    planned = plans.get(message.flow_id)
    assert planned is not None
    step = planned.plan.step(message.step_key)
    assert step is not None
    asking = candidate_of(message, step, plans, condition_met=True)
    closes = _closes(verdict.channel, known, now) if hours_bind(asking, verdict.channel, known) else None
    return Claim(
        message=message,
        planned=planned,
        step=step,
        channel=verdict.channel,
        address=known.points[verdict.channel].address,
        address_digest=known.points[verdict.channel].digest,
        valid_until=min(message.expires_at, closes) if closes else message.expires_at,
        call_until=min(message.expires_at, closes - GUARD) if closes else message.expires_at,
        zone=clock_of(message.contact, known.hours.get(SMS), now),
        own_zone=own_zone_of(message.contact, known.hours.get(SMS)),
        one_way=verdict.channel in known.one_way,
    )


def clock_of(contact: Contact, hours: Hours | None, now: datetime) -> str:
    """The person's own zone, or of those possible the one whose clock is furthest behind; empty: the shop's.

    A time that words promise then never lies after the one that counts. `hours` bind texts to the person.
    """
    return _chosen_zone(contact) or (westernmost(hours.zones, now) if hours else "")


def own_zone_of(contact: Contact, hours: Hours | None) -> str:
    """Where the person is; empty: nobody knows it for sure."""
    return _chosen_zone(contact) or (hours.zones[0] if hours and len(hours.zones) == 1 else "")


def _chosen_zone(contact: Contact) -> str:
    return contact.zone if is_zone(contact.zone) else ""


def _closes(channel: str, known: Facts, at: datetime) -> datetime | None:
    """When the hours around `at` end in which the person may be disturbed; None: they do not."""
    hours = known.hours.get(channel)
    return hours.closes(at) if hours else None


def _write(
    messages: Sequence[Message],
    verdicts: Mapping[int, Decision],
    known: Mapping[int, Facts],
    *,
    plans: Plans,
    token: UUID,
    now: datetime,
) -> None:
    changes = [
        (
            message.pk,
            *_values(message, verdicts[message.pk], known[message.pk], token, now),
            *_current(message, plans),
        )
        for message in messages
    ]
    rows.update_rows(Message, _COLUMNS, changes, only={"state": [State.PLANNED]})


def _values(message: Message, verdict: Decision, known: Facts, token: UUID, now: datetime) -> tuple[Any, ...]:
    trace = verdict.as_json()
    match verdict:
        case Send(channel=channel):
            point = known.points[channel]
            lease = now + settings.LEASE
            return (
                State.CLAIMED, channel, point.id, point.digest, token, lease, now, message.due_at, "", trace, None,
            )  # fmt: skip
        case Wait(reason=reason) as wait:
            until = _spread(message, wait, known)
            return State.PLANNED, "", None, "", None, None, None, until, reason, trace, None
        case Drop(reason=reason):
            return State.DROPPED, "", None, "", None, None, None, message.due_at, reason, trace, now


def _current(message: Message, plans: Plans) -> tuple[int, bool]:
    """The version of the flow that decides, and whether its step carries a code: both may have changed."""
    planned = plans.get(message.flow_id)
    step = planned.plan.step(message.step_key) if planned else None
    if planned is None or step is None:
        return message.flow_version, message.voucher
    return planned.plan.version, step.voucher


def _free(shadows: Sequence[int]) -> None:
    """What was not said because of the shadow mode may be said by whoever else means to."""
    if shadows:
        Message.objects.filter(pk__in=shadows).update(
            intent=Concat(Value("shadow:"), Cast("pk", CharField()))
        )


def _without_code(messages: Sequence[Message], verdicts: Mapping[int, Decision], plans: Plans) -> list[int]:
    """The ids of those that were to bring a code, and do not any more."""
    return [
        message.pk
        for message in messages
        if message.voucher and (isinstance(verdicts[message.pk], Drop) or not _current(message, plans)[1])
    ]


def _spread(message: Message, wait: Wait, known: Facts) -> datetime:
    """Messages that come out of quiet hours do not all leave at their first second, nor miss their last."""
    if wait.reason != Reason.OUTSIDE_HOURS:
        return wait.until
    closes = _closes(wait.channel, known, wait.until)
    last = min(message.expires_at, closes - GUARD) if closes else message.expires_at
    room = max(last - wait.until, timedelta(0))
    return wait.until + spread(message.pk, min(settings.SPREAD, room / 2))


def _move_on(dropped: Sequence[Message], plans: Plans, now: datetime) -> None:
    enrolments.advance(
        [
            enrolments.Resolved(message.enrolment, message.step_key, plans.get(message.flow_id))
            for message in dropped
            if message.enrolment is not None
        ],
        now=now,
    )
