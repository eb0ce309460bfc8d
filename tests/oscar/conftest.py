"""A shopper who goes through Oscar's real pages, and a shop with something to buy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from oscar.test import factories

from oscar_crosschannel.oscar import receivers

US_PHONE = "+12065550123"


@dataclass
class Shopper:
    """A browser in the shop. Posts what the page would post, consent marker included."""

    client: Client = field(default_factory=Client)

    def add(self, product: Any, quantity: int = 1) -> Any:
        return self.client.post(
            reverse("basket:add", args=[product.pk]), {"quantity": quantity, "action": "add"}
        )

    def enter_checkout(self, email: str, **boxes: str) -> Any:
        url = reverse("checkout:index")
        return self.client.post(url, {"username": email, "options": "anonymous", **self.marker(url), **boxes})

    def give_address(self, phone: str = US_PHONE, **fields: str) -> Any:
        return self.client.post(
            reverse("checkout:shipping-address"),
            {
                "first_name": "Ada",
                "last_name": "Byron",
                "line1": "1 Alder Street",
                "line4": "Seattle",
                "state": "WA",
                "postcode": "98101",
                "country": "US",
                "phone_number": phone,
                **fields,
            },
        )

    def choose_shipping(self) -> Any:
        self.client.get(reverse("checkout:shipping-method"))
        return self.client.get(reverse("checkout:payment-method"))

    def preview(self) -> Any:
        return self.client.get(reverse("checkout:preview"))

    def place_order(self, **boxes: str) -> Any:
        return self.client.post(
            reverse("checkout:preview"),
            {"action": "place_order", **self.marker(reverse("checkout:preview")), **boxes},
        )

    def register(self, email: str, **boxes: str) -> Any:
        url = reverse("customer:register")
        return self.client.post(
            url,
            {
                "email": email,
                "password1": "unhurried-tea",
                "password2": "unhurried-tea",
                **self.marker(url),
                **boxes,
            },
        )

    def marker(self, url: str) -> dict[str, str]:
        found = page(self.client.get(url)).select_one("[name=cc_shown]")
        return {"cc_shown": str(found["value"])} if found else {}

    def buy(self, email: str, **boxes: str) -> Any:
        """The whole guest checkout of what is in the basket."""
        self.enter_checkout(email)
        self.give_address()
        self.choose_shipping()
        return self.place_order(**boxes)


def page(response: Any) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


def make_user(email: str, **fields: Any) -> Any:
    name = f"user{get_user_model().objects.count()}"
    return get_user_model().objects.create_user(name, email, "unhurried-tea", **fields)


@pytest.fixture
def shopper() -> Shopper:
    return Shopper()


@pytest.fixture
def product(db: None) -> Any:
    return factories.create_product(title="Earl Grey", price=10, num_in_stock=20)


@pytest.fixture
def country(db: None) -> Any:
    return factories.CountryFactory(
        iso_3166_1_a2="US",
        iso_3166_1_a3="USA",
        iso_3166_1_numeric="840",
        printable_name="United States",
        name="United States",
        is_shipping_country=True,
    )


@pytest.fixture(params=[False, True], ids=["autocommit", "atomic-requests"])
def atomic_requests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways in which shops run."""
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", request.param)
    return bool(request.param)


@contextmanager
def unplugged() -> Iterator[None]:
    """The shop as it was before the app was installed."""
    for signal, receiver, sender in receivers.CONNECTIONS:
        assert signal.disconnect(sender=sender, dispatch_uid=f"oscar_crosschannel.{receiver.__name__}"), (
            f"{receiver.__name__} was not connected"
        )
    try:
        yield
    finally:
        receivers.connect()


def statements(work: Callable[[], Any]) -> tuple[int, Any]:
    """How many statements `work` needs, savepoints included, and what it answered."""
    with CaptureQueriesContext(connection) as queries:
        response = work()
    return len(queries), response
