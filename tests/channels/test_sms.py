"""Text messages: what every one carries, and which may not go out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from oscar_crosschannel.channels.base import Pace
from oscar_crosschannel.channels.sms import SmsChannel
from oscar_crosschannel.channels.sms_backends import locmem
from oscar_crosschannel.channels.sms_backends.base import SmsBackend
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.outbound import (
    ChannelError,
    Content,
    NotSent,
    Outbound,
    Receipt,
    Recipient,
    Refused,
    SenderBroken,
    TooLong,
    UnknownOutcome,
)
from oscar_crosschannel.testing.channels import NOW

LOCMEM = "oscar_crosschannel.channels.sms_backends.locmem.LocmemBackend"
URL = "https://shop.example/u/abc/"
NUMBER = "+12025550123"


@pytest.fixture(autouse=True)
def _sender(settings: Any) -> None:
    locmem.outbox.clear()
    settings.CROSSCHANNEL_SMS_BACKEND = LOCMEM
    settings.CROSSCHANNEL_BRAND = "Quillbrook"


def compose(text: str, purpose: Purpose = Purpose.MARKETING, **words: str) -> str:
    return SmsChannel().compose({"text": text, **words}, purpose=purpose, language="en").text


def outbound(**changes: Any) -> Outbound:
    known: dict[str, Any] = {
        "uuid": UUID(int=1),
        "recipient": Recipient(address=NUMBER),
        "content": Content(text="Quillbrook: hello"),
        "purpose": Purpose.TRANSACTIONAL,
        "topic": "orders",
        "now": NOW,
    }
    return Outbound(**{**known, **changes})


# It works.


@pytest.mark.rule(29)
@pytest.mark.parametrize("purpose", Purpose)
def test_every_text_names_its_sender_once(purpose: Purpose) -> None:
    assert compose("Teas! Reply STOP to end", purpose) == "Quillbrook: Teas! Reply STOP to end"
    assert compose("New at QUILLBROOK. STOP to end", purpose) == "New at QUILLBROOK. STOP to end"


def test_a_name_inside_a_link_is_no_name() -> None:
    assert compose("See https://quillbrook.example STOP to end").startswith("Quillbrook: See")


def test_a_text_from_a_template_file_loses_its_last_line_break() -> None:
    assert compose("Quillbrook\r\nSTOP to end\n") == "Quillbrook\nSTOP to end"


@pytest.mark.rule(81)
def test_typography_is_made_plain_unless_the_shop_says_no(settings: Any) -> None:
    text = "Quillbrook: you’ve got “tea” – STOP to end…"
    assert compose(text) == 'Quillbrook: you\'ve got "tea" - STOP to end...'
    settings.CROSSCHANNEL_SMS_SMART_ENCODING = False
    assert compose(text) == text


@pytest.mark.rule(29)
def test_an_unsubscribe_link_is_a_way_out_too() -> None:
    assert URL in compose(f"Quillbrook: teas. End: {URL}", unsubscribe_url=URL)


@pytest.mark.rule(83)
def test_the_shops_own_links_pass() -> None:
    assert compose("Quillbrook: https://shop.example/r/x STOP to end")


def test_a_text_for_locmem_is_kept_whole() -> None:
    receipt = SmsChannel().send(outbound())
    assert receipt == Receipt(provider="locmem", segments=1)
    assert locmem.outbox == [outbound()]


@pytest.mark.rule(80)
def test_a_number_and_a_messaging_service_each_have_a_pace_of_their_own(settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_BACKEND = "oscar_crosschannel.channels.sms_backends.twilio.TwilioBackend"
    settings.CROSSCHANNEL_TWILIO = {"FROM": "+12065550100"}
    assert SmsChannel().pace() == Pace(sender="sms:+12065550100", per_second=1.0)
    settings.CROSSCHANNEL_TWILIO = {"FROM": "+12065550100", "MESSAGING_SERVICE_SID": "MG1"}
    settings.CROSSCHANNEL_SMS_RATE = 100.0
    assert SmsChannel().pace() == Pace(sender="sms:MG1", per_second=100.0)


@pytest.mark.rule(80)
def test_a_text_takes_as_much_of_the_pace_as_it_has_segments() -> None:
    assert [SmsChannel().units(Content(text="a" * length)) for length in (160, 161, 307)] == [1, 2, 3]


def test_what_no_carrier_limits_goes_at_once(settings: Any) -> None:
    for backend in ("console.ConsoleBackend", "locmem.LocmemBackend"):
        settings.CROSSCHANNEL_SMS_BACKEND = f"oscar_crosschannel.channels.sms_backends.{backend}"
        assert SmsChannel().pace() is None
    settings.CROSSCHANNEL_SMS_BACKEND = "no.such.Backend"
    assert SmsChannel().pace() is None  # the call itself says what is wrong


# It refuses.


@pytest.mark.rule(29)
@pytest.mark.parametrize(
    "text", ["New teas!", "A non-stop sale", "NON-STOP SALE", "UNSTOPPABLE", "Don't stop"]
)
def test_marketing_without_an_opt_out_instruction_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="STOP"):
        compose(text, unsubscribe_url=URL)
    assert compose(text, Purpose.TRANSACTIONAL)


@pytest.mark.rule(29)
def test_marketing_without_a_brand_is_refused(settings: Any) -> None:
    settings.CROSSCHANNEL_BRAND = ""
    with pytest.raises(Refused, match="BRAND"):
        compose("Teas! STOP to end")
    assert compose("Your parcel is on its way.", Purpose.TRANSACTIONAL) == "Your parcel is on its way."


class OneWay(locmem.LocmemBackend):
    def takes_replies(self) -> bool:
        return False


@pytest.mark.rule(29)
@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("Quillbrook: teas! Reply STOP to end", False),
        ("Quillbrook: thés! STOP 36184", True),
        ("Quillbrook: thés! STOP au 36184", True),
        (f"Quillbrook: teas! End: {URL}", True),
    ],
)
def test_nobody_can_reply_stop_to_a_one_way_sender(text: str, passes: bool) -> None:
    words = {"text": text, "unsubscribe_url": URL}
    if passes:
        assert SmsChannel(OneWay()).compose(words, purpose=Purpose.MARKETING, language="fr").text == text
        return
    with pytest.raises(Refused):
        SmsChannel(OneWay()).compose(words, purpose=Purpose.MARKETING, language="fr")


@pytest.mark.rule(29)
@pytest.mark.parametrize(
    ("text", "goes_out"),
    [
        ("Quillbrook: teas! Reply STOP to end", f"Quillbrook: teas! Reply STOP to end Stop: {URL}"),
        ("Quillbrook: thés! STOP au 36184", "Quillbrook: thés! STOP au 36184"),
        (f"Quillbrook: teas! End: {URL}", f"Quillbrook: teas! End: {URL}"),
    ],
)
def test_who_cannot_reply_where_they_live_gets_a_link_out(text: str, goes_out: str) -> None:
    words = {"text": text, "unsubscribe_url": URL, "one_way": "yes"}
    channel = SmsChannel(locmem.LocmemBackend())
    assert channel.compose(words, purpose=Purpose.MARKETING, language="fr").text == goes_out
    assert (
        URL
        not in channel.compose(words | {"text": "Teas!"}, purpose=Purpose.TRANSACTIONAL, language="fr").text
    )
    with pytest.raises(Refused):
        channel.compose(
            words | {"text": "STOP!", "unsubscribe_url": ""}, purpose=Purpose.MARKETING, language="fr"
        )


@pytest.mark.rule(82)
def test_marketing_over_three_segments_is_refused(settings: Any) -> None:
    room = 153 * 3 - len("Quillbrook: STOP ")
    assert compose("STOP " + "x" * room)
    with pytest.raises(TooLong, match="4 segments in GSM-7"):
        compose("STOP " + "x" * (room + 1))
    assert compose("x" * 1000, Purpose.TRANSACTIONAL)
    settings.CROSSCHANNEL_SMS_MAX_SEGMENTS = 4
    assert compose("STOP " + "x" * (room + 1))


@pytest.mark.rule(82)
@pytest.mark.parametrize("purpose", Purpose)
def test_what_no_provider_takes_is_refused_before_the_call(settings: Any, purpose: Purpose) -> None:
    settings.CROSSCHANNEL_SMS_MAX_SEGMENTS = 99
    text = "Quillbrook STOP "
    assert compose(text + "x" * (1600 - len(text)), purpose)
    with pytest.raises(TooLong, match="1601"):
        compose(text + "x" * (1601 - len(text)), purpose)


@pytest.mark.rule(83)
@pytest.mark.parametrize("purpose", Purpose)
def test_a_public_shortener_is_refused_by_name(purpose: Purpose) -> None:
    with pytest.raises(Refused, match=r"bit\.ly"):
        compose("Quillbrook: https://bit.ly/x STOP to end", purpose)


@pytest.mark.rule(85)
@pytest.mark.parametrize("address", ["2025550123", "+0202555012", "+1202", "+1 202 555 0123", ""])
def test_only_a_full_number_is_called(address: str) -> None:
    with pytest.raises(Refused):
        SmsChannel().send(outbound(recipient=Recipient(address=address)))
    assert locmem.outbox == []


@pytest.mark.rule(32, 33)
def test_a_window_that_has_closed_defers_and_does_not_drop() -> None:
    assert SmsChannel().send(outbound(valid_until=NOW + timedelta(seconds=1)))
    with pytest.raises(NotSent):
        SmsChannel().send(outbound(valid_until=NOW + timedelta(seconds=0.9)))
    assert len(locmem.outbox) == 1


@pytest.mark.parametrize(
    "path", ["no.such.Backend", "datetime.datetime.today", "builtins.list", "datetime.date", "builtins.open"]
)
def test_a_backend_that_is_none_stops_the_channel(settings: Any, path: str) -> None:
    settings.CROSSCHANNEL_SMS_BACKEND = path
    with pytest.raises(SenderBroken, match="CROSSCHANNEL_SMS_BACKEND"):
        SmsChannel().send(outbound())
    assert SmsChannel().look_up(UUID(int=1), "", NUMBER, NOW) is None
    assert SmsChannel().reaches_people()  # once it is mended: texts wait


# It survives.


class Failing(SmsBackend):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def send(self, outbound: Outbound) -> Receipt:
        raise self.error


@pytest.mark.rule(54, 73)
def test_a_backend_that_raises_anything_leaves_the_message_in_doubt(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnknownOutcome):
        SmsChannel(Failing(RuntimeError(f"cannot text {NUMBER}"))).send(outbound())
    assert "RuntimeError" in caplog.text
    assert NUMBER not in caplog.text


@pytest.mark.rule(73)
@pytest.mark.parametrize("kind", [NotSent, SenderBroken, Refused, UnknownOutcome])
def test_no_error_tells_the_number(kind: type[ChannelError]) -> None:
    with pytest.raises(kind) as raised:
        SmsChannel(Failing(kind(f"{NUMBER} is not reachable", code="1"))).send(outbound())
    assert "is not reachable" in str(raised.value)
    assert NUMBER not in f"{raised.value} {raised.value.detail}"
    assert raised.value.code == "1"
