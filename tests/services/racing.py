"""Two or more database sessions made to meet: a barrier, then a few milliseconds of chance."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

from django.db import connection

#: Rounds of one race: enough to show every wrong variant, a few seconds long.
ROUNDS = 100


class Race:
    """Threads that keep their database sessions from round to round."""

    def __init__(self, runners: int) -> None:
        self._pool = ThreadPoolExecutor(runners)
        self._barrier = Barrier(runners)
        self._chance = random.Random(7)
        self._handicap = self._step = 0.001
        self._last_won: bool | None = None
        # connecting takes longer than most of what races
        self.together(*[_connect] * runners, jitter=0)

    def together(self, *acts: Callable[[], Any], jitter: float = 0.02) -> list[Any]:
        """Run one act per thread at once, each up to `jitter` seconds late; raises what any of them raises."""
        delays = [self._chance.uniform(0, jitter) + max(0, -self._handicap) for _ in acts]
        delays[-1] += self._handicap
        futures = [self._pool.submit(self._run, *pair) for pair in zip(acts, delays, strict=True)]
        return [future.result(timeout=60) for future in futures]

    def even_out(self, *, last_won: bool) -> None:
        """Tell how a round fell: the winner begins later in the next one.

        So a race falls both ways on any machine, however long its acts take there: the handicap grows
        twofold until the other side wins, and then hovers about the point where it is even.
        """
        flipped = last_won is not self._last_won
        self._step = max(self._step / 2, 0.0005) if flipped else min(self._step * 2, 0.05)
        self._handicap += self._step if last_won else -self._step
        self._last_won = last_won

    def _run(self, act: Callable[[], Any], delay: float) -> Any:
        self._barrier.wait(timeout=60)
        time.sleep(delay)
        return act()

    def close(self) -> None:
        count = self._barrier.parties
        self.together(*[_hang_up] * count, jitter=0)
        self._pool.shutdown()


def _connect() -> None:
    connection.ensure_connection()  # each thread its own


def _hang_up() -> None:
    connection.close()


@contextmanager
def race(runners: int) -> Iterator[Race]:
    """Threads for one test."""
    contest = Race(runners)
    try:
        yield contest
    finally:
        contest.close()
