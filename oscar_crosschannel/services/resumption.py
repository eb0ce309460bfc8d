"""Purchases that came to nothing: what an order had ended goes on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef

from ..conf import shop
from ..core.lifecycle import State
from ..core.rulings import Reason
from ..models import Contact, Enrolment, Message
from . import conditions
from .plans import PlannedFlow, Plans


def resume(contact_ids: Collection[int], plans: Plans, *, since: datetime, at: datetime) -> None:
    """Take up again, from `at` on, the runs that a purchase ended at `since` or later.

    Each goes on with the steps that were not sent, counted anew as after any other sign of the person.
    Who has bought something else by now is left alone, and so is who is inside the flow again. The caller
    holds the contacts' locks.
    """
    people = conditions.people_of(
        dict(Contact.objects.filter(id__in=contact_ids).values_list("id", "user_id"))
    )
    buyers = shop().has_bought(list(people.values()), dict.fromkeys(people, since))
    inside = Enrolment.objects.filter(
        contact=OuterRef("contact"), flow=OuterRef("flow"), state=Enrolment.State.ACTIVE, one_run=True
    )
    ended = Enrolment.objects.filter(
        ~Exists(inside),
        contact_id__in=people.keys() - buyers,
        state=Enrolment.State.ENDED,
        end_reason=Reason.PURCHASED,
        ended_at__gte=since,
    )
    taken_up = set()
    locked = ended.select_for_update(of=("self",), no_key=True).order_by("id")
    for run in sorted(locked, key=_when_ended, reverse=True):
        planned = plans.get(run.flow_id)
        one = (run.contact_id, run.flow_id if run.one_run else run.pk)
        if planned is not None and one not in taken_up:
            taken_up.add(one)
            _resume(run, planned, at)


def _when_ended(run: Enrolment) -> tuple[datetime, int]:
    assert run.ended_at is not None  # it was asked for by that
    return run.ended_at, run.pk


def _resume(run: Enrolment, planned: PlannedFlow, at: datetime) -> None:
    run.state, run.ended_at, run.end_reason, run.anchor_at = Enrolment.State.ACTIVE, None, "", at
    run.needs_next = not _plan_again(run, planned, at)
    run.save(update_fields=["state", "ended_at", "end_reason", "anchor_at", "needs_next"])


def _plan_again(run: Enrolment, planned: PlannedFlow, anchor: datetime) -> bool:
    """The message that the purchase had cancelled, if there was one: nobody was told of it."""
    cancelled = run.messages.filter(state=State.CANCELLED, reason=Reason.PURCHASED, step_key=run.step_key)
    step = planned.plan.step(run.step_key)
    if step is None:
        return False
    return bool(
        Message.objects.filter(id__in=cancelled.values("id")).update(
            state=State.PLANNED,
            reason="",
            resolved_at=None,
            due_at=planned.plan.due_at(step, anchor),
            expires_at=planned.plan.expires_at(step, anchor),
        )
    )
