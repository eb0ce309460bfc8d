"""What the welcome says, and to whom it has nothing to say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils.translation import gettext_lazy
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.blueprints.welcome import SOON, Welcome, WelcomeCode
from oscar_crosschannel.core.plan import Context
from oscar_crosschannel.models import Enrolment, Flow, VoucherGrant
from tests.blueprints.runs import make_run
from tests.factories import NOON, make_contacts
from tests.oscar.test_products import sold
from tests.oscar.things import make_message

ProductReview = get_model("reviews", "ProductReview")
Voucher, Application = get_model("voucher", "Voucher"), get_model("voucher", "VoucherApplication")

pytestmark = pytest.mark.django_db

STORY, CODE = Welcome(), WelcomeCode()


def said(step: str, **fields: Any) -> Context | None:
    flow = CODE if step in ("hello", "expiring") else STORY
    return flow.context([make_run(NOON, step=step, **fields)]).get(1)


def given_code(code: str = "TEAWELCOME23", *, valid_for: timedelta = timedelta(days=8)) -> VoucherGrant:
    """The code that a run gave away with its first message, at noon."""
    (contact,) = make_contacts(1)
    message = make_message(now=NOON, contact=contact)
    ends = NOON + valid_for
    voucher = Voucher.objects.create(
        name=code, code=code, usage=Voucher.SINGLE_USE, start_datetime=NOON, end_datetime=ends
    )
    return VoucherGrant.objects.create(
        message=message,
        contact=contact,
        voucher=voucher,
        code=voucher.code,
        granted_at=NOON,
        valid_until=ends,
    )


# it works


def test_a_text_at_once_two_emails_and_a_text_after_a_week() -> None:
    plans = Welcome.plan(), WelcomeCode.plan()
    steps = [(step.key, step.channels, step.delay, step.voucher) for plan in plans for step in plan.steps]
    assert sorted(steps, key=lambda step: step[2]) == [
        ("hello", ("sms",), timedelta(0), True),
        ("story", ("email",), timedelta(days=1), False),
        ("guide", ("email",), timedelta(days=3), False),
        ("expiring", ("sms",), timedelta(days=7), False),
    ]
    hello, expiring = WelcomeCode.plan().steps
    assert (hello.voucher_valid, expiring.unless) == (timedelta(days=8), "purchased")
    assert all(plan.start.once for plan in plans)
    assert [plan.faults() for plan in plans] == [(), ()]


def test_a_code_waits_as_long_as_a_question_may_be_answered_and_ends_soon_a_week_after_the_sign_up() -> None:
    """Asked on the day after a Sunday and a holiday, and good for a day; the last text is still true then."""
    hello, expiring = WelcomeCode.plan().steps
    asked_and_answered = timedelta(days=3, hours=14)
    assert WelcomeCode.plan().lifetime(hello) > hello.patience > asked_and_answered
    assert hello.voucher_valid is not None
    late = timedelta(days=3)
    assert late + hello.voucher_valid <= expiring.delay + SOON


def test_the_story_shows_the_mission_and_what_sells_best(settings: Any) -> None:
    settings.CROSSCHANNEL_MISSION = gettext_lazy("Free")  # a word that Django has translated
    sold("Earl Grey", 5)
    context = said("story", language="de")
    assert context is not None
    assert context.values["mission"] != "Free"
    assert [item["title"] for item in context.values["recommendations"]] == ["Earl Grey"]
    assert list(context.links) == ["shop", "recommendations.0"]


def test_the_reviews_that_helped_most_are_quoted_where_the_shop_shows_reviews(settings: Any) -> None:
    tea, pot = (factories.create_product(title=title, price=5, num_in_stock=9) for title in ("Tea", "Pot"))
    for product, score, votes in ((tea, 5, 1), (tea, 5, 3), (pot, 4, 2), (pot, 1, 9)):
        ProductReview.objects.create(
            product=product, score=score, title=f"{score} of 5", body="word " * 100, name="Rosa",
            email=f"rosa{votes}@example.com", status=ProductReview.APPROVED, delta_votes=votes,
        )  # fmt: skip
    settings.OSCAR_HIDDEN_FEATURES, settings.OSCAR_MODERATE_REVIEWS = ["reviews"], True
    context = said("guide")
    assert context is not None
    assert context.values["reviews"] == [], "a shop that hides reviews"
    settings.OSCAR_HIDDEN_FEATURES = []
    context = said("guide")
    assert context is not None
    reviews = context.values["reviews"]
    assert [(each["product"], each["title"], each["by"]) for each in reviews] == [
        ("Tea", "5 of 5", "Rosa"),
        ("Pot", "4 of 5", "Rosa"),
    ]
    assert len(reviews[0]["body"]) <= 240
    assert context.links["reviews.0"] == tea.get_absolute_url()


def test_the_last_text_repeats_the_code() -> None:
    grant = given_code()
    context = said("expiring", enrolment_id=grant.message.enrolment_id, now=NOON + timedelta(days=7))
    assert context is not None
    assert (context.values["code"], context.values["code_until"]) == (grant.code, grant.valid_until)


# it refuses


def test_without_a_code_nobody_is_told_that_it_ends() -> None:
    (contact,) = make_contacts(1)
    flow, _ = Flow.objects.get_or_create(key="welcome_code")
    run = Enrolment.objects.create(contact=contact, flow=flow, key="x", anchor_at=NOON, started_at=NOON)
    assert said("expiring", enrolment_id=run.pk) is None
    assert said("story", enrolment_id=run.pk) is not None


def test_a_code_that_was_used_does_not_end_soon() -> None:
    grant = given_code()
    Application.objects.create(voucher=grant.voucher, order=factories.create_order())
    assert said("expiring", enrolment_id=grant.message.enrolment_id, now=NOON + timedelta(days=7)) is None


def test_a_code_that_ended_before_the_last_text_is_not_spoken_of() -> None:
    """A merchant may let codes end sooner."""
    grant = given_code(valid_for=timedelta(days=3))
    assert said("expiring", enrolment_id=grant.message.enrolment_id, now=NOON + timedelta(days=7)) is None


@pytest.mark.parametrize(("valid_for", "day", "goes"), [(3, 2, True), (30, 29, True), (30, 7, False)])
def test_that_a_code_ends_soon_is_true_whatever_the_merchants_times_are(
    valid_for: int, day: int, goes: bool
) -> None:
    grant = given_code(valid_for=timedelta(days=valid_for))
    now = NOON + timedelta(days=day)
    assert (said("expiring", enrolment_id=grant.message.enrolment_id, now=now) is not None) is goes


# it survives


@pytest.mark.parametrize("count", [1, 25])
def test_a_whole_chunk_takes_the_same_statements(count: int, django_assert_max_num_queries: Any) -> None:
    sold("Earl Grey", 5)
    grants = [given_code(f"TEA{number}") for number in range(count)]
    runs = [
        make_run(
            NOON,
            message_id=number,
            step="expiring",
            enrolment_id=grant.message.enrolment_id,
            now=NOON + timedelta(days=7),
        )
        for number, grant in enumerate(grants)
    ]
    with django_assert_max_num_queries(10):
        assert len(CODE.context(runs)) == count
