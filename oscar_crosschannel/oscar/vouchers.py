"""Exclusive codes as Oscar's vouchers: single-use, and bearer: whoever has the code may use it.

Loose vouchers, not a `VoucherSet`: saving a set rewrites the dates of every voucher in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models import F
from oscar.core.loading import get_model

from ..conf import settings
from ..core.ports import VoucherRequest
from ..models import VoucherGrant

Basket = get_model("basket", "Basket")
ConditionalOffer = get_model("offer", "ConditionalOffer")
Voucher = get_model("voucher", "Voucher")

_NAME_LENGTH = 128


def issue(requests: Sequence[VoucherRequest]) -> dict[int, int]:
    """Create the codes of a chunk of messages: message id → voucher id. Four statements, two more if any exists.

    Runs in the caller's transaction. A code that exists already is reused and made valid anew, so that asking
    twice gives one voucher; a request whose offer does not exist or is not open is left out.
    """
    offers = _open_offers(requests)
    served = {request.code.upper(): request for request in requests if request.offer_id in offers}
    vouchers = {voucher.code: voucher for voucher in Voucher.objects.filter(code__in=served)}
    link = Voucher.offers.through
    if vouchers:
        _renew(vouchers, served)
        link.objects.filter(voucher__in=vouchers.values()).delete()
    fresh = [_voucher(code, request, offers) for code, request in served.items() if code not in vouchers]
    Voucher.objects.bulk_create(fresh)
    vouchers |= {voucher.code: voucher for voucher in fresh}
    link.objects.bulk_create(
        link(voucher_id=voucher.pk, conditionaloffer_id=offers[served[code].offer_id].pk)
        for code, voucher in vouchers.items()
    )
    return {request.message_id: vouchers[code].pk for code, request in served.items()}


def used(voucher_ids: Collection[int]) -> set[int]:
    """Those that an order has spent. One statement."""
    spent = Voucher.objects.filter(pk__in=voucher_ids, applications__isnull=False)
    return set(spent.values_list("pk", flat=True))


def withdraw(voucher_ids: Collection[int]) -> None:
    """Make codes that nobody was told unusable; they stay, to be looked up."""
    Voucher.objects.filter(pk__in=voucher_ids).update(end_datetime=F("start_datetime"))


def strip_used(order: Any) -> None:
    """Take our codes that `order` used out of other baskets: there they would block the checkout,
    after the payment. One statement.
    """
    used = VoucherGrant.objects.filter(voucher__applications__order=order.pk)
    held = Basket.vouchers.through.objects.filter(voucher_id__in=used.values("voucher_id"))
    held.filter(basket__status=Basket.OPEN).exclude(basket_id=order.basket_id).delete()


def _open_offers(requests: Sequence[VoucherRequest]) -> Mapping[int | None, Any]:
    """The voucher offers asked for that give something now, by id; under None the shop's default."""
    offers = ConditionalOffer.objects.filter(
        offer_type=ConditionalOffer.VOUCHER, status=ConditionalOffer.OPEN
    )
    ids = {request.offer_id for request in requests}
    found: dict[int | None, Any] = offers.in_bulk(ids - {None})
    if None in ids and (default := offers.filter(name=settings.VOUCHER_OFFER).first()) is not None:
        found[None] = default
    return found


def _renew(vouchers: Mapping[str, Any], requests: Mapping[str, VoucherRequest]) -> None:
    for code, voucher in vouchers.items():
        voucher.start_datetime, voucher.end_datetime = requests[code].valid_from, requests[code].valid_until
    Voucher.objects.bulk_update(vouchers.values(), ["start_datetime", "end_datetime"])


def _voucher(code: str, request: VoucherRequest, offers: Mapping[int | None, Any]) -> Any:
    offer_name = offers[request.offer_id].name[: _NAME_LENGTH - len(code) - 1]
    return Voucher(
        name=f"{offer_name} {code}",  # shoppers see it in the basket, and it must be unique
        code=code,  # upper case: bulk_create does not call save(), which would see to it
        usage=Voucher.SINGLE_USE,
        start_datetime=request.valid_from,
        end_datetime=request.valid_until,
    )
