"""The carriers a parcel may travel with: the table that ships with the app, and the project's changes to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ..conf import settings
from ..core import tracking
from ..core.tracking import Carrier, Tracking


def read(notes: str) -> Tracking:
    """What the notes of a shipping event say of the parcel's way."""
    known = [carrier for carrier in carriers() if not any(tracking.faults(carrier))]
    return tracking.find(notes, known, any_number=settings.TRACKING_NUMBER or "(?!)")


def carriers() -> Iterator[Carrier]:
    """Every carrier, the project's own first: whoever adds one means it. Raises TypeError for other fields."""
    own = {key: row for key, row in settings.CARRIERS.items() if row is not None}
    shipped = {key: row for key, row in _shipped().items() if key not in settings.CARRIERS}
    for key, row in {**own, **shipped}.items():
        fields = {**_shipped().get(key, {}), **row}
        yield Carrier(**{**fields, "called": tuple(fields.get("called", ()))})


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Any]:
    text = (files("oscar_crosschannel") / "data" / "carriers.json").read_text("utf-8")
    table: Mapping[str, Any] = json.loads(text)["carriers"]
    return table
