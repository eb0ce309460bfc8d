"""What time does to a consent: when it ends, and how old a date of birth makes somebody."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime


def months_after(at: datetime, months: int) -> datetime:
    """The same day so many months later, or the last of a shorter month."""
    years, month = divmod(at.month - 1 + months, 12)
    year, month = at.year + years, month + 1
    return at.replace(year=year, month=month, day=min(at.day, monthrange(year, month)[1]))


def age_on(born_on: date, day: date) -> int:
    """Whole years. Raises ValueError for a birth in the future, or longer ago than anybody lives."""
    years = day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))
    if not 0 <= years <= 130:
        raise ValueError("Nobody who is born on this day can be asked.")
    return years
