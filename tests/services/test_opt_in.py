"""The question behind a ticked box, from the form to the answer, through the whole engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core import mail
from django.test import Client

from oscar_crosschannel.blueprints.opt_in import OptInEmail, OptInSms
from oscar_crosschannel.channels.sms_backends import locmem
from oscar_crosschannel.conf import flows
from oscar_crosschannel.core.sms import segments
from oscar_crosschannel.models import Message
from oscar_crosschannel.services import consents, dispatch, replies, setup
from tests.factories import NOON
from tests.services.shoppers import ANN, OTHER_PHONE, PHONE, TOPICS, guest, member, permitted, tick

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def shop(settings: Any) -> Iterator[None]:
    settings.CROSSCHANNEL_BASE_URL = "https://shop.example"
    for blueprint in (OptInSms, OptInEmail):
        flows.register(blueprint)
    setup.install()
    locmem.outbox.clear()
    yield
    locmem.outbox.clear()


def engine(at: datetime) -> None:
    dispatch.tick(at)


def confirm_path(body: str) -> str:
    """Where the link in the email leads, past the counting of the click."""
    link = re.search(r"https://shop\.example(/\S+)", body)
    assert link
    target = Client().get(link[1])
    return urlsplit(target["Location"]).path


@pytest.mark.rule(8)
def test_a_ticked_box_for_texts_asks_once_and_offers_nothing() -> None:
    tick(guest(language="en"), "sms", PHONE)
    engine(NOON)
    engine(NOON + HOUR)
    (text,) = locmem.outbox
    assert text.recipient.address == PHONE
    words = text.content.text
    assert words.startswith("Quillbrook: Reply YES")
    assert "STOP" in words
    assert "Message and data rates may apply" in words
    assert not re.search(r"http|%|\boff\b|code", words)
    assert segments(words).count == 1


def test_the_question_is_asked_at_any_hour() -> None:
    midnight = NOON.replace(hour=8)  # in Seattle
    tick(guest(), "sms", PHONE, at=midnight)
    engine(midnight)
    assert len(locmem.outbox) == 1


@pytest.mark.rule(8)
def test_who_answered_before_the_question_is_not_asked() -> None:
    tick(guest(), "sms", PHONE)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    engine(NOON)
    assert locmem.outbox == []


@pytest.mark.rule(8)
def test_a_question_that_waited_too_long_is_not_asked() -> None:
    tick(guest(), "sms", PHONE)
    engine(NOON + timedelta(hours=25))
    assert locmem.outbox == []


@pytest.mark.rule(8)
def test_the_email_confirms_by_its_button_only() -> None:
    ann = guest(country="DE", language="en")
    tick(ann, "email", ANN)
    engine(NOON)
    (email,) = mail.outbox
    assert email.to == [ANN]
    assert "List-Unsubscribe" not in email.extra_headers
    assert "unsubscribe" not in str(email.message()).lower()
    assert email.from_email == "Quillbrook Tea House <orders@quillbrook.example>"
    with time_machine.travel(NOON + HOUR):
        path = confirm_path(str(email.body))
        assert b"<button" in Client().get(path).content
        assert permitted(ann, "email") == set()
        assert Client().post(path).status_code == 200
    assert permitted(ann, "email") == set(TOPICS)


@pytest.mark.rule(8)
def test_who_corrects_the_number_is_asked_once() -> None:
    ann = member(language="en")
    tick(ann, "sms", OTHER_PHONE, signed_in=True)
    tick(ann, "sms", PHONE, signed_in=True)
    engine(NOON)
    assert [text.recipient.address for text in locmem.outbox] == [PHONE]


def test_a_stranger_cannot_write_through_our_confirmation_mail() -> None:
    contact = guest(country="DE", language="en", name="Win a prize at spam.example")
    tick(contact, "email", ANN)
    engine(NOON)
    (email,) = mail.outbox
    assert "spam.example" not in str(email.message())


@pytest.mark.rule(8)
def test_a_phone_given_under_an_account_is_asked_for_in_the_mailbox_first() -> None:
    ann = member(language="en")
    tick(guest(), "sms", PHONE)
    engine(NOON)
    assert locmem.outbox == []
    (email,) = mail.outbox
    assert "+1••••••0123" in str(email.body)
    request = int(Message.objects.get().enrolment.subjects["consent_request"])  # type: ignore[union-attr]
    assert consents.confirm_link(request, now=NOON + HOUR)
    engine(NOON + HOUR)
    assert [text.recipient.address for text in locmem.outbox] == [PHONE]
    replies.take_inbound(sid="SM1", phone=PHONE, to="", body="YES", now=NOON + 2 * HOUR)
    assert permitted(ann, "sms") == set(TOPICS)
