"""Tells what was reached, over all parts and whichever process lived them."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from . import record
from .size import SEED, missed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what happened in all these lives. A worker knows only some of them."""
    if hasattr(config, "workerinput"):
        return
    seen: Counter[str] = Counter()
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        if report.when == "call":
            for key, value in report.user_properties:
                if key == "lives" and isinstance(value, dict):
                    seen.update(value)
    into = os.environ.get("LIVES_RECORD")
    if seen and into and not terminalreporter.getreports("failed"):
        if quiet := missed(seen, seen["lives"]):
            terminalreporter.line(f"Too quiet to prove anything, so not recorded: {quiet}")
        else:
            record.keep(Path(into), SEED, seen)
    if seen:
        terminalreporter.section("What happened in random lives")
        for what in ("lives", "steps"):
            terminalreporter.line(f"{seen.pop(what):8} {what}")
        for what, count in sorted(seen.items()):
            terminalreporter.line(f"{count:8} {what}")
