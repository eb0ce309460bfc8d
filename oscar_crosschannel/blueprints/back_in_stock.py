"""What somebody waited for can be bought again: one message, on the channel they like best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils import translation
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy as _

from ..core.facts import EMAIL, SMS
from ..core.plan import After, Blueprint, Context, On, Run, send
from ..oscar import product_alerts, products


class BackInStock(Blueprint):
    """Back in stock"""

    topic = "stock_alerts"
    priority = 20
    start = On(product_alerts.BACK)
    glossary = {
        "title": _("Name of the product"),
        "price": _("What it costs; empty if the shop does not say"),
        "picture": _("Address of its picture; empty if it has none"),
        "links.product": _("Leads to the product"),
    }

    # email first: it may go at any hour, so that nothing is sold out again before a text may go
    word = send(EMAIL, SMS, at=After(minutes=0), expires=After(hours=24))

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        found = product_alerts.returns(runs)
        return {
            run.message_id: _context(run, found[run.message_id]) for run in runs if run.message_id in found
        }

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """It can still be bought, and the person neither did so nor gave up waiting."""
        return set(product_alerts.returns(runs))

    def occasion(self, run: Run) -> str:
        day = date_format(localtime(run.anchor), "DATE_FORMAT")
        return gettext("You asked to be told when something is back, and on %(day)s it was.") % {"day": day}

    def example(self) -> Context:
        teapot, *_others = products.example()
        return Context(values=_said(teapot), links={"product": "/"})


def _context(run: Run, card: products.Card) -> Context:
    with translation.override(run.language):
        return Context(values=_said(card.words()), links={"product": card.path})


def _said(words: Mapping[str, str]) -> dict[str, str]:
    return {name: words.get(name, "") for name in ("title", "price", "picture")}
