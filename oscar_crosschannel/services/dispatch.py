"""The tick: reap, fold, then judge, hand over, send and record, the highest lane first.

Safe to run by several workers at once, twice at once, or not for days. The broker never
matters: what is due is found in rows.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from django.db import connection
from django.utils.module_loading import import_string

from ..channels.loading import channel
from ..conf import settings
from ..core.lifecycle import State
from ..core.outbound import Effect, Receipt, Refused, SenderBroken
from ..core.policies import DEFAULT_POLICIES, Policy
from ..core.rulings import Reason
from ..models import Message
from ..models.messages import Lane
from . import agenda, delivery, failures, intake, judging, limits, pacing, resting
from .clock import Clock
from .handover import hand_over, is_poison
from .judging import Claim
from .plans import Plans, load_plans
from .reaping import reap
from .recording import PutOff, Result, record
from .sending import send

logger = logging.getLogger(__name__)

#: Share of the lease after which a worker starts no further call.
DEADLINE = 0.9
#: Times that a claim whose row another worker happens to hold is tried again, and the pause.
RETRIES, RETRY_PAUSE = 20, 0.01
#: Messages handed over at once, whatever the settings say: a crash leaves that many in doubt.
MOST_AT_ONCE = 50
#: A tick ends after this time; the next one goes on.
LONGEST_TICK = timedelta(minutes=2)


@dataclass(slots=True)
class Report:
    """What one tick did; numbers only, so that it can be logged."""

    folded: int = 0
    judged: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)  #: parts of the tick that raised; the log says why


def tick(now: datetime) -> Report:
    """Do everything that is due at `now`."""
    return _Tick(now).run()


class _Tick:
    """One pass of one worker."""

    def __init__(self, now: datetime) -> None:
        self.clock = Clock(now)
        self.ends = now + LONGEST_TICK
        #: until the next tick begins, this one stays for what waits for its turn at a sender
        self.stays = now + min(LONGEST_TICK, timedelta(seconds=settings.TICK_SECONDS))
        self.report = Report()
        self.policies = policies()
        self.turns = pacing.Turns()

    @cached_property
    def plans(self) -> Plans:
        """Read once in each pass, and only if there is something to do."""
        return load_plans()

    @cached_property
    def limits(self) -> limits.Limits:
        """Read once in each pass, when the first lane is worked."""
        return limits.load()

    @cached_property
    def rests(self) -> resting.Rests:
        """Read when the first lane is worked: a report of this tick may have closed a channel."""
        return resting.Rests.load()

    def run(self) -> Report:
        todo = agenda.read(self.clock())
        if todo.dead:
            with self._part("reap"), _polite():
                reap(self.plans, now=self.clock())
        swept = True  # for all we know, if it fails
        with self._part("sweep"):
            swept = intake.sweep(todo.swept, now=self.clock(), is_behind=todo.is_behind)
        if todo.events or swept:
            self._fold()
        changed = todo.dead or self.report.folded
        self._work_lanes(agenda.due_lanes(self.clock()) if changed else todo.lanes)
        while (turn := agenda.next_turn(self.clock(), self.stays)) is not None:
            self.clock.wait_until(turn)
            self._pass_again()
        if todo.overdue:
            # last: a provider that does not answer questions must not keep anybody waiting
            with self._part("reconcile"):
                delivery.reconcile(clock=self.clock, ends=self.ends)
        return self.report

    def _pass_again(self) -> None:
        """While this worker waited, the world went on: a flow may be off, somebody may have bought."""
        for read in ("plans", "limits", "rests"):
            vars(self).pop(read, None)
        todo = agenda.read(self.clock())
        if todo.events:
            self._fold()
        self._work_lanes(agenda.due_lanes(self.clock()) if todo.events else todo.lanes)

    def _fold(self) -> None:
        with self._part("fold"):
            self.report.folded += intake.fold(self.plans, clock=self.clock, pause=_polite)

    def _work_lanes(self, lanes: Sequence[int]) -> None:
        self.turns = pacing.Turns()
        for lane in lanes:
            with self._part(Lane(lane).name.lower()):
                self.work(lane)

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """What goes wrong in one part of a tick stops no other part."""
        try:
            yield
        except Exception as error:
            failures.log(logger, error, "%s failed; the next tick tries again", name)
            self.report.failed.append(name)

    def work(self, lane: int) -> None:
        """Work one lane until a batch is empty; higher lanes go between two of its chunks."""
        while self.clock() < self.ends:
            started = self.clock()
            with _polite():
                batch = judging.judge(
                    lane,
                    self.plans,
                    self.limits,
                    now=started,
                    closed=self.rests.closed(started),
                    policies=self.policies,
                )
            if not batch.judged:
                return
            self.report.judged += batch.judged
            self._deliver(batch, lane, deadline=min(started + settings.LEASE * DEADLINE, self.ends))

    def _deliver(self, batch: judging.Batch, lane: int, *, deadline: datetime) -> None:
        left = list(batch.claims)
        for _ in range(RETRIES):
            missed: list[Claim] = []
            spared: list[Result] = []
            for chunk in self._chunks(left):
                if not self._may_send(chunk[0].channel, deadline):
                    spared += [Result(claim, None, None) for claim in chunk]
                elif turns := self._later_turns(chunk, lane):
                    spared += [
                        Result(claim, None, PutOff(turn, Reason.PACED))
                        for claim, turn in zip(chunk, turns, strict=True)
                    ]
                else:
                    missed += self._deliver_chunk(chunk, batch, deadline)
            self._record(spared, batch)
            left = _still_claimed(missed, batch)
            if not left:
                return
            time.sleep(RETRY_PAUSE)

    def _may_send(self, key: str, deadline: datetime) -> bool:
        now = self.clock()
        return now < deadline and self.rests.lets_through(key, now)

    def _later_turns(self, chunk: Sequence[Claim], lane: int) -> list[datetime]:
        """When the messages of a chunk will have their turn; nothing, if they may go now. Higher lanes go first."""
        pace = channel(chunk[0].channel).pace()
        if pace is None or self.turns.free(pace, self.clock()):
            self._work_higher(lane)
        if pace is None or self.turns.take(pace, len(chunk), now=self.clock()):
            return []
        return [self.turns.put_off(pace, lane) for _ in chunk]

    def _deliver_chunk(self, chunk: Sequence[Claim], batch: judging.Batch, deadline: datetime) -> list[Claim]:
        """Send one chunk; returns the claims that could not be handed over just now."""
        if is_poison(chunk, batch.token):
            self._record([Result(claim, None, Reason.POISON) for claim in chunk], batch)
            return []
        try:
            with _polite():
                outcome = hand_over(chunk, batch.token, now=self.clock())
        except Exception as error:
            failures.log(logger, error, "handing over %d messages failed", len(chunk))
            self.report.failed.append("hand over")
            if len(chunk) == 1:
                return []  # its lease brings it back, a few times
            return [missed for claim in chunk for missed in self._deliver_chunk([claim], batch, deadline)]
        results = [
            Result(claim, None, reason)
            for claim in chunk
            if (reason := outcome.refused.get(claim.message.pk)) is not None
        ]
        results += send(outcome.handed, clock=self.clock, deadline=deadline, turns=self.turns)
        self._record(results, batch)
        self._learn(results)
        done = {result.claim.message.pk for result in results}
        return [claim for claim in chunk if claim.message.pk not in done]

    def _record(self, results: Sequence[Result], batch: judging.Batch) -> None:
        """Record together, or, if the database refuses one of them, each alone."""
        if not results:
            return
        try:
            with _polite():
                record(results, batch.token, now=self.clock())
        except Exception as error:
            failures.log(logger, error, "recording %d results failed", len(results))
            self.report.failed.append("record")
            if len(results) > 1:
                for result in results:
                    self._record([result], batch)

    def _work_higher(self, lane: int) -> None:
        for higher in agenda.due_lanes(self.clock(), above=lane):
            if Lane(higher).name.lower() not in self.report.failed:
                with self._part(Lane(higher).name.lower()):
                    self.work(higher)

    def _chunks(self, claims: Sequence[Claim]) -> Iterator[Sequence[Claim]]:
        """Groups of one channel, about one second of sending each; one message while a channel is on trial.

        What a dead worker had in its hands goes last and alone, so that what killed it harms no other.
        """
        fresh = [claim for claim in claims if not claim.message.returns]
        for key in sorted({claim.channel for claim in fresh}):
            mine = [claim for claim in fresh if claim.channel == key]
            while mine:
                size = 1 if self.rests.on_trial(key) else _chunk_size(key)
                yield mine[:size]
                mine = mine[size:]
        for claim in claims:
            if claim.message.returns:
                yield [claim]

    def _learn(self, results: Sequence[Result]) -> None:
        """What outcomes say beyond their message: about the address, and about the channel."""
        for result in results:
            self.report.outcomes[type(result.outcome).__name__] += 1
            try:
                self._learn_from(result)
            except Exception as error:
                failures.log(
                    logger, error, "the consequence of message %d was not drawn", result.claim.message.pk
                )
                self.report.failed.append("learn")

    def _learn_from(self, result: Result) -> None:
        match result.outcome:
            case SenderBroken() as broken:
                self.rests.rest(result.claim.channel, broken, now=self.clock())
            case Refused(effect=effect) as refusal:
                if effect is not Effect.NONE:
                    delivery.apply_effect(
                        effect,
                        result.claim.channel,
                        result.claim.address,
                        now=self.clock(),
                        code=refusal.code,
                    )
                if refusal.alert:
                    delivery.alert_unknown_code(refusal.code, now=self.clock())
            case Receipt():
                self.rests.recovered(result.claim.channel)


def policies() -> tuple[Policy, ...]:
    """The default policies and the project's own."""
    own: list[Policy] = [import_string(path) for path in settings.POLICIES]
    return (*DEFAULT_POLICIES, *own)


def _chunk_size(key: str) -> int:
    """About one second of sending."""
    pace = channel(key).pace()
    fast = pace.per_second if pace else MOST_AT_ONCE
    return int(min(max(fast, 1), MOST_AT_ONCE, settings.CHUNK))


def _still_claimed(missed: Sequence[Claim], batch: judging.Batch) -> list[Claim]:
    if not missed:
        return []
    held = set(
        Message.objects.filter(
            id__in=[claim.message.pk for claim in missed], token=batch.token, state=State.CLAIMED
        ).values_list("id", flat=True)
    )
    return [claim for claim in missed if claim.message.pk in held]


@contextmanager
def _polite() -> Iterator[None]:
    """After each transaction on SQLite, leave the database alone as long as it was held.

    SQLite's lock has no queue: a worker that takes it again at once starves the shop's requests
    (p99 of 744 ms without the pause, 41 ms with it).
    """
    started = time.monotonic()
    yield
    if connection.vendor == "sqlite":
        time.sleep(max(0.002, time.monotonic() - started))
