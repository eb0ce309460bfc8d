"""When a person may be disturbed: weekly windows in all the zones they may be in.

A window is wall time, an instant is UTC. Windows are turned into UTC per local date, so a day
with a clock change is as right as any other. A wall time that does not exist or exists twice on
such a day is read the strict way: the later start, the earlier end.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from .phones import zones_of_country

#: An open stretch of time in UTC, half-open: [start, end).
Span = tuple[datetime, datetime]

#: Less than this before closing is too late to begin: the provider still has to deliver (rule 33).
GUARD = timedelta(minutes=5)
#: How far ahead an opening is looked for: more than a week, so that every weekday is seen.
HORIZON = timedelta(days=9)

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class DayHours:
    """Open from `start` to `end` local time; an end that is not after the start is on the next day.

    So 00:00 as an end is midnight (24:00), and 00:00 to 00:00 is the whole day.
    """

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class WeekRule:
    """Open hours by weekday, Monday first; None is closed."""

    name: str
    days: tuple[DayHours | None, ...]
    reviewed_on: date | None = None  #: when somebody last compared it with the law

    def __hash__(self) -> int:
        # Equal rules have equal names. Hashing fourteen times of day would cost more than the look-up
        # in the cache of open spans saves.
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Hours:
    """Open when every rule is open in every zone. Without a zone or a rule: never.

    `zones` are IANA names that exist; `hours_for` leaves out the others.
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
        hours = rule.days[local_date.weekday()]
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


class LawBook:
    """The windows that are law or custom, by ISO code of the country or state (`FR`, `US-FL`).

    Three rows have names of their own: `marketing` (the shop's hours where the person's clock is
    known), `unsure` (where it is not), `default` (the law of a country without a row).
    """

    def __init__(self, table: Mapping[str, Mapping[str, Any]]) -> None:
        """Read a table shaped like `data/sms_hours.json`; ValueError names the row it cannot read."""
        self.rows = {key: _parse_row(key, row) for key, row in table.items()}
        if missing := {"marketing", "unsure", "default"} - self.rows.keys():
            raise ValueError(f"The table of hours lacks the rows {sorted(missing)}.")
        #: (country, what people write for the state) → key of the row
        self._states: dict[tuple[str, str], str] = {}
        for key, row in table.items():
            country, _, state = key.partition("-")
            if state:
                spellings = (state, key, str(row.get("name", key)))
                self._states |= {(country, spelling.casefold()): key for spelling in spellings}

    def law(self, country: str, region: str) -> tuple[WeekRule, ...]:
        """The legal windows of a place: the country's (or the default), and the state's if it has one.

        `region` is a code ("FL", "US-FL") or a name ("Florida"), as people type it.
        """
        country = country.upper()
        national = self.rows.get(country, self.rows["default"])
        state = self._states.get((country, region.strip().casefold()))
        return (national,) if state is None else (national, self.rows[state])


def _parse_row(key: str, row: Mapping[str, Any]) -> WeekRule:
    days: list[DayHours | None] = [None] * 7
    try:
        for names, hours in row["hours"].items():
            start, _, end = hours.partition("-")
            for day in _parse_days(names):
                days[day] = DayHours(_parse_time(start), _parse_time(end))
        reviewed = row.get("reviewed_on")
        return WeekRule(key, tuple(days), date.fromisoformat(reviewed) if reviewed else None)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"Row {key!r} of the table of hours cannot be read: {error!r}") from error


def _parse_days(names: str) -> range:
    first, _, last = names.partition("-")
    return range(_WEEKDAYS.index(first), _WEEKDAYS.index(last or first) + 1)


def _parse_time(text: str) -> time:
    return time(0) if text == "24:00" else time.fromisoformat(text)


def hours_for(
    *,
    rules: LawBook,
    zone: str = "",
    candidate_zones: tuple[str, ...] = (),
    country: str = "",
    region: str = "",
    address_country: str = "",
    fallback_zones: tuple[str, ...] = (),
) -> Hours:
    """When a person may get marketing, from what is known of where they are. Names no zone: no matter.

    `zone` is the person's own choice, `candidate_zones` are those that phone and address leave open. A
    choice among the candidates settles the question; one that contradicts them narrows the hours to
    what is open in all. `country` is the phone's; an address in another country (`address_country`,
    to which `region` then belongs) adds that country's zones and law. Nothing known: the zones of the country; no country: `fallback_zones` (the
    shop's). Where two clocks remain possible, or the place is a guess, the row `unsure` counts.
    """
    abroad = address_country if address_country not in ("", country) else ""
    chosen, candidates = _existing((zone,)), _existing((*candidate_zones, *zones_of_country(abroad)))
    if chosen and _clock(chosen[0]) in map(_clock, candidates):
        candidates = ()
    located = chosen + candidates or _existing(zones_of_country(country))
    zones = located or _existing(fallback_zones)
    sure = bool(chosen) or (bool(located) and len(set(map(_clock, located))) == 1)
    custom = rules.rows["marketing" if sure else "unsure"]
    law = rules.law(country, "" if abroad else region)
    if abroad:
        law += rules.law(abroad, region)
    return Hours(tuple(sorted(set(zones))), (custom, *law))


def westernmost(zones: Iterable[str], at: datetime) -> str:
    """The zone whose clock is furthest behind at `at`; empty for none."""
    return min(zones, key=lambda name: at.astimezone(ZoneInfo(name)).utcoffset() or timedelta(0), default="")


def spread(key: int, most: timedelta) -> timedelta:
    """A share of `most` that is always the same for `key`; consecutive keys spread evenly over it.

    Multiples of the golden ratio, which leave no two neighbours close (Knuth 6.4).
    """
    return most * (key * 2_654_435_769 % 2**32 / 2**32)


def _existing(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in _zone_names())


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset((importlib.resources.files("tzdata") / "zones").read_text("utf-8").split())


@lru_cache(maxsize=1024)
def _clock(zone: str) -> str:
    """What the clocks of a zone do from now on: the rule at the end of its TZif file (RFC 8536, 3.3).

    Europe/London and Europe/Jersey are two names of one clock; Phoenix and Denver are two clocks.
    """
    file = importlib.resources.files("tzdata").joinpath("zoneinfo", *zone.split("/"))
    return file.read_bytes().decode("latin-1").splitlines()[-1] or zone
