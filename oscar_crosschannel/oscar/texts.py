"""Oscar's own text messages: it has words for them, and a stub where they would be sent."""

from __future__ import annotations

from django.db.models import Q
from oscar.core.loading import get_class, get_model


def can_be_sent() -> bool:
    """Whether the store's dispatcher can send a text. Oscar's own raises NotImplementedError."""
    method = get_class("communication.utils", "Dispatcher").send_text_message
    return bool(method.__module__ != "oscar.apps.communication.utils")


def written() -> list[str]:
    """Codes of the messages for which somebody wrote a text. One query."""
    event_type = get_model("communication", "CommunicationEventType")
    rows = event_type.objects.exclude(Q(sms_template=None) | Q(sms_template=""))
    return sorted(rows.values_list("code", flat=True))
