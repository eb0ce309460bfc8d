"""Somebody opens a product from an email and does not buy it: a text with a code the day after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.utils import translation
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy as _

from ..core.plan import After, Blueprint, Context, On, Run, send
from ..oscar import orders, products
from ..services import conditions
from ..services.clicks import PRODUCT_CLICKED

#: Who bought the product so shortly before they looked at it again wants to see what they bought.
JUST_BOUGHT = timedelta(days=7)


class FollowUp(Blueprint):
    """Looked at, not bought"""

    topic = "weekly_deals"
    start = On(PRODUCT_CLICKED, one_run=True, again_after=timedelta(days=7))
    priority = 45

    glossary = {
        "product.title": _("Name of the product"),
        "product.price": _("Its price; empty if the shop does not say"),
        "product.picture": _("Address of its picture; empty if it has none"),
        "links.product": _("Leads to it"),
    }

    code = send("sms", at=After(hours=24), expires=After(hours=48), voucher=True)

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Nobody is offered what they have bought by now."""
        people = conditions.people_of({run.contact_id: run.user_id for run in runs})
        wanted = {run.contact_id: run.subjects["product"] for run in runs}
        since = {run.contact_id: run.anchor - JUST_BOUGHT for run in runs}
        buyers = orders.buyers_of(list(people.values()), wanted, since)
        return {run.message_id for run in runs if run.contact_id not in buyers}

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        """The product. One that nobody can buy any more has no context."""
        cards = products.on_sale({run.subjects["product"] for run in runs})
        return {
            run.message_id: _context(run.language, cards[product])
            for run in runs
            if (product := run.subjects["product"]) in cards
        }

    def occasion(self, run: Run) -> str:
        day = date_format(localtime(run.anchor), "DATE_FORMAT")
        return gettext("You looked at something from one of our emails on %(day)s.") % {"day": day}

    def example(self) -> Context:
        return Context(values={"product": products.example()[0]}, links={"product": "/"})


def _context(language: str, card: products.Card) -> Context:
    with translation.override(language):
        return Context(values={"product": card.words()}, links={"product": card.path})
