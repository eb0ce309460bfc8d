"""What the merchant and the warehouse do, in Oscar's dashboard and in the Django admin."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

from sandbox.shop.people import STAFF

from .browser import Astray, Browser, Fields, Page

_ADMIN = "/admin/oscar_crosschannel"


def _sign_in(browser: Browser) -> None:
    """Begin a day's work, unless one is still signed in."""
    username, _, password = STAFF
    page = browser.open("/admin/")
    if page.has_form("username", "password"):
        browser.submit(page, {"username": username, "password": password})


def change_delay(browser: Browser, flow: str, step: str, *, days: int) -> None:
    """Let a step of a flow fall due so many days after the flow's event."""
    _sign_in(browser)
    listed = browser.open(f"{_ADMIN}/flow/")
    page = browser.open(urljoin(listed.link(flow), "../edit/"))
    _save(browser, page, {f"{step}-delay_number": str(days), f"{step}-delay_unit": "days"})


def plan_event(browser: Browser, said: Mapping[str, str]) -> None:
    """Say when and where a product takes place."""
    _sign_in(browser)
    _save(browser, browser.open(f"{_ADMIN}/scheduledevent/add/"), said)


def invite(browser: Browser, event: str, note: str) -> None:
    """Invite people to an event, known by its title."""
    _decide(browser, event, "Invite people to the event", note)


def call_off(browser: Browser, event: str, note: str) -> None:
    """Cancel an event for good."""
    _decide(browser, event, "Cancel the event", note)


def change_event(browser: Browser, event: str, said: Mapping[str, str]) -> None:
    """Let an event take place at another time, or be joined by another link."""
    _sign_in(browser)
    _save(browser, browser.open(_event(browser, event)), said)


def ship(browser: Browser, order: str, titles: tuple[str, ...], *, what: str, reference: str = "") -> None:
    """Report in the dashboard what became of some lines of an order: "shipped", "cancelled" …"""
    _sign_in(browser)
    page = browser.open(f"/dashboard/orders/{order}/")
    lines = tuple(
        str(box["value"])
        for box in page.soup.select("input[name=selected_line]")
        if (row := box.find_parent("tr")) is not None and any(title in row.get_text() for title in titles)
    )
    if len(lines) != len(titles):
        raise Astray(f"order {order} has no such lines")
    reported: Fields = {
        "selected_line": lines,
        "line_action": "create_shipping_event",
        "shipping_event_type": what,
        "reference": reference,
    }
    browser.submit(page, reported)


def restock(browser: Browser, title: str, count: int) -> None:
    """Give something that is sold out a number in stock."""
    _sign_in(browser)
    found = browser.open(f"/admin/partner/stockrecord/?q={title}")
    browser.submit(browser.open(found.link(title)), {"num_in_stock": str(count)}, press="_save")


def approve_review(browser: Browser, title: str) -> None:
    """Let a review be seen."""
    _sign_in(browser)
    listed = browser.open("/dashboard/reviews/")
    browser.submit(browser.open(listed.link(title)), {"status": "1"})


def _event(browser: Browser, title: str) -> str:
    return browser.open(f"{_ADMIN}/scheduledevent/").link(title)


def _decide(browser: Browser, event: str, what: str, note: str) -> None:
    _sign_in(browser)
    asked = browser.open(browser.open(_event(browser, event)).link(what))
    browser.submit(asked, {"note": note})


def _save(browser: Browser, page: Page, fields: Fields) -> None:
    """Save a page of the admin; where it asks what that means for people inside, mean it."""
    saved = browser.submit(page, fields, press="do=save")
    if saved.soup.select('button[name=do][value="confirm"]'):
        saved = browser.submit(saved, {}, press="do=confirm")
    if saved.soup.select(".errorlist, .errornote"):
        wrong = " ".join(
            each.get_text(" ", strip=True) for each in saved.soup.select(".errorlist, .errornote")
        )
        raise Astray(f"the admin would not save it: {wrong}")
