"""From the shop's pages to a run of the abandoned-cart flow, through the inbox and its fold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Contact, Enrolment, InboxEvent
from oscar_crosschannel.services import setup
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.links import recover_path
from tests.factories import grant_all

from .conftest import Shopper, make_user

Basket, BasketLine = get_model("basket", "Basket"), get_model("basket", "Line")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("country")]


@pytest.fixture(autouse=True)
def _flows(db: None) -> None:
    setup.install()


def run_of(email: str) -> Enrolment:
    """The one open run of the contact with this email."""
    return Enrolment.objects.get(contact__points__address=email, state=Enrolment.State.ACTIVE)


def worked_off() -> None:
    tick(timezone.now())
    assert not InboxEvent.objects.exclude(error="").exists()


def sign_in(shopper: Shopper, user: Any) -> None:
    shopper.client.post(
        reverse("customer:login"),
        {
            "login-username": user.email,
            "login-password": "unhurried-tea",
            "login_submit": "Log In",
        },
    )
    shopper.client.get(reverse("basket:summary"))  # Oscar merges with the next look at the basket


def remove(shopper: Shopper, product: Any) -> None:
    """Empty the line of `product` on the basket page."""
    lines = list(BasketLine.objects.filter(basket__status="Open").order_by("pk"))
    data = {"form-TOTAL_FORMS": len(lines), "form-INITIAL_FORMS": len(lines)}
    for number, line in enumerate(lines):
        kept = 0 if line.product == product else line.quantity
        data |= {f"form-{number}-id": line.pk, f"form-{number}-quantity": kept}
    shopper.client.post(reverse("basket:summary"), data)
    assert len(lines) == BasketLine.objects.filter(basket__status="Open").count() + 1


def test_a_guest_is_in_the_flow_as_soon_as_the_address_is_known(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    worked_off()
    assert not Contact.objects.exists()
    shopper.enter_checkout("guest@example.com")
    worked_off()
    run = run_of("guest@example.com")
    assert run.subjects == {"basket": Basket.objects.get().pk}
    (message,) = run.messages.all()
    assert message.due_at == run.anchor_at + timedelta(hours=1)


def test_a_change_nobody_signals_moves_the_run_on(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    shopper.enter_checkout("guest@example.com")
    worked_off()
    before = run_of("guest@example.com").anchor_at
    line = BasketLine.objects.get()
    line.quantity = 5
    line.save()
    worked_off()
    assert run_of("guest@example.com").anchor_at > before
    assert Enrolment.objects.count() == 1


def test_what_the_shop_finds_out_does_not_hide_what_the_shopper_told(shopper: Shopper, product: Any) -> None:
    """The sweep and a removed line know an account at most; the request before them knew the person."""
    other = factories.create_product(title="Mate", price=3, num_in_stock=5)
    user = make_user("ada@example.com", first_name="Ada")
    shopper.client.force_login(user)
    shopper.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    shopper.add(product)
    shopper.add(other)
    remove(shopper, product)
    worked_off()
    contact = run_of("ada@example.com").contact
    assert (contact.name, contact.language) == ("Ada", "de")


def test_a_known_guests_new_basket_is_in_the_flow_though_a_line_was_removed(
    shopper: Shopper, product: Any
) -> None:
    other = factories.create_product(title="Mate", price=3, num_in_stock=5)
    shopper.add(product)
    shopper.enter_checkout("guest@example.com")
    Basket.objects.update(status="Saved")
    InboxEvent.objects.all().delete()
    shopper.add(product)
    shopper.add(other)
    remove(shopper, product)
    worked_off()
    assert run_of("guest@example.com").subjects == {"basket": Basket.objects.get(status="Open").pk}


def test_a_removal_counts_though_the_lines_left_are_older(shopper: Shopper, product: Any) -> None:
    shopper.client.force_login(make_user("ada@example.com"))
    shopper.add(factories.create_product(title="Mate", price=3, num_in_stock=5))
    BasketLine.objects.update(date_updated=timezone.now() - timedelta(hours=2))
    shopper.add(product)
    worked_off()
    before = run_of("ada@example.com").anchor_at
    remove(shopper, product)
    worked_off()
    worked_off()
    run = run_of("ada@example.com")
    assert run.anchor_at > before
    assert run.messages.get().due_at == run.anchor_at + timedelta(hours=1)


def test_a_guest_who_makes_an_account_keeps_the_run(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    shopper.enter_checkout("new@example.com")
    worked_off()
    begun = run_of("new@example.com")
    shopper.register("new@example.com")
    shopper.client.get(reverse("basket:summary"))
    worked_off()
    run = run_of("new@example.com")
    assert (run.pk, run.key) == (begun.pk, begun.key)
    assert run.contact.user is not None
    assert run.subjects == {"basket": Basket.objects.get(status="Open").pk}


@pytest.mark.parametrize("account_has_the_same", [False, True])
def test_a_guest_who_signs_in_keeps_the_run(
    account_has_the_same: bool, shopper: Shopper, product: Any, settings: Any, mailoutbox: list[Any]
) -> None:
    """With the same product in both, Oscar deletes the guest's line: activity of a basket that ends."""
    settings.OSCAR_ALLOW_GUEST_CHECKOUT_WITH_ACCOUNT = True
    user = make_user("ada@example.com")
    if account_has_the_same:
        elsewhere = Shopper()
        elsewhere.client.force_login(user)
        elsewhere.add(product)
    shopper.add(product, 2)
    shopper.enter_checkout("ada@example.com")
    worked_off()
    begun = run_of("ada@example.com")
    sign_in(shopper, user)
    assert Basket.objects.filter(status="Merged").count() == 1
    worked_off()
    run = run_of("ada@example.com")
    assert run.pk == begun.pk
    grant_all(run.contact.points.all(), ["basket_reminders"])
    tick(run.messages.get().due_at + timedelta(seconds=1))
    (sent,) = mailoutbox
    assert "2 × Earl Grey: $20.00" in sent.body


def test_an_order_ends_the_run(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    shopper.enter_checkout("guest@example.com")
    worked_off()
    run = run_of("guest@example.com")
    shopper.buy("guest@example.com")
    # taken back already, before anything was worked off
    assert run.messages.get().reason == "purchased"
    worked_off()
    run.refresh_from_db()
    assert (run.state, run.end_reason) == (Enrolment.State.ENDED, "purchased")


def test_a_basket_that_another_shopper_buys_from_does_not_end_it(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    shopper.enter_checkout("guest@example.com")
    worked_off()
    other = Shopper()
    other.add(product)
    other.buy("other@example.com")
    worked_off()
    assert run_of("guest@example.com").messages.get().reason == ""


@pytest.mark.rule(32)
def test_a_basket_restored_elsewhere_and_bought_under_another_email_is_not_chased(
    shopper: Shopper, product: Any, mailoutbox: list[Any]
) -> None:
    shopper.add(product)
    shopper.enter_checkout("guest@example.com")
    worked_off()
    run = run_of("guest@example.com")
    grant_all(run.contact.points.all(), ["basket_reminders"])
    message = run.messages.get()
    run.messages.update(attempted_at=timezone.now())
    elsewhere = Shopper()
    elsewhere.client.post(recover_path(message.pk))
    worked_off()
    elsewhere.buy("work@example.com")
    mailoutbox.clear()  # the shop's own confirmation
    worked_off()
    message.refresh_from_db()
    assert (message.state, message.reason) == (State.CANCELLED, Reason.PURCHASED)
    tick(message.due_at + timedelta(seconds=1))
    assert not mailoutbox
