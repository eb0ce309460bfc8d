"""What nobody signals, found by searching: activity in baskets, and customers who stay away.

For baskets this is the authority. Quantity edits, API calls, merges and admin changes raise no signal of Oscar's; they all move
`Line.date_updated`, which is indexed. Driven from there the search costs what changed, not what exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import Exists, Max, OuterRef, Q
from django.db.models.functions import Lower
from oscar.core.loading import get_model

from ..conf import settings
from ..core.events import Event
from ..core.facts import EMAIL
from ..core.ports import Person
from ..models import Belonging, Contact, ContactPoint
from . import orders
from .baskets import LIVE

BasketLine = get_model("basket", "Line")

#: Last orders that are looked into by one statement.
_AT_ONCE = 200


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


def lapsed_customers(since: datetime, now: datetime) -> Iterator[Event]:
    """One `customer.lapsed` for each order that in (since, now] has been its customer's last for LAPSED_AFTER.

    Left out: people of whom nothing is known. Driven from the index over the dates of orders.
    """
    known = Exists(Contact.objects.filter(user=OuterRef("user")))
    as_guest = ContactPoint.objects.filter(channel=EMAIL, address=Lower(OuterRef("guest_email")))
    placed = (
        orders.converting()
        .filter(known | Exists(as_guest))
        .filter(date_placed__gt=since - settings.LAPSED_AFTER, date_placed__lte=now - settings.LAPSED_AFTER)
        .select_related("user")
        .only("user_id", "guest_email", "date_placed", "user__email")
        .order_by("date_placed")
    )
    found = placed.iterator()
    while batch := list(islice(found, _AT_ONCE)):
        came_back = orders.has_bought(
            [_customer(order) for order in batch], {order.pk: order.date_placed for order in batch}
        )
        yield from (_lapsed(order) for order in batch if order.pk not in came_back)


def _customer(order: Any) -> Person:
    """Who placed an order, under its id."""
    emails = {order.guest_email, order.user.email if order.user else ""}
    return Person(
        contact_id=order.pk,
        user_id=order.user_id,
        emails=frozenset(email.lower() for email in emails if email),
        phones=frozenset(),
    )


def _lapsed(order: Any) -> Event:
    return Event(
        name="customer.lapsed",
        key=f"order:{order.pk}",
        occurred_at=order.date_placed + settings.LAPSED_AFTER,
        user_id=order.user_id,
        email="" if order.user_id else order.guest_email,
        subjects={"order": order.pk},
    )
