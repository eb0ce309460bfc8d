"""A parcel ships: one text, and an email only to whom no text can go, as the buyer sees it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.core.sms import Encoding, segments
from oscar_crosschannel.models import Consent
from tests.stories.conftest import World
from tests.stories.warehouse import Warehouse

Order = get_model("order", "Order")

pytestmark = pytest.mark.slow
ADA, PHONE = "ada@example.com", "+12065550123"
INBOUND = "https://testserver/cc/twilio/inbound/"
UPS = "UPS 1Z999AA10123456784"


@pytest.fixture
def warehouse(world: World) -> Warehouse:
    return Warehouse()


@pytest.fixture(autouse=True)
def _statuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop with statuses for parcels, beside its shipping events."""
    pipeline = {"Pending": ("Shipped", "Delivered", "Cancelled"), "Shipped": ("Delivered",)}
    monkeypatch.setattr(Order, "pipeline", pipeline)
    monkeypatch.setattr(get_model("order", "Line"), "pipeline", pipeline)


def order_of(world: World, **boxes: str) -> Any:
    """A guest buys two packets of Earl Grey and a teapot; the page that thanks has sent its texts."""
    shopper = world.shopper()
    shopper.add(world.product, 2)
    shopper.add(factories.create_product(title="Blue teapot", price=30, num_in_stock=5))
    shopper.buy(ADA, **boxes)
    world.tick()
    mail.outbox.clear()
    return Order.objects.get()


def letters(about: str = "") -> list[Any]:
    """Mail of this app about the order."""
    return [each for each in mail.outbox if ADA in each.to and about in each.subject]


# It works.


def test_one_parcel_one_text_with_a_link_to_the_carrier(world: World, warehouse: Warehouse) -> None:
    order = order_of(world)
    warehouse.report(order, {"Earl Grey": 2, "Blue teapot": 1}, notes=UPS)
    world.wait(seconds=20)
    assert not world.texts(PHONE), "its quantities may still be on their way into the database"

    world.wait(days=2)
    (text,) = world.texts(PHONE)
    assert text.startswith(f"Quillbrook: your order {order.number} is on its way.")
    found = segments(text)
    assert (found.encoding, found.count) == (Encoding.GSM7, 1)
    assert not letters(), "never both"

    link = re.search(r"https://testserver(/cc/l/\S+)", text)
    assert link
    hop = world.shopper().client.get(link[1])
    assert hop["Location"].startswith("https://testserver/cc/parcel/"), "the text leads to the shop"
    page = world.shopper().client.get(hop["Location"].removeprefix("https://testserver"))
    assert page["Location"] == "https://www.ups.com/track?tracknum=1Z999AA10123456784"


def test_two_parcels_are_told_apart_and_the_last_one_says_so(world: World, warehouse: Warehouse) -> None:
    order = order_of(world)
    warehouse.report(order, {"Earl Grey": 2})
    world.wait(hours=5)
    warehouse.report(order, {"Blue teapot": 1})
    world.wait(days=2)

    first, second = world.texts(PHONE)
    assert f"parcel 1 of your order {order.number} is on its way, 2 of 3 items: 2 x Earl Grey." in first
    assert f"the last parcel of your order {order.number} is on its way, 1 of 3 items: Blue teapot." in second
    assert all(segments(text).encoding is Encoding.GSM7 for text in (first, second))


def test_a_shop_with_statuses_only_says_the_same(world: World, warehouse: Warehouse) -> None:
    order = order_of(world)
    warehouse.set_order(order, "Shipped")
    world.wait(days=1)
    warehouse.set_order(order, "Delivered")
    world.wait(days=1)

    shipped, delivered = world.texts(PHONE)
    assert f"your order {order.number} is on its way" in shipped
    assert f"your order {order.number} was delivered" in delivered


def test_who_ticked_the_box_on_the_page_of_thanks_is_texted_at_that_number(
    world: World, warehouse: Warehouse
) -> None:
    shopper = world.shopper()
    shopper.add(world.product)
    shopper.buy(ADA)
    thanks = shopper.client.get(reverse("checkout:thank-you"))
    action = re.search(r'action="(/cc/order-texts/[^"]+)"', thanks.content.decode())
    shown = re.search(r'name="cc_shown" value="([^"]+)"', thanks.content.decode())
    assert action
    assert shown
    shopper.client.post(action[1], {"cc_shown": shown[1], "cc_phone": "+12065550199"})
    world.wait(minutes=1)
    assert Consent.objects.filter(topic="order_updates", point__address="+12065550199").exists()

    warehouse.report(Order.objects.get(), {"Earl Grey": 1})
    world.wait(days=2)
    assert len([text for text in world.texts("+12065550199") if "on its way" in text]) == 1
    assert not [text for text in world.texts(PHONE) if "on its way" in text]


# It refuses.


def test_a_shop_that_uses_both_tells_it_once(world: World, warehouse: Warehouse) -> None:
    order = order_of(world)
    warehouse.report(order, {"Earl Grey": 2, "Blue teapot": 1})
    warehouse.set_order(order, "Shipped")
    world.wait(days=2)
    assert len(world.texts(PHONE)) == 1


@pytest.mark.rule(16, 22)
def test_who_said_stop_to_texts_gets_the_email(world: World, warehouse: Warehouse) -> None:
    order = order_of(world)
    world.phones.inbound(PHONE, "STOP", INBOUND)
    world.tick()
    told = len(world.texts(PHONE))
    warehouse.report(order, {"Earl Grey": 2, "Blue teapot": 1}, notes=UPS)
    world.wait(days=2)

    assert len(world.texts(PHONE)) == told
    (email,) = letters("is on its way")
    assert "2 × Earl Grey" in email.body
    assert "UPS: 1Z999AA10123456784" in email.body
    assert "List-Unsubscribe" not in email.extra_headers


# It survives.


def test_a_text_that_does_not_arrive_is_said_once_by_email(world: World, warehouse: Warehouse) -> None:
    order = order_of(world)
    warehouse.report(order, {"Earl Grey": 2, "Blue teapot": 1})
    world.wait(minutes=1)
    (text,) = [each for each in world.phones.messages if each.to == PHONE]
    world.phones.callback(text.sid, "undelivered", error_code=30003, times=2)
    world.tick()
    world.wait(days=2)

    assert len(world.texts(PHONE)) == 1
    assert len(letters("is on its way")) == 1
