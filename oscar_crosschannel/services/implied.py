"""How long a consent lasts that follows from a purchase or a question, as dated data by country (rule 13)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files

from ..core.lapse import months_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one country says."""

    months: Mapping[str, int]  #: by occasion: "purchase", "inquiry"
    reviewed_on: date
    source: str


@cache
def rows() -> Mapping[str, Row]:
    """The table in `data/implied_consent.json`, by ISO code."""
    table = json.loads((files("oscar_crosschannel") / "data" / "implied_consent.json").read_text("utf-8"))
    return {
        country: Row(**{**row, "reviewed_on": date.fromisoformat(row["reviewed_on"])})
        for country, row in table.items()
    }


def ends_at(country: str, occasion: str, happened_at: datetime) -> datetime | None:
    """When it ends; None where the country knows no such consent."""
    row = rows().get(country.upper())
    months = row.months.get(occasion) if row else None
    return months_after(happened_at, months) if months else None
