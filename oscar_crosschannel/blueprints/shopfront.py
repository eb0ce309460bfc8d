"""What a shop says of itself to whoever has just signed up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import translation
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy as _

from ..conf import settings
from ..core.plan import About, Context, Run
from ..oscar import products, reviews

#: So many products, and so many reviews, are shown at most.
PRODUCTS, REVIEWS = 4, 3
#: What the names of a product in a list mean.
PRODUCT_GLOSSARY: Mapping[str, Any] = {
    "recommendations.title": _("Name of a product"),
    "recommendations.price": _("Its price; empty if the shop does not say"),
    "recommendations.picture": _("Address of its picture; empty if it has none"),
    "recommendations.link": _("Leads to it"),
}


class Shopfront(About):
    """The shop's mission, what sells best, and what its customers say."""

    glossary = {
        "mission": _("What the shop stands for, from the setting CROSSCHANNEL_MISSION; may be empty"),
        "support": _("Where customers get help; may be empty"),
        "recommendations": _("What sells best, up to %(count)d products") % {"count": PRODUCTS},
        **PRODUCT_GLOSSARY,
        "reviews": _("The best reviews, up to %(count)d; none if the shop has none") % {"count": REVIEWS},
        "reviews.title": _("Headline of a review"),
        "reviews.body": _("What somebody wrote, cut if it is long"),
        "reviews.by": _("Who wrote it, as the shop shows it"),
        "reviews.product": _("Name of the product it is about"),
        "reviews.link": _("Leads to that product"),
        "links.shop": _("Leads to the shop"),
    }

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        sellers, quotes = products.best_sellers(PRODUCTS), reviews.best(REVIEWS)
        return {run.message_id: _shopfront(run.language, sellers, quotes) for run in runs}

    def occasion(self, run: Run) -> str:
        day = date_format(localtime(run.anchor), "DATE_FORMAT")
        return gettext("You signed up for our messages on %(day)s.") % {"day": day}

    def example(self) -> Context:
        review = {
            "title": gettext("Every morning"),
            "body": gettext("The first cup of the day, and the best."),
            "by": "Rosa",
            "product": gettext("Earl Grey"),
        }
        recommended = example_of_products()
        return Context(
            values={
                "mission": str(settings.MISSION)
                or gettext("We look for good things, and say where they come from."),
                "support": settings.SUPPORT_CONTACT,
                "reviews": [review],
                **recommended.values,
            },
            links={"shop": "/", "reviews.0": "/", **recommended.links},
        )


class Registration(Shopfront):
    """The same to whoever has just opened an account."""

    def occasion(self, run: Run) -> str:
        day = date_format(localtime(run.anchor), "DATE_FORMAT")
        return gettext("You opened an account with us on %(day)s.") % {"day": day}


def shown(cards: Iterable[products.Card]) -> Context:
    """Products as `recommendations`, each with its link, in the active language."""
    cards = list(cards)
    return Context(
        values={"recommendations": [card.words() for card in cards]},
        links={f"recommendations.{number}": card.path for number, card in enumerate(cards)},
    )


def example_of_products() -> Context:
    """Made-up `recommendations`, in the active language."""
    words = products.example()
    return Context(
        values={"recommendations": words},
        links={f"recommendations.{number}": "/" for number in range(len(words))},
    )


def _shopfront(language: str, sellers: Sequence[products.Card], quotes: Sequence[reviews.Quote]) -> Context:
    with translation.override(language):
        recommended = shown(sellers)
        values = {
            "mission": str(settings.MISSION),
            "support": settings.SUPPORT_CONTACT,
            "reviews": [quote.words() for quote in quotes],
        }
        paths = {f"reviews.{number}": quote.path for number, quote in enumerate(quotes)}
    return Context(values={**values, **recommended.values}, links={"shop": "/", **recommended.links, **paths})
