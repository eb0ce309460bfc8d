"""What the shop wants to spend on texts: segments a day and a month, by the shop's own clock (rule 84).

Counted are all texts; only those for marketing are stopped. What a chunk of texts needs is taken right
before its calls, under the lock of two rows that all workers share, and what was not sent is given back;
so a worker that dies may cost the budget its chunk, and no number of workers goes beyond it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.utils import timezone

from ..conf import settings
from ..core.facts import SMS, Purpose
from ..core.rulings import Reason
from ..models import SmsBudget
from . import alerts, waking

Key = SmsBudget.Key

#: Shares of a budget, in percent, at which staff are told, once each in a day or month.
ALERTS = (80, 100)

#: What waits for money. Where the hours after midnight are closed, or others have the room, that is the reason
#: by which it is known.
_WAITING = (Reason.OVER_BUDGET, Reason.OUTSIDE_HOURS, Reason.CAPPED, Reason.SLOT_RESERVED)


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is about to be sent."""

    segments: int
    purpose: Purpose
    country: str  #: ISO code; empty: unknown


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken for a chunk of texts."""

    may_go: tuple[bool, ...]  #: text by text
    began: Mapping[str, date]  #: of the days and months it was taken from


@dataclass(frozen=True, slots=True)
class Standing:
    """One budget, as it stands."""

    key: Key
    began: date
    used: int
    taken: Mapping[str, int]  #: segments by country
    most: int | None  #: None: no limit
    is_closed: bool  #: marketing waits
    ends: datetime

    @property
    def percent(self) -> int:
        """How much of it is used; 0 where there is no limit."""
        if self.most is None:
            return 0
        return 100 if self.is_closed or not self.most else self.used * 100 // self.most


def standings(now: datetime) -> list[Standing]:
    """The budgets of today and of this month. One statement."""
    rows = {row.key: row for row in SmsBudget.objects.all()}
    return [standing(rows.get(key) or SmsBudget(key=key), now) for key in Key]


def standing(row: SmsBudget, now: datetime) -> Standing:
    """How the budget of a row stands; of what was counted before its day or month nothing is left."""
    key = Key(row.key)
    began, most = _began(key, now), limit(row)
    is_of_now = row.began == began
    used = row.used if is_of_now else 0
    return Standing(
        key=key,
        began=began,
        used=used,
        taken=row.taken if is_of_now else {},
        most=most,
        is_closed=most is not None and (used >= most or (is_of_now and row.is_closed)),
        ends=_ends(key, began),
    )


def limit(row: SmsBudget) -> int | None:
    """The most segments: the merchant's number, else the project's; None: no limit."""
    return inherited(Key(row.key)) if row.most is None else row.most


def inherited(key: Key) -> int | None:
    """The project's number."""
    return settings.SMS_BUDGET_DAILY if key == Key.DAY else settings.SMS_BUDGET_MONTHLY


def spent(rows: Sequence[SmsBudget], now: datetime) -> dict[str, datetime]:
    """Until when marketing on a channel waits, if a budget of these is used up."""
    known = {row.key: row for row in rows}
    closed = [
        stands.ends
        for key in Key
        if (stands := standing(known.get(key) or SmsBudget(key=key), now)).is_closed
    ]
    return {SMS: max(closed)} if closed else {}


def take(texts: Sequence[Text], *, now: datetime) -> Taken:
    """Take what these texts need, in their order, as far as the budgets reach.

    A text for marketing that finds too little left is stopped, and so is all marketing after it.
    """
    with transaction.atomic():
        rows = _locked(now)
        may_go = tuple(_take(rows, text) for text in texts)
        news = [found for row in rows for found in _news(row)]
        _save(rows)
    for row, percent in news:
        _tell(row, percent)
    return Taken(may_go, {row.key: row.began for row in rows if row.began is not None})


def give_back(texts: Sequence[Text], taken: Taken, *, now: datetime) -> None:
    """These were certainly not sent. What belongs to a day or month that is over is forgotten with it."""
    if not texts:
        return
    with transaction.atomic():
        rows = _locked(now)
        for row in rows:
            if row.began == taken.began.get(row.key):
                _count(row, [(text.country, -text.segments) for text in texts])
                row.is_closed = False  # there may be room again
        _save(rows)


def find(key: str) -> SmsBudget | None:
    """The row of a budget; nothing was counted or changed yet: a row that is not saved."""
    return SmsBudget.objects.filter(key=key).first() or (SmsBudget(key=key) if key in Key else None)


def lock(key: str) -> SmsBudget | None:
    """The row of a budget, which nobody else changes until the caller's transaction ends."""
    if key in Key:
        SmsBudget.objects.get_or_create(key=key)
    return SmsBudget.objects.select_for_update(no_key=True).filter(key=key).first()


@transaction.atomic
def keep(key: str, most: int | None, *, now: datetime) -> None:
    """The merchant's number for a locked budget; None inherits. What waits is judged by it."""
    SmsBudget.objects.filter(key=key).update(most=most, is_closed=False)
    waking.wake(waking.Waiting(reasons=_WAITING, channel=SMS, untried=True), now=now)


def _locked(now: datetime) -> list[SmsBudget]:
    """Both rows, always locked in the same order, and counting anew if their day or month is over."""
    rows = list(SmsBudget.objects.select_for_update(no_key=True).order_by("key"))
    if len(rows) < len(Key):
        SmsBudget.objects.bulk_create([SmsBudget(key=key) for key in Key], ignore_conflicts=True)
        rows = list(SmsBudget.objects.select_for_update(no_key=True).order_by("key"))
    for row in rows:
        began = _began(Key(row.key), now)
        if row.began is None or row.began < began:  # a worker that lags behind counts for the new one
            row.began, row.used, row.taken, row.is_closed, row.told = began, 0, {}, False, 0
    return rows


def _take(rows: Sequence[SmsBudget], text: Text) -> bool:
    if text.purpose == Purpose.MARKETING and not all([_has_room(row, text.segments) for row in rows]):  # noqa: C419
        return False
    for row in rows:
        _count(row, [(text.country, text.segments)])
    return True


def _has_room(row: SmsBudget, segments: int) -> bool:
    """Whether so much is left; if not, nobody for marketing need ask again."""
    most = limit(row)
    if most is not None and row.used + segments > most:
        row.is_closed = True
    return most is None or not row.is_closed


def _count(row: SmsBudget, changes: Sequence[tuple[str, int]]) -> None:
    counted = Counter(row.taken)
    for country, segments in changes:
        counted[country] += segments
    row.taken = dict(+counted)
    row.used = sum(row.taken.values())


def _save(rows: Sequence[SmsBudget]) -> None:
    SmsBudget.objects.bulk_update(rows, ["began", "used", "taken", "is_closed", "told"])


def _news(row: SmsBudget) -> Iterator[tuple[SmsBudget, int]]:
    """What staff have not been told in this day or month."""
    most = limit(row)
    if most is None:
        return
    reached = 100 if row.is_closed else row.used * 100 // most if most else 0
    due = [percent for percent in ALERTS if row.told < percent <= reached]
    if due:
        row.told = due[-1]
        yield row, due[-1]


def _tell(row: SmsBudget, percent: int) -> None:
    alerts.tell(f"sms_budget_{percent}", f"{row.used} of {limit(row)} segments of the {row.key}")


def _began(key: Key, now: datetime) -> date:
    today = now.astimezone(timezone.get_default_timezone()).date()
    return today if key == Key.DAY else today.replace(day=1)


def _ends(key: Key, began: date) -> datetime:
    """The first instant of the next day or month."""
    following = began + timedelta(days=1 if key == Key.DAY else 32)
    first = following if key == Key.DAY else following.replace(day=1)
    return datetime.combine(first, time(), tzinfo=timezone.get_default_timezone())
