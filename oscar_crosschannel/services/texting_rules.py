"""The merchant's changes to the rules for texts by place, and whether they go beyond the law that is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time

from django.db import transaction

from ..core.facts import SMS
from ..core.lawbook import MARKETING, PlaceRule
from ..core.rulings import Reason
from ..core.timing import DayHours
from ..models import TextingRule
from . import law, limits, waking

#: What waits for hours, or for room under a cap, is judged anew when they change.
_WAITING = (Reason.OUTSIDE_HOURS, Reason.CAPPED, Reason.SLOT_RESERVED)

_MINUTES_OF_A_DAY = 24 * 60


def find(place: str) -> TextingRule:
    """What the merchant changed about a place; nothing yet: a row that is not saved."""
    return TextingRule.objects.filter(place=place).first() or TextingRule(place=place)


def lock(place: str) -> TextingRule:
    """The row of a place, which nobody else changes until the caller's transaction ends."""
    TextingRule.objects.get_or_create(place=place)
    return TextingRule.objects.select_for_update(no_key=True).get(place=place)


@transaction.atomic
def keep(row: TextingRule, *, now: datetime) -> None:
    """Write down a row, new or locked. What waits is judged by it; the worker reads it with its next tick.

    Raises ValueError when it cannot be read as a rule.
    """
    in_force(row)
    row.save()
    judge_anew(now=now, channel=SMS)


@transaction.atomic
def review(row: TextingRule, *, on: date) -> None:
    """Somebody has compared the rule with the law."""
    row.reviewed_on = on
    row.save(update_fields=["reviewed_on"])


def judge_anew(*, now: datetime, channel: str = "") -> None:
    """Let what waits for hours or for room, on one channel or on any, be judged by the limits as they are now.

    What a provider has put off keeps its time.
    """
    waking.wake(waking.Waiting(reasons=_WAITING, channel=channel, untried=True), now=now)


def shipped() -> frozenset[str]:
    """The places that have rules without the merchant's doing."""
    return frozenset(law.book().rows)


def inherited(place: str) -> PlaceRule:
    """What holds in a place if the merchant changes nothing."""
    book = law.book()
    if place in book.rows:
        return book.rows[place]
    if "-" in place:
        return PlaceRule(key=place)  # a state adds nothing to its country
    return law.book({place: {}}).rows[place]


def in_force(row: TextingRule) -> PlaceRule:
    """What holds in a place by the merchant's row. Raises ValueError when it cannot be read as a rule."""
    return law.book({row.place: limits.changes(row)}).rows[row.place]


def beyond(row: TextingRule) -> Iterator[str]:
    """What a row permits and the shipped rule of its place does not: names of the row's fields.

    The merchant's own hours are no law: they count inside those of every place.
    """
    if row.place == MARKETING:
        return
    was, now = inherited(row.place), in_force(row)
    if was.week is not None and (now.week is None or not _inside(now.week.days, was.week.days)):
        yield "hours"
    if was.week is not None and was.week.calendar and not (now.week and now.week.calendar):
        yield "holidays_closed"
    if was.bases is not None and not (now.bases or frozenset()) <= was.bases:
        yield "bases"
    if was.cap and now.cap and (now.cap.most > was.cap.most or now.cap.window < was.cap.window):
        yield "most"
    if was.one_way and not now.one_way:
        yield "one_way"


def _inside(week: tuple[DayHours | None, ...], other: tuple[DayHours | None, ...]) -> bool:
    return _open_minutes(week) <= _open_minutes(other)


def _open_minutes(week: tuple[DayHours | None, ...]) -> set[int]:
    """Minutes of the week, counted from Monday's midnight; Sunday night goes on in Monday's morning."""
    open_at: set[int] = set()
    for number, hours in enumerate(week):
        if hours is not None:
            start, end = _minute(hours.start), _minute(hours.end)
            length = (end - start) % _MINUTES_OF_A_DAY or _MINUTES_OF_A_DAY
            begins = number * _MINUTES_OF_A_DAY + start
            open_at.update(minute % (7 * _MINUTES_OF_A_DAY) for minute in range(begins, begins + length))
    return open_at


def _minute(wall: time) -> int:
    return wall.hour * 60 + wall.minute
