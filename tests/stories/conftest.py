"""A shop, its customers' browsers and phones, and time that moves by hand.

Browsers speak HTTP to Oscar's own pages; texts go through the official SDK to the counterpart;
the engine is called as the command calls it. Only time is moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.core import mail
from django.test import Client

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import InboxEvent, Message
from oscar_crosschannel.services import dispatch
from oscar_crosschannel.testing.sms_counterpart import SmsCounterpart, post_through
from tests.oscar.conftest import Shopper, country, product  # noqa: F401 - fixtures
from tests.services.stage import make_offer

#: Exclusive codes of the test shop.
CODE = re.compile(r"\bTEA[A-Z2-7]{12}\b")
#: A Tuesday, 18:00 UTC: late morning in Seattle.
START = datetime(2026, 3, 10, 18, 0, tzinfo=UTC)


@dataclass
class World:
    """Everything a story touches."""

    traveller: Any
    phones: SmsCounterpart
    product: Any
    now: datetime = START

    def go_to(self, moment: datetime) -> None:
        """Let time pass, with a tick of the engine whenever something falls due."""
        while self.now < moment:
            self.now = min(self._next_due(), moment)
            self.traveller.move_to(self.now, tick=False)
            self.tick()

    def _next_due(self) -> datetime:
        planned = Message.objects.filter(state=State.PLANNED, due_at__gt=self.now).order_by("due_at")
        waiting = InboxEvent.objects.filter(processed_at=None, not_before__gt=self.now).order_by("not_before")
        moments = [
            planned.values_list("due_at", flat=True).first(),
            waiting.values_list("not_before", flat=True).first(),
        ]
        return min((moment for moment in moments if moment), default=datetime.max.replace(tzinfo=UTC))

    def wait(self, **delta: float) -> None:
        self.go_to(self.now + timedelta(**delta))

    def tick(self) -> None:
        dispatch.tick(self.now)

    def shopper(self) -> Shopper:
        return Shopper(Client(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"))

    def mails(self, address: str, about: str = "") -> list[Any]:
        """Mail of this app to an address (Oscar's own order mail has no List-Unsubscribe)."""
        return [
            message
            for message in mail.outbox
            if address in message.to
            and "List-Unsubscribe" in message.extra_headers
            and about in message.subject
        ]

    def texts(self, number: str) -> list[str]:
        return [text.body for text in self.phones.messages if text.to == number]

    def offers(self, number: str) -> list[str]:
        """Texts with a code of the shop; opt-in questions and answers are none."""
        return [text for text in self.texts(number) if CODE.search(text)]


@pytest.fixture
def world(transactional_db: None, settings: Any, product: Any, country: Any) -> Iterator[World]:  # noqa: F811
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.CROSSCHANNEL_SMS_BACKEND = "oscar_crosschannel.channels.sms_backends.twilio.TwilioBackend"
    settings.CROSSCHANNEL_BASE_URL = "https://testserver"
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    with (
        SmsCounterpart(post=post_through(Client())) as phones,
        time_machine.travel(START, tick=False) as traveller,
    ):
        settings.CROSSCHANNEL_TWILIO = phones.settings()
        yield World(traveller, phones, product)


def links_in(message: Any) -> list[str]:
    """Addresses in the HTML of a mail, in order."""
    html = message.alternatives[0].content
    return [str(link["href"]) for link in BeautifulSoup(html, "html.parser").select("a[href]")]
