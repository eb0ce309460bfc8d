"""What is wrong with a page: layout, structure, and what axe finds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page as Tab

_LAYOUT = (Path(__file__).parent / "looking.js").read_text(encoding="utf-8")

#: Marks our own elements among those that axe complains of.
_AXE = """async (ours) => {
    const results = await axe.run({ resultTypes: ["violations"] });
    const isOurs = (selectors) => {
        const element = document.querySelector(selectors[0]);
        return Boolean(element && element.closest(ours));
    };
    return results.violations.flatMap(({ id, impact, help, nodes }) => nodes.map((node) => ({
        rule: id, impact, help, html: node.html.slice(0, 200), ours: isOurs(node.target),
    })));
}"""

_SEVERE = {"serious", "critical"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One element that breaks one of axe's rules."""

    rule: str
    impact: str
    help: str
    html: str
    ours: bool  #: it lies in one of our elements

    def __str__(self) -> str:
        return f"{self.rule} ({self.impact}, {self.help}): {self.html}"


def lies_badly(tab: Tab, ours: str, *, is_whole: bool) -> Iterator[str]:
    """What sticks out, is cut off or missing; `is_whole`: the page has nothing of others."""
    seen: dict[str, Any] = tab.evaluate(_LAYOUT, ours)
    if not seen["mine"]:
        yield "nothing of ours is shown"
    yield from seen["found"]
    if is_whole:
        if seen["scrolls"]:
            yield "the page scrolls sideways"
        if not seen["viewport"]:
            yield "phones would show it as a shrunken desktop page"
        if not seen["titles"]:
            yield "it has no title"
        if seen["headings"] != 1:
            yield f"it has {seen['headings']} headings of the first level"


def axe(tab: Tab, ours: str) -> list[Finding]:
    """Everything that axe finds on the page."""
    if not tab.evaluate("typeof axe === 'object'"):
        tab.evaluate(AXE_SCRIPT)
    return [Finding(**found) for found in tab.evaluate(_AXE, ours)]


def shuts_out(findings: Sequence[Finding], tolerated: Collection[str]) -> Iterator[str]:
    """What is serious in our elements, and what breaks a rule that is not tolerated on such a page."""
    for found in findings:
        if (found.ours and found.impact in _SEVERE) or found.rule not in tolerated:
            yield f"axe: {found}"
