"""Turns at a sender that may send only so fast, handed out by one row that all workers share (rule 80).

Turns are taken by one conditional UPDATE before a chunk is handed over. No lock is held while anybody
waits, and a worker that dies loses the turns of its one chunk. What finds no turn free becomes due
when its turn comes, so no worker sits and waits while there is other work.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F

from ..channels.base import Pace
from ..models import Sender

#: Turns that are taken further ahead were taken before a clock was set back, and do not count.
LONGEST = timedelta(minutes=5)


def span(pace: Pace, units: int = 1) -> timedelta:
    """How long the sender takes for so many units."""
    return timedelta(seconds=units / pace.per_second)


def take(pace: Pace, units: int, *, now: datetime) -> datetime | None:
    """Take the next turns, which begin now; if others have them, returns when theirs are over."""
    sender, _ = Sender.objects.get_or_create(key=pace.sender, defaults={"free_at": now})
    if now < sender.free_at < now + max(LONGEST, 10 * span(pace)):
        return sender.free_at
    unchanged = Sender.objects.filter(key=pace.sender, free_at=sender.free_at)
    if unchanged.update(free_at=now + span(pace, units)):
        return None
    sender.refresh_from_db()  # somebody was quicker
    return sender.free_at


def take_more(pace: Pace, units: int) -> None:
    """What was handed over turned out longer than one unit each: the next turns begin later."""
    if units > 0:
        Sender.objects.filter(key=pace.sender).update(free_at=F("free_at") + span(pace, units))


class Turns:
    """What one pass over the lanes knows of the senders' turns."""

    def __init__(self) -> None:
        self._free: dict[str, datetime] = {}
        self._last: dict[tuple[str, int], datetime] = {}

    def free(self, pace: Pace, now: datetime) -> bool:
        """Whether turns may be left, for all this pass knows."""
        return self._free.get(pace.sender, now) <= now

    def take(self, pace: Pace, units: int, *, now: datetime) -> bool:
        """Take turns that begin now. False: others have them."""
        if not self.free(pace, now):
            return False
        busy = take(pace, units, now=now)
        self._free[pace.sender] = busy or now + span(pace, units)
        return busy is None

    def put_off(self, pace: Pace, lane: int) -> datetime:
        """When one more message of this lane may expect its turn: after those put off before it."""
        free = self._free[pace.sender]
        turn = max(free, self._last.get((pace.sender, lane), free))
        self._last[pace.sender, lane] = turn + span(pace)
        return turn
