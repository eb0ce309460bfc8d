"""Every way to say stop leaves the same kind of row in the ledger, and has the same effect (rule 24)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_crosschannel import api
from oscar_crosschannel.admin.acts import OptOut
from oscar_crosschannel.core import letters, tokens
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import ConsentEvent, Contact, InboxEvent, Message
from oscar_crosschannel.services import (
    consents,
    contacts,
    delivery,
    doubts,
    email_replies,
    links,
    replies,
    setup,
)
from tests.factories import NOON, owe
from tests.services.shoppers import ANN, PHONE, TOPICS, account, permitted
from tests.services.stage import Letter, Text
from tests.web.conftest import token

MAILBOX = "hello@in.shop.example"


@dataclass(frozen=True)
class Way:
    """One way out: what is done, and what the ledger says of it."""

    name: str
    act: Callable[[Contact, Message], Any]
    channel: str
    source: str
    #: topics that stay; none: everything was stopped
    leaves: frozenset[str] = frozenset()
    #: the columns in which the ways differ because they have something to tell
    tells: dict[str, Any] = field(default_factory=dict)


def text(body: str) -> InboxEvent:
    replies.take_inbound(sid="SM1", phone=PHONE, to="+12025550100", body=body, now=timezone.now())
    return InboxEvent.objects.get(key="SM1")


def keyword(ann: Contact, message: Message) -> None:
    text("STOP")


def free_text(ann: Contact, message: Message) -> None:
    doubts.was_stop(text("leave me alone").pk, by="mina", now=timezone.now())


def letter(tag: str, **changes: Any) -> None:
    values = {
        "key": "mail-1",
        "sender": ANN,
        "recipients": [letters.tagged(MAILBOX, tag)],
        "at": timezone.now(),
    }
    email_replies.take_inbound(email_replies.Letter(**values | changes), now=timezone.now())


def mailto(ann: Contact, message: Message) -> None:
    letter(token(tokens.UNSUBSCRIBE, message.pk), subject="unsubscribe", is_automatic=True)


def email_answer(ann: Contact, message: Message) -> None:
    letter(token(tokens.REPLY, message.pk), text="Stop please")


def one_click(ann: Contact, message: Message) -> None:
    Client().post(links.unsubscribe_path(message.pk), {"List-Unsubscribe": "One-Click"})


def page(ann: Contact, message: Message) -> None:
    Client().post(links.unsubscribe_path(message.pk), {"everything": "1"})


def preference_link(ann: Contact, message: Message) -> None:
    answer = Client().post(links.preferences_path(message.pk), {"stop": "email"})
    assert answer.status_code in (200, 302)


def account_page(ann: Contact, message: Message) -> None:
    client = Client()
    client.force_login(get_user_model().objects.get())
    answer = client.post(reverse("oscar_crosschannel:account"), {"stop": "email"})
    assert answer.status_code in (200, 302)


def staff(ann: Contact, message: Message) -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("mina", "mina@shop.example"))
    point = ann.points.get(channel="email")
    said = {
        "points": [point.pk],
        "topic": "",
        "words": "No more",
        "way": "phone_call",
        "said_at": "2026-03-10T07:30",
    }
    assert client.post(OptOut.url(ann.pk), said).status_code == 302


def by_api(ann: Contact, message: Message) -> None:
    api.revoke("email", ANN)


def provider(ann: Contact, message: Message) -> None:
    delivery.apply_effect(delivery.Effect.OPTED_OUT, "email", ANN, now=timezone.now())


ONE_TOPIC = frozenset(TOPICS) - {Letter.topic}
WAYS = [
    Way("keyword", keyword, "sms", "keyword", tells={"verbatim": "STOP", "provider_id": "SM1"}),
    Way("free text", free_text, "sms", "reply", tells={"verbatim": "leave me alone", "provider_id": "SM1", "actor": "mina"}),
    Way("mailto", mailto, "email", "mailto", ONE_TOPIC, {"verbatim": "unsubscribe", "provider_id": "mail-1"}),
    Way("email answer", email_answer, "email", "email_reply", tells={"verbatim": "Stop please", "provider_id": "mail-1"}),
    Way("one click", one_click, "email", "one_click", ONE_TOPIC),
    Way("page", page, "email", "page"),
    Way("preference link", preference_link, "email", "page"),
    Way("account", account_page, "email", "account"),
    Way("staff", staff, "email", "staff", tells={"verbatim": "No more", "actor": "mina"}),
    Way("API", by_api, "email", "api"),
    Way("provider", provider, "email", "provider"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def shop(db: None, settings: Any) -> Iterator[None]:
    settings.CROSSCHANNEL_BASE_URL = "https://shop.example"
    settings.CROSSCHANNEL_EMAIL_INBOUND = MAILBOX
    setup.install()
    with time_machine.travel(NOON):
        yield


@pytest.fixture
def ann() -> Contact:
    contact = contacts.identify(user_id=account().pk, now=NOON)
    assert contact is not None
    for channel, address in (("email", ANN), ("sms", PHONE)):
        consents.grant(contact, channel, TOPICS, source="test", words="Yes.", address=address, now=NOON)
    return contact


@pytest.mark.rule(19, 24)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_way_out_writes_the_same_event_and_stops_at_once(way: Way, ann: Contact) -> None:
    read = owe(ann, Letter, "read", due=NOON)
    read.state, read.channel, read.point = State.SENT, "email", ann.points.get(channel="email")
    read.save()
    going = owe(ann, Letter if way.channel == "email" else Text, "about to go", due=NOON)
    going.state, going.channel = State.CLAIMED, way.channel
    going.save()

    way.act(ann, read)

    event = ConsentEvent.objects.get(action="revoke")
    point = ann.points.get(channel=way.channel)
    assert (event.contact, event.point, event.address) == (ann, point, point.address)
    assert (event.channel, event.basis, event.brand) == (way.channel, "none", "Quillbrook")
    assert event.source == way.source
    assert event.topic == (Letter.topic if way.leaves else "")
    assert event.mechanism
    assert event.received_at is not None
    assert event.received_at <= event.at
    assert (event.text, event.expires_at, event.previous_digest != "", event.digest != "") == (
        None,
        None,
        True,
        True,
    )
    told = {name: getattr(event, name) for name in ("verbatim", "provider_id", "actor")}
    assert told == {"verbatim": "", "provider_id": "", "actor": "customer"} | way.tells
    assert permitted(ann, way.channel) == way.leaves
    assert permitted(ann, "email" if way.channel == "sms" else "sms") == set(TOPICS), (
        "the other channel goes on"
    )
    going.refresh_from_db()
    assert (going.state, going.token) == (State.PLANNED, None), "what was about to go is judged anew"


@pytest.mark.rule(24)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_out_taken_twice_adds_nothing(way: Way, ann: Contact) -> None:
    read = owe(ann, Letter, "read", due=NOON)
    read.state, read.channel, read.point = State.SENT, "email", ann.points.get(channel="email")
    read.save()
    consents.revoke(way.channel, ANN if way.channel == "email" else PHONE, topics=None, source="test",
                    mechanism="test", now=NOON)  # fmt: skip
    way.act(ann, read)
    assert ConsentEvent.objects.filter(action="revoke").count() == 1
