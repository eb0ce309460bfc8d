"""What customers write back by email, through Anymail's own webhook of an email provider."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from anymail.inbound import AnymailInboundMessage
from anymail.signals import AnymailInboundEvent, inbound
from django.core import mail
from django.db import DatabaseError
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from oscar_crosschannel.core import letters, tokens
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import (
    Attempt,
    ConsentEvent,
    Contact,
    InboxEvent,
    Message,
    OrdinaryReply,
    UnreadReply,
)
from oscar_crosschannel.services import inbox, links, suppressions
from oscar_crosschannel.services.dispatch import tick
from tests.factories import NOON, enrol_all
from tests.services.shoppers import ANN, TOPICS, permitted
from tests.services.stage import write_words
from tests.web.conftest import LinkedFlow, token

MAILBOX = "hello@in.shop.example"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def connected(settings: Any) -> None:
    settings.CROSSCHANNEL_EMAIL_INBOUND = MAILBOX
    settings.ANYMAIL = {"WEBHOOK_SECRET": "user:secret"}


@pytest.fixture
def way_out(message: Message) -> str:
    """The mailbox of the List-Unsubscribe header."""
    return letters.tagged(MAILBOX, token(tokens.UNSUBSCRIBE, message.pk))


@pytest.fixture
def answers(message: Message) -> str:
    """The mailbox of the Reply-To header."""
    return letters.tagged(MAILBOX, token(tokens.REPLY, message.pk))


def write(
    to: str, text: str = "", *, sender: str = ANN, subject: str = "Re: Hello", key: str = "", **headers: str
) -> HttpResponse:
    """An email to the shop, as Postmark's webhook hands it over."""
    payload = {
        "From": sender,
        "FromFull": {"Email": sender, "Name": "", "MailboxHash": ""},
        "To": to,
        "ToFull": [{"Email": to, "Name": "", "MailboxHash": ""}],
        "OriginalRecipient": to,
        "Subject": subject,
        "MessageID": key or uuid4().hex,
        "Date": "Tue, 10 Mar 2026 12:00:00 +0000",
        "TextBody": text,
        "HtmlBody": "",
        "Headers": [
            {"Name": name.replace("_", "-"), "Value": value}
            for name, value in {"Return_Path": f"<{sender}>", **headers}.items()
        ],
        "Attachments": [],
    }
    auth = "Basic " + b64encode(b"user:secret").decode()
    return Client(enforce_csrf_checks=True).post(  # type: ignore[return-value]
        "/anymail/postmark/inbound/",
        json.dumps(payload),
        content_type="application/json",
        headers={"Authorization": auth},
    )


def block() -> str:
    found = suppressions.in_force("email", ANN)
    return found.cause if found is not None else ""


# it works


@pytest.mark.rule(24, 41)
def test_the_mailbox_of_the_header_ends_the_topic(ann: Contact, message: Message, way_out: str) -> None:
    message.state, message.channel, message.token = State.CLAIMED, "email", uuid4()
    message.save()
    assert write(way_out, subject="unsubscribe").status_code == 200
    assert permitted(ann, "email") == {"basket_reminders"}
    event = ConsentEvent.objects.get(action="revoke")
    assert (event.source, event.mechanism, event.message_id) == ("mailto", "link", message.pk)
    assert (event.address, event.topic) == (ANN, "weekly_deals")
    assert event.provider_id == InboxEvent.objects.get(name="email.received").key
    message.refresh_from_db()
    assert message.state == State.PLANNED, "what was about to go is taken back"


@pytest.mark.rule(24)
def test_the_token_in_the_subject_is_enough_where_a_mailbox_lost_the_one_in_the_address(
    ann: Contact, message: Message
) -> None:
    write(MAILBOX, subject=f"unsubscribe {token(tokens.UNSUBSCRIBE, message.pk)}")
    assert permitted(ann, "email") == {"basket_reminders"}


@pytest.mark.rule(24)
@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "Unsubscribe please\n\n-- \nAnn Example\nMill Lane 1",
        "stop\n\nOn Tue, 10 Mar 2026 at 12:00, Shop <news@shop.example> wrote:\n> Hello",
        "abmelden",
    ],
)
def test_an_answer_that_says_stop_ends_all_marketing_by_email(text: str, ann: Contact, answers: str) -> None:
    write(answers, text)
    assert permitted(ann, "email") == set()
    assert permitted(ann, "sms") == set(TOPICS)
    assert block() == "revoked"
    assert ConsentEvent.objects.get(action="revoke").source == "email_reply"


@pytest.mark.rule(17, 24)
def test_an_answer_that_may_mean_stop_waits_for_staff(ann: Contact, answers: str) -> None:
    write(answers, "I never signed up for this. Please take me off your list.")
    assert (block(), permitted(ann, "email")) == ("review", set(TOPICS))
    waiting = UnreadReply.objects.get()
    assert waiting.reply is not None
    assert "never signed up" in waiting.reply.data["body"]


@pytest.mark.rule(17, 24)
@pytest.mark.parametrize("words", ["Please unsubscribe me.", "STOP\n\n-- \nAnn Example\nMill Lane 1"])
@pytest.mark.parametrize("is_proven", [True, False])
def test_a_stop_under_the_quotation_waits_for_staff(
    words: str, is_proven: bool, ann: Contact, answers: str
) -> None:
    quotation = "On Monday, Shop <news@shop.example> wrote:\n> Hello\n> Unsubscribe here"
    write(answers if is_proven else MAILBOX, f"{quotation}\n\n{words}")
    assert (block(), permitted(ann, "email")) == ("review", set(TOPICS))
    assert words in InboxEvent.objects.get(name="email.received").data["body"], "staff read what was written"


@pytest.mark.rule(24)
def test_other_words_under_the_quotation_raise_no_doubt(ann: Contact, answers: str) -> None:
    write(answers, "On Monday, Shop <news@shop.example> wrote:\n> Unsubscribe here\n\nWhere is my kettle?")
    assert (block(), UnreadReply.objects.count()) == ("", 0)


@pytest.mark.rule(24)
def test_the_id_of_our_message_proves_as_much_as_the_token(ann: Contact, message: Message) -> None:
    Attempt.objects.create(
        message=message, uuid=uuid4(), channel="email", number=1, provider_id="<abc@mail.example>",
        started_at=NOON, status_at=NOON,
    )  # fmt: skip
    write(MAILBOX, "STOP", In_Reply_To="<abc@mail.example>", sender="ann.other@example.com")
    assert permitted(ann, "email") == set()


@pytest.mark.rule(41)
def test_every_email_asks_for_answers_to_a_mailbox_of_its_own(ann: Contact, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.CROSSCHANNEL_EMAIL_FROM_MARKETING = "Shop <news@shop.example>"
    settings.CROSSCHANNEL_POSTAL_ADDRESS = "1 Mill Lane, York"
    write_words(LinkedFlow, text="{{ brand }}: hello {{ name }} {{ unsubscribe_url }}")
    enrol_all([ann], LinkedFlow, anchor=NOON - HOUR)
    tick(NOON)
    (sent,) = mail.outbox
    (reply_to,) = sent.reply_to
    ways = sent.extra_headers["List-Unsubscribe"]
    write(reply_to, "where is my kettle?")
    assert permitted(ann, "email") == set(TOPICS)
    write(ways.partition("<mailto:")[2].partition("?")[0], subject="unsubscribe")
    assert permitted(ann, "email") == {"basket_reminders"}


# it refuses


@pytest.mark.rule(24)
@pytest.mark.parametrize("text", ["STOP", "please take me off your list"])
def test_a_from_header_alone_revokes_nothing(text: str, ann: Contact) -> None:
    write(MAILBOX, text)
    assert (block(), permitted(ann, "email")) == ("review", set(TOPICS)), "staff may ask"


@pytest.mark.parametrize("tag", ["", "x", "forged-token"])
def test_a_forged_token_changes_nothing(tag: str, ann: Contact, message: Message) -> None:
    good = token(tokens.UNSUBSCRIBE, message.pk)
    for forged in (
        tag,
        good[:-2],
        token(tokens.CLICK, message.pk),
        token(tokens.UNSUBSCRIBE, message.pk + 1),
    ):
        assert write(f"hello+{forged}@in.shop.example", subject=f"leave {forged}").status_code == 200
    assert permitted(ann, "email") == set(TOPICS)
    assert block() == ""


def test_spam_that_speaks_of_unsubscribing_reaches_no_list(ann: Contact) -> None:
    write(MAILBOX, "Buy our lists! Unsubscribe at any time.", sender="spam@example.org")
    assert not UnreadReply.objects.exists()
    assert not Contact.objects.exclude(pk=ann.pk).exists(), "nobody becomes a contact by writing"


@pytest.mark.rule(17)
@pytest.mark.parametrize(
    "header",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; type=vacation"},
        {"Precedence": "bulk"},
        {"X_Autoreply": "yes"},
        {"X_Auto_Response_Suppress": "All"},
        {"Return_Path": "<>"},
    ],
    ids=str,
)
def test_machines_say_nothing(header: dict[str, str], ann: Contact, answers: str) -> None:
    write(answers, "I am away. Stop.", **header)
    assert (block(), permitted(ann, "email")) == ("", set(TOPICS))
    assert InboxEvent.objects.get().data["meaning"] == "none"


@pytest.mark.parametrize(
    "text", ["Where is my order?", "Please don't stop writing!", "Automatic reply: out of office", ""]
)
def test_other_words_change_nothing(text: str, ann: Contact, answers: str) -> None:
    write(answers, text)
    assert (block(), permitted(ann, "email")) == ("", set(TOPICS))


def test_an_ordinary_answer_is_read_by_staff(ann: Contact, message: Message, answers: str) -> None:
    write(answers, "Where is my order?")
    write(answers, "It is me, from the office.", sender="ann.at.work@example.net")
    write(MAILBOX, "A new question", sender=ANN)
    write(answers, "Help")
    said = list(OrdinaryReply.objects.order_by("pk").values_list("data__body", flat=True))
    assert said == ["Where is my order?", "It is me, from the office.", "A new question", "Help"]
    assert permitted(ann, "email") == set(TOPICS)


@pytest.mark.parametrize(
    ("text", "sender", "headers"),
    [
        ("Cheap watches", "spam@example.net", {}),
        ("I am away.", ANN, {"Auto_Submitted": "auto-replied"}),
        ("Automatic reply: out of office", ANN, {}),
        ("STOP", ANN, {}),
    ],
    ids=["spam", "machine", "machine without a word of it", "known by its From alone"],
)
def test_what_is_no_answer_bothers_nobody(
    text: str, sender: str, headers: dict[str, str], ann: Contact
) -> None:
    write(MAILBOX, text, sender=sender, **headers)
    assert InboxEvent.objects.count() == 1
    assert not OrdinaryReply.objects.exists()


def test_without_a_mailbox_of_ours_nothing_asks_for_answers(settings: Any, message: Message) -> None:
    settings.CROSSCHANNEL_EMAIL_INBOUND = ""
    assert links.reply_address(message.pk) == ""


# it survives


@pytest.mark.rule(67)
def test_an_email_that_is_handed_over_twice_counts_once(ann: Contact, answers: str) -> None:
    for _ in range(3):
        assert write(answers, "STOP", key="the-same").status_code == 200
    assert ConsentEvent.objects.filter(action="revoke").count() == 1
    assert InboxEvent.objects.count() == 1


@pytest.mark.rule(69)
def test_a_broken_database_makes_the_provider_call_again(
    ann: Contact, answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("no space left")

    monkeypatch.setattr(inbox, "record", fail)
    with pytest.raises(DatabaseError):
        write(answers, "STOP", key="again")
    monkeypatch.undo()
    assert write(answers, "STOP", key="again").status_code == 200
    assert permitted(ann, "email") == set()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"From: \xff\xfe\nTo: =?utf-8?q?=ff?=\nSubject: \x00\n\n\xff\x00STOP",
        b"From: <<>>,,,@\nContent-Type: text/plain; charset=no-such\n\nSTOP",
        b"From: a@b\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/rfc822\n\nFrom: c\n\nd",
        b"From: a@b.example\nContent-Type: text/html\n\n<p>STOP<blockquote>unsubscribe</blockquote>",
    ],
    ids=["nothing", "bytes", "no charset", "nested", "html"],
)
def test_no_letter_is_too_broken_to_be_taken(raw: bytes) -> None:
    message = AnymailInboundMessage.parse_raw_mime_bytes(raw)
    event = AnymailInboundEvent(event_type="inbound", message=message, esp_event=None)
    inbound.send(sender=object, event=event, esp_name="Test")
    inbound.send(sender=object, event=AnymailInboundEvent(event_type="inbound_failed"), esp_name="Test")
    assert InboxEvent.objects.count() == 1


def test_the_fold_leaves_letters_alone(ann: Contact, answers: str) -> None:
    write(answers, "hello", sender="somebody.else@example.com")
    tick(timezone.now())
    assert not Contact.objects.exclude(pk=ann.pk).exists()
