"""Changing a flow: the merchant's rows, its version, and the messages that are planned already.

People inside follow the current version, so what waits for a step that changed is planned anew from
its run's anchor. Everything happens in the transaction in which the flow was locked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import DateTimeField, ExpressionWrapper, OuterRef, QuerySet, Subquery, Value

from ..core.lifecycle import RECALLABLE
from ..core.plan import Blueprint, Plan, Step, StepTuning, Tuning
from ..models import Enrolment, Flow, FlowStep, Message
from . import recall
from .plans import tuning_of


@dataclass(frozen=True, slots=True)
class Retuned:
    """A flow before and after a change."""

    before: Plan
    after: Plan
    replanned: int  #: messages that follow the change


def lock(flow_id: int) -> Flow:
    """The flow's row, which nobody else changes until the caller's transaction ends.

    Its version may be compared with what a form was made from; people go on entering the flow.
    """
    return Flow.objects.select_for_update(of=("self",), no_key=True).get(pk=flow_id)


def retune(flow: Flow, blueprint: Blueprint, tuning: Tuning, *, now: datetime) -> Retuned:
    """Write down what the merchant wants of a locked flow, and let planned messages follow.

    `tuning` is all they want: what it does not name goes back to the blueprint. Rows of steps that
    the blueprint no longer has stay as they are.
    """
    declared = blueprint.plan()
    before = declared.tuned(tuning_of(flow))
    known = {step.key: step for step in flow.steps.all()}
    for step in declared.steps:
        _write(flow, step.key, known.get(step.key), tuning.steps.get(step.key, StepTuning()), now)
    flow.enabled, flow.holdout = tuning.enabled, tuning.holdout
    flow.version += 1
    flow.save(update_fields=["enabled", "holdout", "version"])
    after = declared.tuned(tuning_of(Flow.objects.prefetch_related("steps").get(pk=flow.pk)))
    return Retuned(before, after, sum(_follow(flow, before, after, now)))


def raise_version(flow: Flow) -> None:
    """A locked flow says something else from now on."""
    flow.version += 1
    flow.save(update_fields=["version"])


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
            "delay": wanted.delay,
            "channels": list(wanted.channels) if wanted.channels is not None else None,
            "patience": wanted.patience,
            "offer_id": wanted.offer_id,
            "unless": wanted.unless,
            "only_if": wanted.only_if,
            "removed_at": removed_at if wanted.removed else None,
        },
    )


def _follow(flow: Flow, before: Plan, after: Plan, now: datetime) -> Iterator[int]:
    """Plan anew what waits for a step that is not what it was; how many messages, bit by bit.

    One UPDATE per step and state, each of which an index of open messages serves. A message that
    was tried already keeps its own times: the provider asked for them.
    """
    for step in before.steps:
        now_is = after.step(step.key)
        if (
            now_is is not None
            and _behaves_alike(step, now_is)
            and before.lifetime(step) == after.lifetime(now_is)
        ):
            continue
        for state in RECALLABLE:
            waiting = Message.objects.filter(
                flow=flow, step_key=step.key, state=state, calls=0, enrolment__isnull=False
            )
            if now_is is None:  # judged now, it gives way to the next step
                yield recall.replan(waiting, due_at=now, reason="")
            else:
                yield _replan(waiting, after, now_is)


def _behaves_alike(before: Step, after: Step) -> bool:
    """The offer behind a code is looked up at the hand-over; nothing is to be planned anew for it."""
    return replace(before, offer_id=None) == replace(after, offer_id=None)


def _replan(waiting: QuerySet[Message], plan: Plan, step: Step) -> int:
    anchor = Subquery(Enrolment.objects.filter(pk=OuterRef("enrolment")).values("anchor_at")[:1])
    return recall.replan(
        waiting,
        due_at=ExpressionWrapper(anchor + Value(step.delay), output_field=DateTimeField()),
        expires_at=ExpressionWrapper(anchor + Value(plan.lifetime(step)), output_field=DateTimeField()),
        reason="",
    )
