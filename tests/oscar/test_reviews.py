"""Which reviews are good enough to be quoted."""

from __future__ import annotations

from typing import Any

import pytest
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.oscar import reviews

ProductReview = get_model("reviews", "ProductReview")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop_that_reads_reviews(settings: Any) -> None:
    settings.OSCAR_HIDDEN_FEATURES, settings.OSCAR_MODERATE_REVIEWS = [], True


def write(*, approve: bool = True) -> Any:
    """A guest's review, as Oscar takes it, and as staff approves it."""
    product = factories.create_product(title="Earl Grey", price=8, num_in_stock=9)
    review = ProductReview.objects.create(
        product=product, score=5, title="Every morning", body="The best.", name="Rosa", email="r@example.com"
    )
    if approve:
        ProductReview.objects.update(status=ProductReview.APPROVED)
    return review


def test_what_staff_approved_is_quoted() -> None:
    write()
    assert [quote.words()["title"] for quote in reviews.best(2)] == ["Every morning"]


def test_what_nobody_has_read_is_not_quoted() -> None:
    write(approve=False)
    assert reviews.best(2) == []


def test_a_shop_that_does_not_read_reviews_quotes_no_stranger(settings: Any) -> None:
    settings.OSCAR_MODERATE_REVIEWS = False
    review = write(approve=False)
    assert review.status == ProductReview.APPROVED, "Oscar does so by itself"
    assert reviews.best(2) == []
