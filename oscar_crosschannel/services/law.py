"""The rules for texts by place, as data: the shipped table, the project's changes, the merchant's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ..conf import settings
from ..core.lawbook import LawBook

#: Nothing is changed.
AS_SHIPPED: Mapping[str, Mapping[str, Any]] = {}


def book(changes: Mapping[str, Mapping[str, Any]] = AS_SHIPPED) -> LawBook:
    """The table in force: the shipped one, changed field by field by the setting, and then by `changes`.

    Both have the shape of `data/texting_rules.json`. ValueError names a row that cannot be read.
    """
    layers = [settings.TEXTING_RULES, changes]
    return _book(json.dumps(layers, sort_keys=True, default=str))  # of a date: as ISO writes it


@lru_cache(maxsize=4)
def _book(changes: str) -> LawBook:
    table = json.loads((files("oscar_crosschannel") / "data" / "texting_rules.json").read_text("utf-8"))
    for layer in json.loads(changes):
        for key, row in layer.items():
            if not isinstance(row, dict):
                # as for every row that cannot be read
                raise ValueError(f"Row {key!r} of the table of rules is no mapping.")  # noqa: TRY004
            table[key] = {**table.get(key, {}), **row}
    return LawBook(table)
