"""What customers do in Oscar's own pages."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .browser import Astray, Browser, Page

#: A postal address, as the fields of Oscar's form.
Address = Mapping[str, str]


def put_into_basket(browser: Browser, title: str, quantity: int = 1) -> None:
    """Search for a product, open its page, add it."""
    found = browser.open(f"/search/?q={title}")
    product = browser.open(found.link(title))
    browser.submit(product, {"quantity": str(quantity)})


def log_in(browser: Browser, email: str, password: str) -> None:
    """Log in, unless the browser still is."""
    page = browser.open("/accounts/login/")
    if page.has_form("login-username"):
        browser.submit(page, {"login-username": email, "login-password": password}, press="login_submit")


def register(browser: Browser, email: str, password: str, *, boxes: Mapping[str, str | bool]) -> None:
    page = browser.open("/accounts/register/")
    fields = {"email": email, "password1": password, "password2": password, **boxes}
    browser.submit(page, fields, press="registration_submit")


def enter_checkout(browser: Browser, email: str, boxes: Mapping[str, str | bool] | None = None) -> Page:
    """The gateway, as a guest, with these consent boxes ticked. Shows the address form."""
    gateway = browser.open("/checkout/")
    return browser.submit(gateway, {"username": email, "options": "anonymous", **(boxes or {})})


def order_number(thanks: Page) -> str:
    """What the page that says thanks calls the order."""
    found = re.search(r"\b1\d{5}\b", thanks.words)
    if found is None:
        raise Astray(f"{thanks.path} names no order")
    return found[0]


def finish_checkout(browser: Browser, address: Address) -> Page:
    """From the address, if something is to be shipped, to the order. Shows the page that says thanks."""
    page = browser.open("/checkout/shipping-address/")
    if page.has_form(*address):
        page = browser.submit(page, address)  # with one shipping method, Oscar chooses it by itself
    preview = browser.open(page.link_to("/checkout/preview/"))
    return browser.submit(preview, {"action": "place_order"})


def enter_code(browser: Browser, code: str) -> None:
    """Give a voucher's code in the basket."""
    basket = browser.open("/basket/")
    browser.submit(basket, {"code": code})


def ask_when_back(browser: Browser, title: str) -> None:
    """On the page of something that is sold out: tell me when it is back."""
    found = browser.open(f"/search/?q={title}")
    product = browser.open(found.link(title))
    browser.submit(product, {}, form_id="alert_form")


def choose(browser: Browser, boxes: Mapping[str, str | bool]) -> None:
    """Tick boxes of the preference center in the account."""
    page = browser.open("/cc/preferences/")
    browser.submit(page, boxes)


def change_password(browser: Browser, old: str, new: str) -> None:
    page = browser.open("/accounts/change-password/")
    browser.submit(page, {"old_password": old, "new_password1": new, "new_password2": new})


def change_address(browser: Browser, email: str) -> None:
    page = browser.open("/accounts/profile/edit/")
    browser.submit(page, {"email": email})


def review(browser: Browser, address: str, *, title: str, body: str, stars: int) -> None:
    """Write what one thinks of a product, on the page that a link leads to."""
    page = browser.open(address)
    browser.submit(page, {"title": title, "body": body, "score": str(stars)})
