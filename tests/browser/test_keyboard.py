"""Who has no mouse reaches every control of ours, and sees where they are."""

from __future__ import annotations

import pytest

from tests.browser.browsing import Visit
from tests.browser.conftest import Visiting
from tests.browser.pages import PAGES, Page
from tests.browser.servers import Shop

KEY_PAGES = (
    "gateway",
    "recovery",
    "unsubscribe",
    "preferences",
    "preferences-account",
    "why",
    "outbox",
    "flow-edit",
    "flow-add",
    "words-text",
    "contact-opt-out",
)

#: Notes our controls and how they look while the focus is elsewhere; returns how many there are.
_NOTE = """(ours) => {
    const looks = (element) => {
        const { outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor, backgroundColor } = getComputedStyle(element);
        return [outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor, backgroundColor].join();
    };
    const all = "a[href], button, input:not([type=hidden]), select, textarea, summary";
    const controls = [...document.querySelectorAll(ours)].flatMap((root) => [...root.querySelectorAll(all)]);
    window.controls = controls.filter((each) => each.checkVisibility() && !each.disabled && each.tabIndex >= 0);
    window.looks = looks;
    window.before = new Map(window.controls.map((each) => [each, looks(each)]));
    window.reached = new Set();
    window.unseen = new Set();
    return document.querySelectorAll(all + ", iframe, [tabindex]").length;
}"""

#: After each press of Tab.
_STEP = """() => {
    const at = document.activeElement;
    if (!window.before.has(at)) return;
    window.reached.add(at);
    if (window.looks(at) === window.before.get(at)) window.unseen.add(at);
}"""

#: Of a group of radio buttons, the keyboard reaches the chosen one, and the others by arrows.
_RESULT = """() => {
    const names = new Set([...window.reached].filter((each) => each.type === "radio").map((each) => each.name));
    const missed = window.controls.filter((each) => !window.reached.has(each) && !names.has(each.name));
    const tell = (each) => each.outerHTML.slice(0, 120);
    return [window.controls.length, missed.map(tell), [...window.unseen].map(tell)];
}"""


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name in KEY_PAGES], ids=lambda page: page.name
)
def test_the_keyboard_reaches_every_control_and_the_focus_is_seen(
    visit: Visiting, shop: Shop, page: Page
) -> None:
    with visit(who=page.who) as visited:
        visited.open(shop.path(page.path))
        controls, missed, unseen = _walk(visited, page.ours)
    assert controls
    assert not missed
    assert not unseen


def _walk(visited: Visit, ours: str) -> tuple[int, list[str], list[str]]:
    stops = visited.tab.evaluate(_NOTE, ours)
    for _ in range(stops + 5):
        visited.tab.keyboard.press("Tab")
        visited.tab.evaluate(_STEP)
    controls, missed, unseen = visited.tab.evaluate(_RESULT)
    return controls, missed, unseen
