"""What email providers report, through Anymail's one vocabulary.

Anymail calls the receiver once per event of a batch. If one raises, the provider sends the whole
batch again; so the receiver only stores, and stores what it knows already only once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from anymail.signals import AnymailTrackingEvent, tracking
from django.utils import timezone

from ..channels.email import METADATA_KEY
from ..core.events import Event
from ..services import inbox


def connect() -> None:
    """Listen to Anymail. Called once, when the apps are ready."""
    tracking.connect(take_event, dispatch_uid="oscar_crosschannel.tracking_events", weak=False)


def take_event(sender: object, event: AnymailTrackingEvent, esp_name: str, **kwargs: object) -> None:
    """Store one report."""
    now = timezone.now()
    metadata = event.metadata or {}
    data = {
        "esp": esp_name,
        "event_type": event.event_type,
        "uuid": str(metadata.get(METADATA_KEY, "")),
        "message_id": event.message_id or "",
        "recipient": event.recipient or "",
        "reject_reason": event.reject_reason or "",
        "hard": is_hard(esp_name, event),
        "description": (event.description or "")[:500],
    }
    inbox.record(
        Event(
            name="email.tracking",
            key=_key(esp_name, event),
            occurred_at=event.timestamp or now,
            data={name: _storable(value) for name, value in data.items()},
        ),
        now=now,
    )


def is_hard(esp_name: str, event: AnymailTrackingEvent) -> bool:
    """Whether a bounce is final. Anymail also says "bounced" when a mailbox is full, so the raw event decides."""
    if event.event_type == "rejected" and event.reject_reason in ("invalid", "bounced"):
        return True  # the provider remembers that it was
    reads = _HARD.get(esp_name)
    if reads is not None and isinstance(event.esp_event, Mapping):
        return reads(event.esp_event)
    return event.reject_reason in ("invalid", "bounced")


def _at(raw: Any, *path: str) -> Any:
    for key in path:
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    return raw


def _sparkpost_class(raw: Mapping[str, Any]) -> Any:
    (event, *_) = (raw.get("msys") or {"": {}}).values()
    return _at(event, "bounce_class")


#: How each provider says that an address is gone for good, in its own events.
_HARD: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "Amazon SES": lambda raw: _at(raw, "bounce", "bounceType") == "Permanent",
    "Brevo": lambda raw: _at(raw, "event") in ("hard_bounce", "invalid_email"),
    "MailerSend": lambda raw: _at(raw, "data", "type") == "hard_bounced",
    # "permanent" is also what it says when it has tried for long enough, or was blocked itself
    "Mailgun": lambda raw: (
        _at(raw, "event-data", "severity") == "permanent"
        and _at(raw, "event-data", "reason") in (None, "bounce", "suppress-bounce")
    ),
    "Mailjet": lambda raw: _at(raw, "hard_bounce") is True,
    "Mandrill": lambda raw: _at(raw, "event") == "hard_bounce",
    "Postmark": lambda raw: (
        _at(raw, "Type") in ("HardBounce", "BadEmailAddress") or _at(raw, "SuppressionReason") == "HardBounce"
    ),
    "Resend": lambda raw: (
        _at(raw, "data", "bounce", "type") == "Permanent"
        or "hard bounce" in (_at(raw, "data", "bounce", "message") or "").lower()
    ),
    "SendGrid": lambda raw: _at(raw, "event") == "bounce" and _at(raw, "type") == "bounce",
    "SparkPost": lambda raw: _sparkpost_class(raw) in ("10", "30"),  # invalid recipient, no recipient
    "Unisender Go": lambda raw: _at(raw, "status") == "hard_bounced",
}


def _key(esp_name: str, event: AnymailTrackingEvent) -> str:
    """The same for every delivery of one report. The provider's own event id alone is not: some send none,
    one shares it among recipients.
    """
    parts = (
        esp_name,
        _event_id(esp_name, event),
        event.event_type,
        event.recipient,
        event.message_id,
        event.timestamp.isoformat() if event.timestamp else None,
        event.click_url,
    )
    return sha256("\n".join(str(part or "") for part in parts).encode()).hexdigest()


def _event_id(esp_name: str, event: AnymailTrackingEvent) -> str:
    """The provider's id of the event. Of Mailgun's, Anymail takes the token of the signature, which is of one call."""
    if esp_name == "Mailgun" and isinstance(event.esp_event, Mapping):
        return str(_at(event.esp_event, "event-data", "id") or event.event_id or "")
    return event.event_id or ""


def _storable(value: Any) -> Any:
    return value.replace("\x00", "") if isinstance(value, str) else value
