"""Exclusive codes as Oscar's vouchers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.core.ports import VoucherRequest
from oscar_crosschannel.oscar import vouchers
from oscar_crosschannel.oscar.shop import OscarShop

from .conftest import Shopper
from .things import grant, make_message

Basket, Order = get_model("basket", "Basket"), get_model("order", "Order")
ConditionalOffer, Voucher = get_model("offer", "ConditionalOffer"), get_model("voucher", "Voucher")

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def offer(settings: Any) -> Any:
    offer = factories.create_offer(name="Ten off", offer_type="Voucher")
    settings.CROSSCHANNEL_VOUCHER_OFFER = "Ten off"
    return offer


def request(message_id: int, now: datetime, *, offer_id: int | None = None, code: str = "") -> VoucherRequest:
    return VoucherRequest(
        message_id=message_id,
        code=code or f"TEA{message_id:09}",
        offer_id=offer_id,
        valid_from=now,
        valid_until=now + timedelta(hours=72),
    )


def test_a_code_is_single_use_and_gives_the_shops_offer(offer: Any, now: datetime) -> None:
    issued = OscarShop().issue_vouchers([request(7, now, code="tea4you")])
    voucher = Voucher.objects.get()
    assert issued == {7: voucher.pk}
    assert voucher.code == "TEA4YOU"
    assert voucher.usage == Voucher.SINGLE_USE
    assert (voucher.start_datetime, voucher.end_datetime) == (now, now + timedelta(hours=72))
    assert list(voucher.offers.all()) == [offer]
    assert voucher.voucher_set is None


def test_a_step_may_name_another_offer(offer: Any, now: datetime) -> None:
    other = factories.create_offer(name="Twenty off", offer_type="Voucher")
    issued = vouchers.issue([request(1, now), request(2, now, offer_id=other.pk)])
    assert list(Voucher.objects.get(pk=issued[1]).offers.all()) == [offer]
    assert list(Voucher.objects.get(pk=issued[2]).offers.all()) == [other]


def test_asking_twice_gives_one_voucher(offer: Any, now: datetime) -> None:
    first = vouchers.issue([request(1, now)])
    assert vouchers.issue([request(1, now), request(2, now)])[1] == first[1]
    assert Voucher.objects.count() == 2


@pytest.mark.parametrize("count", [5, 50])
def test_a_chunk_of_codes_takes_four_statements(
    count: int, offer: Any, now: datetime, django_assert_num_queries: Any
) -> None:
    requests = [request(number, now) for number in range(count)]
    with django_assert_num_queries(4):
        assert len(vouchers.issue(requests)) == count


def test_an_offer_that_does_not_exist_or_is_closed_gives_nothing(
    offer: Any, now: datetime, settings: Any
) -> None:
    site_offer = factories.create_offer(name="For all", offer_type="Site")
    suspended = factories.create_offer(name="Paused", offer_type="Voucher")
    suspended.suspend()
    ids = [site_offer.pk, suspended.pk, 999_999]
    issued = vouchers.issue([request(n, now, offer_id=pk) for n, pk in enumerate(ids)] + [request(9, now)])
    assert set(issued) == {9}
    settings.CROSSCHANNEL_VOUCHER_OFFER = "No such offer"
    assert vouchers.issue([request(10, now)]) == {}
    assert Voucher.objects.count() == 1


def test_codes_go_with_the_callers_transaction(offer: Any, now: datetime) -> None:
    with transaction.atomic():
        vouchers.issue([request(1, now)])
        transaction.set_rollback(True)
    assert not Voucher.objects.exists()


def test_the_longest_offer_name_still_leaves_room_for_the_code(offer: Any, now: datetime) -> None:
    ConditionalOffer.objects.filter(pk=offer.pk).update(name="x" * 128)
    vouchers.issue([request(1, now, offer_id=offer.pk)])
    voucher = Voucher.objects.get()
    assert len(voucher.name) == 128
    assert voucher.name.endswith(voucher.code)


def test_a_withdrawn_code_gives_nothing(offer: Any, now: datetime) -> None:
    issued = vouchers.issue([request(1, now - timedelta(hours=1)), request(2, now)])
    OscarShop().withdraw_vouchers([issued[1]])
    assert not Voucher.objects.get(pk=issued[1]).is_active()
    assert Voucher.objects.get(pk=issued[2]).is_active()


def in_basket_of(shopper: Shopper, product: Any, voucher: Any) -> Any:
    shopper.add(product)
    basket = Basket.objects.latest("pk")
    basket.vouchers.add(voucher)
    return basket


def test_an_order_takes_its_code_out_of_other_baskets(
    offer: Any, product: Any, country: Any, now: datetime
) -> None:
    message = make_message(now=now)
    ours = Voucher.objects.get(pk=vouchers.issue([request(message.pk, now)])[message.pk])
    grant(message, ours, now=now)
    buyer, other, third = Shopper(), Shopper(), Shopper()
    for shopper in (buyer, other, third):
        in_basket_of(shopper, product, ours)
    buyer.buy("guest@example.com")
    bought = Order.objects.get().basket
    assert list(bought.vouchers.all()) == [ours]
    assert Basket.vouchers.through.objects.exclude(basket=bought).count() == 0
    # without it the other checkouts would fail after their payment
    other.buy("other@example.com")
    assert Order.objects.count() == 2


def test_an_order_leaves_the_stores_own_codes_in_other_baskets(
    offer: Any, product: Any, country: Any, now: datetime
) -> None:
    theirs = factories.create_voucher(code="STORE", usage=Voucher.MULTI_USE)
    buyer, other = Shopper(), Shopper()
    in_basket_of(buyer, product, theirs)
    left = in_basket_of(other, product, theirs)
    buyer.buy("guest@example.com")
    assert list(left.vouchers.all()) == [theirs]
