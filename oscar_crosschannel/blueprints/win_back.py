"""A customer stays away: an email with what they might like, and a code by text a week later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.utils import translation
from django.utils.translation import gettext, gettext_lazy as _

from ..core.plan import After, Blueprint, Context, On, Run, send
from ..oscar import orders, products
from .shopfront import PRODUCT_GLOSSARY, PRODUCTS, example_of_products, shown


class WinBack(Blueprint):
    """Customers who stay away"""

    topic = "weekly_deals"
    start = On("customer.lapsed")
    stops = (On("order.placed"),)
    priority = 60

    glossary = {
        "recommendations": _(
            "What goes with their last order, then what sells best, up to %(count)d products"
        )
        % {"count": PRODUCTS},
        **PRODUCT_GLOSSARY,
        "links.shop": _("Leads to the shop"),
    }

    hello = send("email", at=After(minutes=0))
    code = send(
        "sms", at=After(days=7), expires=After(days=10), voucher=True, voucher_valid=timedelta(days=7)
    )

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Who is back needs no bringing back."""
        buyers = orders.buyers(runs)
        return {run.message_id for run in runs if run.contact_id not in buyers}

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        found = products.recommended_after({run.subjects["order"] for run in runs}, PRODUCTS)
        return {run.message_id: _context(run.language, found[run.subjects["order"]]) for run in runs}

    def occasion(self, run: Run) -> str:
        return gettext("You have ordered from us before, and not for some time.")

    def example(self) -> Context:
        recommended = example_of_products()
        return Context(values=recommended.values, links={"shop": "/", **recommended.links})


def _context(language: str, cards: Sequence[products.Card]) -> Context:
    with translation.override(language):
        recommended = shown(cards)
    return Context(values=recommended.values, links={"shop": "/", **recommended.links})
