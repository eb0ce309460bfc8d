"""People entering flows, moving through them, and leaving. The caller holds the contact's lock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from ..core.events import Event
from ..core.experiments import assign
from ..core.facts import Purpose
from ..core.lifecycle import OPEN, RECALLABLE
from ..core.plan import On, Step
from ..core.rulings import Reason
from ..models import Contact, Enrolment, Message
from ..models.messages import Lane
from . import recall, rows, vouchers
from .plans import PlannedFlow, load_plans

#: The open message of an enrolment.
_OWED = Message.objects.filter(enrolment=OuterRef("pk"), state__in=OPEN)
_OF_RUN = Message.objects.filter(enrolment=OuterRef("pk"))
#: Runs that would have said something but for the shadow mode, and said nothing.
_SHADOWS = (
    Q(state=Enrolment.State.ENDED)
    & Exists(_OF_RUN.filter(reason=Reason.SHADOW))
    & ~Exists(_OF_RUN.filter(attempted_at__isnull=False))
)


def enrol(contact: Contact, planned: PlannedFlow, event: Event, *, now: datetime) -> Enrolment | None:
    """Start a run for this event, or move the open one; None when the flow's rules forbid it."""
    start = planned.plan.start
    runs = Enrolment.objects.filter(contact=contact, flow_id=planned.flow_id)
    if start.one_run:
        if (running := runs.filter(state=Enrolment.State.ACTIVE).first()) is not None:
            follow(running, planned, event)
            return running
        if not _rested(runs, planned, event, now):
            return None
    if start.once and runs.exclude(_SHADOWS).exists():
        return None
    enrolment, created = Enrolment.objects.get_or_create(
        contact=contact,
        flow_id=planned.flow_id,
        key=f"{event.key}@{event.occurred_at:%Y%m%dT%H%M%S}" if start.one_run else event.key,
        defaults={
            "anchor_at": _anchor(start, event),
            "started_at": now,
            "subjects": dict(event.subjects),
            "data": dict(event.data),
            "one_run": start.one_run,
            "held_out": _held_out(contact, planned),
        },
    )
    if created:
        advance([Resolved(enrolment, None, planned)], now=now)
    return enrolment


def _anchor(start: On, event: Event) -> datetime:
    """From when due times count. Raises ValueError if the event does not say what it should."""
    if not start.anchor:
        return event.occurred_at
    return datetime.fromisoformat(event.data[start.anchor])


def follow(enrolment: Enrolment, planned: PlannedFlow, event: Event) -> None:
    """The person was active again: the run follows to what they touched last, and its clock restarts."""
    if event.occurred_at <= enrolment.anchor_at:
        return
    enrolment.subjects = {**enrolment.subjects, **event.subjects}
    reanchor(enrolment, planned, event.occurred_at)


def reanchor(enrolment: Enrolment, planned: PlannedFlow, anchor: datetime) -> None:
    """Count the steps not yet sent from `anchor`."""
    enrolment.anchor_at = anchor
    enrolment.save(update_fields=["anchor_at", "subjects", "clicked_at"])
    for message in enrolment.messages.filter(state__in=RECALLABLE):
        if (step := planned.plan.step(message.step_key)) is not None:
            recall.replan(
                Message.objects.filter(pk=message.pk),
                due_at=planned.plan.due_at(step, anchor),
                expires_at=planned.plan.expires_at(step, anchor),
                reason="",
            )


def stop(
    contact_ids: Collection[int],
    flow_ids: Collection[int],
    *,
    reason: Reason,
    now: datetime,
    at: datetime | None = None,
) -> int:
    """End the contacts' open runs in these flows, as of `at`, and recall their messages."""
    return _stop(contact_ids, Q(flow_id__in=flow_ids), reason=reason, now=now, at=at)


def stop_on(
    event: Event,
    contact_ids: Collection[int],
    stopped: Iterable[tuple[PlannedFlow, On]],
    *,
    reason: Reason,
    now: datetime,
) -> int:
    """End the contacts' open runs that an event stops, as of when it happened, and recall their messages."""
    meant = Q(pk__in=[])
    for planned, how in stopped:
        meant |= _meant(planned, how, event)
    return _stop(contact_ids, meant, reason=reason, now=now, at=event.occurred_at)


def _stop(
    contact_ids: Collection[int], meant: Q, *, reason: Reason, now: datetime, at: datetime | None
) -> int:
    running = list(
        Enrolment.objects.select_for_update(of=("self",), no_key=True)
        .filter(meant, contact_id__in=contact_ids, state=Enrolment.State.ACTIVE)
        .order_by("id")
        .values_list("id", flat=True)
    )
    end(running, reason=reason, now=now, at=at)
    return len(running)


def _meant(planned: PlannedFlow, how: On, event: Event) -> Q:
    """Which runs of a flow an event ends: all, or those about the same thing, but not what it began itself."""
    runs = Q(flow_id=planned.flow_id)
    if how.same:
        runs &= Q(**{f"subjects__{how.same}": event.subjects.get(how.same)})
        if planned.plan.start.event == event.name:
            runs &= ~Q(key=event.key)
    return runs


def end(enrolment_ids: Collection[int], *, reason: Reason, now: datetime, at: datetime | None = None) -> None:
    """End these runs, already locked, and recall their messages. `at`: what ended them happened earlier."""
    if not enrolment_ids:
        return
    Enrolment.objects.filter(id__in=enrolment_ids).update(
        state=Enrolment.State.ENDED, ended_at=at or now, end_reason=reason, needs_next=False
    )
    recall.cancel(Message.objects.filter(enrolment_id__in=enrolment_ids), reason=reason, now=now)
    vouchers.withdraw_unsaid(enrolment_ids, now=now)


def carry_over(gone: Contact, keep: Contact, *, now: datetime) -> None:
    """`gone` turned out to be `keep`, who goes on with the runs of `gone` where they stood.

    Where `keep` is inside the same flow, or was with the same key, the run of `gone` ends. Of a flow that
    comes once in a life, the run that began first goes on, if it has not ended.
    """
    lifelong = [each.flow_id for each in load_plans() if each.plan.start.once]
    theirs, mine = Enrolment.objects.filter(contact=gone), Enrolment.objects.filter(contact=keep)
    twin = Exists(mine.filter(flow=OuterRef("flow"), key=OuterRef("key")))
    inside = Exists(mine.filter(flow=OuterRef("flow"), state=Enrolment.State.ACTIVE, one_run=True))
    running = theirs.filter(state=Enrolment.State.ACTIVE)
    both = Enrolment.objects.filter(Q(contact=gone) & ~twin | Q(contact=keep), flow__in=lifelong)
    locked = lock([*running.values_list("id", flat=True), *both.values_list("id", flat=True)])
    over = {*running.filter(twin | inside).values_list("id", flat=True), *_begun_again(both)}
    end(list(over & locked.keys()), reason=Reason.REPLACED, now=now)
    theirs.exclude(twin).update(contact=keep)
    owed = Message.objects.filter(contact=gone, state__in=RECALLABLE)
    said = Message.objects.filter(contact=keep, intent=OuterRef("intent"), leg=OuterRef("leg"))
    _call_off_what_was_said(owed.filter(Exists(said)), now)
    recall.replan(owed, contact=keep)


def _call_off_what_was_said(messages: QuerySet[Message], now: datetime) -> None:
    locked = messages.select_for_update(of=("self",), no_key=True).order_by("pk")
    runs = dict(locked.values_list("pk", "enrolment_id"))
    if not runs:
        return
    flag_needs_next(filter(None, runs.values()))
    recall.cancel(Message.objects.filter(pk__in=runs), reason=Reason.DUPLICATE, now=now)
    vouchers.withdraw(runs.keys(), now=now)


def _begun_again(runs: QuerySet[Enrolment]) -> Iterator[int]:
    """The runs of one person that began in a flow in which an earlier one had begun."""
    inside: set[int] = set()
    began = runs.exclude(_SHADOWS).order_by("started_at", "pk").values_list("pk", "flow_id")
    for run, flow in began:
        if flow in inside:
            yield run
        inside.add(flow)


@dataclass(frozen=True, slots=True)
class Resolved:
    """An enrolment whose message of `step_key` was resolved; None: it has just begun."""

    enrolment: Enrolment
    step_key: str | None
    planned: PlannedFlow | None
    ends: Reason | None = None  #: the run is over whatever steps are left


def advance(resolved: Sequence[Resolved], *, now: datetime) -> None:
    """Give each open enrolment its next message, or end it. Three statements, whatever the number.

    Of a critical step there is a message for each channel. The first that is resolved brings the next
    step's, and the run ends when none is left. The caller holds the enrolments' locks or their contacts'.
    """
    changes: list[tuple[int, str, int, datetime | None, str, bool]] = []
    messages: list[Message] = []
    waiting = _with_open_legs(resolved)
    for item in resolved:
        run = item.enrolment
        if run.state != Enrolment.State.ACTIVE:
            continue
        step = item.planned.plan.after(item.step_key) if item.planned and not item.ends else None
        if step is not None and item.planned is not None:
            changes.append((run.pk, step.key, Enrolment.State.ACTIVE, None, "", False))
            messages += _messages(run, item.planned, step, now)
        elif run.pk in waiting:
            changes.append((run.pk, item.step_key or "", Enrolment.State.ACTIVE, None, "", True))
        else:
            reason = item.ends or ("" if item.planned else Reason.FLOW_OFF)
            changes.append((run.pk, item.step_key or "", Enrolment.State.ENDED, now, reason, False))
    columns = ["step_key", "state", "ended_at", "end_reason", "needs_next"]
    rows.update_rows(Enrolment, columns, changes, only={"state": [Enrolment.State.ACTIVE]})
    rows.insert_new(Message, messages)
    _flag_standing([pk for pk, _, state, *_ in changes if state == Enrolment.State.ACTIVE])


def _with_open_legs(resolved: Sequence[Resolved]) -> set[int]:
    """The runs that still owe what is critical on another channel; the next tick sees to their end."""
    critical = [
        item.enrolment.pk for item in resolved if item.planned and item.planned.purpose is Purpose.CRITICAL
    ]
    if not critical:
        return set()
    return set(Enrolment.objects.filter(Exists(_OWED), id__in=critical).values_list("id", flat=True))


def lock(enrolment_ids: Iterable[int]) -> dict[int, Enrolment]:
    """The open ones among these runs, locked in id order until the caller's transaction ends."""
    rows_locked = Enrolment.objects.select_for_update(of=("self",), no_key=True)
    running = rows_locked.filter(id__in=list(enrolment_ids), state=Enrolment.State.ACTIVE)
    return {enrolment.pk: enrolment for enrolment in running.order_by("id")}


def standing() -> QuerySet[Enrolment]:
    """Open runs whose message was resolved by somebody who could not schedule the next."""
    return Enrolment.objects.filter(~Exists(_OWED), state=Enrolment.State.ACTIVE, needs_next=True)


def needing_next(limit: int) -> list[Enrolment]:
    """The runs that stand still, locked."""
    free = standing().select_for_update(of=("self",), no_key=True, skip_locked=True)
    return list(free.order_by("id")[:limit])


def flag_needs_next(enrolment_ids: Iterable[int]) -> None:
    """Leave the scheduling of these runs' next messages to the next tick; the caller holds their locks."""
    Enrolment.objects.filter(id__in=list(enrolment_ids), state=Enrolment.State.ACTIVE).update(needs_next=True)


def _flag_standing(enrolment_ids: Collection[int]) -> None:
    """A named promotion that the contact got already is not planned again: the next tick goes past it."""
    if enrolment_ids:
        standing = Enrolment.objects.filter(~Exists(_OWED), id__in=enrolment_ids)
        standing.filter(state=Enrolment.State.ACTIVE).update(needs_next=True)


def _messages(enrolment: Enrolment, planned: PlannedFlow, step: Step, now: datetime) -> list[Message]:
    """One message; of what is critical, one for each channel."""
    legs = step.channels if planned.purpose is Purpose.CRITICAL else ("",)
    return [_message(enrolment, planned, step, leg, now) for leg in legs]


def _message(enrolment: Enrolment, planned: PlannedFlow, step: Step, leg: str, now: datetime) -> Message:
    plan, purpose = planned.plan, planned.purpose
    return Message(
        contact_id=enrolment.contact_id,
        enrolment=enrolment,
        flow_id=planned.flow_id,
        flow_version=plan.version,
        step_key=step.key,
        topic=plan.topic,
        purpose=purpose,
        intent=step.intent or f"{plan.key}:{enrolment.key}:{step.key}",
        leg=leg,
        lane=Lane.FLOW if purpose is Purpose.MARKETING else Lane.URGENT,
        priority=plan.priority,
        voucher=step.voucher,
        due_at=plan.due_at(step, enrolment.anchor_at),
        expires_at=plan.expires_at(step, enrolment.anchor_at),
        created_at=now,
    )


def _rested(runs: QuerySet[Enrolment], planned: PlannedFlow, event: Event, now: datetime) -> bool:
    last = runs.order_by("-started_at", "-id").first()
    if last is None or last.ended_at is None:
        return True
    if event.occurred_at <= last.ended_at:
        return False
    # a run that never said anything (the shopper simply bought) needs no rest
    said = last.messages.filter(attempted_at__isnull=False).exists()
    return not said or now >= last.ended_at + planned.plan.start.again_after


def _held_out(contact: Contact, planned: PlannedFlow) -> bool:
    share = planned.plan.holdout
    if share <= 0:
        return False
    return assign(f"holdout:{planned.plan.key}", str(contact.pk), {"in": 1 - share, "out": share}) == "out"
