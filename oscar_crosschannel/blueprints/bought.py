"""What was bought with an order, for messages that follow it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.utils import translation
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy as _

from ..core.plan import About, Context, Run
from ..oscar import orders, products

#: A message shows so many things; mail clients cut long mails.
SHOWN = 10


class Bought(About):
    """The things of an order that are still in the shop."""

    glossary = {
        "order": _("Number of the order"),
        "items": _("The things that were bought, the first %(count)d of them") % {"count": SHOWN},
        "items.title": _("Name of a thing"),
        "items.price": _("Its price now; empty if the shop does not say"),
        "items.picture": _("Address of its picture; empty if it has none"),
        "items.link": _("Leads to it"),
        "links.shop": _("Leads to the shop"),
    }

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        wanted = self.wanted(runs)
        cards = products.cards({product for ids in wanted.values() for product in ids})
        numbers = orders.numbers({run.subjects["order"] for run in runs})
        return {
            run.message_id: self._said(
                run.language,
                numbers.get(run.subjects["order"], ""),
                [cards[pk] for pk in wanted[run.message_id] if pk in cards],
            )
            for run in runs
        }

    def wanted(self, runs: Sequence[Run]) -> Mapping[int, Sequence[int]]:
        """By message id: the products to speak of."""
        bought = products.bought_in({run.subjects["order"] for run in runs})
        return {run.message_id: bought.get(run.subjects["order"], ()) for run in runs}

    def path_of(self, card: products.Card) -> str:
        """Where the link of a thing leads, in the active language."""
        return card.path

    def occasion(self, run: Run) -> str:
        day = date_format(localtime(run.anchor), "DATE_FORMAT")
        return gettext("You placed an order on %(day)s.") % {"day": day}

    def example(self) -> Context:
        words = products.example()
        links = {f"items.{number}": "/" for number in range(len(words))}
        return Context(values={"order": "100023", "items": words}, links={"shop": "/", **links})

    def _said(self, language: str, number: str, cards: Iterable[products.Card]) -> Context:
        with translation.override(language):
            shown = list(cards)[:SHOWN]
            paths = {f"items.{number}": self.path_of(card) for number, card in enumerate(shown)}
            values = {"order": number, "items": [card.words() for card in shown]}
            return Context(values=values, links={"shop": "/", **paths})
