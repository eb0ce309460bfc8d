"""Time that stands still while anybody works, and jumps when all wait: pauses of hours cost a test nothing."""

from __future__ import annotations

from datetime import datetime
from threading import Condition

from django.db import connection


class VirtualTime:
    """One clock for several workers. It moves on to the next instant somebody waits for."""

    def __init__(self, now: datetime, workers: int = 1) -> None:
        self.now = now
        self._working = workers
        self._waits: list[datetime] = []
        self._moved = Condition()

    def wait_until(self, instant: datetime) -> None:
        """What a worker does instead of sleeping; it may hold no lock meanwhile."""
        assert not connection.in_atomic_block, "somebody waits inside a transaction"
        with self._moved:
            if instant <= self.now:
                return
            self._waits.append(instant)
            self._rest()
            while self.now < instant:
                assert self._moved.wait(timeout=120), "the others neither work nor wait"

    def leave(self) -> None:
        """A worker has ended: the others need not wait for it."""
        with self._moved:
            self._rest()

    def _rest(self) -> None:
        self._working -= 1
        if self._working or not self._waits:
            return
        self.now = min(self._waits)
        self._working = self._waits.count(self.now)
        self._waits = [wait for wait in self._waits if wait > self.now]
        self._moved.notify_all()

    def clock(self, now: datetime) -> VirtualClock:
        """In place of the engine's clock, whatever instant a tick is given."""
        return VirtualClock(self)


class VirtualClock:
    """One worker's view of the time."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time

    def __call__(self) -> datetime:
        return self._time.now

    def wait_until(self, instant: datetime) -> None:
        self._time.wait_until(instant)
