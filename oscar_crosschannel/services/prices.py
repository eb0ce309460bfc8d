"""What a text costs, as an estimate: the shipped list prices and the project's own.

The shipped table holds only countries whose price could be looked up in a list; where a country is
missing, nobody guesses. A shop writes what it pays into `CROSSCHANNEL_SMS_PRICES`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ..conf import settings


@dataclass(frozen=True, slots=True)
class Price:
    """Of one segment to one country."""

    each: Decimal
    currency: str  #: ISO code
    as_of: str = ""  #: month or day of the list
    source: str = ""


def of_segment(country: str) -> Price | None:
    """The price of a segment to a country by its ISO code; None when nobody told."""
    row = {**_shipped(), **settings.SMS_PRICES}.get(country.upper())
    return _price(row) if row else None


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(
        (files("oscar_crosschannel") / "data" / "sms_prices.json").read_text("utf-8")
    )
    return table


def _price(row: Mapping[str, Any]) -> Price | None:
    try:
        each = Decimal(str(row["price"]))
    except (KeyError, InvalidOperation):
        return None  # an estimate is no reason for an error page
    return Price(each, str(row.get("currency", "USD")), str(row.get("as_of", "")), str(row.get("source", "")))
