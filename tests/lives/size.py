"""How many lives, and what must have happened in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest

#: Of the environment, which `python -m tests.lives` sets. A life of 50 steps takes 1.5 s of one core.
PARTS, LIVES, STEPS, SEED = (
    int(os.environ.get(f"LIVES_{name}", default))
    for name, default in (("PARTS", 2), ("IN_EACH", 25), ("STEPS", 50), ("SEED", 1))
)
#: Of lives that were drawn anew one part may be quiet: Hypothesis leaves out some acts in each. All of them may not.
IS_DRAWN_ANEW = "LIVES_SEED" in os.environ
#: On PostgreSQL, where statements take longer.
LIVES_ON_POSTGRESQL = 12

#: What happens at least in 30 lives, so that nothing is proven by silence. Far less than what does: lives differ.
_IN_THIRTY = {
    "marketing calls by email": 10,
    "marketing calls by sms": 2,
    "transactional calls by email": 15,
    "transactional calls by sms": 6,
    "stops by email": 6,
    "stops by sms": 4,
    "confirmed": 40,
    "orders": 2,
    "merges": 1,
    "erasures": 1,
    "records of workers": 2,
    "in doubt": 1,
}


def parts() -> list[Any]:
    """Each part draws other lives. The first is lived on PostgreSQL, too."""
    return [0, *(pytest.param(part, marks=pytest.mark.sqlite) for part in range(1, PARTS))]


def lives_of(vendor: str) -> int:
    return LIVES_ON_POSTGRESQL if vendor == "postgresql" else LIVES


def missed(seen: Mapping[str, int], lives: int) -> dict[str, int]:
    """What happened too rarely in so many lives for them to prove anything."""
    floors = {what: floor * lives * STEPS // (30 * 50) for what, floor in _IN_THIRTY.items()}
    return {what: seen.get(what, 0) for what, floor in floors.items() if seen.get(what, 0) < floor}
