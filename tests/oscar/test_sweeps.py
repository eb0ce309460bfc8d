"""Idle baskets are found without any signal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.core.events import Event
from oscar_crosschannel.models import Contact
from oscar_crosschannel.oscar.shop import OscarShop
from oscar_crosschannel.oscar.sweeps import basket_activity
from oscar_crosschannel.services import contacts

from .conftest import make_user

Basket, BasketLine = get_model("basket", "Basket"), get_model("basket", "Line")

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def basket_touched(at: datetime, *, owner: Any = None, status: str = "Open") -> Any:
    """A basket whose newest line was changed `at`, and another an hour earlier."""
    basket = factories.create_basket()
    basket.add_product(factories.create_product(price=5, num_in_stock=9))
    for line, when in zip(basket.all_lines(), (at, at - HOUR), strict=True):
        BasketLine.objects.filter(pk=line.pk).update(date_updated=when)
    Basket.objects.filter(pk=basket.pk).update(owner=owner, status=status)
    return basket


def swept(since: datetime, now: datetime) -> list[Event]:
    return [event for look in OscarShop().sweeps().values() for event in look(since, now)]


def test_an_accounts_basket_is_active_as_of_its_last_change(now: datetime) -> None:
    user = make_user("ada@example.com")
    basket = basket_touched(now - HOUR, owner=user)
    assert swept(now - 4 * HOUR, now) == [
        Event(
            name="basket.active",
            key=f"basket:{basket.pk}:swept",
            occurred_at=now - HOUR,
            user_id=user.pk,
            subjects={"basket": basket.pk},
        )
    ]


def test_a_guests_basket_counts_once_the_guest_is_known(now: datetime) -> None:
    basket = basket_touched(now - HOUR)
    assert swept(now - 4 * HOUR, now) == []
    contacts.remember("basket", basket.pk, Contact.objects.create(created_at=now))
    (event,) = swept(now - 4 * HOUR, now)
    assert event.subjects == {"basket": basket.pk}


def test_a_basket_at_a_payment_page_counts(now: datetime) -> None:
    basket_touched(now - HOUR, owner=make_user("ada@example.com"), status="Frozen")
    assert len(swept(now - 4 * HOUR, now)) == 1


@pytest.mark.parametrize("status", ["Merged", "Saved", "Submitted"])
def test_a_basket_that_cannot_be_bought_does_not_count(status: str, now: datetime) -> None:
    basket_touched(now - HOUR, owner=make_user("ada@example.com"), status=status)
    assert swept(now - 4 * HOUR, now) == []


def test_a_basket_that_was_bought_does_not_count_though_it_is_open(now: datetime) -> None:
    user = make_user("ada@example.com")
    basket = basket_touched(now - HOUR, owner=user)
    order = factories.create_order(user=user)
    type(order).objects.filter(pk=order.pk).update(basket=basket)
    assert swept(now - 4 * HOUR, now) == []


def test_a_basket_whose_payment_was_declined_counts_again(now: datetime, settings: Any) -> None:
    settings.CROSSCHANNEL_NON_CONVERTING_STATUSES = ["Payment declined"]
    user = make_user("ada@example.com")
    basket = basket_touched(now - HOUR, owner=user)
    order = factories.create_order(user=user)
    type(order).objects.filter(pk=order.pk).update(basket=basket, status="Payment declined")
    assert len(swept(now - 4 * HOUR, now)) == 1


def test_the_span_excludes_its_start_and_includes_its_end(now: datetime) -> None:
    basket_touched(now - HOUR, owner=make_user("ada@example.com"))
    assert len(swept(now - 2 * HOUR, now - HOUR)) == 1
    assert swept(now - HOUR, now) == []


def test_changes_that_raise_no_signal_of_oscars_are_found(now: datetime) -> None:
    basket = basket_touched(now - 48 * HOUR, owner=make_user("ada@example.com"))
    line = BasketLine.objects.filter(basket=basket).first()
    line.quantity = 3
    line.save()  # as the basket page, an API or the admin does
    (event,) = swept(now - HOUR, timezone.now())
    assert event.occurred_at == BasketLine.objects.get(pk=line.pk).date_updated


def test_a_thousand_quiet_baskets_and_an_active_one_take_one_statement(
    now: datetime, django_assert_num_queries: Any
) -> None:
    basket_touched(now - HOUR, owner=make_user("ada@example.com"))
    Basket.objects.bulk_create(Basket() for _ in range(1000))
    with django_assert_num_queries(1):
        assert len(list(basket_activity(now - 4 * HOUR, now))) == 1
