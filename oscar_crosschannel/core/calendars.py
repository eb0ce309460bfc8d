"""Public holidays, by the `holidays` library; a year of a place is worked out once."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import holidays


def is_calendar(place: str) -> bool:
    """Whether the holidays of a country ("FR") or state ("US-AL") are known."""
    country, _, state = place.partition("-")
    supported = holidays.list_supported_countries()
    return country in supported and (not state or state in supported[country])


def is_public_holiday(place: str, day: date) -> bool:
    """Whether `day` is a public holiday there: those of the whole country, and of the state if one is named.

    What falls on a weekend and is observed on a weekday counts on both days.
    """
    return day in _of_year(place, day.year)


@lru_cache(maxsize=256)
def _of_year(place: str, year: int) -> frozenset[date]:
    country, _, state = place.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=state or None, years=year))
