"""Baskets as messages and pages speak of them: what lies in them, at the shop's own prices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, Max, OuterRef, Q, Sum
from django.utils.text import capfirst
from oscar.core.loading import get_class, get_model
from oscar.templatetags.currency_filters import currency as format_price

from ..conf import settings
from ..services import links
from . import orders, products

Applicator = get_class("offer.applicator", "Applicator")
Basket = get_model("basket", "Basket")
BasketLine = get_model("basket", "Line")
Selector = get_class("partner.strategy", "Selector")

#: A basket in one of these may still be bought. A payment page leaves it Frozen if nobody returns.
LIVE = (Basket.OPEN, Basket.FROZEN)

#: Lines of products that anybody may see; a child is hidden with its parent.
_PUBLIC = Q(product__is_public=True) & (Q(product__parent=None) | Q(product__parent__is_public=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of a basket."""

    title: str  #: with the options chosen
    quantity: int
    unit_price: Decimal | None  #: before offers; None: the shop has no price for it now
    price: Decimal | None  #: of the whole line, after the shop's offers
    full_price: Decimal | None  #: of the whole line, before them
    is_available: bool  #: in this quantity
    availability: str  #: in words, in the active language
    picture: str  #: path or address of the product's first picture; empty: none


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What lies in a basket. The total is the sum of exactly these items."""

    items: tuple[Item, ...]
    currency: str

    @property
    def total(self) -> Decimal:
        return sum((item.price for item in self.items if item.price is not None), Decimal(0))

    def words(self) -> dict[str, Any]:
        """Plain values for templates, written as the active language writes them.

        `items`: dicts of title, quantity, unit_price, price, full_price (only if an offer makes the
        line cheaper), is_available, availability and picture (address); `count`: of pieces; `total`.
        A price the shop does not have is empty.
        """
        return {
            "items": [self._item_words(item) for item in self.items],
            "count": sum(item.quantity for item in self.items),
            "total": self._money(self.total),
        }

    def _item_words(self, item: Item) -> dict[str, Any]:
        return {
            "title": item.title,
            "quantity": item.quantity,
            "unit_price": self._money(item.unit_price),
            "price": self._money(item.price),
            "full_price": self._money(item.full_price) if item.full_price != item.price else "",
            "is_available": item.is_available,
            "availability": item.availability,
            "picture": links.absolute(item.picture) if item.picture else "",
        }

    def _money(self, amount: Decimal | None) -> str:
        return "" if amount is None else str(format_price(amount, self.currency))


def follow_merges(people: Mapping[int, int | None]) -> dict[int, int]:
    """Where the contents of these baskets (id → the person's account) are now: id → id.

    At login Oscar merges a guest's basket into the account's and keeps no pointer.
    """
    merged = Basket.objects.filter(pk__in=people, status=Basket.MERGED).values_list("pk", flat=True)
    owners = {pk: people[pk] for pk in merged if people[pk] is not None}
    if not owners:
        return {pk: pk for pk in people}
    targets = dict(Basket.open.filter(owner_id__in=owners.values()).values_list("owner_id", "pk"))
    return {pk: targets.get(owners.get(pk), pk) for pk in people}


def count_pieces(basket_id: int) -> int:
    """How many pieces lie in a basket, or were bought with it."""
    pieces = BasketLine.objects.filter(basket_id=basket_id).aggregate(pieces=Sum("quantity"))["pieces"]
    return pieces or 0


def last_changes(basket_ids: Collection[int]) -> dict[int, datetime]:
    """When each basket that may still be bought, and shows something, was last changed."""
    return dict(
        BasketLine.objects.filter(_buyable(), _PUBLIC, basket_id__in=basket_ids)
        .order_by()
        .values_list("basket_id")
        .annotate(last=Max("date_updated"))
    )


def load(basket_ids: Collection[int]) -> dict[int, Any]:
    """Oscar's baskets with their lines, prices and offers, for `describe`.

    Lines, quantities, titles and prices are of one statement, so that no edit in between can make
    them disagree. Baskets with nothing to show are left out.
    """
    by_basket: dict[int, list[Any]] = defaultdict(list)
    for line in shown_lines(basket_ids):
        by_basket[line.basket_id].append(line)
    return {pk: _priced(lines) for pk, lines in by_basket.items()}


def shown_lines(basket_ids: Collection[int]) -> Any:
    """The lines to speak of, in the order in which they were put in."""
    return (
        BasketLine.objects.filter(_buyable(), _PUBLIC, basket_id__in=basket_ids)
        .select_related(
            "basket__owner",
            "product__product_class",
            "product__parent__product_class",
            "stockrecord",
        )
        .prefetch_related("attributes__option", "product__images", "product__parent__images")
        .order_by("pk")
    )


def describe(basket: Any) -> Content:
    """What a loaded basket holds, in the active language."""
    return Content(items=tuple(_item(line) for line in basket.all_lines()), currency=basket.currency)


def _buyable() -> Q:
    """Lines of baskets that may still be bought. Not every store opens a basket again whose order came to nothing."""
    live = Q(basket__status__in=LIVE)
    if not settings.NON_CONVERTING_STATUSES:
        return live
    came_to_nothing = orders.voided().filter(basket_id=OuterRef("basket_id"))
    return live | Q(Exists(came_to_nothing), basket__status=Basket.SUBMITTED)


def _priced(lines: Sequence[Any]) -> Any:
    """The basket of these lines, as if its owner looked at it now."""
    basket = lines[0].basket
    for line in lines:
        line.basket = basket
    # Oscar reads lines through this cache and expects a queryset in it. Filling it keeps offers
    # and prices to exactly the lines that were read.
    held = basket.lines.all()
    held._result_cache = list(lines)  # noqa: SLF001
    held._prefetch_done = True  # noqa: SLF001
    basket._lines = held  # noqa: SLF001
    basket.strategy = Selector().strategy(user=basket.owner)
    Applicator().apply(basket, basket.owner or AnonymousUser())
    return basket


def _item(line: Any) -> Item:
    info = line.purchase_info
    permitted, problem = info.availability.is_purchase_permitted(line.quantity)
    has_price = info.price.exists
    with_tax = has_price and info.price.is_tax_known
    return Item(
        title=line.description,
        quantity=line.quantity,
        unit_price=_price(line, "unit_price_incl_tax", "unit_price_excl_tax", with_tax, has_price),
        price=_price(
            line,
            "line_price_incl_tax_incl_discounts",
            "line_price_excl_tax_incl_discounts",
            with_tax,
            has_price,
        ),
        full_price=_price(line, "line_price_incl_tax", "line_price_excl_tax", with_tax, has_price),
        is_available=bool(permitted),
        availability=str(info.availability.short_message if permitted else capfirst(str(problem))),
        picture=products.picture(line.product),
    )


def _price(line: Any, incl_tax: str, excl_tax: str, with_tax: bool, has_price: bool) -> Decimal | None:
    if not has_price:
        return None
    price: Decimal = getattr(line, incl_tax if with_tax else excl_tax)
    return price
