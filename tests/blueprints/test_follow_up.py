"""Whom a text about a product goes to that they opened from an email."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from oscar.test import factories

from oscar_crosschannel.blueprints.follow_up import FollowUp
from tests.blueprints.runs import make_run, reachable
from tests.oscar.conftest import make_user
from tests.oscar.test_products import ordered

pytestmark = pytest.mark.django_db

FOLLOW_UP = FollowUp()
ADA = "ada@example.com"


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def tea(db: None) -> Any:
    return factories.create_product(title="Earl Grey", price=8, num_in_stock=9)


def wanted(product: Any, anchor: datetime, **fields: Any) -> bool:
    run = make_run(anchor, subjects={"product": product.pk}, **fields)
    return FOLLOW_UP.still_wanted([run]) == {1}


def test_a_text_with_a_code_a_day_after_the_click(now: datetime) -> None:
    plan = FollowUp.plan()
    (code,) = plan.steps
    assert (code.channels, code.voucher, plan.due_at(code, now)) == (
        ("sms",),
        True,
        now + timedelta(hours=24),
    )
    assert plan.faults() == ()


def test_the_words_name_the_product(tea: Any, now: datetime) -> None:
    context = FOLLOW_UP.context([make_run(now, subjects={"product": tea.pk})])[1]
    assert context.values["product"]["title"] == "Earl Grey"
    assert context.links == {"product": tea.get_absolute_url()}


def test_who_bought_nothing_or_something_else_is_asked(tea: Any, now: datetime) -> None:
    contact = reachable(ADA, now, user=(user := make_user(ADA)))
    assert wanted(tea, now, contact=contact)
    order = ordered(factories.create_product(title="Pot", price=9, num_in_stock=9))
    type(order).objects.update(user=user)
    assert wanted(tea, now - timedelta(hours=1), contact=contact)


@pytest.mark.rule(32)
@pytest.mark.parametrize("known_by", ["account", "email"])
def test_who_bought_it_is_not_offered_it(known_by: str, tea: Any, now: datetime) -> None:
    order = ordered(tea)
    if known_by == "account":
        contact = reachable("other@example.com", now, user=(user := make_user(ADA)))
        type(order).objects.update(user=user)
    else:
        contact = reachable(ADA, now)
        type(order).objects.update(user=None, guest_email="ADA@example.com")
    assert not wanted(tea, now - timedelta(hours=1), contact=contact)
    assert not wanted(tea, now + timedelta(days=2), contact=contact), "they look at what they bought"
    assert wanted(tea, now + timedelta(days=30), contact=contact), "they may want more of it"


def test_a_variant_counts_as_the_product(now: datetime) -> None:
    shirt = factories.create_product(structure="parent", title="Shirt")
    order = ordered(factories.create_product(parent=shirt, price=9, num_in_stock=9))
    type(order).objects.update(user=None, guest_email=ADA)
    assert not wanted(shirt, now - timedelta(hours=1), contact=reachable(ADA, now))


def test_what_can_be_bought_no_more_is_not_offered(tea: Any, now: datetime) -> None:
    run = make_run(now, subjects={"product": tea.pk})
    tea.stockrecords.update(num_in_stock=0)
    assert FOLLOW_UP.context([run]) == {}
    tea.delete()
    assert FOLLOW_UP.context([run]) == {}


@pytest.mark.parametrize("count", [1, 25])
def test_a_whole_chunk_takes_the_same_statements(
    count: int, tea: Any, now: datetime, django_assert_max_num_queries: Any
) -> None:
    runs = [
        make_run(now, message_id=n, contact=reachable(f"{n}@example.com", now), subjects={"product": tea.pk})
        for n in range(count)
    ]
    with django_assert_max_num_queries(8):
        assert len(FOLLOW_UP.still_wanted(runs)) == len(FOLLOW_UP.context(runs)) == count
