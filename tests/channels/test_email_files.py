"""Files that go along with an email: what a mailbox and a provider get of them."""

from __future__ import annotations

from base64 import b64decode
from email import message_from_bytes, policy
from typing import Any
from uuid import UUID

import django
import pytest
from anymail.utils import Attachment

from oscar_crosschannel.channels import email as email_channel
from oscar_crosschannel.channels.email import EmailChannel
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.outbound import Content, File, Outbound, Recipient
from oscar_crosschannel.testing.channels import NOW, SENDER

CALENDAR = "BEGIN:VCALENDAR\r\nSUMMARY:Thé\r\nEND:VCALENDAR\r\n"
INVITE = File(name="event.ics", content=CALENDAR.encode(), type="text/calendar; method=REQUEST")


@pytest.fixture(autouse=True)
def _sender(settings: Any) -> None:
    for name, value in SENDER.items():
        setattr(settings, f"CROSSCHANNEL_{name}", value)


def send(*files: File) -> None:
    content = Content(subject="You are booked", text="See you.", html="<p>See you.</p>", files=files)
    EmailChannel().send(
        Outbound(
            uuid=UUID(int=1),
            recipient=Recipient(address="ada@example.org"),
            content=content,
            purpose=Purpose.TRANSACTIONAL,
            topic="order_updates",
            now=NOW,
        )
    )


def test_a_mailbox_gets_the_calendar_with_its_method(mail_server: Any) -> None:
    send(INVITE)
    (envelope,) = mail_server.envelopes
    message = message_from_bytes(envelope.content, policy=policy.default)
    (part,) = message.iter_attachments()

    assert part.get_content_type() == "text/calendar"
    assert part["Content-Type"].params["method"] == "REQUEST"
    assert part["Content-Type"].params["charset"].lower() == "utf-8"
    assert part.get_filename() == "event.ics"
    assert part.get_payload(decode=True) == CALENDAR.encode()


def test_a_provider_gets_the_calendar_with_its_method(postmark: Any) -> None:
    send(INVITE)
    (attached,) = postmark.requests[0]["Attachments"]
    assert attached["Name"] == "event.ics"
    assert attached["ContentType"].replace('"', "") == "text/calendar; method=REQUEST; charset=utf-8"
    assert b64decode(attached["Content"]) == CALENDAR.encode()


def test_a_file_of_any_other_type_arrives_as_it_is(mail_server: Any) -> None:
    send(File(name="ticket.pdf", content=b"%PDF-\x00\xff", type="application/pdf"))
    (envelope,) = mail_server.envelopes
    (part,) = message_from_bytes(envelope.content, policy=policy.default).iter_attachments()
    assert (part.get_content_type(), part.get_content()) == ("application/pdf", b"%PDF-\x00\xff")


@pytest.mark.parametrize("version", [(5, 2), (6, 0)])
def test_every_provider_of_anymail_takes_the_type_apart(
    version: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resend, for one, refuses a type it does not know, and takes parameters for a part of it."""
    monkeypatch.setattr(django, "VERSION", version)
    attached = Attachment(email_channel._part(INVITE))
    assert attached.mimetype == "text/calendar"
    assert "method=REQUEST" in attached.content_type.replace('"', "")
    assert attached.name == "event.ics"
    assert attached.content_bytes.replace(b"\r\n", b"\n") == CALENDAR.encode().replace(b"\r\n", b"\n")
