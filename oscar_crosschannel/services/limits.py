"""Where, when and how often: the law, the caps and the guards in force, read once per tick.

Also what follows from them for one person, for policies and for the pages that explain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings as django_settings
from django.utils.text import slugify

from ..conf import settings
from ..core.facts import SMS, Cap
from ..core.lawbook import DEFAULT, LawBook, PlaceRule, Terms, Weekday
from ..core.policies import DEFAULT_CAPS, fewer
from ..core.timing import Span
from ..core.whereabouts import Phone, Whereabouts, locate
from ..models import Contact, ContactPoint, FrequencyCap, Guard, SmsBudget, TextingRule
from . import law

#: How far ahead the times of a person are told.
AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is in force now. Loaded once per tick: four statements."""

    book: LawBook
    caps: tuple[Cap, ...]
    guarded: frozenset[str]  #: channels whose marketing a guard has paused
    budgets: tuple[SmsBudget, ...]  #: for texts, and how much of them is used

    def terms(self, contact: Contact, point: ContactPoint) -> Terms:
        """What binds marketing texts to this number."""
        return self.book.terms(whereabouts(contact, point))

    def caps_of(self, contact: Contact) -> tuple[Cap, ...]:
        """The caps that every place shares, halved for who wants fewer messages."""
        return fewer(self.caps) if contact.fewer else self.caps

    def memory(self) -> timedelta:
        """How far back a message may count towards a cap of anybody."""
        by_law = [rule.cap for rule in self.book.rows.values() if rule.cap]
        return max((cap.window for cap in (*self.caps, *fewer(self.caps), *by_law)), default=timedelta(0))


def load() -> Limits:
    """Read the merchant's rows over the project's settings over what is shipped."""
    paused = Guard.objects.filter(level=Guard.Level.PAUSED, ended_at=None)
    return Limits(
        book=load_book(),
        caps=_changed_caps(configured_caps(), FrequencyCap.objects.all()),
        guarded=frozenset(paused.values_list("channel", flat=True)),
        budgets=tuple(SmsBudget.objects.all()),
    )


def load_book() -> LawBook:
    """The rules for texts by place. One statement."""
    return law.book({row.place: changes(row) for row in TextingRule.objects.all()})


def one_way_place() -> PlaceRule | None:
    """A place where nobody can reply to a text and the shop knows numbers of. Two statements, the second by an index."""
    rows = sorted(load_book().rows.items(), reverse=True)  # a country's own row comes after its states'
    rules = {key.partition("-")[0]: rule for key, rule in rows if rule.one_way}
    if DEFAULT in rules:
        return rules[DEFAULT]
    numbers = ContactPoint.objects.filter(channel=SMS, current=True, country__in=sorted(rules))
    country = numbers.order_by().values_list("country", flat=True)[:1]  # in any order: the first there is
    return next((rules[each] for each in country), None)


def configured_caps() -> tuple[Cap, ...]:
    """The caps as shipped, or the project's own list; a cap without a key is known by its name's slug."""
    if settings.CAPS is None:
        return DEFAULT_CAPS
    return tuple(_configured(cap) for cap in settings.CAPS)


def whereabouts(contact: Contact, point: ContactPoint) -> Whereabouts:
    """Where the owner of a number may be."""
    return locate(
        zone=contact.zone,
        country=contact.country,
        region=contact.region,
        phone=Phone.known(point.address, country=point.country, zones=tuple(point.zones)),
        shop_zones=(django_settings.TIME_ZONE,),
    )


@dataclass(frozen=True, slots=True)
class TextingTimes:
    """When marketing may be texted to a person, and why then. Codes and values: pages make the sentences.

    `where.clues` tell what each source says of zones and places, `where.zones` which clocks count: open is
    what is open on all of them at once.
    """

    where: Whereabouts
    rules: tuple[PlaceRule, ...]  #: every row that binds, the shop's own hours first
    week: tuple[Weekday, ...]  #: as each clock of `where.zones` shows it, Monday first
    holidays: tuple[tuple[date, PlaceRule], ...]  #: dates of the coming days that a row closes
    spans: tuple[Span, ...]  #: what is open in the coming days, in UTC; empty: the clocks share no open hour


def texting_times(contact: Contact, point: ContactPoint, limits: Limits, now: datetime) -> TextingTimes:
    """When marketing may be texted to this number within seven days of `now`, and because of what.

    Of hours and holidays only: consent, caps, pauses and guards are `services.outlook`.
    """
    where = whereabouts(contact, point)
    terms = limits.book.terms(where)
    today = min((now.astimezone(ZoneInfo(zone)).date() for zone in where.zones), default=now.date())
    coming = [today + timedelta(days=ahead) for ahead in range(AHEAD.days + 1)]
    return TextingTimes(
        where=where,
        rules=terms.rules,
        week=terms.week(),
        holidays=tuple(
            (day, rule)
            for day in coming
            for rule in terms.rules
            if rule.week and rule.week.days[day.weekday()] and rule.week.is_holiday(day)
        ),
        spans=terms.hours.spans(now, now + AHEAD),
    )


def _configured(cap: Mapping[str, Any]) -> Cap:
    sets = {name: frozenset(cap.get(name, ())) for name in ("channels", "topics")}
    return Cap(**{"key": slugify(cap.get("name", "")), **cap, **sets})


def changes(row: TextingRule) -> dict[str, Any]:
    """What a merchant's row changes, in the shape of the shipped table."""
    within = row.most_within
    values = {
        "hours": row.hours,
        "holidays_closed": row.holidays_closed,
        "most": row.most,
        "most_within": None if within is None else within / timedelta(hours=1),
        "bases": row.bases,
        "one_way": row.one_way,
        "reviewed_on": row.reviewed_on,
        "source": row.source,
    }
    return {name: value for name, value in values.items() if value is not None}


def _changed_caps(shipped: Iterable[Cap], rows: Iterable[FrequencyCap]) -> tuple[Cap, ...]:
    """The shipped caps with the merchant's numbers, and the merchant's own.

    A legal cap can be changed, and not switched off.
    """
    own = {row.key: row for row in rows}
    caps = []
    for cap in shipped:
        row = own.pop(cap.key, None)
        if row is None:
            caps.append(cap)
        elif row.enabled is not False or cap.legal:
            caps.append(replace(cap, **_numbers(row)))
    return (*caps, *(_own_cap(row) for row in own.values() if row.enabled and len(_numbers(row)) == 2))


def _numbers(row: FrequencyCap) -> dict[str, Any]:
    numbers = {"most": row.most, "window": row.window}
    return {name: value for name, value in numbers.items() if value is not None}


def _own_cap(row: FrequencyCap) -> Cap:
    return Cap(
        key=row.key,
        name=row.name or row.key,
        channels=frozenset({row.channel} - {""}),
        topics=frozenset({row.topic} - {""}),
        **_numbers(row),
    )
