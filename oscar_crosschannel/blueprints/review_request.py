"""Two weeks after an order: would you write what you think of it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_lazy as _

from ..core.plan import After, Blueprint, Context, On, Run, send
from ..oscar import products, reviews
from ..services import conditions
from .bought import Bought


class ReviewRequest(Bought, Blueprint):
    """Asking for reviews"""

    # A topic of its own: courts take a request for a review as advertising, and who agreed to offers
    # has not agreed to questions.
    topic = "reviews"
    start = On("order.placed")
    stops = (On("order.voided", same="order"),)
    priority = 65

    glossary = {
        **Bought.glossary,
        "items": _("The things that were bought and not reviewed yet"),
        "items.link": _("Leads to the page on which one reviews it"),
    }

    ask = send("email", at=After(days=14), expires=After(days=21))

    def wanted(self, runs: Sequence[Run]) -> Mapping[int, Sequence[int]]:
        """What the person has not reviewed yet; nothing in a shop without reviews."""
        people = conditions.people_of({run.contact_id: run.user_id for run in runs})
        asked = {run.message_id: people[run.contact_id] for run in runs}
        return {run.message_id: () for run in runs} | reviews.not_written(asked, super().wanted(runs))

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        """Who has nothing to review gets no context."""
        found = super().context(runs)
        return {message_id: said for message_id, said in found.items() if said.values["items"]}

    def path_of(self, card: products.Card) -> str:
        return reviews.page_of(card.product)
