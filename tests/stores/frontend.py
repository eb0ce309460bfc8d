"""A shop's own front end: JSON to django-oscar-api, and never a page of Oscar's."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import requests

from sandbox.demo.browser import PHONE, Astray, Browser

from .story import PASSWORD, TITLE, Person, address_of

_SECONDS = 60


class FrontEnd:
    """See `story.Storefront`."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._devices: dict[Person, requests.Session] = {}

    def leaves_as_guest(self, who: Person, *, agrees: bool) -> None:
        self._fill(who)
        self._introduce(who, agrees=agrees)

    def registers_and_leaves(self, who: Person, *, agrees: bool) -> None:
        self._call(who, "POST", "register/", email=who.email, password1=PASSWORD, password2=PASSWORD)
        self._call(who, "POST", "login/", username=who.email, password=PASSWORD)
        self._fill(who)
        self._introduce(who, agrees=agrees)

    def orders(self, who: Person) -> None:
        self._check_out(who)

    def restores_elsewhere(self, who: Person, link: str, code: str) -> None:
        phone = Browser(self._home, agent=PHONE)
        page = phone.open(link)
        if TITLE not in page.words:
            raise Astray(f"{page.path} does not show {TITLE}")
        if phone.submit(page, {}).path != "/cart/":
            raise Astray("the restored basket is not shown on the page of the front end")
        self._devices[who] = phone.session
        basket = self._call(who, "GET", "basket/")
        if [discount["voucher"]["code"] for discount in basket["voucher_discounts"]] != [code]:
            raise Astray(f"the code takes nothing off: {basket['voucher_discounts']}")
        self._check_out(who, guest_email=who.email)

    def _fill(self, who: Person) -> None:
        (product,) = self._call(who, "GET", "products/")
        self._call(who, "POST", "basket/add-product/", url=product["url"], quantity=1)

    def _introduce(self, who: Person, *, agrees: bool) -> None:
        words = self._call(who, "GET", "consent/")
        if "text messages" not in words["sms"]:
            raise Astray("there are no words beside the box for texts")
        self._call(
            who,
            "POST",
            "consent/",
            email=who.email,
            phone=who.phone,
            agrees_to=["email", "sms"] if agrees else [],
        )

    def _check_out(self, who: Person, **guest: str) -> None:
        basket = self._call(who, "GET", "basket/")
        address = address_of(who) | {"country": urljoin(self._home, "/api/countries/US/")}
        self._call(who, "POST", "checkout/", basket=basket["url"], shipping_address=address, **guest)

    def _call(self, who: Person, method: str, path: str, **body: Any) -> Any:
        device = self._devices.setdefault(who, requests.Session())
        device.trust_env = False
        url = urljoin(self._home, f"/api/{path}")
        headers = {"X-CSRFToken": device.cookies.get("csrftoken", "")}
        response = device.request(method, url, json=body or None, headers=headers, timeout=_SECONDS)
        if not response.ok:
            raise Astray(f"{method} {path} was answered with {response.status_code}: {response.text[:300]}")
        return response.json()
