"""Who is asked for a review of what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import override_settings
from django.urls import include, path
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.blueprints.bought import Bought
from oscar_crosschannel.blueprints.review_request import ReviewRequest
from oscar_crosschannel.core.plan import Context
from tests.blueprints.runs import make_run, reachable
from tests.oscar.conftest import make_user
from tests.oscar.test_products import ordered

ProductReview = get_model("reviews", "ProductReview")

pytestmark = pytest.mark.django_db

# The sandbox hides reviews; a shop that shows them has these addresses.
with override_settings(OSCAR_HIDDEN_FEATURES=[]):
    _catalogue = apps.get_app_config("catalogue").urls
urlpatterns = [
    path("catalogue/", include(_catalogue[:2], namespace=_catalogue[2])),
    path("", include("sandbox.urls")),
]

ASK = ReviewRequest()
ADA = "ada@example.com"


@pytest.fixture(autouse=True)
def shop_with_reviews(settings: Any) -> None:
    settings.OSCAR_HIDDEN_FEATURES = []
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def tea(db: None) -> Any:
    return factories.create_product(title="Earl Grey", price=8, num_in_stock=9)


def said(order: Any, now: datetime, **fields: Any) -> Context | None:
    return ASK.context([make_run(now, subjects={"order": order.pk}, **fields)]).get(1)


def titles(context: Context | None) -> list[str]:
    return [item["title"] for item in context.values["items"]] if context is not None else []


# it works


def test_two_weeks_after_the_order_unless_it_comes_to_nothing(now: datetime) -> None:
    plan = ReviewRequest.plan()
    (ask,) = plan.steps
    assert (plan.start.event, ask.channels, ask.delay) == ("order.placed", ("email",), timedelta(days=14))
    assert [(stop.event, stop.same) for stop in plan.stops] == [("order.voided", "order")]
    assert plan.topic == "reviews"
    assert plan.faults() == ()


def test_each_thing_leads_to_the_page_on_which_it_is_reviewed(tea: Any, now: datetime, client: Any) -> None:
    context = said(ordered(tea), now)
    assert context is not None
    assert titles(context) == ["Earl Grey"]
    assert context.links["items.0"] == f"{tea.get_absolute_url()}reviews/add/"
    assert client.get(context.links["items.0"]).status_code == 200


def test_what_follows_an_order_may_say_its_number(tea: Any, now: datetime) -> None:
    orders = [ordered(tea), ordered(tea)]
    runs = [make_run(now, message_id=pk, subjects={"order": order.pk}) for pk, order in enumerate(orders)]
    told = Bought().context(runs)
    assert [told[pk].values["order"] for pk in range(2)] == [str(order.number) for order in orders]


def test_a_sold_out_thing_can_be_reviewed_as_well(tea: Any, now: datetime) -> None:
    order = ordered(tea)
    tea.stockrecords.update(num_in_stock=0)
    assert titles(said(order, now)) == ["Earl Grey"]


# it refuses


@pytest.mark.parametrize("known_by", ["account", "email"])
def test_what_was_reviewed_is_not_asked_about(known_by: str, tea: Any, now: datetime) -> None:
    pot = factories.create_product(title="Pot", price=8, num_in_stock=9)
    order = ordered(tea, pot)
    user = make_user(ADA) if known_by == "account" else None
    contact = reachable(ADA, now, user=user)
    ProductReview.objects.create(
        product=tea, score=2, title="Weak", body="Weak.", user=user, name="" if user else "Ada",
        email="" if user else "ADA@example.com",
    )  # fmt: skip
    assert titles(said(order, now, contact=contact)) == ["Pot"]
    assert titles(said(order, now)) == ["Earl Grey", "Pot"], "somebody else"


def test_who_has_nothing_to_review_gets_no_email(tea: Any, now: datetime) -> None:
    order = ordered(tea)
    type(tea).objects.update(is_public=False)
    assert said(order, now) is None
    tea.delete()
    assert said(order, now) is None


def test_a_shop_that_hides_reviews_asks_for_none(tea: Any, now: datetime, settings: Any) -> None:
    settings.OSCAR_HIDDEN_FEATURES = ["reviews"]
    order = ordered(tea)
    assert said(order, now) is None
    assert Bought().context([make_run(now, subjects={"order": order.pk})])[1].values["items"]


def test_where_only_customers_may_review_guests_are_not_asked(tea: Any, now: datetime, settings: Any) -> None:
    settings.OSCAR_ALLOW_ANON_REVIEWS = False
    order = ordered(tea)
    assert said(order, now, contact=reachable(ADA, now)) is None
    assert titles(said(order, now, contact=reachable("b@example.com", now, user=make_user("b@example.com"))))


# it survives


@pytest.mark.parametrize("count", [1, 25])
def test_a_whole_chunk_takes_the_same_statements(
    count: int, tea: Any, now: datetime, django_assert_max_num_queries: Any
) -> None:
    runs = [make_run(now, message_id=n, subjects={"order": ordered(tea).pk}) for n in range(count)]
    with django_assert_max_num_queries(7):
        assert len(ASK.context(runs)) == count
