"""Products as messages show them: what sells, what goes with what, and which page is whose."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import translation
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.oscar import products

ProductRecord = get_model("analytics", "ProductRecord")
ProductRecommendation = get_model("catalogue", "ProductRecommendation")

pytestmark = pytest.mark.django_db


def sold(title: str, times: int, **fields: Any) -> Any:
    """A product of the shop that was bought so often."""
    product = factories.create_product(title=title, **{"price": Decimal("8.50"), "num_in_stock": 9, **fields})
    ProductRecord.objects.create(product=product, num_purchases=times)
    return product


def titles(cards: list[products.Card]) -> list[str]:
    return [card.words()["title"] for card in cards]


def ordered(*things: Any) -> Any:
    basket = factories.create_basket(empty=True)
    for thing in things:
        basket.add_product(thing)
    return factories.create_order(basket=basket)


# it works


def test_what_is_bought_most_comes_first() -> None:
    sold("Assam", 3)
    sold("Earl Grey", 7)
    sold("Sencha", 5)
    assert titles(products.best_sellers(2)) == ["Earl Grey", "Sencha"]


def test_the_variants_of_a_product_are_one() -> None:
    parent = factories.create_product(structure="parent", title="Shirt")
    sold("Shirt M", 9, parent=parent)
    sold("Shirt L", 8, parent=parent)
    (card,) = products.best_sellers(4)
    assert (card.product, card.words()["price"]) == (parent, "$8.50")


def test_a_card_says_price_and_picture_and_leads_to_the_product(settings: Any) -> None:
    settings.CROSSCHANNEL_BASE_URL = "https://shop.example"
    tea = sold("Earl Grey", 1)
    factories.create_product_image(tea, original=ContentFile(b"GIF89a", name="tea.gif"))
    (card,) = products.best_sellers(1)
    with translation.override("de"):
        words = card.words()
    assert words["price"] == "8,50\xa0$"
    assert words["picture"].startswith("https://shop.example/media/images/products/tea")
    assert products.at(card.path) == tea.pk


def test_after_an_order_what_the_shop_recommends_comes_before_what_sells() -> None:
    tea, pot = sold("Earl Grey", 9), factories.create_product(title="Teapot", price=30, num_in_stock=3)
    sold("Assam", 5)
    order, other = ordered(tea), ordered(factories.create_product(title="Cup", price=3, num_in_stock=9))
    ProductRecommendation.objects.create(primary=tea, recommendation=pot, ranking=1)
    found = products.recommended_after([order.pk, other.pk], 2)
    assert titles(found[order.pk]) == ["Teapot", "Assam"]
    assert titles(found[other.pk]) == ["Assam"]


@pytest.mark.parametrize("count", [1, 20])
def test_the_statements_do_not_grow_with_what_is_shown(
    count: int, django_assert_max_num_queries: Any
) -> None:
    parent = factories.create_product(structure="parent", title="Shirt")
    for number in range(count):
        sold(f"Tea {number}", number + 1)
        sold(f"Shirt {number}", 1, parent=parent)
    with django_assert_max_num_queries(7):
        cards = products.best_sellers(count)
        assert len([card.words() for card in cards]) == count


# it refuses


def test_hidden_and_sold_out_products_are_not_recommended() -> None:
    sold("Gone", 9, num_in_stock=0)
    hidden = sold("Secret", 8)
    type(hidden).objects.filter(pk=hidden.pk).update(is_public=False)
    sold("Earl Grey", 1)
    assert titles(products.best_sellers(2)) == ["Earl Grey"]


def test_a_shop_that_has_sold_nothing_has_no_best_sellers() -> None:
    factories.create_product(title="Earl Grey", price=5, num_in_stock=9)
    assert products.best_sellers(3) == []


@pytest.mark.parametrize(
    "path", ["/", "/cc/r/AAEwmeYxq1KI4_k8/", "/catalogue/", "/basket/", "/nowhere/", "/#", "//"]
)
def test_no_other_page_is_a_product(path: str) -> None:
    assert products.at(path) is None


# it survives


def test_a_products_address_is_known_with_a_query_behind_it() -> None:
    tea = sold("Earl Grey", 1)
    assert products.at(f"{tea.get_absolute_url()}?from=mail#more") == tea.pk


def test_an_order_that_is_gone_gets_what_sells() -> None:
    sold("Assam", 5)
    assert titles(products.recommended_after([4711], 2)[4711]) == ["Assam"]


def test_what_has_no_price_is_shown_without() -> None:
    tea = sold("Earl Grey", 1)
    tea.stockrecords.update(price=None)
    assert products.cards([tea.pk])[tea.pk].words()["price"] == ""
