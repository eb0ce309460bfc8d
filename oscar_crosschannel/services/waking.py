"""Having what waits judged anew because a guard, a limit or a rule has changed, however much that is.

In stretches of the queue, each in a short transaction: the first with the change itself, which so stays
fast, the others by the ticks. A stretch commits together with the event for the next one, so that a crash
loses none; one that is taken twice finds nothing more to do, because what was woken is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from ..conf import settings
from ..core.events import Event
from ..core.lifecycle import State
from ..core.rulings import Reason
from ..models import Message
from ..models.messages import Lane
from . import inbox, recall
from .plans import Plans

#: A stretch waits for its turn. `data`: reasons, channel and untried as `Waiting` has them; lane, due (ISO)
#: and id of the last message before it.
STRETCH_DUE = "messages.wake"
#: Messages woken in one transaction.
STRETCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is to be judged anew."""

    reasons: tuple[Reason, ...]  #: for one of which it waits
    channel: str = ""  #: only what was tried on this channel; empty: everything
    untried: bool = False  #: not what a provider has put off, which keeps its time


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the queue a stretch ends: behind this message."""

    lane: int
    due_at: datetime
    id: int


@transaction.atomic
def wake(waiting: Waiting, *, now: datetime) -> None:
    """Let what waits be judged at once, by whoever ticks next; what is due already needs no waking."""
    _wake(waiting, _Place(Lane.values[0], now, 0), now)


def fold_stretch(event: Event, plans: Plans, *, now: datetime) -> None:
    """Wake one stretch, inside the transaction of the fold."""
    told = event.data
    waiting = Waiting(
        reasons=tuple(map(Reason, told["reasons"])), channel=told["channel"], untried=told["untried"]
    )
    _wake(waiting, _Place(told["lane"], datetime.fromisoformat(told["due"]), told["id"]), now)


def _wake(waiting: Waiting, after: _Place, now: datetime) -> None:
    stretch = _stretch(waiting, after, now)
    if stretch:
        # all in one statement: messages are locked by id, and the queue is in another order
        recall.replan(messages(waiting).filter(pk__in=[place.id for place in stretch]), due_at=now)
    if len(stretch) == STRETCH:
        inbox.publish(_event(waiting, stretch[-1], now), now=now)


def _stretch(waiting: Waiting, after: _Place, now: datetime) -> Sequence[_Place]:
    """The next messages in the order of the queue, which is that of the index by which the engine finds what is due."""
    found: list[_Place] = []
    for lane in Lane.values:
        rest = messages(waiting).filter(lane=lane, due_at__gt=now)
        if lane == after.lane:
            further = Q(due_at__gt=after.due_at) | Q(due_at=after.due_at, pk__gt=after.id)
            rest = rest.filter(further, due_at__gte=after.due_at)
        if lane >= after.lane:
            places = rest.order_by("due_at", "pk").values_list("lane", "due_at", "pk")
            found += (_Place(*place) for place in places[: STRETCH - len(found)])
    return found


def messages(waiting: Waiting) -> QuerySet[Message]:
    """Everything that `wake` would wake, and what is due already."""
    rows = Message.objects.filter(state=State.PLANNED, reason__in=waiting.reasons)
    if waiting.untried:
        rows = rows.filter(calls=0)
    return rows.filter(_was_tried_on(waiting.channel)) if waiting.channel else rows


def _was_tried_on(channel: str) -> Q:
    """Whether the last decision looked at this channel; one that is not known may have."""
    tried = Q(decision__isnull=True)
    for number in range(len(settings.CHANNELS)):
        tried |= Q(**{f"decision__{number}__channel": channel})
    return tried


def _event(waiting: Waiting, after: _Place, now: datetime) -> Event:
    where: dict[str, Any] = {"lane": after.lane, "due": after.due_at.isoformat(), "id": after.id}
    what = {"reasons": list(waiting.reasons), "channel": waiting.channel, "untried": waiting.untried}
    # two changes that have come to the same place go on as one
    key = f"{'+'.join(waiting.reasons)}:{waiting.channel}:{waiting.untried:d}:{after.lane}:{after.id}"
    return Event(name=STRETCH_DUE, key=key, occurred_at=now, data=what | where)
