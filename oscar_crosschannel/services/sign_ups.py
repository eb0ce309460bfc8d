"""Who signed up by the shop's own form: anybody, under any address, until its owner says yes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ..core.events import Event
from ..core.facts import EMAIL, SMS
from ..models import Contact
from . import consents, contacts

#: Name of the event in the inbox.
SIGNED_UP = "sign_up.answered"


def fold(event: Event, plans: object, *, now: datetime) -> None:
    """Ask the owners of the addresses that were typed; who is signed in may need no question."""
    place = str(event.data.get("country", ""))
    # a stranger may have typed the email of somebody we know: their language and country stay
    tells = event.user_id is not None or not contacts.find_by_address(EMAIL, event.email)
    details = {"language": str(event.data.get("language", "")), "country": place} if tells else {}
    contact = contacts.identify(user_id=event.user_id, email=event.email, now=now, **details)
    contact = contact or _of_number(event, now)
    if contact is None:
        return
    for answer in event.answers:
        # as it was read on the page, wherever the contact lives
        address = contacts.normalise(answer.channel, answer.address, region=place) or answer.address
        consents.take_answer(
            contact,
            replace(answer, address=address),
            signed_in=event.user_id is not None,
            at=event.occurred_at,
            now=now,
        )


def _of_number(event: Event, now: datetime) -> Contact | None:
    """A number alone: whoever has it will be asked."""
    address = contacts.normalise(SMS, event.phone, region=str(event.data.get("country", "")))
    if address is None:
        return None
    contact = contacts.of_number(address, now=now).contact
    if contact.user_id is None:
        contact.language = contact.language or str(event.data.get("language", ""))[:12]
        contact.country = contact.country or str(event.data.get("country", ""))[:2]
        contact.save(update_fields=["language", "country"])
    return contact
