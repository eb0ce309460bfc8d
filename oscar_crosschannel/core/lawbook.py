"""What binds texts to a place: hours, kinds of consent, caps. Law and custom as a table of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from .calendars import is_calendar
from .facts import SMS, Basis, Cap
from .timing import DayHours, Hours, WeekRule
from .whereabouts import Place, Whereabouts, may_be_any_state

#: Rows that are no place: the shop's hours where a person's clock is known, and where it is not; and what
#: counts in a country without a row.
MARKETING, UNSURE, DEFAULT = "marketing", "unsure", "default"

#: Any; the edges of windows are reckoned from it.
_MIDNIGHT = datetime(2000, 1, 1)  # noqa: DTZ001 - wall time

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIELDS = {
    "name",
    "hours",
    "holidays_closed",
    "most",
    "most_within",
    "bases",
    "one_way",
    "reviewed_on",
    "source",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRule:
    """One row. What is None adds nothing to the rules of the country."""

    key: str  #: ISO code of a country ("FR") or state ("US-FL"); or marketing, unsure, default
    name: str = ""
    week: WeekRule | None = None
    bases: frozenset[Basis] | None = None  #: the kinds of consent that permit marketing texts
    cap: Cap | None = None  #: texts to one number, from whomever of the shop and whatever they say
    one_way: bool = False  #: senders cannot be answered, so a text needs another way out than STOP
    reviewed_on: date | None = None  #: when somebody last compared it with the law
    source: str = ""


@dataclass(frozen=True, slots=True)
class Weekday:
    """What a weekday has in common in every row, and the rows that set its edges or close it."""

    hours: DayHours | None  #: None: closed
    rules: tuple[PlaceRule, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What binds texts to somebody: every row of every place where they may be, together."""

    hours: Hours
    rules: tuple[PlaceRule, ...]  #: the shop's own hours first
    bases: frozenset[Basis]
    caps: tuple[Cap, ...]
    one_way: bool

    def week(self) -> tuple[Weekday, ...]:
        """The hours as a clock shows them, Monday first; a window belongs to the day on which it begins."""
        return tuple(_weekday(self.rules, day) for day in range(7))


class LawBook:
    """The rules for texts by place."""

    def __init__(self, table: Mapping[str, Mapping[str, Any]]) -> None:
        """Read a table shaped like `data/texting_rules.json`; ValueError names the row it cannot read.

        A country's row has the hours and bases of `default` where it names none; a state's adds to its
        country's.
        """
        if missing := {MARKETING, UNSURE, DEFAULT} - table.keys():
            raise ValueError(f"The table of rules lacks the rows {sorted(missing)}.")
        default = {name: table[DEFAULT].get(name) for name in ("hours", "bases")}
        self.rows: dict[str, PlaceRule] = {}  #: by key
        #: (country, what people write for the state) → key of the row
        self._states: dict[tuple[str, str], str] = {}
        for key, row in table.items():
            country, _, state = key.partition("-")
            self.rows[key] = _parse_row(key, row if state else {**default, **row})
            if state:
                spellings = (state, key, self.rows[key].name or key)
                self._states |= {(country, spelling.casefold()): key for spelling in spellings}
        for key in (DEFAULT, MARKETING, UNSURE):
            if self.rows[key].week is None or self.rows[key].bases is None:
                raise ValueError(f"Row {key!r} of the table of rules lacks hours, or bases.")

    def terms(self, where: Whereabouts) -> Terms:
        """What binds texts to somebody who may be there."""
        return _terms(self, where)

    def law(self, place: Place) -> tuple[PlaceRule, ...]:
        """The rows of a place: the country's (or the default), and the state's if it has one.

        A region that is no state may be any of them, misspelt, so that the rows of all bind.
        """
        national = self.rows.get(place.country, self.rows[DEFAULT])
        if may_be_any_state(place):
            states = {key for (country, _), key in self._states.items() if country == place.country}
            return (national, *(self.rows[key] for key in sorted(states)))
        state = self._states.get((place.country, place.state.casefold()))
        return (national,) if state is None else (national, self.rows[state])

    def stale(self, on: date, after: timedelta) -> tuple[PlaceRule, ...]:
        """The rows that nobody has compared with the law for longer than `after`, by key."""
        found = [row for row in self.rows.values() if row.reviewed_on and row.reviewed_on < on - after]
        return tuple(sorted(found, key=lambda row: row.key))


@lru_cache(maxsize=4096)
def _terms(book: LawBook, where: Whereabouts) -> Terms:
    places = where.places or (Place(""),)
    law = tuple({rule.key: rule for place in places for rule in book.law(place)}.values())
    rules = (book.rows[MARKETING if where.sure else UNSURE], *law)
    return Terms(
        hours=Hours(where.zones, tuple(rule.week for rule in rules if rule.week)),
        rules=rules,
        bases=frozenset.intersection(*(rule.bases for rule in law if rule.bases is not None)),
        caps=tuple(rule.cap for rule in law if rule.cap),
        one_way=any(rule.one_way for rule in law),
    )


def _weekday(rules: tuple[PlaceRule, ...], day: int) -> Weekday:
    windows = [(rule, rule.week.days[day]) for rule in rules if rule.week]
    if closing := tuple(rule for rule, window in windows if window is None):
        return Weekday(None, closing)
    edges = [(rule, _edges(window)) for rule, window in windows if window]
    start, end = max(edge for _, (edge, _) in edges), min(edge for _, (_, edge) in edges)
    hours = DayHours((_MIDNIGHT + start).time(), (_MIDNIGHT + end).time()) if start < end else None
    return Weekday(hours, tuple(rule for rule, own in edges if own[0] == start or own[1] == end))


def _edges(hours: DayHours) -> tuple[timedelta, timedelta]:
    """Start and end, counted from the midnight at which the day begins."""
    start, end = (datetime.combine(_MIDNIGHT, wall) - _MIDNIGHT for wall in (hours.start, hours.end))
    return start, end if end > start else end + timedelta(days=1)


def _parse_row(key: str, row: Mapping[str, Any]) -> PlaceRule:
    try:
        if unknown := row.keys() - _FIELDS:
            raise ValueError(f"unknown {sorted(unknown)}")
        bases, reviewed = row.get("bases"), row.get("reviewed_on")
        return PlaceRule(
            key=key,
            name=str(row.get("name", "")),
            week=_parse_week(key, row),
            bases=None if bases is None else frozenset(Basis(basis) for basis in bases),
            cap=_parse_cap(key, row),
            one_way=bool(row.get("one_way", False)),
            reviewed_on=date.fromisoformat(reviewed) if reviewed else None,
            source=str(row.get("source", "")),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"Row {key!r} of the table of rules cannot be read: {error!r}") from error


def _parse_week(key: str, row: Mapping[str, Any]) -> WeekRule | None:
    closed = bool(row.get("holidays_closed", False))
    if closed and not is_calendar(key):
        raise ValueError("its public holidays are not known")
    if row.get("hours") is None:
        if not closed:
            return None
        return WeekRule(key, (DayHours(time(0), time(0)),) * 7, key)
    days: list[DayHours | None] = [None] * 7
    for names, hours in row["hours"].items():
        start, _, end = hours.partition("-")
        for day in _parse_days(names):
            days[day] = DayHours(_parse_time(start), _parse_time(end))
    return WeekRule(key, tuple(days), key if closed else "")


def _parse_cap(key: str, row: Mapping[str, Any]) -> Cap | None:
    """At most `most` texts to one number within `most_within` hours."""
    if row.get("most") is None:
        return None
    return Cap(
        key=f"law-{key}",
        name=key,
        most=int(row["most"]),
        window=timedelta(hours=row["most_within"]),
        channels=frozenset({SMS}),
        legal=True,
    )


def _parse_days(names: str) -> range:
    first, _, last = names.partition("-")
    return range(_WEEKDAYS.index(first), _WEEKDAYS.index(last or first) + 1)


def _parse_time(text: str) -> time:
    return time(0) if text == "24:00" else time.fromisoformat(text)
