"""When a person may be disturbed: weekly windows and holidays, in all the zones they may be in.

A window is wall time, an instant is UTC. Windows are turned into UTC per local date, so a day
with a clock change is as right as any other. A wall time that does not exist or exists twice on
such a day is read the strict way: the later start, the earlier end.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from .calendars import is_public_holiday

#: An open stretch of time in UTC, half-open: [start, end).
Span = tuple[datetime, datetime]

#: Less than this before closing is too late to begin: the provider still has to deliver (rule 33).
GUARD = timedelta(minutes=5)
#: How far ahead an opening is looked for: more than a week, so that every weekday is seen.
HORIZON = timedelta(days=9)

#: One instant of each month of the years in which this software may run.
_MONTHS = tuple(datetime(year, month, 1, tzinfo=UTC) for year in range(2025, 2040) for month in range(1, 13))


@dataclass(frozen=True, slots=True)
class DayHours:
    """Open from `start` to `end` local time; an end that is not after the start is on the next day.

    So 00:00 as an end is midnight (24:00), and 00:00 to 00:00 is the whole day.
    """

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class WeekRule:
    """Open hours by weekday, Monday first; None is closed. With a calendar, its public holidays are, too."""

    name: str
    days: tuple[DayHours | None, ...]
    calendar: str = ""  #: a country ("FR") or state ("US-AL"), see core.calendars

    def on(self, day: date) -> DayHours | None:
        """The hours that begin on `day`; None: closed."""
        hours = self.days[day.weekday()]
        if hours is None or self.is_holiday(day):
            return None
        if hours.end <= hours.start and self.is_holiday(day + timedelta(days=1)):
            return DayHours(hours.start, time(0))
        return hours

    def is_holiday(self, day: date) -> bool:
        """Whether `day` is closed as a public holiday."""
        return bool(self.calendar) and is_public_holiday(self.calendar, day)

    def __hash__(self) -> int:
        # Equal rules have equal names. Hashing fourteen times of day would cost more than the look-up
        # in the cache of open spans saves.
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Hours:
    """Open when every rule is open in every zone. Without a zone or a rule: never.

    `zones` are IANA names that exist; `whereabouts.locate` leaves out the others.
    """

    zones: tuple[str, ...]
    rules: tuple[WeekRule, ...]

    def opens(self, at: datetime, *, guard: timedelta = GUARD) -> datetime | None:
        """The first instant from `at` on that is open for at least `guard`; None: none in nine days."""
        for start, end in self._spans(at):
            opening = max(start, at)
            if opening < end and end - opening >= guard:
                return opening if opening - at <= HORIZON else None
        return None

    def closes(self, at: datetime) -> datetime | None:
        """When the open time around `at` ends; None when `at` is not open."""
        return next((end for start, end in self._spans(at) if start <= at < end), None)

    def spans(self, begin: datetime, end: datetime) -> tuple[Span, ...]:
        """The open stretches between two instants, which are nine days apart at most."""
        within = [(max(start, begin), min(stop, end)) for start, stop in self._spans(begin)]
        return tuple((start, stop) for start, stop in within if start < stop)

    def _spans(self, at: datetime) -> tuple[Span, ...]:
        return _open_spans(self, at.astimezone(UTC).date())


@lru_cache(maxsize=4096)
def _open_spans(hours: Hours, utc_day: date) -> tuple[Span, ...]:
    """Every open span that matters for an instant on `utc_day`, in order."""
    weeks = [_rule_spans(ZoneInfo(zone), rule, utc_day) for zone in hours.zones for rule in hours.rules]
    if not weeks:
        return ()
    common, *others = weeks
    for week in others:
        common = _intersect(common, week)
    return tuple(common)


def _rule_spans(zone: ZoneInfo, rule: WeekRule, utc_day: date) -> list[Span]:
    """One rule in one zone, from two local dates before `utc_day` until after the horizon.

    Two before: a local date may lag one behind, and its window may cross midnight.
    """
    spans: list[Span] = []
    for offset in range(-2, HORIZON.days + 3):
        local_date = utc_day + timedelta(days=offset)
        hours = rule.on(local_date)
        if hours is None:
            continue
        start, end = _in_utc(local_date, hours, zone)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        elif start < end:
            spans.append((start, end))
    return spans


def _in_utc(local_date: date, hours: DayHours, zone: ZoneInfo) -> Span:
    end_date = local_date if hours.end > hours.start else local_date + timedelta(days=1)
    return (
        max(_both_readings(local_date, hours.start, zone)),
        min(_both_readings(end_date, hours.end, zone)),
    )


def _both_readings(day: date, wall: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A wall time in UTC, read before and after a clock change; on most days the same twice."""
    local = datetime.combine(day, wall, zone)
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _intersect(ours: list[Span], theirs: list[Span]) -> list[Span]:
    common = [
        (max(start, other_start), min(end, other_end))
        for start, end in ours
        for other_start, other_end in theirs
    ]
    return [(start, end) for start, end in common if start < end]


def westernmost(zones: Iterable[str], at: datetime) -> str:
    """The zone whose clock is furthest behind at `at`; empty for none."""
    return min(zones, key=lambda name: at.astimezone(ZoneInfo(name)).utcoffset() or timedelta(0), default="")


def spread(key: int, most: timedelta) -> timedelta:
    """A share of `most` that is always the same for `key`; consecutive keys spread evenly over it.

    Multiples of the golden ratio, which leave no two neighbours close (Knuth 6.4).
    """
    return most * (key * 2_654_435_769 % 2**32 / 2**32)


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA zone."""
    return name in _zone_names()


@lru_cache(maxsize=1024)
def clock(zone: str) -> tuple[object, ...]:
    """What the clock of a zone does in our time: equal for two names of one clock.

    Europe/London and Europe/Jersey are one; Phoenix and Denver are two. Told by the rule at the end of
    the zone's TZif file (RFC 8536, 3.3), and month by month, for a change that is announced but has yet
    to come is not in that rule.
    """
    file = importlib.resources.files("tzdata").joinpath("zoneinfo", *zone.split("/"))
    rule = file.read_bytes().decode("latin-1").splitlines()[-1] or zone
    info = ZoneInfo(zone)
    return (rule, *(month.astimezone(info).utcoffset() for month in _MONTHS))


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset((importlib.resources.files("tzdata") / "zones").read_text("utf-8").split())
