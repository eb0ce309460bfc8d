"""Twilio's status words and error codes in the words of this app.

The table is data, because Twilio splits and adds codes: `data/twilio_codes.json`, changed by the
setting `CROSSCHANNEL_TWILIO_CODES`, e.g. `{"30008": {"effect": "unusable", "times": 3}}`.
Source: twilio.com/docs/api/errors, and twilio.com/docs/messaging/api/message-resource for statuses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from ...conf import settings
from ...core.lifecycle import Status
from ...core.outbound import Effect


class Outcome(StrEnum):
    """What an error code says of one message; the values are those of the data file."""

    REFUSED = "refused"
    NOT_SENT = "not_sent"
    SENDER_BROKEN = "sender_broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One error code. The defaults are what an unknown code means."""

    code: str
    meaning: str = ""
    outcome: Outcome = Outcome.REFUSED
    effect: Effect = Effect.NONE
    times: int = 1  #: how often it must come, without a delivery between, before `effect` holds
    retry_after: float | None = None  #: seconds
    alert: bool = True  #: an operator should know
    known: bool = False


_STATUSES = {
    "accepted": Status.QUEUED,
    "scheduled": Status.QUEUED,
    "queued": Status.QUEUED,
    "sending": Status.SENDING,
    "sent": Status.SENT,
    "partially_delivered": Status.DELIVERED,
    "delivered": Status.DELIVERED,
    "undelivered": Status.UNDELIVERED,
    "failed": Status.FAILED,
    "canceled": Status.FAILED,
    "read": Status.READ,
}
_FAILURES = frozenset({Status.UNDELIVERED, Status.FAILED})


def code_of(code: str | int) -> Code:
    """What `code` means, by the shipped table and the project's changes to it."""
    key = str(code)
    changes = {str(changed): entry for changed, entry in settings.TWILIO_CODES.items()}
    entry = {**_shipped().get(key, {}), **changes.get(key, {})}
    if not entry:
        return Code(code=key)
    try:
        return _code(key, {"alert": False, **entry})
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"CROSSCHANNEL_TWILIO_CODES, entry {key}: {error}") from error


def status_of(status: str, error_code: str | int = "") -> Status | None:
    """Our status for Twilio's; `None` if it is not one of ours, or says a failure that is in doubt."""
    ours = _STATUSES.get(status.lower())
    doubtful = bool(error_code) and code_of(error_code).outcome is Outcome.UNKNOWN
    return None if ours in _FAILURES and doubtful else ours


@cache
def _shipped() -> Mapping[str, Mapping[str, Any]]:
    text = files("oscar_crosschannel").joinpath("data", "twilio_codes.json").read_text(encoding="utf-8")
    table: Mapping[str, Mapping[str, Any]] = json.loads(text)
    return table


def _code(key: str, entry: Mapping[str, Any]) -> Code:
    converted = {
        **entry,
        "outcome": Outcome(entry.get("outcome", Outcome.REFUSED)),
        "effect": Effect(entry.get("effect", Effect.NONE)),
    }
    return Code(code=key, known=True, **converted)
