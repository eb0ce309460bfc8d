"""What Oscar's signals leave in the inbox."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from django.urls import reverse
from oscar.apps.basket.signals import basket_addition
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.models import InboxEvent

from .conftest import make_user

Basket, BasketLine, Order = (
    get_model("basket", "Basket"),
    get_model("basket", "Line"),
    get_model("order", "Order"),
)

pytestmark = pytest.mark.django_db


def events(name: str) -> list[InboxEvent]:
    return list(InboxEvent.objects.filter(name=name).order_by("id"))


@pytest.fixture
def signed_in(shopper: Any) -> Any:
    user = make_user("ada@example.com", first_name="Ada")
    shopper.client.force_login(user)
    return user


def test_putting_something_into_a_basket_is_activity_of_the_account(
    shopper: Any, product: Any, signed_in: Any
) -> None:
    shopper.add(product)
    shopper.add(product)
    (event,) = events("basket.active")
    basket = Basket.objects.get(owner=signed_in)
    assert event.key == f"basket:{basket.pk}"
    assert event.subjects == {"basket": basket.pk}
    assert (event.user_id, event.email) == (signed_in.pk, "ada@example.com")
    assert event.data == {"name": "Ada", "language": "en"}


def test_a_visitor_nobody_knows_costs_nothing(shopper: Any, product: Any) -> None:
    shopper.add(product)
    assert not InboxEvent.objects.exists()


def test_a_guest_is_known_from_the_gateway_on(shopper: Any, product: Any) -> None:
    shopper.add(product)
    shopper.enter_checkout("Guest@Example.com")
    (started,) = events("checkout.started")
    (active,) = events("basket.active")
    assert started.email == active.email == "Guest@example.com"
    assert started.user_id is None
    assert started.subjects == active.subjects == {"basket": Basket.objects.get().pk}
    shopper.add(product)
    assert events("basket.active")[0].occurred_at > active.occurred_at


def test_an_account_that_starts_its_checkout_is_active(shopper: Any, product: Any, signed_in: Any) -> None:
    shopper.add(product)
    before = events("basket.active")[0].occurred_at
    shopper.client.get(reverse("checkout:index"))
    assert events("basket.active")[0].occurred_at > before
    assert events("checkout.started")[0].user_id == signed_in.pk


def test_taking_something_out_of_a_basket_is_activity(shopper: Any, product: Any, signed_in: Any) -> None:
    shopper.add(product)
    InboxEvent.objects.all().delete()
    line = BasketLine.objects.get()
    shopper.client.post(
        reverse("basket:summary"),
        {
            "form-TOTAL_FORMS": 1,
            "form-INITIAL_FORMS": 1,
            "form-0-id": line.pk,
            "form-0-quantity": 0,
        },
    )
    assert not BasketLine.objects.exists()
    (event,) = events("basket.active")
    assert event.user_id == signed_in.pk


def test_lines_the_shop_clears_away_are_nobodys_activity(shopper: Any, product: Any, signed_in: Any) -> None:
    shopper.add(product)
    InboxEvent.objects.all().delete()
    BasketLine.objects.filter(product=product).delete()
    assert not BasketLine.objects.exists()
    assert not InboxEvent.objects.exists()


def test_a_product_the_shop_deletes_is_nobodys_activity(shopper: Any, product: Any, signed_in: Any) -> None:
    shopper.add(product)
    InboxEvent.objects.all().delete()
    product.delete()
    Basket.objects.all().delete()
    assert not InboxEvent.objects.exists()


def test_an_order_is_told_with_everything_that_names_its_person(
    shopper: Any, product: Any, country: Any
) -> None:
    shopper.add(product)
    basket_id = Basket.objects.get().pk
    shopper.buy("guest@example.com")
    order = Order.objects.get()
    (event,) = events("order.placed")
    assert event.key == f"order:{order.pk}"
    assert event.subjects == {"order": order.pk, "basket": basket_id, "restored": basket_id}
    assert (event.user_id, event.email, event.phone) == (None, "guest@example.com", "+12065550123")
    assert event.data == {"name": "Ada", "language": "en", "country": "US", "region": "WA"}


def test_an_order_of_an_account_carries_the_account(
    shopper: Any, product: Any, country: Any, signed_in: Any
) -> None:
    shopper.add(product)
    shopper.give_address()
    shopper.choose_shipping()
    shopper.place_order()
    (event,) = events("order.placed")
    assert (event.user_id, event.email) == (signed_in.pk, "ada@example.com")


def test_an_order_in_a_status_that_is_no_purchase_is_not_told(settings: Any) -> None:
    settings.CROSSCHANNEL_NON_CONVERTING_STATUSES = ["Payment declined"]
    factories.create_order(user=make_user("ada@example.com"), status="Payment declined")
    assert not events("order.placed")


def test_an_order_without_address_or_account_is_told_too() -> None:
    order = factories.create_order(guest_email="guest@example.com")
    (event,) = events("order.placed")
    assert event.subjects["order"] == order.pk
    assert event.email == "guest@example.com"


def test_a_registration_is_told(shopper: Any) -> None:
    shopper.register("new@example.com")
    user = get_user_model().objects.get()
    (event,) = events("user.registered")
    assert (event.key, event.user_id, event.email) == (f"user:{user.pk}", user.pk, "new@example.com")


def test_the_language_of_the_page_is_told(shopper: Any, product: Any) -> None:
    shopper.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    shopper.add(product)
    shopper.enter_checkout("gast@example.com")
    assert events("checkout.started")[0].data["language"] == "de"


def test_an_api_without_session_or_basket_on_its_requests_is_served(
    product: Any, caplog: pytest.LogCaptureFixture
) -> None:
    request = RequestFactory().post("/api/basket/add-product/")
    for user in (AnonymousUser(), make_user("ada@example.com")):
        request.user = user
        basket_addition.send(sender=None, product=product, user=user, request=request)
    assert not InboxEvent.objects.exists()
    assert not caplog.records
