"""Having what waits judged anew because a guard, a limit or a rule has changed, however much that is.

In stretches of the queue, each in a short transaction: the first with the change itself, which so stays
fast, the others by the ticks. A stretch commits together with the event for the next one, so that a crash
loses none; one that is taken twice finds nothing more to do, because what was woken is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from ..conf import settings
from ..core.events import Event
from ..core.lifecycle import State
from ..core.rulings import Reason
from ..models import Message
from . import inbox, recall, stretches
from .plans import Plans
from .stretches import BEGINNING, Place

#: A stretch waits for its turn. `data`: reasons, channel and untried as `Waiting` has them; lane, due (ISO)
#: and id of the last message before it.
STRETCH_DUE = "messages.wake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is to be judged anew."""

    reasons: tuple[Reason, ...]  #: for one of which it waits
    channel: str = ""  #: only what was tried on this channel; empty: everything
    untried: bool = False  #: not what a provider has put off, which keeps its time


@transaction.atomic
def wake(waiting: Waiting, *, now: datetime) -> None:
    """Let what waits be judged at once, by whoever ticks next; what is due already needs no waking."""
    _wake(waiting, Place(BEGINNING.lane, now, 0), now)


def fold_stretch(event: Event, plans: Plans, *, now: datetime) -> None:
    """Wake one stretch, inside the transaction of the fold."""
    told = event.data
    waiting = Waiting(
        reasons=tuple(map(Reason, told["reasons"])), channel=told["channel"], untried=told["untried"]
    )
    _wake(waiting, stretches.from_json(told), now)


def _wake(waiting: Waiting, after: Place, now: datetime) -> None:
    stretch = stretches.following(messages(waiting).filter(due_at__gt=now), after)
    if stretch:
        # all in one statement: messages are locked by id, and the queue is in another order
        recall.replan(messages(waiting).filter(pk__in=[place.id for place in stretch]), due_at=now)
    if len(stretch) == stretches.LENGTH:
        inbox.publish(_event(waiting, stretch[-1], now), now=now)


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


def _event(waiting: Waiting, after: Place, now: datetime) -> Event:
    what = {"reasons": list(waiting.reasons), "channel": waiting.channel, "untried": waiting.untried}
    # two changes that have come to the same place go on as one
    key = f"{'+'.join(waiting.reasons)}:{waiting.channel}:{waiting.untried:d}:{after.lane}:{after.id}"
    return Event(name=STRETCH_DUE, key=key, occurred_at=now, data=what | after.as_json())
