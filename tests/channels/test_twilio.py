"""Text messages through Twilio: the official SDK against a counterpart that speaks the API."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured

from oscar_crosschannel.channels.base import Found
from oscar_crosschannel.channels.sms import SmsChannel
from oscar_crosschannel.channels.sms_backends.twilio import CALL_WITHIN, TwilioBackend, client_of, sender_of
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.lifecycle import Status
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
from oscar_crosschannel.testing.channels import NOW
from oscar_crosschannel.testing.sms_counterpart import API_KEY, API_SECRET, NUMBER, Fault, SmsCounterpart

ADA = "+12025550123"
CALLBACK = "https://shop.example/sms/status/?attempt=5"


@pytest.fixture
def channel(twilio: SmsCounterpart) -> SmsChannel:
    return SmsChannel(TwilioBackend())


def outbound(**changes: Any) -> Outbound:
    known: dict[str, Any] = {
        "uuid": uuid4(),
        "recipient": Recipient(address=ADA),
        "content": Content(text="Quillbrook: hello"),
        "purpose": Purpose.MARKETING,
        "topic": "offers",
        "now": NOW,
        "callback_url": CALLBACK,
    }
    return Outbound(**{**known, **changes})


def failure(channel: SmsChannel) -> ChannelError:
    with pytest.raises(ChannelError) as raised:
        channel.send(outbound())
    return raised.value


# It works.


@pytest.mark.rule(60, 63, 86)
def test_a_text_reaches_the_phone(channel: SmsChannel, twilio: SmsCounterpart) -> None:
    receipt = channel.send(outbound())
    [text] = twilio.phone(ADA)
    assert (text.from_, text.body, text.status_callback) == (NUMBER, "Quillbrook: hello", CALLBACK)
    assert (receipt.provider, receipt.provider_id, receipt.segments) == ("twilio", text.sid, 1)
    assert twilio.calls == 1


def test_a_messaging_service_chooses_the_sender(
    channel: SmsChannel, twilio: SmsCounterpart, settings: Any
) -> None:
    settings.CROSSCHANNEL_TWILIO = twilio.settings(MESSAGING_SERVICE_SID="MG" + "1" * 32)
    receipt = channel.send(outbound(content=Content(text="x" * 161)))
    assert twilio.messages[0].service == "MG" + "1" * 32
    assert receipt.segments == 2  # the service itself says 0 at first


def test_an_api_key_opens_the_account(channel: SmsChannel, twilio: SmsCounterpart, settings: Any) -> None:
    settings.CROSSCHANNEL_TWILIO = twilio.settings(API_KEY=API_KEY, API_SECRET=API_SECRET, AUTH_TOKEN="")
    assert channel.send(outbound()).provider_id


@pytest.mark.rule(33)
@pytest.mark.parametrize(
    ("left", "period"),
    [(timedelta(hours=4), 14_400), (timedelta(days=2), 36_000), (timedelta(seconds=1.5), 1), (None, None)],
)
def test_twilio_may_not_deliver_after_the_window(
    channel: SmsChannel, twilio: SmsCounterpart, left: timedelta | None, period: int | None
) -> None:
    channel.send(outbound(valid_until=left and NOW + left))
    assert twilio.messages[0].validity_period == period


@pytest.mark.rule(33)
def test_the_window_is_counted_in_real_time_across_zones(channel: SmsChannel, twilio: SmsCounterpart) -> None:
    there = timezone(timedelta(hours=-5))
    channel.send(outbound(valid_until=(NOW + timedelta(minutes=10)).astimezone(there)))
    assert twilio.messages[0].validity_period == 600


@pytest.mark.rule(86)
def test_edge_and_region_of_the_environment_do_not_lead_astray(
    channel: SmsChannel, twilio: SmsCounterpart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert channel.send(outbound()).provider_id
    assert len(twilio.messages) == 1


def test_edge_and_region_of_the_environment_lead_to_the_real_twilio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    client = client_of({"ACCOUNT_SID": "AC1", "AUTH_TOKEN": "x"})
    assert client.get_hostname(client.api.base_url) == "https://api.dublin.us1.twilio.com"


@pytest.mark.rule(29)
def test_an_alphanumeric_sender_takes_no_replies(twilio: SmsCounterpart, settings: Any) -> None:
    backend = TwilioBackend()
    assert backend.takes_replies()
    settings.CROSSCHANNEL_TWILIO = twilio.settings(FROM="QUILLBROOK")
    assert not backend.takes_replies()
    settings.CROSSCHANNEL_TWILIO = twilio.settings(FROM="QUILLBROOK", MESSAGING_SERVICE_SID="MG1")
    assert backend.takes_replies()


# It refuses.


@pytest.mark.rule(27, 54, 55, 56)
@pytest.mark.parametrize(
    ("code", "kind", "effect"),
    [
        (21610, Refused, Effect.OPTED_OUT),
        (21211, Refused, Effect.UNUSABLE),
        (21614, Refused, Effect.UNUSABLE),
        (21635, Refused, Effect.UNUSABLE),
        (21612, Refused, Effect.NONE),
        (30004, Refused, Effect.NONE),  # it must come twice before it says something of the number
        (20003, SenderBroken, None),
        (20404, SenderBroken, None),
        (21606, SenderBroken, None),
        (21703, SenderBroken, None),
        (30034, SenderBroken, None),
        (20429, NotSent, None),
        (21611, NotSent, None),
        (30027, NotSent, None),
        (20500, UnknownOutcome, None),
    ],
)
def test_an_error_code_is_understood(
    channel: SmsChannel, twilio: SmsCounterpart, code: int, kind: type, effect: Effect | None
) -> None:
    twilio.answer_next(code)
    error = failure(channel)
    assert type(error) is kind
    assert error.code == str(code)
    assert getattr(error, "effect", None) == effect
    assert (twilio.calls, twilio.messages) == (1, [])


@pytest.mark.rule(55)
def test_a_code_that_nobody_knows_is_a_refusal_that_alerts(
    channel: SmsChannel, twilio: SmsCounterpart
) -> None:
    twilio.answer_next(29999)
    error = failure(channel)
    assert isinstance(error, Refused)
    assert error.alert
    twilio.answer_next(21610)
    known = failure(channel)
    assert isinstance(known, Refused)
    assert not known.alert


@pytest.mark.rule(55)
def test_the_code_table_is_the_projects_to_change(
    channel: SmsChannel, twilio: SmsCounterpart, settings: Any
) -> None:
    settings.CROSSCHANNEL_TWILIO_CODES = {29999: {"outcome": "not_sent", "retry_after": 90}}
    twilio.answer_next(29999)
    error = failure(channel)
    assert isinstance(error, NotSent)
    assert error.retry_after == 90


def test_a_wrong_token_stops_the_channel(channel: SmsChannel, twilio: SmsCounterpart, settings: Any) -> None:
    settings.CROSSCHANNEL_TWILIO = twilio.settings(AUTH_TOKEN="wrong")
    error = failure(channel)
    assert isinstance(error, SenderBroken)
    assert error.code == "20003"


@pytest.mark.rule(64)
@pytest.mark.parametrize("missing", ["ACCOUNT_SID", "AUTH_TOKEN", "FROM"])
def test_missing_settings_stop_the_channel_before_any_call(
    channel: SmsChannel, twilio: SmsCounterpart, settings: Any, missing: str
) -> None:
    settings.CROSSCHANNEL_TWILIO = twilio.settings(**{missing: ""})
    with pytest.raises(SenderBroken, match=missing):
        channel.send(outbound())
    assert twilio.calls == 0


@pytest.mark.rule(86)
@pytest.mark.parametrize("host", ["api.example.com", "127.0.0.1.example.com", "10.0.0.1", ""])
def test_another_base_url_must_be_this_machine(settings: Any, host: str) -> None:
    config = {"ACCOUNT_SID": "AC1", "AUTH_TOKEN": "x", "BASE_URL": f"http://{host}:8000"}
    settings.DEBUG = False
    with pytest.raises(ImproperlyConfigured, match="BASE_URL"):
        client_of(config)
    settings.DEBUG = True
    assert client_of(config).api.base_url == f"http://{host}:8000"


@pytest.mark.rule(86)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_is_always_allowed(settings: Any, host: str) -> None:
    settings.DEBUG = False
    assert client_of({"ACCOUNT_SID": "AC1", "AUTH_TOKEN": "x", "BASE_URL": f"http://{host}:8000/"})


def test_the_messaging_service_outranks_the_number() -> None:
    assert sender_of({"FROM": NUMBER, "MESSAGING_SERVICE_SID": "MG1"}) == {"messaging_service_sid": "MG1"}
    assert sender_of({"FROM": NUMBER}) == {"from_": NUMBER}


# It survives.


@pytest.mark.rule(54, 58)
@pytest.mark.parametrize(
    ("fault", "taken"),
    [
        (Fault.UNAVAILABLE, False),
        (Fault.DROPPED, False),
        (Fault.UNREADABLE, True),
        (Fault.EMPTY, True),
        (Fault.HALF, True),
        (Fault.TAKEN_AND_DROPPED, True),
    ],
)
def test_a_call_without_a_clear_answer_is_in_doubt_and_not_made_again(
    channel: SmsChannel, twilio: SmsCounterpart, fault: Fault, taken: bool
) -> None:
    twilio.answer_next(fault)
    assert type(failure(channel)) is UnknownOutcome
    assert twilio.calls == 1
    assert bool(twilio.messages) is taken


@pytest.mark.rule(54, 57)
@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.TAKEN_AND_SILENT])
def test_a_silent_twilio_releases_the_worker(
    channel: SmsChannel, twilio: SmsCounterpart, settings: Any, fault: Fault
) -> None:
    settings.CROSSCHANNEL_TWILIO = twilio.settings(TIMEOUT=0.3)
    twilio.answer_next(fault)
    assert type(failure(channel)) is UnknownOutcome


@pytest.mark.rule(58)
def test_an_error_in_the_form_of_rfc_9457_is_understood(channel: SmsChannel, twilio: SmsCounterpart) -> None:
    twilio.answer_next(Fault.PROBLEM)
    error = failure(channel)
    assert isinstance(error, Refused)
    assert (error.code, error.effect) == ("21211", Effect.UNUSABLE)


@pytest.mark.rule(73)
def test_the_sdk_logs_no_number(
    channel: SmsChannel, twilio: SmsCounterpart, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    channel.send(outbound())
    channel.look_up(uuid4(), "", ADA, datetime.now(UTC))
    twilio.answer_next(21610)
    failure(channel)
    assert ADA not in caplog.text
    assert ADA.removeprefix("+") not in caplog.text


# Looking up what became of a call.


@pytest.mark.rule(53, 71)
def test_a_message_is_found_by_its_id(channel: SmsChannel, twilio: SmsCounterpart) -> None:
    sid = channel.send(outbound()).provider_id
    twilio.messages[0].status, twilio.messages[0].error_code = "undelivered", 30006
    found = channel.look_up(uuid4(), sid, ADA, NOW)
    assert found == Found(provider_id=sid, status=Status.UNDELIVERED, code="30006")


@pytest.mark.rule(53)
def test_the_only_message_to_the_number_since_the_attempt_is_it(
    channel: SmsChannel, twilio: SmsCounterpart
) -> None:
    begun = datetime.now(UTC)
    twilio.answer_next(Fault.TAKEN_AND_DROPPED)
    failure(channel)
    channel.send(outbound(recipient=Recipient(address="+12025550199")))
    found = channel.look_up(uuid4(), "", ADA, begun)
    assert found == Found(provider_id=twilio.phone(ADA)[0].sid, status=Status.QUEUED)


@pytest.mark.rule(53)
def test_two_messages_to_the_number_prove_nothing(channel: SmsChannel, twilio: SmsCounterpart) -> None:
    begun = datetime.now(UTC)
    channel.send(outbound())
    channel.send(outbound())
    assert channel.look_up(uuid4(), "", ADA, begun) is None


def test_a_message_of_another_time_is_not_it(channel: SmsChannel, twilio: SmsCounterpart) -> None:
    channel.send(outbound())
    at = twilio.messages[0].at
    assert channel.look_up(uuid4(), "", ADA, at + timedelta(seconds=1)) is None
    assert channel.look_up(uuid4(), "", ADA, at - CALL_WITHIN - timedelta(seconds=1)) is None


@pytest.mark.rule(59)
def test_the_attempts_time_may_be_in_any_zone(channel: SmsChannel, twilio: SmsCounterpart) -> None:
    channel.send(outbound())
    begun = twilio.messages[0].at.astimezone(timezone(timedelta(hours=9)))
    assert channel.look_up(uuid4(), "", ADA, begun)


def test_the_look_up_reads_page_after_page(channel: SmsChannel, twilio: SmsCounterpart) -> None:
    begun = datetime.now(UTC)
    channel.send(outbound())
    for _ in range(60):  # later ones, more than a page of them
        channel.send(outbound())
        twilio.messages[-1].at = begun + timedelta(hours=1)
    assert channel.look_up(UUID(int=1), "", ADA, begun)


def test_a_status_word_of_the_future_still_says_accepted(channel: SmsChannel, twilio: SmsCounterpart) -> None:
    sid = channel.send(outbound()).provider_id
    twilio.messages[0].status = "teleported"
    found = channel.look_up(uuid4(), sid, ADA, NOW)
    assert found == Found(provider_id=sid, status=Status.QUEUED)


def test_a_twilio_that_does_not_answer_cannot_tell(
    channel: SmsChannel, twilio: SmsCounterpart, settings: Any, closed_port: int
) -> None:
    sid = channel.send(outbound()).provider_id
    assert channel.look_up(uuid4(), "SM" + "9" * 32, ADA, NOW) is None
    settings.CROSSCHANNEL_TWILIO = twilio.settings(BASE_URL=f"http://127.0.0.1:{closed_port}")
    assert channel.look_up(uuid4(), sid, ADA, NOW) is None
