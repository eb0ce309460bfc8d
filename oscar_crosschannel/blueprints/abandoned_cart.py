"""A basket is left behind: an email after an hour of silence, a text with a code after a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings as django_settings
from django.utils import translation
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy as _, ngettext

from ..conf import settings
from ..core.plan import After, Blueprint, Context, On, Run, send
from ..oscar import baskets, orders
from ..services import links

#: A message shows this many lines of a basket and counts the rest; mail clients cut long mails.
SHOWN = 10


class AbandonedCart(Blueprint):
    """Baskets left behind"""

    topic = "basket_reminders"
    start = On("basket.active", one_run=True, again_after=timedelta(days=7))
    stops = (On("order.placed"),)
    clicks_answer = True
    priority = 30

    glossary = {
        "items": _("The things in the basket, the first %(count)d of them") % {"count": SHOWN},
        "items.title": _("Name of a thing, with the options chosen"),
        "items.quantity": _("How many of it"),
        "items.unit_price": _("Price of one, before offers"),
        "items.price": _("Price of all of them, after the shop’s offers"),
        "items.full_price": _("That price before the offers; empty if no offer makes it cheaper"),
        "items.is_available": _("Whether so many can be bought now"),
        "items.availability": _("The same in words"),
        "items.picture": _("Address of its picture; empty if it has none"),
        "count": _("How many pieces are in the basket"),
        "total": _("What it all costs"),
        "more": _("How many lines of the basket are not among the items; 0 if all are"),
        "links.basket": _("Leads back to the basket"),
    }

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

    def occasion(self, run: Run) -> str:
        count = baskets.count_pieces(_basket_ids([run])[run.message_id])
        words = {"count": count, "day": date_format(localtime(run.anchor), "DATE_FORMAT")}
        if not count:
            return gettext("You left something in your basket on %(day)s.") % words
        return (
            ngettext(
                "You left %(count)d thing in your basket on %(day)s.",
                "You left %(count)d things in your basket on %(day)s.",
                count,
            )
            % words
        )

    def example(self) -> Context:
        items = (_piece(gettext("Blue teapot"), 1, "34.50", "27.60"), _piece(gettext("Earl Grey"), 2, "8.50"))
        words = baskets.Content(items=items, currency=django_settings.OSCAR_DEFAULT_CURRENCY).words()
        return Context(values={**words, "more": 0}, links={"basket": "/"})

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Neither the basket nor the person bought, and something is left to come back for."""
        basket_ids = _basket_ids(runs)
        changed = baskets.last_changes(basket_ids.values())
        bought_baskets = orders.ordered(basket_ids.values())
        buyers = orders.buyers(runs)
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


def _context(run: Run, basket: Any) -> Context:
    with translation.override(run.language):
        words = baskets.describe(basket).words()
    items = words["items"]
    return Context(
        values={**words, "items": items[:SHOWN], "more": max(0, len(items) - SHOWN)},
        links={"basket": links.recover_path(run.message_id)},
    )


def _piece(title: str, quantity: int, unit_price: str, price: str = "") -> baskets.Item:
    """A made-up line of a basket; with a `price`, cheaper by an offer."""
    full_price = Decimal(unit_price) * quantity
    return baskets.Item(
        title=title,
        quantity=quantity,
        unit_price=Decimal(unit_price),
        price=Decimal(price) if price else full_price,
        full_price=full_price,
        is_available=True,
        availability=gettext("In stock"),
        picture="",
    )
