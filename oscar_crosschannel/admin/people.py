"""How a contact is named in lists, and found by what a merchant types."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from django.db.models import Q, QuerySet
from django.db.models.functions import Right

from ..core.facts import EMAIL, SMS
from ..models import Contact, ContactPoint
from ..models.contacts import LAST_DIGITS

#: A search goes on with so many people at most.
MOST = 200
#: Fewer letters than these begin too many addresses.
_FEWEST_LETTERS = 3
_PHONE = re.compile(r"[\d\s()+./-]+")
_ID = re.compile(r"#\d{1,18}")


def address(contact: Contact, channel: str) -> str:
    """The address in use on a channel; reads `contact.points`, which lists prefetch."""
    return next((p.address for p in contact.points.all() if p.channel == channel and p.current), "")


def label(contact: Contact) -> str:
    """Name and an address, as far as known: "Ann, ann@example.com"."""
    reached_at = address(contact, EMAIL) or address(contact, SMS)
    return ", ".join(filter(None, [contact.name, reached_at])) or f"#{contact.pk}"


def found(term: str) -> list[int]:
    """Ids of at most `MOST` + 1 contacts that `term` may mean; each way of looking is one range of an index.

    An email is found by its beginning, a number by its last digits or its beginning with "+", a
    name only as a whole.
    """
    points = ContactPoint.objects.alias(last_digits=Right("address", LAST_DIGITS)).order_by()
    contacts = points.values_list("contact_id", flat=True)
    number = re.sub(r"[^\d+]", "", term)
    if _ID.fullmatch(term):
        return list(Contact.objects.filter(pk=int(term[1:])).values_list("pk", flat=True))
    if _PHONE.fullmatch(term) and len(number) >= LAST_DIGITS:
        return _unique(contacts.filter(_is_number(number), channel=SMS))
    by_email = contacts.filter(address__startswith=term.lower(), channel=EMAIL)
    if "@" in term:
        return _unique(by_email)
    named = Contact.objects.filter(name__iexact=term).values_list("pk", flat=True)
    return _unique(named, by_email if len(term) >= _FEWEST_LETTERS else [])


def matching(term: str) -> QuerySet[Contact]:
    """The contacts that `found` finds."""
    return Contact.objects.filter(pk__in=found(term)[:MOST])


def lives(contact_ids: Collection[int]) -> list[int]:
    """Ids of these contacts and of those merged into them, with whom their messages of old stay."""
    return [*contact_ids, *Contact.objects.filter(merged_into__in=contact_ids).values_list("pk", flat=True)]


def _is_number(typed: str) -> Q:
    if typed.startswith("+"):
        return Q(address__startswith=typed)
    digits = typed.lstrip("0")  # of a country's own way of dialling
    return Q(last_digits=typed[-LAST_DIGITS:], address__endswith=digits)


def _unique(*ways: Iterable[int]) -> list[int]:
    every = (pk for way in ways for pk in (way[: MOST + 1] if isinstance(way, QuerySet) else way))
    return list(dict.fromkeys(every))[: MOST + 1]
