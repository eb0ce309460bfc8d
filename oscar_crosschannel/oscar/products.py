"""Products as messages speak of them: which ones, and how they are shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.urls import Resolver404, get_script_prefix, resolve
from django.utils import translation
from django.utils.translation import gettext
from oscar.core.loading import get_class, get_model
from oscar.templatetags.currency_filters import currency as format_price

from ..conf import settings
from ..services import links

OrderLine = get_model("order", "Line")
Product = get_model("catalogue", "Product")
ProductRecommendation = get_model("catalogue", "ProductRecommendation")
ProductRecord = get_model("analytics", "ProductRecord")
Selector = get_class("partner.strategy", "Selector")

#: Of the best sellers so many are looked at for each that is wanted: variants are one product, and some are sold out.
_LOOKED_AT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One product as any visitor of the shop sees it."""

    product: Any
    price: Decimal | None  #: None: the shop does not say
    currency: str
    is_available: bool  #: one can be bought now

    @property
    def path(self) -> str:
        """Its page in the shop, in the active language."""
        url: str = self.product.get_absolute_url()
        return url.removeprefix(settings.BASE_URL)

    def words(self) -> dict[str, str]:
        """Plain values for templates: title, price and picture (address); the last two may be empty."""
        address = picture(self.product)
        return _words(
            self.product.get_title(),
            "" if self.price is None else str(format_price(self.price, self.currency)),
            links.absolute(address) if address else "",
        )


def example() -> list[dict[str, str]]:
    """The words of two made-up products, in the active language."""
    currency = django_settings.OSCAR_DEFAULT_CURRENCY
    made_up = (gettext("Blue teapot"), Decimal("34.50")), (gettext("Earl Grey"), Decimal("8.50"))
    return [_words(title, str(format_price(price, currency)), "") for title, price in made_up]


def at(path: str) -> int | None:
    """The product whose page Oscar shows at this path; None for any other page. Asks no database."""
    place = "/" + urlsplit(path).path.removeprefix(get_script_prefix())
    # where languages have addresses of their own, a path is found in its own language only
    with translation.override(translation.get_language_from_path(place) or translation.get_language()):
        try:
            match = resolve(place)
        except Resolver404:
            return None
    return int(match.kwargs["pk"]) if match.view_name == "catalogue:detail" else None


def cards(product_ids: Collection[int]) -> dict[int, Card]:
    """Those that anybody can see, by id. A constant number of statements."""
    strategy = Selector().strategy()
    children = Product.objects.public().prefetch_related("stockrecords")
    found = (
        Product.objects.browsable()
        .filter(pk__in=product_ids)
        .select_related("product_class")
        .prefetch_related("stockrecords", "images")
        .prefetch_public_children(children)
    )
    shown = {}
    for product in found:
        info = (strategy.fetch_for_parent if product.is_parent else strategy.fetch_for_product)(product)
        shown[product.pk] = _card(product, info)
    return shown


def on_sale(product_ids: Collection[int]) -> dict[int, Card]:
    """Those of `cards` that can be bought now."""
    return {pk: card for pk, card in cards(product_ids).items() if card.is_available}


def best_sellers(count: int, *, apart_from: Collection[int] = ()) -> list[Card]:
    """What is bought most, the most bought first; none in a shop that has not sold anything."""
    records = ProductRecord.objects.filter(num_purchases__gt=0).order_by("-num_purchases")
    bought = records.values_list("product_id", "product__parent_id")[: _LOOKED_AT * count + len(apart_from)]
    return _first(count, [parent or own for own, parent in bought], apart_from)


def recommended_after(order_ids: Collection[int], count: int) -> dict[int, list[Card]]:
    """By order: what the shop recommends beside the things that were bought, then what sells best."""
    bought = bought_in(order_ids)
    every = {product for products in bought.values() for product in products}
    beside: dict[int, list[int]] = {}
    pairs = ProductRecommendation.objects.filter(primary__in=every).order_by("-ranking", "pk")
    for own, other in pairs.values_list("primary_id", "recommendation_id"):
        beside.setdefault(own, []).append(other)
    recommended = {
        order: [other for own in products for other in beside.get(own, ())]
        for order, products in bought.items()
    }
    shown = on_sale({product for products in recommended.values() for product in products})
    sellers = best_sellers(count, apart_from=every)
    return {
        order: _shown(
            count, [*(shown.get(pk) for pk in recommended.get(order, ())), *sellers], bought.get(order, ())
        )
        for order in order_ids
    }


def bought_in(order_ids: Collection[int]) -> dict[int, list[int]]:
    """By order: the products bought with it, a variant as the product that has a page. One statement."""
    lines = OrderLine.objects.filter(order_id__in=order_ids, product__isnull=False).order_by("pk")
    found: dict[int, list[int]] = {}
    for order, own, parent in lines.values_list("order_id", "product_id", "product__parent_id"):
        products = found.setdefault(order, [])
        if (product := parent or own) not in products:
            products.append(product)
    return found


def picture(product: Any) -> str:
    """Path or address of its first picture; empty: it has none."""
    image = product.primary_image()
    # Without a picture Oscar returns a dict that stands for its placeholder.
    return "" if isinstance(image, dict) else str(image.original.url)


def _words(title: str, price: str, picture: str) -> dict[str, str]:
    return {"title": title, "price": price, "picture": picture}


def _card(product: Any, info: Any) -> Card:
    price, amount = info.price, None
    if price.exists:
        amount = price.incl_tax if price.is_tax_known else price.excl_tax
    return Card(
        product=product,
        price=amount,
        currency=price.currency or "",
        is_available=bool(info.availability.is_available_to_buy),
    )


def _first(count: int, product_ids: Iterable[int], apart_from: Collection[int]) -> list[Card]:
    wanted = [pk for pk in dict.fromkeys(product_ids) if pk not in apart_from]
    shown = on_sale(wanted)
    return [shown[pk] for pk in wanted if pk in shown][:count]


def _shown(count: int, found: Iterable[Card | None], bought: Collection[int]) -> list[Card]:
    fresh = {card.product.pk: card for card in found if card is not None and card.product.pk not in bought}
    return list(fresh.values())[:count]
