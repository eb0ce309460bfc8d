"""Candidates and facts for tests: Alice, who agreed to both channels, and what changes from there."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

from oscar_crosschannel.core.facts import (
    EMAIL,
    SMS,
    Answer,
    Candidate,
    ConsentFacts,
    Facts,
    PointFacts,
    Purpose,
    Reserved,
    Sent,
)
from oscar_crosschannel.core.lawbook import LawBook
from oscar_crosschannel.core.timing import Hours
from oscar_crosschannel.core.whereabouts import Phone, locate

#: A Wednesday, noon in New York.
NOON = datetime(2026, 6, 10, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

GRANTED = ConsentFacts(answer=Answer.GRANTED)
REVOKED = ConsentFacts(answer=Answer.REVOKED)

SHIPPED = json.loads((files("oscar_crosschannel") / "data" / "texting_rules.json").read_text("utf-8"))
BOOK = LawBook(SHIPPED)


def texting_hours(**known: Any) -> Hours:
    """When marketing may be texted by the shipped rules, from what `locate` is told; `phone` as E.164."""
    if "phone" in known:
        known["phone"] = Phone.of(known["phone"])
    return BOOK.terms(locate(**known)).hours


def utc(*parts: int) -> datetime:
    """`utc(2026, 3, 8, 12)`."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def point(channel: str = EMAIL, **changes: Any) -> PointFacts:
    defaults: dict[str, Any] = {
        "id": 1 if channel == EMAIL else 2,
        "address": "alice@example.com" if channel == EMAIL else "+12125550123",
        "digest": f"alice-{channel}",
        "consents": {"deals": GRANTED},
    }
    return PointFacts(**{**defaults, **changes})


def facts(**changes: Any) -> Facts:
    defaults: dict[str, Any] = {"now": NOON, "points": {EMAIL: point(EMAIL), SMS: point(SMS)}}
    return Facts(**{**defaults, **changes})


def candidate(**changes: Any) -> Candidate:
    defaults: dict[str, Any] = {
        "id": 100,
        "contact_id": 1,
        "topic": "deals",
        "purpose": Purpose.MARKETING,
        "intent": "spring sale",
        "channels": (EMAIL,),
        "priority": 50,
        "due_at": NOON,
        "expires_at": NOON + 3 * DAY,
    }
    return Candidate(**{**defaults, **changes})


def sent(at: datetime, channel: str = EMAIL, **changes: Any) -> Sent:
    defaults: dict[str, Any] = {
        "purpose": Purpose.MARKETING,
        "intent": f"earlier, {at}",
        "digest": f"alice-{channel}",
    }
    return Sent(at=at, channel=channel, **{**defaults, **changes})


def reserved(due_at: datetime, **changes: Any) -> Reserved:
    defaults: dict[str, Any] = {"id": 1, "priority": 10, "channels": (EMAIL,), "intent": "basket:7:nudge"}
    return Reserved(due_at=due_at, **{**defaults, **changes})
