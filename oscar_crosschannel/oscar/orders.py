"""Which orders count as a purchase, and whose they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.functions import Lower
from oscar.core.loading import get_model

from ..conf import settings
from ..core.plan import Run
from ..core.ports import Person
from ..services import conditions

Order = get_model("order", "Order")

#: What an order says of its customer, as columns of `_of_people`, and when it was placed.
_MARKS = ("user_id", "guest", "account", "shipping_address__phone_number", "date_placed")


def converting() -> Any:
    """Orders that are a purchase, or may become one: all but those that came to nothing."""
    return Order.objects.exclude(status__in=settings.NON_CONVERTING_STATUSES)


def voided() -> Any:
    """Orders that came to nothing, such as those whose payment was declined."""
    return Order.objects.filter(status__in=settings.NON_CONVERTING_STATUSES)


def numbers(order_ids: Collection[int]) -> dict[int, str]:
    """By order: its number as customers know it. One statement."""
    return dict(Order.objects.filter(pk__in=order_ids).values_list("pk", "number"))


def ordered(basket_ids: Collection[int]) -> set[int]:
    """The baskets that became an order, whatever their status says.

    A basket may stay Frozen (APIs) or Open (an error after the order) although it was bought.
    """
    return set(converting().filter(basket_id__in=basket_ids).values_list("basket_id", flat=True))


def has_bought(people: Sequence[Person], since: Mapping[int, datetime]) -> set[int]:
    """The contact ids with an order after `since[contact_id]`, found by account, email or phone."""
    people = [person for person in people if person.contact_id in since]
    if not people:
        return set()
    latest = _latest_orders(people, min(since[person.contact_id] for person in people))
    return {
        person.contact_id
        for person in people
        if any(
            latest.get(mark, since[person.contact_id]) > since[person.contact_id] for mark in _marks(person)
        )
    }


def buyers(runs: Sequence[Run]) -> set[int]:
    """The contact ids of those runs whose person has bought since the run's anchor."""
    people = conditions.people_of({run.contact_id: run.user_id for run in runs})
    return has_bought(list(people.values()), {run.contact_id: run.anchor for run in runs})


def buyers_of(
    people: Sequence[Person], products: Mapping[int, int], since: Mapping[int, datetime]
) -> set[int]:
    """The contact ids whose person bought `products[contact_id]`, in whichever variant, after `since[contact_id]`."""
    people = [person for person in people if person.contact_id in products]
    if not people:
        return set()
    wanted = set(products.values())
    placed = (
        _of_people(people, min(since[person.contact_id] for person in people))
        .filter(Q(lines__product__in=wanted) | Q(lines__product__parent__in=wanted))
        .order_by("date_placed")
        .values_list(*_MARKS, "lines__product_id", "lines__product__parent_id")
    )
    latest = {
        (mark, product): at
        for *marks, at, own, parent in placed
        for mark in _marks_of(marks)
        for product in (own, parent)
    }
    return {
        pk
        for person in people
        if any(
            latest.get((mark, products[pk := person.contact_id]), since[pk]) > since[pk]
            for mark in _marks(person)
        )
    }


def _latest_orders(people: Sequence[Person], since: datetime) -> dict[tuple[str, Any], datetime]:
    """By each mark of a person: when the last order that carries it was placed. One statement."""
    latest: dict[tuple[str, Any], datetime] = {}
    for *marks, at in _of_people(people, since).order_by("date_placed").values_list(*_MARKS):
        latest |= dict.fromkeys(_marks_of(marks), at)
    return latest


def _of_people(people: Sequence[Person], since: datetime) -> Any:
    """The orders after `since` that carry a mark of any of these people."""
    marks = {mark for person in people for mark in _marks(person)}
    wanted = {kind: [value for of, value in marks if of == kind] for kind in ("user", "email", "phone")}
    return (
        converting()
        .filter(date_placed__gt=since)
        .annotate(guest=Lower("guest_email"), account=Lower("user__email"))
        .filter(
            Q(user_id__in=wanted["user"])
            | Q(guest__in=wanted["email"])
            | Q(account__in=wanted["email"])
            | Q(shipping_address__phone_number__in=wanted["phone"])
        )
    )


def _marks_of(columns: Sequence[Any]) -> tuple[tuple[str, Any], ...]:
    """What an order carries, of its `_MARKS`."""
    user_id, guest, account, phone = columns
    number = phone.as_e164 if phone else None
    return ("user", user_id), ("email", guest), ("email", account), ("phone", number)


def _marks(person: Person) -> Iterator[tuple[str, Any]]:
    """What an order of this person may carry."""
    if person.user_id is not None:
        yield "user", person.user_id
    yield from _pairs("email", person.emails)
    yield from _pairs("phone", person.phones)


def _pairs(kind: str, values: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((kind, value) for value in values if value)
