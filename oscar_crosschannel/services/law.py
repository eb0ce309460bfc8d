"""The hours at which people may be texted, as data: the shipped table and the project's changes."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

from ..conf import settings
from ..core.timing import LawBook


def book() -> LawBook:
    """The table in force."""
    return _book(json.dumps(settings.SMS_HOURS, sort_keys=True, default=str))  # of a date: as ISO writes it


@lru_cache(maxsize=4)
def _book(changes: str) -> LawBook:
    shipped = json.loads((files("oscar_crosschannel") / "data" / "sms_hours.json").read_text("utf-8"))
    return LawBook({**shipped, **json.loads(changes)})
