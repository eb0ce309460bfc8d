"""Who asked to be told is told once, by Oscar or by us, and only of what can still be bought."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import OperationalError
from django.db.models.signals import post_save
from oscar.apps.customer.alerts.receivers import send_product_alerts
from oscar.core.loading import get_class, get_model
from oscar.test import factories

from oscar_crosschannel.core.outbound import NotSent
from oscar_crosschannel.models import Contact, Flow, InboxEvent, Message
from oscar_crosschannel.oscar import product_alerts
from oscar_crosschannel.services import consents, contacts, dispatch
from tests.oscar.conftest import make_user
from tests.services.stage import CHANNELS, Letters, Wires, letters, wires

AlertsDispatcher = get_class("customer.alerts.utils", "AlertsDispatcher")
Product = get_model("catalogue", "Product")
ProductAlert = get_model("customer", "ProductAlert")
StockRecord = get_model("partner", "StockRecord")

pytestmark = [pytest.mark.django_db]
#: A Tuesday, eleven in the morning in Seattle.
START = datetime(2026, 3, 10, 18, 0, tzinfo=UTC)
GUEST, PHONE = "rosa@example.com", "+12065550123"


@dataclass
class Shop:
    """A teapot that is sold out, and a clock."""

    product: Any
    email: Letters
    sms: Wires
    traveller: Any
    now: datetime = START

    def wait(self, **delta: float) -> None:
        self.now += timedelta(**delta)
        self.traveller.move_to(self.now, tick=False)
        dispatch.tick(self.now)

    def restock(self, count: int = 5) -> None:
        """New stock arrives; the engine looks, and looks again when Oscar has had its turn."""
        record = StockRecord.objects.get(product=self.product)
        record.num_in_stock = count
        record.save()
        self.wait(seconds=5)
        self.wait(seconds=40)


@pytest.fixture
def shop(settings: Any) -> Iterator[Shop]:
    settings.CROSSCHANNEL_CHANNELS = CHANNELS
    letters.cache_clear()
    wires.cache_clear()
    with time_machine.travel(START, tick=False) as traveller:
        product = factories.create_product(title="Blue teapot", price=30, num_in_stock=0)
        dispatch.tick(START)
        # which Oscar reads only when it starts
        settings.OSCAR_EAGER_ALERTS = False
        was_eager = post_save.disconnect(send_product_alerts, sender=StockRecord)
        yield Shop(product, letters(), wires(), traveller)
    post_save.disconnect(send_product_alerts, sender=StockRecord)
    if was_eager:
        post_save.connect(send_product_alerts, sender=StockRecord)


def ask(shop: Shop, user: Any = None, email: str = "") -> Any:
    """An alert, confirmed."""
    alert = ProductAlert.objects.create(product=shop.product, user=user, email=email)
    if user is None:
        alert.confirm()
    return alert


# It works.


def test_who_waits_is_told_once_and_the_alert_is_closed(shop: Shop) -> None:
    user = make_user("ada@example.com", first_name="Ada")
    alert, guests = ask(shop, user), ask(shop, email=GUEST)
    shop.restock()
    shop.restock(9)

    assert sorted(shop.email.reached) == ["ada@example.com", GUEST]
    assert "you asked us to tell you when Blue teapot is back. It is." in shop.email.calls[0].content.text
    assert {ProductAlert.objects.get(pk=each.pk).status for each in (alert, guests)} == {"Closed"}
    assert not shop.sms.calls


@pytest.mark.rule(1, 2)
@pytest.mark.parametrize("agreed", [True, False])
def test_who_likes_texts_better_gets_one_once_they_agreed_to_it(agreed: bool, shop: Shop) -> None:
    user = make_user("ada@example.com")
    person = contacts.identify(user_id=user.pk, now=START)
    assert person is not None
    contacts.set_point(person, "sms", PHONE, source="account", now=START)
    Contact.objects.update(primary_channel="sms", country="US", region="WA")
    if agreed:
        consents.grant(person, "sms", ["stock_alerts"], source="page", words="Yes.", address=PHONE, now=START)
    ask(shop, user)
    shop.restock()
    if agreed:
        assert (shop.sms.reached, shop.email.calls) == ([PHONE], [])
        assert "STOP" in shop.sms.calls[0].content.text
    else:
        assert (shop.sms.calls, shop.email.reached) == ([], ["ada@example.com"])


# It refuses.


def test_in_a_shop_whose_alerts_oscar_mails_there_is_no_second_message(shop: Shop, settings: Any) -> None:
    ask(shop, email=GUEST)
    settings.OSCAR_EAGER_ALERTS = True
    post_save.connect(send_product_alerts, sender=StockRecord)
    shop.restock()
    assert [message.to for message in mail.outbox] == [[GUEST]]
    assert not shop.email.calls


def test_a_shop_whose_alerts_oscar_mails_is_not_searched(
    shop: Shop, settings: Any, django_assert_num_queries: Any
) -> None:
    ask(shop, email=GUEST)
    settings.OSCAR_EAGER_ALERTS = True
    with django_assert_num_queries(0):
        assert not list(product_alerts.stock_moved(START - timedelta(days=1), START + timedelta(days=1)))


def test_what_we_have_told_oscars_command_does_not_tell_again(shop: Shop) -> None:
    ask(shop, email=GUEST)
    shop.restock()
    AlertsDispatcher().send_alerts()
    assert (len(shop.email.calls), mail.outbox) == (1, [])


@pytest.mark.parametrize("state", ["off", "shadow"])
def test_a_flow_that_tells_nobody_closes_no_alert(state: str, shop: Shop) -> None:
    alert = ask(shop, email=GUEST)
    off, shadow = state == "off", state == "shadow"
    Flow.objects.filter(key="back_in_stock").update(enabled=not off, shadow=shadow)
    shop.restock()
    alert.refresh_from_db()
    assert alert.status == ProductAlert.ACTIVE
    assert not shop.email.calls


def test_an_alert_that_was_not_confirmed_is_none(shop: Shop) -> None:
    ProductAlert.objects.create(product=shop.product, email=GUEST)
    shop.restock()
    assert not shop.email.calls


def test_stock_that_nobody_waits_for_is_no_event(shop: Shop) -> None:
    shop.restock()
    assert not list(product_alerts.stock_moved(START - timedelta(hours=1), shop.now))


def test_a_product_that_stays_sold_out_is_not_announced(shop: Shop) -> None:
    ask(shop, email=GUEST)
    shop.restock(0)
    assert not shop.email.calls
    assert ProductAlert.objects.get().status == ProductAlert.ACTIVE


@pytest.mark.parametrize("why", ["sold out again", "bought", "cancelled", "hidden"])
def test_what_has_become_pointless_is_not_sent(why: str, shop: Shop) -> None:
    user = make_user("ada@example.com")
    alert = ask(shop, user)
    record = StockRecord.objects.get(product=shop.product)
    record.num_in_stock = 5
    record.save()
    shop.email.fail(NotSent("busy"))
    shop.wait(seconds=5)
    shop.wait(seconds=40)
    shop.email.work()
    if why == "sold out again":
        StockRecord.objects.update(num_in_stock=0)
    elif why == "bought":
        basket = factories.create_basket(empty=True)
        basket.add_product(shop.product)
        factories.create_order(basket=basket, user=user)
    elif why == "cancelled":
        ProductAlert.objects.get(pk=alert.pk).cancel()
    else:
        shop.product.is_public = False
        shop.product.save()
    calls = len(shop.email.calls)
    shop.wait(hours=1)
    assert len(shop.email.calls) == calls
    assert Message.objects.get(topic="stock_alerts").reason == "not_wanted"


# It survives.


def test_a_crowd_that_waits_is_told_in_several_transactions(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product_alerts, "CHUNK", 2)
    for number in range(5):
        ask(shop, email=f"guest{number}@example.com")
    shop.restock()
    assert len(shop.email.reached) == 5
    assert InboxEvent.objects.filter(name=product_alerts.STOCK_MOVED).count() == 3
    assert not ProductAlert.objects.filter(status=ProductAlert.ACTIVE).exists()


def test_an_alert_that_cannot_be_judged_stops_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = ask(shop, email="bad@example.com"), ask(shop, email=GUEST)
    can_buy = product_alerts._can_buy

    def can_buy_unless_it_breaks(alert: Any) -> bool:
        if alert.pk == bad.pk:
            ProductAlert.objects.get(pk=0)
        return can_buy(alert)

    monkeypatch.setattr(product_alerts, "_can_buy", can_buy_unless_it_breaks)
    shop.restock()
    assert shop.email.reached == [GUEST]
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.status, good.status) == (ProductAlert.ACTIVE, ProductAlert.CLOSED)
    assert f"product alert #{bad.pk}" in caplog.text
    assert "bad@example.com" not in caplog.text


def test_an_error_of_the_database_that_passes_loses_no_alert(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = ask(shop, email=GUEST)

    def server_restarts(alert: Any) -> bool:
        raise OperationalError("the server is restarting")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(product_alerts, "_can_buy", server_restarts)
        shop.restock()
        shop.wait(minutes=3)  # the next sweep finds this change of stock no more
    assert not shop.email.calls
    shop.wait(minutes=10)
    assert shop.email.reached == [GUEST]
    alert.refresh_from_db()
    assert alert.status == ProductAlert.CLOSED


def test_a_variant_is_shown_on_the_page_of_its_product(shop: Shop) -> None:
    parent = Product.objects.create(structure="parent", title="Mug", product_class=shop.product.product_class)
    child = Product.objects.create(structure="child", parent=parent, title="Red mug")
    factories.create_stockrecord(child, price=10, num_in_stock=0)
    ProductAlert.objects.create(product=child, user=make_user("ada@example.com"))
    shop.product = child
    shop.restock()
    (told,) = shop.email.calls
    assert "Mug" in told.content.text
