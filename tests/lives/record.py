"""What the last large run of random lives went through, for the guarantee card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

LIVED = Path(__file__).parent / "lived.json"


def keep(path: Path, seed: int, counts: Mapping[str, int]) -> None:
    """Remember a run that found no fault."""
    lived = {"on": date.today().isoformat(), "seed": seed, "counts": dict(counts)}
    path.write_text(json.dumps(lived, indent=1, sort_keys=True) + "\n")


def told() -> Iterator[str]:
    """The card's lines about it."""
    lived = json.loads(LIVED.read_text())
    counts = dict(lived["counts"])
    lives, steps = counts.pop("lives"), counts.pop("steps")
    yield (
        f"{lives} lives with {steps:,} steps were drawn at random (seed {lived['seed']}, {lived['on']}): people "
        "sign up, browse, buy, stop, move, bounce, are merged and erased, while workers run beside each other and "
        "reports get lost. After each step a witness of its own looked at everything that had gone out. Nobody "
        "heard what they should not.\n"
    )
    yield from ("| What happened | Times |", "| --- | ---: |")
    yield from (f"| {what} | {count:,} |" for what, count in sorted(counts.items()))
    yield "\nSome of such lives are in every run of the tests; `python -m tests.lives` draws 500 others.\n"
