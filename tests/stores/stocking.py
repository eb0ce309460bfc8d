"""What a shop needs to sell one thing. Only through Oscar's models, whatever a store made of them."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.urls import NoReverseMatch
from oscar.core.loading import get_model

#: What everybody wants.
TITLE, PRICE = "Earl Grey", Decimal("10.00")


def stock() -> str:
    """One product, countries to send it to, and the voucher offer.

    Returns the path of the product's page, empty in a store without pages.
    """
    _countries()
    _offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    kind = get_model("catalogue", "ProductClass").objects.create(name="Tea", track_stock=True)
    product = get_model("catalogue", "Product").objects.create(
        title=TITLE, slug="earl-grey", product_class=kind, structure="standalone", is_public=True
    )
    get_model("partner", "StockRecord").objects.create(
        product=product,
        partner=get_model("partner", "Partner").objects.create(name="Warehouse"),
        partner_sku="tea-1",
        price_currency=settings.OSCAR_DEFAULT_CURRENCY,
        price=PRICE,
        num_in_stock=100,
    )
    try:
        return str(product.get_absolute_url())
    except NoReverseMatch:
        return ""


def _countries() -> None:
    """Two, because with one Oscar asks for none."""
    for alpha2, alpha3, numeric, name in (
        ("US", "USA", "840", "United States"),
        ("CA", "CAN", "124", "Canada"),
    ):
        get_model("address", "Country").objects.create(
            iso_3166_1_a2=alpha2,
            iso_3166_1_a3=alpha3,
            iso_3166_1_numeric=numeric,
            printable_name=name,
            name=name,
            is_shipping_country=True,
        )


def _offer(name: str) -> None:
    """10 % off everything, for whoever has a code."""
    condition, benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
    offer = get_model("offer", "ConditionalOffer")
    everything = get_model("offer", "Range").objects.create(name="Everything", includes_all_products=True)
    offer.objects.create(
        name=name,
        offer_type=offer.VOUCHER,
        condition=condition.objects.create(range=everything, type=condition.COUNT, value=1),
        benefit=benefit.objects.create(range=everything, type=benefit.PERCENTAGE, value=10),
    )
