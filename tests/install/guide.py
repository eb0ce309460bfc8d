"""The README's way into a shop, as data: what it says to paste where, and what to type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Guide:
    """The blocks of the section on installing, in its order."""

    install: list[str]  #: lines for a terminal
    settings: list[str]  #: for the end of the settings
    urls: list[str]  #: for the end of the URLconf
    prepare: list[str]
    run: list[str]


def read() -> Guide:
    """The guide as it stands. Fails loudly when the section has other blocks than it had."""
    own, _, subsections = _section("## Install it into your shop").partition("\n### ")
    kinds: dict[str, list[str]] = {"": [], "python": [], "django": []}
    for kind, code in _BLOCK.findall(own):
        kinds[kind].append(code)
    install, prepare, run = kinds[""]
    settings, sqlite, urls = kinds["python"]
    twilio = next(code for code in _python(subsections) if "CROSSCHANNEL_TWILIO" in code)
    return Guide(
        install=_lines(install),
        settings=[settings, sqlite, twilio],
        urls=[urls],
        prepare=_lines(prepare),
        run=_lines(run),
    )


def _section(heading: str) -> str:
    text = (ROOT / "README.md").read_text()
    start = text.index(f"\n{heading}\n")
    return text[start : text.index("\n## ", start + 1)]


def _python(text: str) -> Iterator[str]:
    return (code for kind, code in _BLOCK.findall(text) if kind == "python")


def _lines(code: str) -> list[str]:
    """What is to be typed, without the remarks."""
    return [line.partition("  #")[0].strip() for line in code.splitlines()]
