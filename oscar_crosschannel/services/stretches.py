"""The queue of planned messages in stretches: what happens to very many of them happens to a thousand at a time.

The order is that of the index by which the engine finds what is due, so that going on costs as much at the
end of a long queue as at its beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from ..models import Message
from ..models.messages import Lane

#: Messages of one stretch.
LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the queue a stretch ends: behind this message."""

    lane: int
    due_at: datetime
    id: int

    def as_json(self) -> dict[str, Any]:
        """For the `data` of the event for the next stretch."""
        return {"lane": self.lane, "due": self.due_at.isoformat(), "id": self.id}


#: Before every message.
BEGINNING = Place(Lane.values[0], datetime(2000, 1, 1, tzinfo=UTC), 0)


def from_json(told: Mapping[str, Any]) -> Place:
    """The same place."""
    return Place(told["lane"], datetime.fromisoformat(told["due"]), told["id"])


def following(planned: QuerySet[Message], after: Place) -> list[Place]:
    """The next messages among `planned`, at most a stretch of them, in the order of the queue."""
    found: list[Place] = []
    for lane in Lane.values:
        if lane < after.lane:
            continue
        rest = planned.filter(lane=lane)
        if lane == after.lane:
            further = Q(due_at__gt=after.due_at) | Q(due_at=after.due_at, pk__gt=after.id)
            rest = rest.filter(further, due_at__gte=after.due_at)
        places = rest.order_by("due_at", "pk").values_list("lane", "due_at", "pk")
        found += (Place(*place) for place in places[: LENGTH - len(found)])
    return found
