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
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.sms import segments
from oscar_crosschannel.models import ConsentEvent, Message
from oscar_crosschannel.services import consents, contacts, dispatch, erasing, replies, setup, suppressions
from tests.factories import NOON
from tests.services.shoppers import ANN, OTHER_PHONE, PHONE, TOPICS, guest, member, permitted, tick

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
#: Eleven in the morning in Seattle, where `PHONE` rings; NOON, in UTC, is five o'clock there.
DAYTIME = NOON + 6 * HOUR


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
    engine(DAYTIME)
    engine(DAYTIME + HOUR)
    (text,) = locmem.outbox
    assert text.recipient.address == PHONE
    words = text.content.text
    assert words.startswith("Quillbrook: Reply YES")
    assert "STOP" in words
    assert "Message and data rates may apply" in words
    assert not re.search(r"http|%|\boff\b|code", words)
    assert segments(words).count == 1


@pytest.mark.rule(8)
def test_who_wants_more_before_the_yes_is_not_asked_again_and_gets_it_all() -> None:
    ann = guest(language="en")
    tick(ann, "sms", PHONE, at=DAYTIME, topics=TOPICS[:1])
    engine(DAYTIME)
    for topics in (TOPICS[1:], TOPICS):
        tick(ann, "sms", PHONE, at=DAYTIME + MINUTE, topics=topics)
    engine(DAYTIME + MINUTE)
    assert len(locmem.outbox) == 1
    assert ConsentEvent.objects.filter(action="request").count() == 2
    replies.take_inbound(sid="SM1", phone=PHONE, to="", body="YES", now=DAYTIME + HOUR)
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(8)
def test_an_email_asks_again_only_about_what_is_new(settings: Any) -> None:
    settings.CROSSCHANNEL_DOUBLE_OPT_IN = {"email": True}
    ann = guest(language="en")
    for topics in (TOPICS[:1], TOPICS[:1], TOPICS[1:], TOPICS):
        tick(ann, "email", ANN, at=DAYTIME, topics=topics)
    engine(DAYTIME + MINUTE)
    assert len(mail.outbox) == ConsentEvent.objects.filter(action="request").count() == 2


@pytest.mark.rule(8, 31, 39)
@pytest.mark.parametrize("signed_in", [False, True])
def test_whoever_asks_nobody_is_woken_by_a_question(signed_in: bool) -> None:
    """A number that was typed may be anybody's, and the words on the form promise no text at any hour."""
    ann = member(language="en") if signed_in else guest(language="en")
    night = NOON - 4 * HOUR  # one o'clock in Seattle
    tick(ann, "sms", PHONE, at=night, signed_in=signed_in)
    for hour in range(9):
        engine(night + hour * HOUR)
        assert len(locmem.outbox) == (hour > 8), hour
    engine(DAYTIME)
    assert [text.recipient.address for text in locmem.outbox] == [PHONE]


@pytest.mark.rule(8, 9)
def test_a_question_of_the_night_can_be_answered_for_a_day_from_the_morning_on() -> None:
    ann = guest(language="en")
    tick(ann, "sms", PHONE, at=NOON - 4 * HOUR)
    engine(DAYTIME)
    next_day = NOON + timedelta(hours=27)  # eight o'clock, and 31 hours after the form
    replies.take_inbound(sid="SM1", phone=PHONE, to="", body="YES", now=next_day)
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(32, 39)
def test_a_question_that_was_held_up_until_the_night_waits_for_the_morning() -> None:
    tick(guest(language="en"), "sms", PHONE, at=DAYTIME)
    engine(DAYTIME + 12 * HOUR)  # the engine was down
    assert locmem.outbox == []
    engine(DAYTIME + 23 * HOUR)
    assert len(locmem.outbox) == 1


@pytest.mark.rule(37)
def test_a_question_counts_as_a_text_to_its_number() -> None:
    for day in range(4):
        moment = DAYTIME + day * HOUR
        tick(guest(f"{day}@example.com", language="en"), "sms", PHONE, at=moment)
        engine(moment)
        consents.confirm_reply(PHONE, body="YES", provider_id=f"SM{day}", now=moment)
    assert len(locmem.outbox) == 3  # as many as the law allows in a day


@pytest.mark.rule(8)
def test_who_answered_before_the_question_is_not_asked() -> None:
    tick(guest(), "sms", PHONE)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    engine(NOON)
    engine(DAYTIME)
    assert locmem.outbox == []


@pytest.mark.rule(8)
def test_a_question_that_waited_too_long_is_not_asked() -> None:
    tick(guest(), "sms", PHONE)
    engine(DAYTIME + 23 * HOUR)  # ten o'clock of the next day
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
    engine(DAYTIME)
    assert [text.recipient.address for text in locmem.outbox] == [PHONE]


@pytest.mark.rule(8)
def test_who_takes_a_correction_back_is_asked_at_the_first_number_and_no_stranger_is() -> None:
    ann = member(language="en")
    for minute, phone in enumerate([PHONE, OTHER_PHONE, PHONE]):
        tick(ann, "sms", phone, signed_in=True, at=NOON + minute * MINUTE)
    engine(DAYTIME)
    assert [text.recipient.address for text in locmem.outbox] == [PHONE]
    replies.take_inbound(sid="SM1", phone=PHONE, to="", body="YES", now=DAYTIME + MINUTE)
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(8, 12)
@pytest.mark.parametrize(("answer", "asked"), [("STOP", [PHONE]), ("YES", [])])
def test_a_later_number_that_says_stop_keeps_no_earlier_one_from_being_asked(
    answer: str, asked: list[str]
) -> None:
    """If it says YES, the earlier one was the mistake."""
    ann = member(language="en")
    for phone in [PHONE, OTHER_PHONE]:
        tick(ann, "sms", phone, signed_in=True)
    replies.take_inbound(sid="SM1", phone=OTHER_PHONE, to="", body=answer, now=NOON + MINUTE)
    engine(DAYTIME)
    assert [text.recipient.address for text in locmem.outbox] == asked


@pytest.mark.rule(8, 12)
def test_a_new_number_is_asked_itself_and_the_confirmed_one_is_used_until_its_yes() -> None:
    ann = member(language="en")
    tick(ann, "sms", PHONE, signed_in=True)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    tick(ann, "sms", OTHER_PHONE, signed_in=True, at=NOON + HOUR)
    engine(DAYTIME)
    assert [text.recipient.address for text in locmem.outbox] == [OTHER_PHONE]
    message = Message.objects.get(state=State.SENT)
    assert message.point is not None
    assert (message.point.address, message.address_digest) == (OTHER_PHONE, message.point.digest)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: PHONE}
    replies.take_inbound(sid="SM2", phone=OTHER_PHONE, to="", body="YES", now=DAYTIME + HOUR)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: OTHER_PHONE}
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(12)
def test_texts_about_orders_alone_do_not_put_a_typed_number_in_place_of_a_confirmed_one() -> None:
    ann = member(language="en")
    tick(ann, "sms", PHONE, signed_in=True)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    words = {"kind": "order_texts", "text": consents.wording("order_texts", "en").digest}
    tick(ann, "sms", OTHER_PHONE, signed_in=True, at=NOON + HOUR, **words)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: PHONE}
    consents.confirm_reply(OTHER_PHONE, body="YES", provider_id="SM2", now=NOON + 2 * HOUR)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: OTHER_PHONE}


@pytest.mark.rule(8, 12)
def test_a_new_number_that_never_answers_takes_no_place() -> None:
    ann = member(language="en")
    tick(ann, "sms", PHONE, signed_in=True)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    tick(ann, "sms", OTHER_PHONE, signed_in=True, at=NOON + HOUR)
    engine(DAYTIME)
    engine(DAYTIME + 72 * HOUR)
    replies.take_inbound(sid="SM2", phone=OTHER_PHONE, to="", body="YES", now=DAYTIME + 72 * HOUR)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: PHONE}
    assert permitted(ann, "sms") == set(TOPICS)


def test_a_stranger_cannot_write_through_our_confirmation_mail() -> None:
    contact = guest(country="DE", language="en", name="Win a prize at spam.example")
    tick(contact, "email", ANN)
    engine(DAYTIME)
    (email,) = mail.outbox
    assert "spam.example" not in str(email.message())


@pytest.mark.rule(8)
def test_a_phone_given_under_an_account_is_asked_for_in_the_mailbox_first() -> None:
    ann = member(language="en")
    tick(guest(), "sms", PHONE)
    engine(DAYTIME)
    assert locmem.outbox == []
    (email,) = mail.outbox
    assert "+1••••••0123" in str(email.body)
    request = int(Message.objects.get().enrolment.subjects["consent_request"])  # type: ignore[union-attr]
    assert consents.confirm_link(request, now=DAYTIME + HOUR)
    engine(DAYTIME + HOUR)
    assert [text.recipient.address for text in locmem.outbox] == [PHONE]
    replies.take_inbound(sid="SM1", phone=PHONE, to="", body="YES", now=DAYTIME + 2 * HOUR)
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(8, 26)
def test_who_was_erased_comes_back_by_the_question_in_their_own_mailbox() -> None:
    """An erasure blocks marketing, so that nobody but the person ends it; the question offers nothing."""
    erasing.erase(guest(), cause="request", by="staff", now=NOON)
    ann = guest(language="en")
    tick(ann, "email", ANN)
    engine(NOON)
    (email,) = mail.outbox
    assert email.to == [ANN]
    assert consents.confirm_link(ConsentEvent.objects.get(action="request").pk, now=NOON + HOUR)
    assert permitted(ann, "email") == set(TOPICS)
    assert suppressions.in_force("email", ANN) is None
