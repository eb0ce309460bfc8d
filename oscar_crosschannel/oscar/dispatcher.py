"""For a store's own version of Oscar's dispatcher: its text messages go out as all of ours do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from ..core.events import Event
from ..services import inbox
from .safety import safe

#: Name of the event. `data`: text, the words as they are sent.
WRITTEN = "text.written"


class SmsDispatcherMixin:
    """Sends what Oscar's `Dispatcher` has to say by SMS; Oscar's own raises NotImplementedError there.

        class Dispatcher(SmsDispatcherMixin, CoreDispatcher):
            pass

    The text waits in the inbox and goes out with the next tick: never to who said stop, kept in the ledger
    like every message, and without a call to the provider inside the shopper's request.
    """

    def send_text_message(self, user: Any, text: str) -> str:
        """Take a text for an account's phone; an empty one is none. Returns it, for Oscar's record."""
        text = text.strip()
        if text:
            with safe("a text of Oscar's"), transaction.atomic():
                now = timezone.now()
                key = f"user:{user.pk}:{uuid4().hex}"
                written = Event(name=WRITTEN, key=key, occurred_at=now, user_id=user.pk, data={"text": text})
                inbox.publish(written, now=now)
        return text
