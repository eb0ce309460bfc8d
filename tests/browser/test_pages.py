"""Every page of ours, on a desktop and on a phone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.browsing import DESKTOP, PHONE, Visit
from tests.browser.conftest import Visiting
from tests.browser.looking import axe, lies_badly, shuts_out
from tests.browser.pages import ALL, PAGES, STOREFRONT, Page
from tests.browser.servers import STOCK, Shop, serve

SIZES = (DESKTOP, PHONE)


@pytest.fixture(scope="module")
def stock_admin() -> dict[str, set[str]]:
    """Which of axe's rules Django's own pages break, as far as they were looked at."""
    return {}


def arrive(visited: Visit, page: Page, shop: Shop) -> None:
    visited.open(shop.path(page.path), status=page.status)
    if page.arrive:
        page.arrive(visited.tab)


def broken_rules(visited: Visit) -> set[str]:
    """Which of axe's rules the page breaks, at any size."""
    broken = set()
    for size in SIZES:
        visited.tab.set_viewport_size(size)
        broken |= {found.rule for found in axe(visited.tab, "never")}
    return broken


def complaints(visited: Visit, page: Page, tolerated: set[str]) -> Iterator[str]:
    """Everything that is wrong with the page that a tab shows."""
    for size in SIZES:
        visited.tab.set_viewport_size(size)
        wrong = [
            *lies_badly(visited.tab, page.ours, is_whole=page.ours == ALL),
            *shuts_out(axe(visited.tab, page.ours), tolerated | page.excused),
        ]
        yield from (f"{size['width']} px: {each}" for each in wrong)
    yield from visited.troubles
    yield from (f"asks elsewhere: {url}" for url in visited.outside)


def blame(wrong: list[str]) -> None:
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in STOREFRONT], ids=lambda page: page.name
)
def test_a_page_is_whole_and_shuts_nobody_out(
    visit: Visiting, shop: Shop, page: Page, stock_admin: dict[str, set[str]]
) -> None:
    with visit(who=page.who, color_scheme="dark" if page.dark else "light") as visited:
        if page.stock and page.stock not in stock_admin:
            visited.open(page.stock)
            stock_admin[page.stock] = broken_rules(visited)
        arrive(visited, page, shop)
        blame(list(complaints(visited, page, stock_admin.get(page.stock, set()))))


def test_oscars_pages_lack_nothing_because_of_our_boxes(visit: Visiting, shop: Shop, home: Path) -> None:
    wrong = []
    with serve(home, STOCK) as without_us:
        for page in STOREFRONT:
            with visit(who=page.who, origin=f"https://127.0.0.1:{without_us.port}") as stock:
                stock.open(page.stock)
                assert not stock.tab.locator(page.ours).count()
                tolerated = broken_rules(stock)
            with visit(who=page.who) as visited:
                arrive(visited, page, shop)
                wrong += [f"{page.name}, {each}" for each in complaints(visited, page, tolerated)]
    blame(wrong)


def test_a_warning_about_a_broken_provider_is_readable_by_everybody(
    visit: Visiting, shop: Shop, home: Path
) -> None:
    page = next(page for page in PAGES if page.name == "admin")
    rest = ("sms", "2026-03-12 15:45", "2026-03-12 15:30", "20003", "Authenticate")
    with sqlite3.connect(home / "shop.sqlite3", timeout=20) as database:
        database.execute(
            "INSERT INTO oscar_crosschannel_channelrest (channel, until, since, code, detail) VALUES (?, ?, ?, ?, ?)",
            rest,
        )
    try:
        with visit(who=page.who) as visited:
            visited.open(page.stock)
            tolerated = broken_rules(visited)
            arrive(visited, page, shop)
            assert visited.tab.get_by_text("the provider turns us away").is_visible()
            blame(list(complaints(visited, page, tolerated)))
    finally:
        with sqlite3.connect(home / "shop.sqlite3", timeout=20) as database:
            database.execute("DELETE FROM oscar_crosschannel_channelrest")
