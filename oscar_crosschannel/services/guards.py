"""What watches the sender's reputation: too many complaints or bounces, and marketing waits (rule 50).

Mailbox providers count the same, and punish the whole domain, order mail included. A guard that
has paused marketing stays until a member of staff ends it; what led to it is not held against the
shop again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from django.db import transaction
from django.db.models import QuerySet

from ..conf import Settings, settings
from ..core.facts import Purpose
from ..core.lifecycle import State, Status
from ..core.rulings import Reason
from ..models import Attempt, DeliveryEvent, Guard, Message
from . import alerts, recall, waking

Measure: TypeAlias = Guard.Measure
Level: TypeAlias = Guard.Level
#: Who ends a warning when its cause is gone.
SYSTEM = "system"
_RANK = [None, Level.WARNED, Level.PAUSED]


@transaction.atomic
def review(channel: str, *, now: datetime) -> None:
    """Count anew what is bad among what was sent on this channel; called when something bad was reported."""
    for measure in Measure:
        bad, sent = _count(channel, measure, now)
        level = _level(measure, bad, sent)
        if level is not None:
            _raise(channel, measure, level, bad=bad, sent=sent, now=now)
        else:
            warnings = Guard.objects.filter(
                channel=channel, measure=measure, ended_at=None, level=Level.WARNED
            )
            warnings.update(ended_at=now, ended_by=SYSTEM)


@transaction.atomic
def end(guard: Guard, *, by: str, note: str, now: datetime) -> bool:
    """Staff let marketing go on: what waited is judged anew. False when somebody ended the guard before."""
    this = Guard.objects.filter(pk=guard.pk, ended_at=None)
    if not this.update(ended_at=now, ended_by=by, note=note):
        return False
    if not is_paused(guard.channel):
        waking.wake(_stopped_by(guard), now=now)
    return True


def waiting(guard: Guard) -> QuerySet[Message]:
    """What waits for marketing on the guard's channel to go on."""
    return waking.messages(_stopped_by(guard))


def is_paused(channel: str) -> bool:
    """Whether marketing on this channel waits for staff."""
    return Guard.objects.filter(channel=channel, ended_at=None, level=Level.PAUSED).exists()


def _stopped_by(guard: Guard) -> waking.Waiting:
    return waking.Waiting(reasons=(Reason.GUARDED,), channel=guard.channel)


def _raise(channel: str, measure: Measure, level: Level, *, bad: int, sent: int, now: datetime) -> None:
    found, is_new = Guard.objects.get_or_create(
        channel=channel,
        measure=measure,
        ended_at=None,
        defaults={"level": level, "bad": bad, "sent": sent, "since": now},
    )
    guard = Guard.objects.select_for_update(no_key=True).get(pk=found.pk)
    rises = is_new or _RANK.index(level) > _RANK.index(Level(guard.level))
    if rises:
        guard.level, guard.since = level, now
    guard.bad, guard.sent = bad, sent
    guard.save(update_fields=["level", "since", "bad", "sent"])
    if rises:
        _tell(guard)
    if rises and level == Level.PAUSED:
        claimed = Message.objects.filter(state=State.CLAIMED, channel=channel, purpose=Purpose.MARKETING)
        recall.replan(claimed)


def _tell(guard: Guard) -> None:
    detail = f"{guard.channel}: {guard.measure} {guard.bad} of {guard.sent} messages"
    alerts.tell(f"guard_{guard.level}", detail)


def _level(measure: Measure, bad: int, sent: int) -> Level | None:
    if bad < settings.GUARD_LEAST_BAD or sent < settings.GUARD_LEAST_SENT:
        return None
    limits, share = _limits(measure), bad / sent
    if share >= limits.get("pause", 1.1):
        return Level.PAUSED
    return Level.WARNED if share >= limits.get("warn", 1.1) else None


def _limits(measure: Measure) -> dict[str, float]:
    return {**Settings.GUARDS[measure], **settings.GUARDS.get(measure, {})}


def _count(channel: str, measure: Measure, now: datetime) -> tuple[int, int]:
    """How many of how many messages were bad. Of those sent no more are counted than it takes to say "few enough"."""
    since = _counted_since(channel, measure, now)
    reports = DeliveryEvent.objects.filter(counts_for=measure, at__gt=since, at__lte=now)
    bad = reports.filter(attempt__channel=channel).values("attempt").distinct().count()
    if bad < settings.GUARD_LEAST_BAD:
        return bad, 0
    enough = int(bad / min(_limits(measure).values())) + 1
    sent = Attempt.objects.filter(
        pk__gt=_last_before(since), channel=channel, started_at__gt=since, status__gte=Status.QUEUED
    )
    return bad, sent.order_by("pk")[:enough].count()


def _counted_since(channel: str, measure: Measure, now: datetime) -> datetime:
    """The rolling window, or what came after staff last looked at it."""
    looked_at = Guard.objects.filter(channel=channel, measure=measure, ended_at__isnull=False)
    last = looked_at.exclude(ended_by=SYSTEM).order_by("-ended_at").values_list("ended_at", flat=True).first()
    start = now - settings.GUARD_WINDOW
    return max(start, last) if last is not None else start


def _last_before(since: datetime) -> int:
    """Primary key of the last attempt before an instant; 0: there is none.

    Attempts are written in the order of time, so it is found as a word in a dictionary is: in some
    twenty looks at the primary key, and without an index of its own that every message would pay for.
    """
    newest = Attempt.objects.order_by("-pk").values_list("pk", flat=True).first()
    older, not_older = 0, (newest or 0) + 1
    while older + 1 < not_older:
        middle = (older + not_older) // 2
        pk, at = Attempt.objects.filter(pk__gte=middle).order_by("pk").values_list("pk", "started_at")[0]
        if at < since:
            older = pk
        else:
            not_older = middle
    return older
