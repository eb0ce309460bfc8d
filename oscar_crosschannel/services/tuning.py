"""Changing a flow: the merchant's rows, its version, and the messages that are planned already.

People inside follow the current version, so what waits for a step that changed is planned anew from
its run's anchor. Everything happens in the transaction in which the flow was locked; what it will mean
for people inside can be asked before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q

from ..core.lifecycle import RECALLABLE
from ..core.plan import Plan, Step, StepTuning, Tuning
from ..models import Copy, Flow, FlowStep, Message
from . import flow_versions, following
from .flow_versions import Outline, Parts, Place
from .plans import origin, tuning_of


@dataclass(frozen=True, slots=True)
class Retuned:
    """A flow before and after a change."""

    before: Plan
    after: Plan
    replanned: int  #: messages that follow the change


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a change means for the people inside, in planned messages; of each run there is one."""

    waiting: int  #: of all steps, changed or not
    due_now: int = 0  #: of those, what the change makes due
    late: int = 0  #: for which it will be too late: not sent
    losing: int = 0  #: whose step is gone; the next one is planned in its place
    following: int = 0  #: whose step changed, and which still wait
    #: by step, new or moved to the front: who waits for a later one already, and does not get it
    missing: Mapping[str, int] = field(default_factory=dict)

    @property
    def touched(self) -> int:
        """Messages that are not what they were."""
        return self.due_now + self.late + self.losing + self.following


def lock(flow_id: int) -> Flow:
    """The flow's row, which nobody else changes until the caller's transaction ends.

    Its version may be compared with what a form was made from; people go on entering the flow.
    """
    return Flow.objects.select_for_update(of=("self",), no_key=True).get(pk=flow_id)


def retune(
    flow: Flow,
    declared: Plan,
    tuning: Tuning,
    *,
    now: datetime,
    outline: Outline | None = None,
    words: Mapping[Place, Parts] | None = None,
    author: int | None = None,
) -> Retuned:
    """Write down what the merchant wants of a locked flow, and let planned messages follow.

    `tuning` is all they want: what it does not name goes back to what is declared. Rows of steps that
    neither names, left by an earlier version of the blueprint, stay as they are. `outline`, of a flow of
    their own, and `words` stay as they are if not given. `author` is the id of a user.
    """
    flow_versions.begin(flow, now=now)
    before = declared.tuned(tuning_of(flow))
    if outline is not None and flow.trigger:
        outline.write(flow)
        found = origin(flow)
        declared = found[0] if found is not None else declared
    known = {step.key: step for step in flow.steps.all()}
    for key in [
        *(step.key for step in declared.steps),
        *(key for key in tuning.steps if not declared.step(key)),
    ]:
        _write(flow, key, known.get(key), tuning.steps.get(key, StepTuning()), now)
    if words is not None:
        Copy.objects.filter(flow=flow).delete()
        Copy.objects.bulk_create(flow_versions.rows_of(flow.pk, words))
    flow.enabled, flow.shadow, flow.holdout = tuning.enabled, tuning.shadow, tuning.holdout
    flow.save()
    flow_versions.raise_version(flow, author=author, now=now)
    after = declared.tuned(tuning_of(Flow.objects.prefetch_related("steps").get(pk=flow.pk)))
    steps = [key for key, _ in _changed(before, after)]
    replanned = sum(
        following.waiting(flow.pk, state).filter(step_key__in=steps).count() for state in RECALLABLE
    )
    about = (before.topic, before.priority) != (after.topic, after.priority)
    following.follow(flow.pk, steps, about=about, now=now)
    return Retuned(before, after, replanned)


def restored(declared: Plan, tuning: Tuning) -> Plan:
    """The plan if no step were switched off: words may be written for those, too."""
    steps = {key: replace(each, removed=False) for key, each in tuning.steps.items()}
    return declared.tuned(replace(tuning, steps=steps))


def foresee(flow_id: int, before: Plan, after: Plan, *, now: datetime) -> Effect:
    """What a change would mean for the people inside. Two statements, whatever the number of people."""
    changed, overtaking = dict(_changed(before, after)), list(_overtaking(before, after))
    missing = {f"missing_{number}": _missing(*each) for number, each in enumerate(overtaking)}
    found = {"count": Count("pk"), **_counts(changed, after, now), **missing}
    total: dict[str, Counter[str]] = {name: Counter() for name in ("count", "due_now", "late", *missing)}
    for state in RECALLABLE:
        by_step = following.waiting(flow_id, state).order_by().values_list("step_key").annotate(**found)
        for key, *numbers in by_step:
            for name, number in zip(found, numbers, strict=True):
                total[name][key] += number
    count, due_now, late = total["count"], total["due_now"].total(), total["late"].total()
    return Effect(
        waiting=count.total(),
        due_now=due_now,
        late=late,
        losing=sum(count[key] for key, step in changed.items() if step is None),
        following=sum(count[key] for key, step in changed.items() if step is not None) - due_now - late,
        missing={
            key: number
            for name, (key, _later) in zip(missing, overtaking, strict=True)
            if (number := total[name].total())
        },
    )


def _counts(changed: Mapping[str, Step | None], after: Plan, now: datetime) -> dict[str, Count]:
    """Which of the messages that follow fall due at once, and for which it is too late."""
    due_now, late = Q(), Q()
    for key, step in changed.items():
        if step is not None:
            over = Q(enrolment__anchor_at__lte=now - after.lifetime(step))
            begun = Q(enrolment__anchor_at__lte=now - step.delay)
            due_now |= Q(step_key=key, due_at__gt=now) & begun & ~over
            late |= Q(step_key=key, expires_at__gt=now) & over
    return {"due_now": Count("pk", filter=due_now), "late": Count("pk", filter=late)} if due_now else {}


def _overtaking(before: Plan, after: Plan) -> Iterator[tuple[str, list[str]]]:
    """The steps that are new or move to the front, each with those that it precedes from now on."""
    for step in after.steps:
        preceded = _later(before, step.key) if before.step(step.key) is not None else ()
        if later := [key for key in _later(after, step.key) if key not in preceded]:
            yield step.key, later


def _later(plan: Plan, key: str) -> tuple[str, ...]:
    return plan.order[plan.order.index(key) + 1 :]


def _missing(key: str, later: list[str]) -> Count:
    """Who waits for one of the later steps does not get this one, unless they have had it: runs only go forward."""
    had = Exists(Message.objects.filter(enrolment=OuterRef("enrolment"), step_key=key))
    return Count("pk", filter=Q(~had, step_key__in=later))


def _write(flow: Flow, key: str, row: FlowStep | None, wanted: StepTuning, now: datetime) -> None:
    if wanted == StepTuning():
        if row is not None:
            row.delete()
        return
    removed_at = (row.removed_at if row is not None else None) or now
    FlowStep.objects.update_or_create(
        flow=flow,
        key=key,
        defaults={
            "title": wanted.title,
            "delay": wanted.delay,
            "expires": wanted.expires,
            "channels": list(wanted.channels) if wanted.channels is not None else None,
            "patience": wanted.patience,
            "voucher": wanted.voucher,
            "voucher_valid": wanted.voucher_valid,
            "offer_id": wanted.offer_id,
            "unless": wanted.unless,
            "only_if": wanted.only_if,
            "removed_at": removed_at if wanted.removed else None,
        },
    )


def _changed(before: Plan, after: Plan) -> Iterator[tuple[str, Step | None]]:
    """The steps for which something is to be planned anew, and what they are now; None: gone."""
    for step in before.steps:
        now_is = after.step(step.key)
        if (
            now_is is None
            or not _behaves_alike(step, now_is)
            or before.lifetime(step) != after.lifetime(now_is)
        ):
            yield step.key, now_is


def _behaves_alike(before: Step, after: Step) -> bool:
    """What is looked up at the hand-over only, nothing is to be planned anew for."""
    return (
        replace(before, offer_id=after.offer_id, voucher_valid=after.voucher_valid, title=after.title)
        == after
    )
