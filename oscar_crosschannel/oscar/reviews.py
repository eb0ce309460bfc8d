"""What customers wrote about products, and the pages on which they can."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.text import Truncator
from oscar.core.loading import feature_hidden, get_model

from ..core.ports import Person

ProductReview = get_model("reviews", "ProductReview")

#: Of five: what is quoted.
_GOOD = 4
#: Longer reviews are cut at a word.
_LONGEST = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What somebody wrote about a product, as the shop shows it."""

    review: Any

    @property
    def path(self) -> str:
        """The page of the product, in the active language."""
        url: str = self.review.product.get_absolute_url()
        return url

    def words(self) -> dict[str, str]:
        """Plain values for templates: title, body, by, and what it is about."""
        return {
            "title": self.review.title,
            "body": Truncator(self.review.body).chars(_LONGEST),
            "by": str(self.review.reviewer_name),
            "product": self.review.product.get_title(),
        }


def are_shown() -> bool:
    """Whether the shop has reviews at all."""
    return not feature_hidden("reviews")


def best(count: int) -> list[Quote]:
    """The good reviews that shoppers found most helpful, one of each product. One statement.

    Only where somebody reads a review before it is approved: without OSCAR_MODERATE_REVIEWS Oscar approves
    all by itself, and whoever writes one would speak in the shop's emails.
    """
    if not (are_shown() and settings.OSCAR_MODERATE_REVIEWS):
        return []
    good = ProductReview.objects.approved().filter(
        score__gte=_GOOD, product__is_public=True, product__parent=None
    )
    helpful = good.select_related("product", "user").order_by("-delta_votes", "-score", "-pk")
    by_product: dict[int, Quote] = {}
    for review in helpful[: count * 5]:
        by_product.setdefault(review.product_id, Quote(review=review))
    return list(by_product.values())[:count]


def not_written(people: Mapping[int, Person], wanted: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    """Of the products `wanted` of each person, by any key, those that they may review and have not. One statement."""
    if not are_shown():
        return {}
    every = {product for products in wanted.values() for product in products}
    written = _written(people.values(), every)
    return {
        key: [product for product in products if not written & _marks(people[key], product)]
        for key, products in wanted.items()
        if people[key].user_id is not None or getattr(settings, "OSCAR_ALLOW_ANON_REVIEWS", True)
    }


def page_of(product: Any) -> str:
    """Where a review of it is written, in the active language."""
    return reverse("catalogue:reviews-add", kwargs={"product_slug": product.slug, "product_pk": product.pk})


def _written(people: Collection[Person], products: Collection[int]) -> set[tuple[int, Any]]:
    users = {person.user_id for person in people if person.user_id is not None}
    emails = {email for person in people for email in person.emails}
    theirs = ProductReview.objects.annotate(by_email=Lower("email")).filter(
        Q(user__in=users) | Q(by_email__in=emails), product__in=products
    )
    return {
        (product, mark)
        for product, user, email in theirs.values_list("product_id", "user_id", "by_email")
        for mark in (user, email)
        if mark
    }


def _marks(person: Person, product: int) -> set[tuple[int, Any]]:
    return {(product, mark) for mark in (person.user_id, *person.emails) if mark}
