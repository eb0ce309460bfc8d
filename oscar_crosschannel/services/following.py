"""Having what is planned follow a flow, or its topic, that has changed, however many people are inside.

In stretches of the queue, as `waking` does: the first with the change itself, the others by the ticks. A
stretch reads the flow as it is by then and holds its lock, so that two changes cannot mix; and it goes by the
time of the change, so that what it moves back in the queue is not moved again by the next one, without end.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Greatest

from ..core.events import Event
from ..core.facts import Purpose
from ..core.lifecycle import State
from ..core.plan import Plan
from ..models import Enrolment, Flow, Message
from ..models.messages import Lane
from . import inbox, recall, stretches
from .handover import JUDGED_ANEW
from .plans import PlannedFlow, Plans, load_plans
from .stretches import BEGINNING, Place

#: A stretch waits for its turn. `data`: the flow, its steps that changed, whether what it is about has, and the
#: place of the last message before it. It occurred when the change was made.
FOLLOW_DUE = "messages.follow"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What of a flow has changed, and when."""

    steps: tuple[str, ...] = ()
    about: bool = False  #: its topic, purpose or importance
    at: datetime


@transaction.atomic
def follow(flow_id: int, steps: Collection[str] = (), *, about: bool = False, now: datetime) -> None:
    """Plan anew what waits for these steps of a flow, and judge all by what it is `about` now.

    Messages that were tried keep their times: the provider asked for them.
    """
    if steps or about:
        _follow([flow_id], _Change(steps=tuple(sorted(steps)), about=about, at=now), BEGINNING)


@transaction.atomic
def follow_topic(flow_ids: Collection[int], *, now: datetime) -> None:
    """Judge all that these flows have planned by what their topic is now."""
    _follow(flow_ids, _Change(about=True, at=now), BEGINNING)


def fold_stretch(event: Event, plans: Plans, *, now: datetime) -> None:
    """One stretch, inside the transaction of the fold, whose plans may be older than the change."""
    told = event.data
    change = _Change(steps=tuple(told["steps"]), about=told["about"], at=event.occurred_at)
    _follow([told["flow"]], change, stretches.from_json(told))


def waiting(flow_id: int, state: int) -> QuerySet[Message]:
    """What is planned for people inside and follows changes of its step."""
    return Message.objects.filter(flow=flow_id, state=state, calls=0, enrolment__isnull=False)


def _follow(flow_ids: Collection[int], change: _Change, after: Place) -> None:
    """The next stretch of each flow, and all that is claimed: no stretch finds that in the queue."""
    concerned: list[tuple[PlannedFlow, list[int]]] = []
    further: list[Event] = []
    for planned in _planned(flow_ids):
        stretch = stretches.following(_concerned(planned.flow_id, State.PLANNED, change), after)
        claimed = _concerned(planned.flow_id, State.CLAIMED, change).values_list("pk", flat=True)
        concerned.append((planned, [*claimed, *(place.id for place in stretch)]))
        if len(stretch) == stretches.LENGTH:
            further.append(_event(planned.flow_id, change, stretch[-1]))
    _lock([pk for _, ids in concerned for pk in ids])
    for planned, ids in concerned:
        if ids:
            _apply(Message.objects.filter(pk__in=ids), planned, change)
    if further:
        inbox.publish(*further, now=change.at)


def _planned(flow_ids: Collection[int]) -> list[PlannedFlow]:
    """The flows as they are, and stay until the transaction ends."""
    rows = Flow.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=flow_ids)
    list(rows.order_by("pk").values_list("pk"))
    return [planned for planned in load_plans() if planned.flow_id in flow_ids]


def _concerned(flow_id: int, state: int, change: _Change) -> QuerySet[Message]:
    if change.about:
        return Message.objects.filter(flow=flow_id, state=state)
    return waiting(flow_id, state).filter(step_key__in=change.steps)


def _lock(ids: Sequence[int]) -> None:
    """All at once, and in the order in which every recall locks them."""
    messages = Message.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=ids)
    list(messages.order_by("pk").values_list("pk"))


def _apply(messages: QuerySet[Message], planned: PlannedFlow, change: _Change) -> None:
    for key in change.steps:
        untried = messages.filter(step_key=key, calls=0, enrolment__isnull=False)
        _replan(untried, planned.plan, key, change.at)
    if change.about:
        _speak_of(messages, planned, change.at)


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

    Not before the ticks that began with what the topic was are over: no version of a flow tells them.
    What waits for something that the old purpose asked for need not wait for it any more.
    """
    by_now = now + JUDGED_ANEW
    recall.replan(messages.filter(calls=0).exclude(reason=""), due_at=by_now, reason="")
    lane = Lane.FLOW if planned.purpose is Purpose.MARKETING else Lane.URGENT
    plan = planned.plan
    recall.replan(
        messages,
        due_at=Greatest(F("due_at"), Value(by_now)),
        topic=plan.topic,
        purpose=planned.purpose,
        lane=lane,
        priority=plan.priority,
    )


def _event(flow_id: int, change: _Change, after: Place) -> Event:
    """For the next stretch. Each change goes on by itself, from each place once.

    Under a common key, one would be lost in the other; and who makes a change holds the flow's lock when the
    event is written, where the fold holds the event's and waits for the flow's.
    """
    data = {"flow": flow_id, "steps": list(change.steps), "about": change.about, **after.as_json()}
    told = json.dumps([change.at.isoformat(), data], sort_keys=True)
    key = f"{flow_id}:{sha256(told.encode()).hexdigest()[:32]}"
    return Event(name=FOLLOW_DUE, key=key, occurred_at=change.at, data=data)
