"""Turns at a sender that may send only so fast, handed out by one row that all workers share (rule 80).

Turns are taken by one conditional UPDATE before a chunk is handed over, and begin anew, by another,
right before its first call: what happened in between takes nothing off the pause that follows. No lock
is held while anybody waits, and a worker that dies loses the turns of its one chunk.

What finds no turn free becomes due when its turn comes. A tick that has worked everything else waits
for that turn, and looks at everything anew before it takes it; so while texts queue at a slow number,
a tick keeps its worker until the next one begins.
"""

from __future__ import annotations

from datetime import datetime, timedelta

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


class Turns:
    """What one pass over the lanes knows of the senders' turns."""

    def __init__(self) -> None:
        self._free: dict[str, datetime] = {}
        self._last: dict[tuple[str, int], datetime] = {}
        self._next_call: dict[str, datetime] = {}

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

    def begin(self, pace: Pace, units: int, *, now: datetime) -> bool:
        """Right before the first of the calls that turns were taken for, which need `units`.

        False: this worker was frozen for so long that others have had the turns since.
        """
        until = self._free[pace.sender]
        later = max(until, now + span(pace, units))
        mine = Sender.objects.filter(key=pace.sender, free_at=until)
        if later > until and not mine.update(free_at=later):
            return False
        self._free[pace.sender] = later
        return True

    def next_call(self, pace: Pace, now: datetime) -> datetime:
        """When this worker, who has turns, may call."""
        return self._next_call.get(pace.sender, now)

    def called(self, pace: Pace, units: int, *, now: datetime) -> None:
        """A call of so many units began now."""
        self._next_call[pace.sender] = now + span(pace, units)

    def put_off(self, pace: Pace, lane: int) -> datetime:
        """When one more message of this lane may expect its turn: after those put off before it."""
        free = self._free[pace.sender]
        turn = max(free, self._last.get((pace.sender, lane), free))
        self._last[pace.sender, lane] = turn + span(pace)
        return turn
