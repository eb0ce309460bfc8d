"""Bringing a left basket back: its lines are copied into the visitor's own basket.

Nobody is logged in and nothing changes hands, so a forwarded link gives away a list of products
and no more. The left basket stays as it is: it may be waiting for a payment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from . import baskets, orders

Basket = get_model("basket", "Basket")
Voucher = get_model("voucher", "Voucher")


@dataclass(frozen=True, slots=True)
class Missing:
    """A line that could not be brought back, and why, in the active language."""

    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """What became of the lines of a left basket."""

    restored: int  #: lines that are in the visitor's basket now, those that were there already included
    missing: Sequence[Missing]


class _NotToBeHad(Exception):
    """A line the shop would not sell to this visitor now; the message says why."""


def left_in(basket_id: int) -> baskets.Content | None:
    """What there is to bring back; None when the basket was bought, is gone or is empty."""
    if orders.ordered([basket_id]):
        return None
    loaded = baskets.load([basket_id])
    return baskets.describe(loaded[basket_id]) if loaded else None


def restore(request: Any, basket_id: int) -> Restoration:
    """Bring the lines of a basket into `request.basket`; doing it again changes nothing."""
    lines = [] if orders.ordered([basket_id]) else list(baskets.shown_lines([basket_id]))
    target = request.basket
    if target.pk == basket_id:
        return Restoration(restored=len(lines), missing=())
    missing = []
    with transaction.atomic():
        if target.pk:
            # a double click would see the same shortage twice and fill it twice
            Basket.objects.select_for_update().get(pk=target.pk)
        for line in lines:
            try:
                _restore_line(target, line)
            except _NotToBeHad as problem:
                missing.append(Missing(line.product.get_title(), capfirst(str(problem))))
    return Restoration(restored=len(lines) - len(missing), missing=missing)


def apply_voucher(request: Any, code: str) -> bool:
    """Put a code into the visitor's basket by the store's own rules; whether it is in there now.

    Tells the shopper what became of it, in the store's own words where it has some.
    """
    code, basket = code.upper(), request.basket  # Oscar keeps codes in capitals
    if not basket.pk:
        return False
    if basket.contains_voucher(code):
        return True
    voucher = Voucher.objects.filter(code=code).first()
    if voucher is None:
        messages.warning(request, _("The code %(code)s is no longer valid.") % {"code": code})
        return False
    view = get_class("basket.views", "VoucherAddView")()
    view.setup(request)
    view.apply_voucher_to_basket(voucher)
    return bool(basket.contains_voucher(code))


def _restore_line(target: Any, line: Any) -> None:
    """Add what `target` has less than `line`; Oscar's `add_product` alone would add it every time."""
    options = [{"option": attribute.option, "value": attribute.value} for attribute in line.attributes.all()]
    info = target.get_stock_info(line.product, options)
    if info.stockrecord is None or not info.price.exists:
        raise _NotToBeHad(_("no longer available"))
    shortage = line.quantity - target.line_quantity(line.product, info.stockrecord, options)
    if shortage <= 0:
        return
    permitted, problem = info.availability.is_purchase_permitted(line.quantity)
    if permitted:
        permitted, problem = target.is_quantity_allowed(shortage)
    if not permitted:
        raise _NotToBeHad(problem)
    try:
        target.add_product(line.product, shortage, options)
    except ValueError as error:  # the basket holds another currency
        raise _NotToBeHad(_("cannot be bought together with what is in your basket")) from error
