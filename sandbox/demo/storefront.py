"""What customers do in Oscar's own pages."""

from __future__ import annotations

from collections.abc import Mapping

from .browser import Browser, Page

#: A postal address, as the fields of Oscar's form.
Address = Mapping[str, str]


def put_into_basket(browser: Browser, title: str, quantity: int = 1) -> None:
    """Search for a product, open its page, add it."""
    found = browser.open(f"/search/?q={title}")
    product = browser.open(found.link(title))
    browser.submit(product, {"quantity": str(quantity)})


def log_in(browser: Browser, email: str, password: str) -> None:
    page = browser.open("/accounts/login/")
    browser.submit(page, {"login-username": email, "login-password": password}, press="login_submit")


def register(browser: Browser, email: str, password: str, *, boxes: Mapping[str, str | bool]) -> None:
    page = browser.open("/accounts/register/")
    fields = {"email": email, "password1": password, "password2": password, **boxes}
    browser.submit(page, fields, press="registration_submit")


def enter_checkout(browser: Browser, email: str, boxes: Mapping[str, str | bool] | None = None) -> Page:
    """The gateway, as a guest, with these consent boxes ticked. Shows the address form."""
    gateway = browser.open("/checkout/")
    return browser.submit(gateway, {"username": email, "options": "anonymous", **(boxes or {})})


def finish_checkout(browser: Browser, address: Address) -> Page:
    """From the address to the order. Shows the page that says thanks."""
    form = browser.open("/checkout/shipping-address/")
    payment = browser.submit(form, address)  # with one shipping method, Oscar chooses it by itself
    preview = browser.open(payment.link("Continue"))
    return browser.submit(preview, {"action": "place_order"})
