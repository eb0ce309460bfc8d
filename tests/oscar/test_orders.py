"""Which orders are a purchase, and whose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from oscar.test import factories

from oscar_crosschannel.core.ports import Person
from oscar_crosschannel.oscar import orders
from oscar_crosschannel.oscar.shop import OscarShop

from .conftest import US_PHONE, make_user

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def person(contact_id: int = 1, *, user_id: int | None = None, email: str = "", phone: str = "") -> Person:
    return Person(
        contact_id=contact_id,
        user_id=user_id,
        emails=frozenset({email} - {""}),
        phones=frozenset({phone} - {""}),
    )


def buyers(*people: Person, since: timedelta = HOUR) -> set[int]:
    start = timezone.now() - since
    return OscarShop().has_bought(people, {somebody.contact_id: start for somebody in people})


def test_an_order_is_found_by_account_email_or_phone(country: Any) -> None:
    user = make_user("Ada@Example.com")
    factories.create_order(user=user)
    factories.create_order(
        guest_email="Guest@example.com",
        shipping_address=factories.ShippingAddressFactory(phone_number=US_PHONE, country=country),
    )
    assert buyers(
        person(1, user_id=user.pk),
        person(2, email="ada@example.com"),
        person(3, email="guest@example.com"),
        person(4, phone=US_PHONE),
        person(5, email="nobody@example.com", phone="+12065550199"),
        person(6),
    ) == {1, 2, 3, 4}


def test_a_phone_is_found_however_the_shop_writes_numbers(country: Any, settings: Any) -> None:
    settings.PHONENUMBER_DEFAULT_FORMAT = "INTERNATIONAL"
    address = factories.ShippingAddressFactory(phone_number=US_PHONE, country=country)
    factories.create_order(shipping_address=address)
    assert buyers(person(1, phone=US_PHONE)) == {1}


def test_only_an_order_after_the_persons_own_start_counts() -> None:
    order = factories.create_order(guest_email="guest@example.com")
    early, late = person(1, email="guest@example.com"), person(2, email="guest@example.com")
    since = {1: order.date_placed - HOUR, 2: order.date_placed}
    assert orders.has_bought([early, late], since) == {1}


def test_a_declined_payment_is_no_purchase(settings: Any) -> None:
    settings.CROSSCHANNEL_NON_CONVERTING_STATUSES = ["Payment declined"]
    order = factories.create_order(guest_email="guest@example.com", status="Payment declined")
    assert not buyers(person(email="guest@example.com"))
    assert not orders.ordered([order.basket_id])


def test_people_nobody_asked_about_are_left_out() -> None:
    factories.create_order(guest_email="guest@example.com")
    assert orders.has_bought([person(email="guest@example.com")], {}) == set()
    assert orders.has_bought([], {}) == set()


@pytest.mark.parametrize("status", ["Open", "Frozen", "Submitted"])
def test_a_basket_with_an_order_was_bought_whatever_its_status_says(status: str) -> None:
    order = factories.create_order(guest_email="guest@example.com")
    type(order.basket).objects.filter(pk=order.basket_id).update(status=status)
    other = factories.create_basket()
    assert orders.ordered([order.basket_id, other.pk]) == {order.basket_id}


def test_two_hundred_people_take_one_statement(django_assert_num_queries: Any) -> None:
    people = [person(number, user_id=number, email=f"{number}@example.com") for number in range(200)]
    with django_assert_num_queries(1):
        buyers(*people)
