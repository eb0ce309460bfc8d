"""Runs of people as a flow sees them, and the words of shipped flows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from oscar_crosschannel.core.plan import Run
from oscar_crosschannel.models import Contact
from oscar_crosschannel.services import contacts


def make_run(now: datetime, /, **fields: Any) -> Run:
    """A run anchored now, of a new guest if no `contact` is given."""
    contact = fields.pop("contact", None) or Contact.objects.create(created_at=now)
    values = {
        "message_id": 1,
        "step": "",
        "channel": "email",
        "contact_id": contact.pk,
        "enrolment_id": None,
        "user_id": contact.user_id,
        "name": "Ada",
        "language": "en",
        "email": "",
        "subjects": {},
        "anchor": now,
        "now": now,
    }
    return Run(**values | fields)


def reachable(address: str, now: datetime, *, user: Any = None) -> Contact:
    """A contact with an email."""
    contact = Contact.objects.create(user=user, created_at=now)
    contacts.set_point(contact, "email", address, source="test", now=now)
    return contact
