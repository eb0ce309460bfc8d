"""T0: what dead workers left behind."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Greatest

from ..core.lifecycle import State
from ..core.rulings import Reason
from ..models import Enrolment, Message
from . import enrolments
from .plans import Plans

#: Rows taken per tick and kind, so that one tick stays short.
MOST = 500


def reap(plans: Plans, *, now: datetime) -> None:
    """Take back expired claims, doubt expired sends, and go on with runs that stand still."""
    _return_claims(now)
    _doubt_sends(now)
    _go_on(plans, now)


def expired(now: datetime) -> QuerySet[Message]:
    """What a worker holds for longer than it may."""
    return Message.objects.filter(state__in=[State.CLAIMED, State.SENDING], lease_until__lt=now)


def _return_claims(now: datetime) -> None:
    """The provider was certainly not called: they are simply due again."""
    with transaction.atomic():
        Message.objects.filter(id__in=_locked(expired(now).filter(state=State.CLAIMED))).update(
            state=State.PLANNED,
            token=None,
            lease_until=None,
            attempted_at=None,
            returns=Greatest("returns", 1),  # `handover.is_poison` counts on from here
        )


def _doubt_sends(now: datetime) -> None:
    """The provider may have been called: never sent again by itself, kept for reconciliation."""
    with transaction.atomic():
        sending = expired(now).filter(state=State.SENDING)
        runs = dict(sending.values_list("id", "enrolment_id")[:MOST])
        # enrolments before messages, in the order of a frozen worker that comes back and records
        free = {None, *_locked(Enrolment.objects.filter(id__in=runs.values()))}
        suspects = [pk for pk, run in runs.items() if run in free]
        doubted = _locked(sending.filter(id__in=suspects))
        Message.objects.filter(id__in=doubted).update(
            state=State.UNKNOWN, reason=Reason.NO_ANSWER, resolved_at=now, lease_until=None
        )
        enrolments.flag_needs_next(run for pk in doubted if (run := runs[pk]))


def _go_on(plans: Plans, now: datetime) -> None:
    with transaction.atomic():
        waiting: list[Enrolment] = enrolments.needing_next(MOST)
        enrolments.advance(
            [enrolments.Resolved(run, run.step_key, plans.get(run.flow_id)) for run in waiting], now=now
        )


def _locked(found: QuerySet[Message] | QuerySet[Enrolment]) -> list[int]:
    """The ids of those that nobody else holds, locked. It never waits: a frozen worker may hold them for hours."""
    free = found.select_for_update(skip_locked=True, of=("self",), no_key=True)
    return list(free.order_by("id").values_list("id", flat=True)[:MOST])
