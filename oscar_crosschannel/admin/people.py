"""How a contact is named in lists, and found by what a merchant types."""

from __future__ import annotations

import re

from django.db.models import Q, QuerySet

from ..core.facts import EMAIL, SMS
from ..models import Contact, ContactPoint

#: Fewer digits than these are in too many numbers.
_FEWEST_DIGITS = 4
_PHONE = re.compile(r"[\d\s()+./-]+")


def address(contact: Contact, channel: str) -> str:
    """The address in use on a channel; reads `contact.points`, which lists prefetch."""
    return next((p.address for p in contact.points.all() if p.channel == channel and p.current), "")


def label(contact: Contact) -> str:
    """Name and an address, as far as known: "Ann, ann@example.com"."""
    reached_at = address(contact, EMAIL) or address(contact, SMS)
    return ", ".join(filter(None, [contact.name, reached_at])) or f"#{contact.pk}"


def matching(term: str) -> QuerySet[Contact]:
    """Contacts whose name or any address contains `term`; a number may be typed with its spaces."""
    found = Q(address__icontains=term)
    digits = re.sub(r"\D", "", term)
    if _PHONE.fullmatch(term) and len(digits) >= _FEWEST_DIGITS:
        found |= Q(channel=SMS, address__contains=digits)
    reached = ContactPoint.objects.filter(found).values("contact")
    return Contact.objects.filter(Q(name__icontains=term) | Q(pk__in=reached))
