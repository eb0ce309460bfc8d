"""Orders that come to nothing: what they had ended goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone, translation
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Enrolment, InboxEvent, Message
from oscar_crosschannel.oscar import baskets, receivers
from oscar_crosschannel.services import setup
from oscar_crosschannel.services.dispatch import tick

from .conftest import Shopper

Basket, Order = get_model("basket", "Basket"), get_model("order", "Order")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("country")]

GUEST = "guest@example.com"
PENDING, DECLINED, PAID = "Pending payment", "Payment declined", "Paid"
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)


@pytest.fixture(autouse=True)
def _store(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CROSSCHANNEL_NON_CONVERTING_STATUSES = [DECLINED]
    settings.OSCAR_INITIAL_ORDER_STATUS = PENDING
    # Oscar reads its pipeline when it is imported
    monkeypatch.setattr(
        Order, "pipeline", {PENDING: (DECLINED, PAID), DECLINED: (PAID,), PAID: (), "": (DECLINED, PAID)}
    )
    setup.install()


@pytest.fixture
def order(shopper: Shopper, product: Any) -> Any:
    """A guest's order whose payment is pending, and which has ended the guest's run."""
    shopper.add(product)
    shopper.enter_checkout(GUEST)
    worked_off()
    shopper.give_address()
    shopper.choose_shipping()
    shopper.place_order()
    worked_off()
    order = Order.objects.get()
    assert order.status == PENDING
    assert the_run().end_reason == the_message().reason == Reason.PURCHASED
    return order


def worked_off() -> None:
    tick(timezone.now())
    assert not InboxEvent.objects.exclude(error="").exists()


def the_run() -> Enrolment:
    return Enrolment.objects.get(contact__points__address=GUEST, flow__key="abandoned_cart")


def the_message() -> Message:
    return the_run().messages.get()


def decline(order: Any) -> datetime:
    """The bank declines; returns the moment as the app knows it."""
    order.set_status(DECLINED)
    worked_off()
    return InboxEvent.objects.get(name="order.voided").occurred_at


def test_after_a_declined_payment_the_chase_goes_on_from_there(order: Any) -> None:
    declined_at = decline(order)
    run, message = the_run(), the_message()
    assert (run.state, run.ended_at, run.end_reason) == (Enrolment.State.ACTIVE, None, "")
    assert run.anchor_at == declined_at
    assert (message.state, message.reason, message.resolved_at) == (State.PLANNED, "", None)
    assert (message.due_at, message.expires_at) == (declined_at + HOUR, declined_at + DAY)


def test_what_was_sent_before_the_order_is_not_sent_again(order: Any) -> None:
    Message.objects.update(state=State.SENT, reason="")
    declined_at = decline(order)
    worked_off()
    email, text = the_run().messages.order_by("id")
    assert (email.step_key, email.state) == ("nudge", State.SENT)
    assert (text.step_key, text.due_at) == ("code", declined_at + DAY)


def test_who_changes_an_orders_status_does_not_change_the_buyers_language(order: Any) -> None:
    """Staff in a dashboard in German; a payment provider whose request speaks the shop's own language."""
    with translation.override("de"):
        decline(order)
        order.set_status(PAID)
        worked_off()
    assert the_run().contact.language == "en"


def test_a_basket_whose_order_came_to_nothing_can_be_brought_back(order: Any) -> None:
    assert order.basket.status == "Submitted"
    assert not baskets.load([order.basket_id])
    decline(order)
    assert baskets.describe(baskets.load([order.basket_id])[order.basket_id]).items[0].title == "Earl Grey"
    assert baskets.last_changes([order.basket_id])


def test_a_payment_that_arrives_after_all_ends_the_chase_again(order: Any) -> None:
    decline(order)
    order.set_status(PAID)
    assert the_message().state == State.CANCELLED  # in the same request
    worked_off()
    assert the_run().end_reason == Reason.PURCHASED


def test_a_payment_that_succeeds_changes_nothing(order: Any) -> None:
    order.set_status(PAID)
    assert not InboxEvent.objects.filter(processed_at=None).exists()


def test_whoever_has_bought_since_is_left_alone(order: Any) -> None:
    factories.create_order(number="2", guest_email=GUEST, status=PAID)
    decline(order)
    assert the_run().state == Enrolment.State.ENDED
    assert the_message().state == State.CANCELLED


def test_whoever_is_being_chased_again_is_not_chased_twice(order: Any, product: Any) -> None:
    again = Shopper()
    again.add(product)
    again.enter_checkout(GUEST)
    worked_off()
    chased = Enrolment.objects.filter(state=Enrolment.State.ACTIVE, flow__key="abandoned_cart")
    newer = chased.get()
    decline(order)
    assert chased.get() == newer


def test_runs_that_ended_otherwise_stay_ended(order: Any) -> None:
    Enrolment.objects.update(end_reason=Reason.NOT_WANTED)
    decline(order)
    assert the_run().state == Enrolment.State.ENDED


def test_runs_that_an_earlier_order_ended_stay_ended(order: Any) -> None:
    Enrolment.objects.update(ended_at=order.date_placed - HOUR)
    decline(order)
    assert the_run().state == Enrolment.State.ENDED


def test_a_step_the_merchant_removed_meanwhile_is_gone_past(order: Any) -> None:
    run = the_run()
    run.flow.steps.create(key="nudge", removed_at=timezone.now())
    declined_at = decline(order)
    worked_off()
    assert run.messages.get(step_key="nudge").state == State.CANCELLED
    assert run.messages.get(step_key="code").due_at == declined_at + DAY


def test_a_shop_that_names_no_such_status_is_told_nothing(order: Any, settings: Any) -> None:
    settings.CROSSCHANNEL_NON_CONVERTING_STATUSES = []
    order.set_status(DECLINED)
    assert not InboxEvent.objects.filter(name="order.voided").exists()
    assert not baskets.load([order.basket_id])


def test_a_fault_of_ours_does_not_stop_the_shop(order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers.inbox, "publish", lambda *events, now: 1 / 0)
    order.set_status(DECLINED)
    order.refresh_from_db()
    assert order.status == DECLINED
