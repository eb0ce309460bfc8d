"""Having what is planned follow a flow, or its topic, that has changed, however many people are inside.

In stretches of the queue, as `waking` does: the first with the change itself, the others by the ticks. A
stretch reads the flow as it is by then and holds its lock, so that two changes cannot mix.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, OuterRef, QuerySet, Subquery, Value

from ..core.events import Event
from ..core.facts import Purpose
from ..core.lifecycle import State
from ..core.plan import Plan
from ..models import Enrolment, Flow, Message
from ..models.messages import Lane
from . import inbox, recall, stretches
from .plans import PlannedFlow, Plans, load_plans
from .stretches import BEGINNING, Place

#: A stretch waits for its turn. `data`: the flow, its steps that changed, whether what it is about has, and the
#: place of the last message before it.
FOLLOW_DUE = "messages.follow"


@transaction.atomic
def follow(flow_id: int, steps: Collection[str] = (), *, about: bool = False, now: datetime) -> None:
    """Plan anew what waits for these steps of a flow, and judge all by what it is `about` now.

    Messages that were tried keep their times: the provider asked for them.
    """
    if not steps and not about:
        return
    planned = _planned(flow_id)
    if planned is not None:
        claimed = _concerned(flow_id, State.CLAIMED, steps, about=about).values_list("pk", flat=True)
        _apply(list(claimed), planned, steps, about=about, now=now)
        _follow(planned, sorted(steps), BEGINNING, about=about, now=now)


def fold_stretch(event: Event, plans: Plans, *, now: datetime) -> None:
    """One stretch, inside the transaction of the fold, whose plans may be older than the change."""
    told = event.data
    planned = _planned(told["flow"])
    if planned is not None:
        _follow(planned, told["steps"], stretches.from_json(told), about=told["about"], now=now)


def waiting(flow_id: int, state: int) -> QuerySet[Message]:
    """What is planned for people inside and follows changes of its step."""
    return Message.objects.filter(flow=flow_id, state=state, calls=0, enrolment__isnull=False)


def _planned(flow_id: int) -> PlannedFlow | None:
    """The flow as it is, and stays until the transaction ends."""
    Flow.objects.select_for_update(of=("self",), no_key=True).filter(pk=flow_id).first()
    return load_plans().get(flow_id)


def _concerned(flow_id: int, state: int, steps: Collection[str], *, about: bool) -> QuerySet[Message]:
    if about:
        return Message.objects.filter(flow=flow_id, state=state)
    return waiting(flow_id, state).filter(step_key__in=steps)


def _follow(planned: PlannedFlow, steps: Sequence[str], after: Place, *, about: bool, now: datetime) -> None:
    stretch = stretches.following(_concerned(planned.flow_id, State.PLANNED, steps, about=about), after)
    _apply([place.id for place in stretch], planned, steps, about=about, now=now)
    if len(stretch) == stretches.LENGTH:
        inbox.publish(_event(planned, steps, stretch[-1], about=about, now=now), now=now)


def _apply(
    ids: Sequence[int], planned: PlannedFlow, steps: Collection[str], *, about: bool, now: datetime
) -> None:
    if not ids:
        return
    stretch = Message.objects.filter(pk__in=ids)
    # all at once and in the order in which every recall locks them
    list(stretch.select_for_update(of=("self",), no_key=True).order_by("pk").values_list("pk"))
    for key in steps:
        _replan(stretch.filter(step_key=key, calls=0, enrolment__isnull=False), planned.plan, key, now)
    if about:
        _speak_of(stretch, planned, now)


def _replan(messages: QuerySet[Message], plan: Plan, key: str, now: datetime) -> None:
    step = plan.step(key)
    if step is None:  # judged now, it gives way to the next step
        recall.replan(messages, due_at=now, reason="")
        return
    anchor = Subquery(Enrolment.objects.filter(pk=OuterRef("enrolment")).values("anchor_at")[:1])
    recall.replan(
        messages,
        due_at=ExpressionWrapper(anchor + Value(step.delay), output_field=DateTimeField()),
        expires_at=ExpressionWrapper(anchor + Value(plan.lifetime(step)), output_field=DateTimeField()),
        reason="",
    )


def _speak_of(messages: QuerySet[Message], planned: PlannedFlow, now: datetime) -> None:
    """About another topic, for another purpose, or of another importance: they are judged by that.

    What waits for something that the old purpose asked for need not wait for it any more.
    """
    recall.replan(messages.filter(calls=0).exclude(reason=""), due_at=now, reason="")
    lane = Lane.FLOW if planned.purpose is Purpose.MARKETING else Lane.URGENT
    plan = planned.plan
    recall.replan(messages, topic=plan.topic, purpose=planned.purpose, lane=lane, priority=plan.priority)


def _event(planned: PlannedFlow, steps: Sequence[str], after: Place, *, about: bool, now: datetime) -> Event:
    what = {"flow": planned.flow_id, "steps": list(steps), "about": about}
    # two changes that have come to the same place go on as one only if they are the same
    key = f"{planned.flow_id}:{planned.plan.version}:{about:d}:{after.lane}:{after.id}"
    return Event(name=FOLLOW_DUE, key=key, occurred_at=now, data=what | after.as_json())
