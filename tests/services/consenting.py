"""What tests of consents share: ways to say yes and stop, and what came of them."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.models import (
    ConsentEvent,
    Contact,
    InboxEvent,
    Topic,
)
from oscar_crosschannel.services import consents, intake, wordings
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, registered
from tests.services.shoppers import (
    PHONE,
    tick,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: When it is nine in the morning where `PHONE` rings; NOON, in UTC, is five o'clock there.
MORNING = NOON + 4 * HOUR


@registered
class RevokedFlow(Blueprint):
    """Only here"""

    topic = "basket_reminders"
    start = On("test.revoke")
    hello = send("email", at=After(hours=1))


def asked(via: str) -> list[InboxEvent]:
    return list(InboxEvent.objects.filter(name=f"consent.requested.{via}"))


def fold(now: datetime) -> None:
    """What the next tick works off."""
    intake.fold(load_plans(), clock=lambda: now, pause=nullcontext)


def request_of(channel: str = "email") -> int:
    return ConsentEvent.objects.filter(channel=channel, action="request").latest("pk").pk


def order_texts(contact: Contact, phone: str = PHONE, **changes: Any) -> None:
    """The person gives a number for texts about an order."""
    shown = wordings.wording("order_texts", "en", topics=changes.get("topics", ()))
    tick(contact, "sms", phone, text=shown.digest, kind="order_texts", mechanism="button", **changes)


def grow_up(topic: str = "weekly_deals", age: int = 21) -> None:
    Topic.objects.filter(key=topic).update(minimum_age=age)


def stop(channel: str, address: str, *topics: str, **details: Any) -> bool:
    values = {"source": "page", "mechanism": "link", "now": NOON} | details
    return consents.revoke(channel, address, topics=topics or None, **values)
