"""A basket is left behind: an email after an hour of silence, a text with a code after a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils import translation

from ..conf import settings
from ..core.plan import After, Blueprint, Context, On, Run, send
from ..oscar import baskets, orders
from ..services import conditions, links

#: A message shows this many lines of a basket and counts the rest; mail clients cut long mails.
SHOWN = 10


class AbandonedCart(Blueprint):
    """Baskets left behind"""

    topic = "basket_reminders"
    start = On("basket.active", one_run=True, again_after=timedelta(days=7))
    stops = (On("order.placed"),)
    clicks_answer = True
    priority = 30

    nudge = send("email", at=After(hours=1))
    code = send("sms", at=After(hours=24), expires=After(hours=48), voucher=True)

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        """What lies in the basket now. A basket with nothing to show gets no context."""
        basket_ids = _basket_ids(runs)
        loaded = baskets.load(set(basket_ids.values()))
        return {
            run.message_id: _context(run, loaded[basket_ids[run.message_id]])
            for run in runs
            if basket_ids[run.message_id] in loaded
        }

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Neither the basket nor the person bought, and something is left to come back for."""
        basket_ids = _basket_ids(runs)
        changed = baskets.last_changes(basket_ids.values())
        bought_baskets = orders.ordered(basket_ids.values())
        buyers = _buyers(runs)
        return {
            run.message_id
            for run in runs
            if run.contact_id not in buyers
            and (basket_id := basket_ids[run.message_id]) in changed
            and basket_id not in bought_baskets
            and run.anchor - changed[basket_id] <= settings.CART_MAX_AGE
        }


def _basket_ids(runs: Iterable[Run]) -> dict[int, int]:
    """Message id → the basket that holds the run's things today."""
    started_with = {run.message_id: run.subjects["basket"] for run in runs}
    today = baskets.follow_merges({run.subjects["basket"]: run.user_id for run in runs})
    return {message_id: today[basket_id] for message_id, basket_id in started_with.items()}


def _buyers(runs: Sequence[Run]) -> set[int]:
    people = conditions.people_of({run.contact_id: run.user_id for run in runs})
    return orders.has_bought(list(people.values()), {run.contact_id: run.anchor for run in runs})


def _context(run: Run, basket: Any) -> Context:
    with translation.override(run.language):
        words = baskets.describe(basket).words()
    items = words["items"]
    return Context(
        values={**words, "items": items[:SHOWN], "more": max(0, len(items) - SHOWN)},
        links={"basket": links.recover_path(run.message_id)},
    )
