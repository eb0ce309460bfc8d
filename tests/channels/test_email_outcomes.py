"""What became of an email, told from what the provider said, by SMTP and by HTTP."""

from __future__ import annotations

import json
import smtplib
import ssl
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from anymail.exceptions import AnymailAPIError, AnymailCancelSend
from anymail.message import AnymailRecipientStatus
from anymail.signals import post_send, pre_send
from django.core import mail

from oscar_crosschannel.channels import email_connections, email_outcomes
from oscar_crosschannel.channels.email import EmailChannel
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.outbound import (
    ChannelError,
    Content,
    Effect,
    NotSent,
    Outbound,
    Recipient,
    Refused,
    SenderBroken,
    UnknownOutcome,
)
from oscar_crosschannel.testing.channels import NOW, SENDER

ADA = "ada@example.org"
POSTMARK, MAILERSEND = (f"anymail.backends.{name}.EmailBackend" for name in ("postmark", "mailersend"))


@pytest.fixture(autouse=True)
def _sender(settings: Any, mailoutbox: list[Any]) -> None:
    for name, value in SENDER.items():
        setattr(settings, f"CROSSCHANNEL_{name}", value)


@pytest.fixture
def channel() -> Iterator[EmailChannel]:
    channel = EmailChannel()
    yield channel
    channel.close()


def outbound(number: int = 1) -> Outbound:
    return Outbound(
        uuid=UUID(int=number),
        recipient=Recipient(address=ADA),
        content=Content(subject="New teas", text="New teas are in.", html="<p>New teas are in.</p>"),
        purpose=Purpose.TRANSACTIONAL,
        topic="orders",
        now=NOW,
    )


def failure(channel: EmailChannel) -> ChannelError:
    with pytest.raises(ChannelError) as raised:
        channel.send(outbound())
    return raised.value


# SMTP: it works.


def test_a_message_arrives_by_smtp(channel: EmailChannel, mail_server: Any) -> None:
    receipt = channel.send(outbound())
    assert (receipt.provider, receipt.provider_id) == ("smtp", "")
    [envelope] = mail_server.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("orders@shop.example", [ADA])


def test_one_connection_serves_many_messages(channel: EmailChannel, mail_server: Any) -> None:
    for number in range(5):
        channel.send(outbound(number))
    assert len(mail_server.envelopes) == 5
    assert mail_server.connections == 1


def test_a_server_that_hung_up_in_between_costs_no_message(channel: EmailChannel, mail_server: Any) -> None:
    channel.send(outbound(1))
    mail_server.hang_up_on_everyone()
    channel.send(outbound(2))
    assert len(mail_server.envelopes) == 2
    assert mail_server.connections == 2


def test_a_connection_that_was_idle_for_long_is_not_used(
    channel: EmailChannel, mail_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_connections, "IDLE_LIMIT", 0.0)
    channel.send(outbound(1))
    channel.send(outbound(2))
    assert mail_server.connections == 2


# SMTP: it refuses.


@pytest.mark.parametrize(
    ("command", "answer", "outcome"),
    [
        ("RCPT", "550 5.1.1 <ada@example.org>: no such user", (Refused, Effect.UNUSABLE)),
        ("RCPT", "550 No such user", (Refused, Effect.UNUSABLE)),
        ("RCPT", "550 5.7.1 Blocked by policy", (Refused, Effect.NONE)),
        ("RCPT", "554 5.7.1 Relay access denied", (Refused, Effect.NONE)),
        ("RCPT", "552 5.2.2 Mailbox full", (Refused, Effect.NONE)),
        ("RCPT", "450 4.2.0 Greylisted", (NotSent, None)),
        ("RCPT", "421 4.3.2 Going down", (NotSent, None)),
        ("RCPT", "530 5.7.0 Authentication required", (SenderBroken, None)),
        ("MAIL", "550 5.7.1 Sender not allowed", (SenderBroken, None)),
        ("MAIL", "451 4.3.0 Try again", (NotSent, None)),
        ("MAIL", "552 5.3.4 Message too large", (Refused, Effect.NONE)),
        ("DATA", "554 5.7.1 Looks like spam", (Refused, Effect.NONE)),
        ("DATA", "550 5.1.1 No such user", (Refused, Effect.UNUSABLE)),
        ("DATA", "452 4.3.1 Out of space", (NotSent, None)),
    ],
)
def test_an_smtp_reply_is_understood(
    channel: EmailChannel, mail_server: Any, command: str, answer: str, outcome: tuple[type, Effect | None]
) -> None:
    mail_server.answers[command] = answer
    error = failure(channel)
    assert (type(error), getattr(error, "effect", None)) == outcome
    assert error.code == answer[:3]
    assert mail_server.envelopes == []


@pytest.mark.rule(73)
def test_what_the_server_said_is_kept_without_the_address(channel: EmailChannel, mail_server: Any) -> None:
    mail_server.answers["RCPT"] = "550 5.1.1 <Ada@Example.org>: no such user"
    error = failure(channel)
    assert "no such user" in str(error)
    assert "ada@" not in f"{error} {error.detail}".lower()


# SMTP: it survives.


@pytest.mark.rule(54)
@pytest.mark.parametrize("command", ["MAIL", "DATA"])
def test_a_server_that_hangs_up_during_a_message_leaves_it_in_doubt(
    channel: EmailChannel, mail_server: Any, command: str
) -> None:
    mail_server.answers[command] = "hang up"
    assert type(failure(channel)) is UnknownOutcome


def test_after_a_failure_the_next_message_has_a_connection_of_its_own(
    channel: EmailChannel, mail_server: Any
) -> None:
    mail_server.answers["DATA"] = "hang up"
    failure(channel)
    mail_server.answers.clear()
    channel.send(outbound())
    assert len(mail_server.envelopes) == 1


def test_credentials_that_the_server_does_not_take_stop_the_channel(
    channel: EmailChannel, mail_server: Any, settings: Any
) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "shop", "wrong"
    assert type(failure(channel)) is SenderBroken  # this server takes no login at all


def test_contradictory_settings_stop_the_channel(
    channel: EmailChannel, mail_server: Any, settings: Any
) -> None:
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = True
    assert type(failure(channel)) is SenderBroken


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 Bad credentials"), SenderBroken),
        (smtplib.SMTPAuthenticationError(454, b"4.7.0 Temporary failure"), NotSent),
        (smtplib.SMTPConnectError(421, b"Too many connections"), NotSent),
        (smtplib.SMTPServerDisconnected("Connection unexpectedly closed"), NotSent),
        (ssl.SSLCertVerificationError("self-signed certificate"), SenderBroken),
        (TimeoutError("timed out"), NotSent),
        (OSError("Network is unreachable"), NotSent),
    ],
)
def test_a_connection_that_did_not_open_sent_nothing(error: Exception, kind: type) -> None:
    assert type(email_outcomes.of_opening(error)) is kind


@pytest.mark.rule(57)
def test_smtp_without_a_time_out_of_the_projects_own_gets_one(mail_server: Any, settings: Any) -> None:
    settings.EMAIL_TIMEOUT = None
    connections = email_connections.EmailConnections()
    connection: Any = connections.take()
    assert connection.connection.sock.gettimeout() == email_connections.SMTP_TIMEOUT
    email_connections.discard(connection)


# Anymail, through Postmark's API: it works.


def test_a_message_goes_out_by_http_with_its_uuid_and_topic(channel: EmailChannel, postmark: Any) -> None:
    receipt = channel.send(outbound(7))
    assert (receipt.provider, receipt.provider_id) == ("Postmark", "pm-1")
    [request] = postmark.requests
    assert request["Metadata"] == {"crosschannel": str(UUID(int=7))}
    assert request["Tag"] == "orders"
    assert request["To"] == ADA


@pytest.mark.rule(63)
def test_a_provider_without_metadata_gets_the_message_without(
    channel: EmailChannel, postmark: Any, settings: Any
) -> None:
    settings.CROSSCHANNEL_EMAIL_BACKEND = MAILERSEND
    postmark.answer = (202, {"X-Message-Id": "ms-1", "Content-Type": "text/html"}, "")
    receipt = channel.send(outbound())
    assert (receipt.provider, receipt.provider_id) == ("MailerSend", "ms-1")
    [request] = postmark.requests
    assert not {"metadata", "tags"} & request.keys()


# Anymail: it refuses.


@pytest.mark.rule(54, 55, 56)
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((429, {"Retry-After": "17"}, "{}"), NotSent),
        ((401, {}, '{"ErrorCode": 10, "Message": "No token"}'), SenderBroken),
        ((403, {}, "{}"), SenderBroken),
        ((404, {}, "{}"), Refused),
        ((408, {}, "{}"), UnknownOutcome),
        ((500, {}, "{}"), UnknownOutcome),
        ((503, {}, "<html>Service Unavailable</html>"), UnknownOutcome),
        ((200, {}, "<html>"), UnknownOutcome),
        ((200, {}, "{}"), UnknownOutcome),
        ((200, {"Content-Length": "500"}, '{"Erro'), UnknownOutcome),
        (None, UnknownOutcome),
    ],
)
def test_an_http_answer_is_understood(
    channel: EmailChannel, postmark: Any, answer: tuple[int, dict[str, str], str] | None, kind: type
) -> None:
    postmark.answer = answer
    error = failure(channel)
    assert type(error) is kind
    assert len(postmark.requests) == 1
    if answer and isinstance(error, NotSent) and not isinstance(error, SenderBroken):
        assert error.retry_after == 17
    if isinstance(error, Refused):
        assert error.alert


@pytest.mark.rule(54)
def test_a_provider_that_refuses_connections_was_not_called(
    channel: EmailChannel, postmark: Any, settings: Any, closed_port: int
) -> None:
    settings.ANYMAIL = {**settings.ANYMAIL, "POSTMARK_API_URL": f"http://127.0.0.1:{closed_port}/"}
    assert type(failure(channel)) is NotSent


@pytest.mark.rule(57)
def test_a_silent_provider_leaves_the_message_in_doubt(
    channel: EmailChannel, postmark: Any, settings: Any
) -> None:
    settings.ANYMAIL = {**settings.ANYMAIL, "REQUESTS_TIMEOUT": 0.3}
    postmark.answer = ""
    assert type(failure(channel)) is UnknownOutcome


@pytest.mark.rule(61)
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            406,
            f"You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: {ADA}. Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression.",
        ),
        (300, f"Invalid 'To' address: '{ADA}'."),
    ],
)
def test_a_refused_recipient_makes_the_address_unusable(
    channel: EmailChannel, postmark: Any, code: int, words: str
) -> None:
    postmark.answer = (422, {}, json.dumps({"ErrorCode": code, "Message": words}))
    error = failure(channel)
    assert isinstance(error, Refused)
    assert error.effect is Effect.UNUSABLE


# Anymail's own test backend, for answers that no exception tells.


@pytest.fixture
def anymail_test(settings: Any) -> None:
    settings.CROSSCHANNEL_EMAIL_BACKEND = "anymail.backends.test.EmailBackend"


@pytest.fixture
def before_sending(anymail_test: None) -> Iterator[list[Any]]:
    """Functions that get the message before Anymail sends it."""
    receivers: list[Any] = []

    def receive(sender: Any, message: Any, **_: Any) -> None:
        for receiver in receivers:
            receiver(message)

    pre_send.connect(receive)
    yield receivers
    pre_send.disconnect(receive)


def answering(status: str) -> Any:
    response = {"recipient_status": {ADA: AnymailRecipientStatus(None, status)}}
    return lambda message: setattr(message, "anymail_test_response", response)


@pytest.mark.rule(61)
def test_an_id_of_zero_is_an_id(channel: EmailChannel, anymail_test: None) -> None:
    assert channel.send(outbound()).provider_id == "0"


@pytest.mark.rule(61)
@pytest.mark.parametrize(
    ("status", "effect"),
    [("invalid", Effect.UNUSABLE), ("rejected", Effect.UNUSABLE), ("failed", Effect.NONE)],
)
@pytest.mark.parametrize("ignoring", [False, True])
def test_a_refusal_is_one_whether_anymail_raises_or_not(
    before_sending: list[Any], settings: Any, status: str, effect: Effect, ignoring: bool
) -> None:
    settings.ANYMAIL = {"IGNORE_RECIPIENT_STATUS": ignoring}
    before_sending.append(answering(status))
    error = failure(EmailChannel())
    assert isinstance(error, Refused)
    assert (error.code, error.effect, error.alert) == (status, effect, status == "failed")


@pytest.mark.parametrize("status", ["sent", "queued", "unknown"])
def test_whatever_is_no_refusal_was_accepted(
    channel: EmailChannel, before_sending: list[Any], status: str
) -> None:
    before_sending.append(answering(status))
    assert channel.send(outbound()).provider_id == ""


def test_a_message_that_the_project_cancels_was_not_sent(
    channel: EmailChannel, before_sending: list[Any]
) -> None:
    def cancel(message: Any) -> None:
        raise AnymailCancelSend

    before_sending.append(cancel)
    assert type(failure(channel)) is Refused
    assert mail.outbox == []


@pytest.mark.rule(62)
def test_a_receiver_that_fails_after_acceptance_changes_nothing(
    channel: EmailChannel, anymail_test: None
) -> None:
    def fail(sender: Any, **_: Any) -> None:
        raise RuntimeError("a receiver of the project's own")

    post_send.connect(fail)
    try:
        assert channel.send(outbound()).provider_id == "0"
    finally:
        post_send.disconnect(fail)


def test_whatever_else_fails_leaves_the_message_in_doubt(
    channel: EmailChannel, before_sending: list[Any]
) -> None:
    def fail(message: Any) -> None:
        raise RuntimeError(f"something about {ADA}")

    before_sending.append(fail)
    error = failure(channel)
    assert type(error) is UnknownOutcome
    assert ADA not in str(error)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("TooManyRequestsException", 429, NotSent),
        ("ThrottlingException", 400, NotSent),
        ("AccountSuspendedException", 400, SenderBroken),
        ("InvalidClientTokenId", 403, SenderBroken),
        ("MessageRejected", 400, Refused),
        ("InternalFailure", 500, UnknownOutcome),
    ],
)
def test_amazons_errors_are_told_apart_by_name(code: str, status: int, kind: type) -> None:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = email_outcomes.of_sending(AnymailAPIError("SES says no", response=response))
    assert type(error) is kind
    assert error.code == code
