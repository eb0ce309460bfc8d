"""People who come to the shop, and what they tick there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model

from oscar_crosschannel.core.events import ConsentAnswer
from oscar_crosschannel.models import Consent, Contact
from oscar_crosschannel.services import consents, contacts
from tests.factories import NOON

ANN = "ann@example.com"
PHONE, OTHER_PHONE = "+12065550123", "+12125550147"
TOPICS = ("basket_reminders", "weekly_deals")


def account(email: str = ANN) -> Any:
    """A user of the shop."""
    return get_user_model().objects.create_user(username=email, email=email, password="secret")


def guest(email: str = ANN, **details: str) -> Contact:
    """The contact behind an email that somebody typed."""
    contact = contacts.identify(email=email, now=NOON, **details)
    assert contact is not None
    return contact


def member(email: str = ANN, **details: str) -> Contact:
    """The contact of an account."""
    contact = contacts.identify(user_id=account(email).pk, now=NOON, **details)
    assert contact is not None
    return contact


def answer(channel: str, address: str, **changes: Any) -> ConsentAnswer:
    """A ticked box, unless `given` says otherwise."""
    language = changes.pop("language", "en")
    values = {
        "channel": channel,
        "text": consents.wording(channel, language).digest,
        "language": language,
        "given": True,
        "form": "gateway",
        "page_url": "https://shop.example/checkout/",
        "ip": "203.0.113.7",
        "user_agent": "Firefox",
        "session": "browsing-5e55",
        "address": address,
    }
    return ConsentAnswer(**values | changes)


def tick(
    contact: Contact,
    channel: str,
    address: str,
    *,
    signed_in: bool = False,
    owns: str = "",
    at: datetime = NOON,
    now: datetime | None = None,
    **changes: Any,
) -> None:
    """Somebody ticks a consent box (or, with given=False, leaves it empty)."""
    consents.take_answer(
        contact, answer(channel, address, **changes), signed_in=signed_in, owns=owns, at=at, now=now or at
    )


def permitted(contact: Contact, channel: str) -> set[str]:
    """Topics that the address in use is granted for."""
    rows = Consent.objects.filter(
        point__contact=contact, point__channel=channel, point__current=True, answer="granted"
    )
    return set(rows.values_list("topic", flat=True))
