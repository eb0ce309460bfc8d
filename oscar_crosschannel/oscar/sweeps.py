"""What happened in baskets, found without a signal: the authority on idle baskets.

Quantity edits, API calls, merges and admin changes raise no signal of Oscar's; they all move
`Line.date_updated`, which is indexed. Driven from there the search costs what changed, not what exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Exists, Max, OuterRef, Q
from oscar.core.loading import get_model

from ..core.events import Event
from ..models import Belonging
from . import orders
from .baskets import LIVE

BasketLine = get_model("basket", "Line")


def basket_activity(since: datetime, now: datetime) -> Iterator[Event]:
    """One `basket.active` per basket with a change in (since, now], as of its last change.

    Left out: baskets that were bought, and those of visitors of whom nothing is known.
    """
    bought = orders.converting().filter(basket_id=OuterRef("basket_id"))
    of_a_guest = Belonging.objects.filter(kind="basket", object_id=OuterRef("basket_id"))
    active = (
        BasketLine.objects.filter(
            Q(basket__owner__isnull=False) | Exists(of_a_guest),
            ~Exists(bought),
            date_updated__gt=since,
            date_updated__lte=now,
            basket__status__in=LIVE,
        )
        .order_by()
        .values_list("basket_id", "basket__owner_id")
        .annotate(last=Max("date_updated"))
    )
    for basket_id, owner_id, last in active.iterator():
        yield Event(
            name="basket.active",
            key=f"basket:{basket_id}:swept",  # its own: what a request told knows more of the person
            occurred_at=last,
            user_id=owner_id,
            subjects={"basket": basket_id},
        )
