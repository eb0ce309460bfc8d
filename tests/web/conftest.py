"""A message that went out to Ann, and the pages behind its links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.conf import settings as ours
from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import Contact, Message
from oscar_crosschannel.services import consents, setup
from tests.factories import NOON, owe, registered
from tests.services.shoppers import ANN, PHONE, TOPICS, guest

BASE_URL = "https://shop.example"


@registered
class LinkedFlow(Blueprint):
    """Only here"""

    topic = "weekly_deals"
    start = On("test.links")
    hello = send("email", at=After(hours=1))


@pytest.fixture(autouse=True)
def shop(db: None, settings: Any) -> Iterator[None]:
    settings.CROSSCHANNEL_BASE_URL = BASE_URL
    setup.install()
    with time_machine.travel(NOON):
        yield


@pytest.fixture
def ann() -> Contact:
    """Agreed to everything, by email and by text."""
    contact = guest(language="en")
    for channel, address in (("email", ANN), ("sms", PHONE)):
        consents.grant(contact, channel, TOPICS, source="test", words="Yes.", address=address, now=NOON)
    return contact


@pytest.fixture
def message(ann: Contact) -> Message:
    """What Ann got by email."""
    message = owe(ann, LinkedFlow, "hello", due=NOON)
    message.state, message.channel, message.attempted_at = State.SENT, "email", NOON
    message.point = ann.points.get(channel="email")
    message.links = ["/basket/", "/catalogue/?page=2"]
    message.save()
    return message


def token(purpose: str, number: int, link: int = 0) -> str:
    return tokens.make(purpose, number, link, keys=ours.link_keys())


@pytest.fixture
def stranger() -> Client:
    """Any program on the internet: no cookies, and CSRF is checked."""
    return Client(enforce_csrf_checks=True)
