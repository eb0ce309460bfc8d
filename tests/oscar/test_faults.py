"""Whatever breaks inside the app, the shop sells. Over real HTTP, in both transaction modes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_crosschannel.models import InboxEvent
from oscar_crosschannel.oscar import forms, identity, order_texts, vouchers
from oscar_crosschannel.services import consents, inbox, recall, wordings

from .conftest import Shopper

Order, Basket = get_model("order", "Order"), get_model("basket", "Basket")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("atomic_requests", "country"),
]

TICKED = {"cc_email": "1", "cc_sms": "1", "cc_phone": "+12065550123"}
SECRET = "guest@example.com +12065550123"


def raises(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError(SECRET)


def breaks_in_the_database(*args: Any, **kwargs: Any) -> Any:
    """An error of the database itself, which poisons a transaction without a savepoint."""
    InboxEvent.objects.create(name="broken", occurred_at=None)


#: Each place at which a receiver, or a box, leaves Oscar's code for ours.
INNER_PARTS = [
    (inbox, "publish"),
    (recall, "recall_purchased"),
    (vouchers, "strip_used"),
    (identity, "of_visitor"),
    (identity, "of_user"),
    (identity, "of_order"),
    (forms, "read_answers"),
    (forms, "stash"),
    (forms, "take_stashed"),
    (forms, "remember_asked"),
    (forms, "open_question"),
    (wordings, "read"),
    (order_texts, "offer"),
    (consents, "has_answered"),
]
ids = [f"{module.__name__.rpartition('.')[2]}.{name}" for module, name in INNER_PARTS]


@pytest.fixture(params=INNER_PARTS, ids=ids)
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    module, name = request.param
    monkeypatch.setattr(module, name, raises)
    return str(name)


@pytest.mark.sqlite  # what raises is not the database
def test_a_guest_buys(broken: str, shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    assert shopper.enter_checkout("guest@example.com", **TICKED).url == reverse("checkout:shipping-address")
    shopper.give_address()
    shopper.choose_shipping()
    assert shopper.preview().status_code == 200
    assert shopper.place_order(**TICKED).url == reverse("checkout:thank-you")
    assert shopper.client.get(reverse("checkout:thank-you")).status_code == 200
    assert Order.objects.count() == 1
    assert Basket.objects.get().status == "Submitted"
    assert shopper.client.get(reverse("checkout:thank-you")).status_code == 200


@pytest.mark.sqlite  # what raises is not the database
def test_an_account_registers_and_buys(broken: str, shopper: Shopper, product: Any) -> None:
    assert shopper.register("new@example.com", **TICKED).status_code == 302
    user = get_user_model().objects.get()
    shopper.add(product)
    assert shopper.client.get(reverse("checkout:index")).status_code == 302
    shopper.give_address()
    shopper.choose_shipping()
    assert shopper.preview().status_code == 200
    assert shopper.place_order(**TICKED).url == reverse("checkout:thank-you")
    assert Order.objects.get().user == user


@pytest.mark.parametrize(
    ("module", "name"), [(inbox, "publish"), (recall, "recall_purchased"), (vouchers, "strip_used")]
)
def test_an_error_of_the_database_leaves_the_orders_transaction_whole(
    module: Any, name: str, shopper: Shopper, product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, breaks_in_the_database)
    shopper.register("new@example.com", **TICKED)
    shopper.add(product)
    shopper.give_address()
    shopper.choose_shipping()
    assert shopper.place_order(**TICKED).url == reverse("checkout:thank-you")
    assert Order.objects.count() == 1


def test_a_line_is_taken_out(shopper: Shopper, product: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "publish", breaks_in_the_database)
    shopper.add(product)
    line = get_model("basket", "Line").objects.get()
    data = {
        "form-TOTAL_FORMS": 1,
        "form-INITIAL_FORMS": 1,
        "form-0-id": line.pk,
        "form-0-quantity": 0,
    }
    assert shopper.client.post(reverse("basket:summary"), data).status_code == 302
    assert not get_model("basket", "Line").objects.exists()


@pytest.mark.rule(73)
def test_what_broke_is_logged_without_anybodys_data(
    shopper: Shopper, product: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inbox, "publish", raises)
    with caplog.at_level(logging.INFO, logger="oscar_crosschannel"):
        shopper.add(product)
        shopper.buy("guest@example.com")
    said = [record for record in caplog.records if record.name.startswith("oscar_crosschannel")]
    assert {"start_checkout", "order_placed"} <= {record.args[0] for record in said}
    for record in said:
        text = logging.Formatter().format(record)
        assert "RuntimeError" in text
        assert "guest@example.com" not in text
        assert "555" not in text


def test_without_the_fault_everything_is_told(shopper: Shopper, product: Any) -> None:
    told: list[str] = []
    publish: Callable[..., None] = inbox.publish

    def listening(*events: Any, **kwargs: Any) -> None:
        told.extend(event.name for event in events)
        publish(*events, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox, "publish", listening)
        shopper.add(product)
        shopper.enter_checkout("guest@example.com", **TICKED)
        shopper.give_address()
        shopper.choose_shipping()
        shopper.place_order()
    assert told == ["basket.active", "checkout.started", "consent.answered", "order.placed"]
