"""Who signed up by the shop's own form: anybody, under any address, until its owner says yes."""

from __future__ import annotations

from datetime import datetime

from ..core.events import Event
from ..core.facts import SMS
from ..models import Contact
from . import consents, contacts

#: Name of the event in the inbox.
SIGNED_UP = "sign_up.answered"


def fold(event: Event, plans: object, *, now: datetime) -> None:
    """Ask the owners of the addresses that were typed; who is signed in may need no question."""
    contact = contacts.identify(
        user_id=event.user_id,
        email=event.email,
        language=str(event.data.get("language", "")),
        country=str(event.data.get("country", "")),
        now=now,
    )
    contact = contact or _of_number(event, now)
    if contact is None:
        return
    for answer in event.answers:
        consents.take_answer(
            contact, answer, signed_in=event.user_id is not None, at=event.occurred_at, now=now
        )


def _of_number(event: Event, now: datetime) -> Contact | None:
    """A number alone: whoever has it will be asked."""
    address = contacts.normalise(SMS, event.phone, region=str(event.data.get("country", "")))
    if address is None:
        return None
    contact = contacts.of_number(address, now=now).contact
    if contact.user_id is None and not contact.language:
        contact.language = str(event.data.get("language", ""))[:12]
        contact.country = str(event.data.get("country", ""))[:2]
        contact.save(update_fields=["language", "country"])
    return contact
