"""Coming back through the link of a message."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from time import monotonic, sleep
from typing import Any

import pytest
from django.apps import apps
from django.contrib.messages import get_messages
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.conf import settings as app_settings
from oscar_crosschannel.core import tokens
from oscar_crosschannel.models import Contact, InboxEvent, Message
from oscar_crosschannel.services import contacts, inbox

from .conftest import Shopper, make_user, page
from .things import grant, make_message, recover_token

Basket, BasketLine, Voucher = (
    get_model("basket", "Basket"),
    get_model("basket", "Line"),
    get_model("voucher", "Voucher"),
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def left(product: Any) -> Any:
    """A guest's basket with three Earl Greys."""
    basket = factories.create_basket(empty=True)
    basket.add_product(product, 3)
    return basket


@pytest.fixture
def message(left: Any, now: datetime) -> Message:
    return make_message(now=now, basket=left)


def link(message: Message) -> str:
    return reverse("oscar_crosschannel:recover", args=[recover_token(message)])


def quantities(basket: Any) -> dict[str, int]:
    return dict(BasketLine.objects.filter(basket=basket).values_list("product__title", "quantity"))


def own_basket(left: Any) -> Any:
    return Basket.objects.exclude(pk=left.pk).filter(lines__isnull=False).distinct().get(status="Open")


def said(response: Any) -> list[str]:
    return [str(entry) for entry in get_messages(response.wsgi_request)]


def all_rows() -> dict[str, int]:
    models = [model for model in apps.get_models() if model._meta.managed]
    return {model._meta.label: model._default_manager.count() for model in models}


# It works


@pytest.mark.rule(43)
@pytest.mark.parametrize("signed_in", [False, True])
@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_the_page_changes_nothing(method: str, signed_in: bool, message: Message) -> None:
    client = Client()
    if signed_in:
        client.force_login(make_user("ada@example.com"))
    before = all_rows()
    response = getattr(client, method)(link(message))
    assert response.status_code == 200
    assert all_rows() == before
    assert "oscar_open_basket" not in response.cookies
    assert "no-store" in response.headers["Cache-Control"]


def test_the_page_shows_what_was_left_and_one_button(message: Message) -> None:
    html = page(Client().get(link(message)))
    assert "Earl Grey" in html.get_text()
    assert "3 × $10.00 · $30.00" in " ".join(html.get_text().split())
    assert len(html.select("button")) == 1
    assert html.select_one("form[method=post] [name=csrfmiddlewaretoken]")


def test_the_button_works_with_the_pages_own_token_only(message: Message, left: Any) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.post(link(message)).status_code == 403
    field = page(browser.get(link(message))).select_one("[name=csrfmiddlewaretoken]")
    assert field is not None
    response = browser.post(link(message), {"csrfmiddlewaretoken": field["value"]})
    assert response.status_code == 302
    assert quantities(own_basket(left)) == {"Earl Grey": 3}


def test_another_device_gets_a_copy_and_the_left_basket_stays(message: Message, left: Any) -> None:
    shopper = Shopper()
    response = shopper.client.post(link(message))
    assert response.url == reverse("basket:summary")
    assert quantities(own_basket(left)) == {"Earl Grey": 3}
    assert quantities(left) == {"Earl Grey": 3}
    assert said(response) == ["1 product is back in your basket."]
    assert "Earl Grey" in shopper.client.get(response.url).content.decode()
    left.refresh_from_db()
    assert (left.status, left.owner) == ("Open", None)
    assert "_auth_user_id" not in shopper.client.session


def test_pressing_twice_changes_nothing_more(message: Message, left: Any) -> None:
    shopper = Shopper()
    shopper.client.post(link(message))
    shopper.client.post(link(message))
    assert quantities(own_basket(left)) == {"Earl Grey": 3}


def test_only_what_is_lacking_is_added(message: Message, left: Any, product: Any) -> None:
    shopper = Shopper()
    shopper.add(product, 2)
    shopper.client.post(link(message))
    assert quantities(own_basket(left)) == {"Earl Grey": 3}
    shopper.add(product, 4)
    shopper.client.post(link(message))
    assert quantities(own_basket(left)) == {"Earl Grey": 7}


def test_the_same_device_keeps_its_basket(now: datetime, product: Any) -> None:
    shopper = Shopper()
    shopper.add(product, 2)
    basket = Basket.objects.get()
    shopper.client.post(link(make_message(now=now, basket=basket)))
    assert Basket.objects.get() == basket
    assert quantities(basket) == {"Earl Grey": 2}


def test_another_account_gets_a_copy_and_nobody_is_attached(message: Message, left: Any) -> None:
    shopper, user = Shopper(), make_user("other@example.com")
    shopper.client.force_login(user)
    shopper.client.post(link(message))
    assert quantities(Basket.objects.get(owner=user)) == {"Earl Grey": 3}
    left.refresh_from_db()
    assert left.owner is None
    assert not Contact.objects.filter(user=user).exists()


def test_options_come_along(now: datetime) -> None:
    product = factories.create_product(title="Tin", price=10, num_in_stock=9)
    option = factories.OptionFactory(name="Engraving")
    basket = factories.create_basket(empty=True)
    for words in ("For Ada", "For Ben"):
        basket.add_product(product, 1, [{"option": option, "value": words}])
    shopper, message = Shopper(), make_message(now=now, basket=basket)
    shopper.client.post(link(message))
    shopper.client.post(link(message))
    lines = own_basket(basket).lines.all()
    assert {(line.quantity, line.attributes.get().value) for line in lines} == {
        (1, "For Ada"),
        (1, "For Ben"),
    }
    assert "For Ada" in Client().get(link(message)).content.decode()


def test_a_basket_at_a_payment_page_is_copied_and_stays_frozen(message: Message, left: Any) -> None:
    left.freeze()
    Shopper().client.post(link(message))
    assert quantities(own_basket(left)) == {"Earl Grey": 3}
    left.refresh_from_db()
    assert left.status == "Frozen"


def test_a_guests_basket_that_was_merged_at_login_is_found_in_the_accounts(
    now: datetime, left: Any, product: Any
) -> None:
    user = make_user("ada@example.com")
    merged_into = Basket.objects.create(owner=user)
    merged_into.merge(left)
    contact = Contact.objects.create(user=user, created_at=now)
    message = make_message(now=now, basket=left, contact=contact)
    shopper = Shopper()
    shopper.client.post(link(message))
    copy = Basket.objects.exclude(pk__in=[left.pk, merged_into.pk]).get()
    assert quantities(copy) == {"Earl Grey": 3}


def test_coming_back_is_activity_of_the_addressee(now: datetime, left: Any) -> None:
    user = make_user("ada@example.com")
    contact = Contact.objects.create(user=user, created_at=now)
    message = make_message(now=now, basket=left, contact=contact)
    visitor = Shopper()
    visitor.client.force_login(make_user("other@example.com"))
    InboxEvent.objects.all().delete()
    visitor.client.post(link(message))
    recovered, active = InboxEvent.objects.order_by("name").values_list("name", "key", "user_id", "subjects")[
        ::-1
    ]
    assert recovered == ("basket.recovered", f"message:{message.pk}", user.pk, {"basket": left.pk})
    assert active == ("basket.active", f"basket:{left.pk}:recovered", user.pk, {"basket": left.pk})


def test_a_restored_basket_is_remembered_and_its_contents_stay_the_visitors(
    message: Message, left: Any
) -> None:
    Shopper().client.post(link(message))
    basket = own_basket(left)
    assert contacts.owner_of("restored", basket.pk) == message.contact
    assert contacts.owner_of("basket", basket.pk) is None
    assert InboxEvent.objects.get(name="basket.active").subjects == {"basket": left.pk}


@pytest.fixture
def code(message: Message, now: datetime) -> Any:
    """A code of twenty percent off that the run has given out."""
    offer = factories.create_offer(name="Twenty off", offer_type="Voucher")
    voucher = factories.create_voucher(
        code="TEA4YOU",
        usage=Voucher.SINGLE_USE,
        start_datetime=now - timedelta(hours=1),
        end_datetime=now + timedelta(hours=72),
    )
    voucher.offers.set([offer])
    return grant(message, voucher, now=now)


def test_the_code_of_the_run_is_applied(message: Message, left: Any, code: Any) -> None:
    shopper = Shopper()
    response = shopper.client.post(link(message))
    basket = own_basket(left)
    assert [voucher.code for voucher in basket.vouchers.all()] == ["TEA4YOU"]
    shown = shopper.client.get(response.url).context["basket"]
    assert shown.total_incl_tax == Decimal("24.00")
    shopper.client.post(link(message))
    assert basket.vouchers.count() == 1


@pytest.mark.parametrize("why", ["used", "expired", "deleted"])
def test_a_code_that_does_not_work_any_more_is_told_and_the_basket_comes_back(
    why: str, message: Message, left: Any, code: Any, now: datetime
) -> None:
    if why == "used":
        code.voucher.applications.create(order=factories.create_order())
    elif why == "expired":
        Voucher.objects.update(end_datetime=now - timedelta(minutes=1))
    else:
        Voucher.objects.all().delete()
    response = Shopper().client.post(link(message))
    assert quantities(own_basket(left)) == {"Earl Grey": 3}
    assert not own_basket(left).vouchers.exists()
    words = {
        "used": "already been used",
        "expired": "has expired",
        "deleted": "The code TEA4YOU is no longer valid.",
    }
    assert any(words[why] in sentence for sentence in said(response))


def test_a_code_with_a_prefix_in_small_letters_is_applied_too(message: Message, left: Any, code: Any) -> None:
    code.code = "tea4you"
    code.save()
    Shopper().client.post(link(message))
    assert own_basket(left).vouchers.count() == 1


def test_a_withdrawn_code_is_not_mentioned(message: Message, left: Any, code: Any, now: datetime) -> None:
    code.withdrawn_at = now
    code.save()
    response = Shopper().client.post(link(message))
    assert said(response) == ["1 product is back in your basket."]


# It refuses


def test_what_cannot_be_had_is_named_with_its_reason(now: datetime, product: Any, left: Any) -> None:
    scarce = factories.create_product(title="Gyokuro", price=30, num_in_stock=1)
    priceless = factories.create_product(title="Pu-erh", price=20, num_in_stock=5)
    hidden = factories.create_product(title="Secret", price=20, num_in_stock=5)
    for other, quantity in ((scarce, 2), (priceless, 1), (hidden, 1)):
        left.add_product(other, quantity)
    priceless.stockrecords.update(price=None)
    type(hidden).objects.filter(pk=hidden.pk).update(is_public=False)
    response = Shopper().client.post(link(make_message(now=now, basket=left)))
    assert quantities(own_basket(left)) == {"Earl Grey": 3}
    assert said(response) == [
        "Gyokuro: A maximum of 1 can be bought",
        "Pu-erh: No longer available",
        "1 product is back in your basket.",
    ]


def test_things_in_another_currency_are_named(now: datetime, left: Any) -> None:
    euro = factories.create_product(title="Assam")
    factories.create_stockrecord(euro, price=5, num_in_stock=9, currency="EUR")
    shopper = Shopper()
    shopper.add(euro)
    response = shopper.client.post(link(make_message(now=now, basket=left)))
    assert "Earl Grey: Cannot be bought together with what is in your basket" in said(response)
    assert "Nothing of your basket can be bought at the moment." in said(response)


def test_a_basket_that_was_bought_is_not_offered_again(message: Message, left: Any) -> None:
    order = factories.create_order()
    type(order).objects.filter(pk=order.pk).update(basket=left)
    for response in (Client().get(link(message)), Client().post(link(message))):
        assert response.status_code == 410
        assert "nothing to restore" in response.content.decode()
    assert Basket.objects.filter(status="Open").count() == 1


def test_an_emptied_basket_has_nothing_to_restore(message: Message, left: Any) -> None:
    left.flush()
    assert Client().get(link(message)).status_code == 410


def test_the_link_works_for_two_weeks(left: Any, now: datetime) -> None:
    lately = make_message(now=now - timedelta(days=13, hours=23), basket=left)
    assert Client().get(link(lately)).status_code == 200
    long_ago = make_message(now=now - timedelta(days=14, minutes=1), basket=left)
    assert Client().get(link(long_ago)).status_code == 410
    assert Client().post(link(long_ago)).status_code == 410
    never_sent = make_message(now=now, basket=left, attempted_at=None)
    assert Client().get(link(never_sent)).status_code == 410
    assert Basket.objects.count() == 1


def test_a_forged_link_leads_nowhere(message: Message) -> None:
    token = recover_token(message)
    other_purpose = tokens.make(tokens.CLICK, message.pk, keys=app_settings.link_keys())
    unknown = tokens.make(tokens.RECOVER, message.pk + 1, keys=app_settings.link_keys())
    for forged in (token[:-1], token + "A", token.swapcase(), other_purpose, unknown, "x"):
        response = Client().get(reverse("oscar_crosschannel:recover", args=[forged]))
        assert response.status_code == 404
        assert "This link does not work" in response.content.decode()


def test_a_message_about_no_basket_has_no_such_page(now: datetime) -> None:
    assert Client().get(link(make_message(now=now))).status_code == 404


# It survives


def test_the_basket_comes_back_though_nothing_can_be_recorded(
    message: Message, left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(inbox, "publish", breaks)
    assert Shopper().client.post(link(message)).status_code == 302
    assert quantities(own_basket(left)) == {"Earl Grey": 3}


def test_a_shop_behind_a_login_wall_still_serves_the_page(message: Message, settings: Any) -> None:
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    assert Client().get(link(message)).status_code == 200


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_presses_at_once_fill_the_same_shortage_once(message: Message, left: Any, product: Any) -> None:
    shopper = Shopper()
    shopper.add(factories.create_product(title="Assam", price=5, num_in_stock=9))
    basket = own_basket(left)
    basket.strategy = left.strategy
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():  # the first press, not yet committed
            Basket.objects.select_for_update().get(pk=basket.pk)
            basket.add_product(product, 3)
            second = pool.submit(_press, shopper, link(message))
            _wait_until_somebody_waits()
        assert second.result(timeout=30).status_code == 302
    assert quantities(basket) == {"Assam": 1, "Earl Grey": 3}


def _press(shopper: Shopper, url: str) -> Any:
    try:
        return shopper.client.post(url)
    finally:
        connection.close()


def _wait_until_somebody_waits() -> None:
    deadline = monotonic() + 30
    with connection.cursor() as cursor:
        while monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
            sleep(0.02)
    raise AssertionError("nobody waits for the lock")
