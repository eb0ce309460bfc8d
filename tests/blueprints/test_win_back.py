"""Whom the shop misses, and what it says to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from oscar.test import factories

from oscar_crosschannel.blueprints.win_back import WinBack
from oscar_crosschannel.oscar.sweeps import lapsed_customers
from tests.blueprints.runs import make_run, reachable
from tests.oscar.conftest import make_user
from tests.oscar.test_products import ordered, sold

pytestmark = pytest.mark.django_db

WIN_BACK = WinBack()
ADA = "ada@example.com"
QUIET, MINUTE = timedelta(days=90), timedelta(minutes=1)


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def order_of(at: datetime, *, user: Any = None, guest: str = "", status: str = "") -> Any:
    order = factories.create_order(user=user)
    type(order).objects.filter(pk=order.pk).update(
        date_placed=at, user=user, guest_email=guest, status=status or order.status
    )
    order.refresh_from_db()
    return order


def lapsed(since: datetime, now: datetime) -> list[dict[str, int]]:
    return [dict(event.subjects) for event in lapsed_customers(since, now)]


# it works


def test_an_email_at_once_and_a_text_with_a_code_a_week_later(now: datetime) -> None:
    plan = WinBack.plan()
    assert [(step.channels, step.delay, step.voucher) for step in plan.steps] == [
        (("email",), timedelta(0), False),
        (("sms",), timedelta(days=7), True),
    ]
    assert [stop.event for stop in plan.stops] == ["order.placed"]
    assert plan.faults() == ()


def test_who_has_not_ordered_for_so_long_is_found_once(now: datetime) -> None:
    reachable(ADA, now, user=(user := make_user(ADA)))
    order = order_of(now - QUIET, user=user)
    (event,) = lapsed_customers(now - MINUTE, now)
    assert (event.user_id, event.subjects) == (user.pk, {"order": order.pk})
    assert event.occurred_at == order.date_placed + QUIET
    assert lapsed(now, now + MINUTE) == []
    assert lapsed(now - 2 * MINUTE, now - MINUTE) == []


def test_a_guest_is_found_by_email(now: datetime) -> None:
    reachable(ADA, now)
    order = order_of(now - QUIET, guest="Ada@Example.com")
    assert lapsed(now - MINUTE, now) == [{"order": order.pk}]


def test_the_shop_says_how_long_is_long(now: datetime, settings: Any) -> None:
    settings.CROSSCHANNEL_LAPSED_AFTER = timedelta(days=30)
    reachable(ADA, now)
    order_of(now - timedelta(days=30), guest=ADA)
    assert len(lapsed(now - MINUTE, now)) == 1


@pytest.mark.rule(39)
def test_the_email_recommends(now: datetime) -> None:
    sold("Assam", 5)
    order = ordered(sold("Earl Grey", 9))
    context = WIN_BACK.context([make_run(now, subjects={"order": order.pk})])[1]
    assert [item["title"] for item in context.values["recommendations"]] == ["Assam"]


# it refuses


@pytest.mark.parametrize("came_back_as", ["account", "guest"])
def test_who_has_ordered_since_is_not_missed(came_back_as: str, now: datetime) -> None:
    reachable(ADA, now, user=(user := make_user(ADA)))
    order_of(now - QUIET, user=user)
    order_of(now - timedelta(days=3), **({"user": user} if came_back_as == "account" else {"guest": ADA}))
    assert lapsed(now - MINUTE, now) == []


def test_an_order_that_came_to_nothing_is_neither_the_last_nor_a_return(now: datetime, settings: Any) -> None:
    settings.CROSSCHANNEL_NON_CONVERTING_STATUSES = ("Declined",)
    reachable(ADA, now)
    order_of(now - QUIET, guest=ADA, status="Declined")
    assert lapsed(now - MINUTE, now) == []
    real = order_of(now - QUIET, guest=ADA)
    order_of(now - timedelta(days=3), guest=ADA, status="Declined")
    assert lapsed(now - MINUTE, now) == [{"order": real.pk}]


def test_people_of_whom_nothing_is_known_are_left_out(now: datetime) -> None:
    order_of(now - QUIET, guest="stranger@example.com")
    order_of(now - QUIET, user=make_user("nobody@example.com"))
    assert lapsed(now - MINUTE, now) == []


@pytest.mark.rule(32)
def test_who_is_back_is_not_written_to(now: datetime) -> None:
    contact = reachable(ADA, now)
    run = make_run(now - timedelta(days=1), contact=contact)
    assert WIN_BACK.still_wanted([run]) == {1}
    order_of(now, guest=ADA)
    assert WIN_BACK.still_wanted([run]) == set()


# it survives


def test_after_a_long_pause_of_the_worker_many_are_found_by_few_statements(
    now: datetime, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        reachable(f"{number}@example.com", now)
        order_of(now - QUIET - timedelta(minutes=number), guest=f"{number}@example.com")
    with django_assert_max_num_queries(6):
        assert len(lapsed(now - timedelta(days=3), now)) == 30
