"""Time as the engine counts it: from the instant it was given, at the speed of a monotonic clock.

So a tick can be run at any instant, and a worker that was frozen notices how long.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic, sleep


class Clock:
    """Moves on from `now`."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._started = monotonic()

    def __call__(self) -> datetime:
        return self._now + timedelta(seconds=monotonic() - self._started)

    def wait_until(self, instant: datetime) -> None:
        """Return when `instant` has come."""
        while (left := (instant - self()).total_seconds()) > 0:
            sleep(left)
