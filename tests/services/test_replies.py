"""What customers text back, and what we answer."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from oscar_crosschannel.core.sms import segments
from oscar_crosschannel.models import ConsentEvent, InboxEvent, Suppression
from oscar_crosschannel.services import consents, contacts, replies, suppressions
from tests.factories import NOON
from tests.services.shoppers import OTHER_PHONE, PHONE, TOPICS, guest, permitted, tick

pytestmark = pytest.mark.django_db

OURS, TOLL_FREE = "+12025550100", "+18005550100"
SIDS = count()
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def say(body: str, **changes: Any) -> str:
    """A text from Ann's phone; returns our answer."""
    values = {"sid": f"SM{next(SIDS)}", "phone": PHONE, "to": OURS, "now": NOON} | changes
    return replies.take_inbound(body=body, **values)


@pytest.fixture
def ann() -> Any:
    contact = guest(language="en")
    consents.grant(contact, "sms", TOPICS, source="test", words="Yes.", address=PHONE, now=NOON)
    return contact


@pytest.fixture
def we_answer(settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "app_managed"


# it works


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    "body",
    [
        *(
            "STOP",
            "QUIT",
            "END",
            "REVOKE",
            "OPT OUT",
            "OPTOUT",
            "OPT-OUT",
            "CANCEL",
            "UNSUBSCRIBE",
            "STOPALL",
        ),
        *("stop", " Stop. ", "ＳＴＯＰ", "“Quit!”", "Arrêt", "ABMELDEN", "baja"),
    ],
)
def test_a_stop_word_revokes_texts_at_once(body: str, ann: Any) -> None:
    say(body)
    assert permitted(ann, "sms") == set()
    assert suppressions.in_force("sms", PHONE) is not None
    event = ConsentEvent.objects.get(action="revoke")
    assert (event.verbatim, event.mechanism) == (body, "keyword")
    assert InboxEvent.objects.get(name="sms.received").key == event.provider_id


@pytest.mark.rule(17)
@pytest.mark.parametrize("body", ["stop please", "Stop texting me", "please don't text me again"])
def test_any_reasonable_way_to_say_stop_counts(body: str, ann: Any) -> None:
    say(body)
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(18)
def test_the_providers_word_for_stop_counts_in_any_language(ann: Any) -> None:
    say("やめて", opt_out_type="STOP")
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(20)
def test_one_confirmation_answers_a_stop(ann: Any, we_answer: None) -> None:
    reply = say("STOP")
    assert reply == "Quillbrook: You are unsubscribed and will get no more texts from us."
    assert say("STOP", now=NOON + MINUTE) == ""


@pytest.mark.rule(23)
def test_help_is_answered_for_any_number(we_answer: None) -> None:
    reply = say("HELP", phone=OTHER_PHONE)
    for part in ("Quillbrook", "help@quillbrook.example", "Message and data rates may apply", "STOP", "4"):
        assert part in reply
    assert segments(reply).count <= 2


@pytest.mark.rule(23)
def test_help_is_answered_once_an_hour(we_answer: None) -> None:
    at = NOON + 59 * MINUTE
    assert say("HELP", now=at)
    assert not say("info", now=at + 30 * MINUTE)
    assert not say("HELP", now=at + 59 * MINUTE)
    assert say("HELP", now=at + HOUR)
    assert say("HELP", phone=OTHER_PHONE, now=at)


@pytest.mark.rule(23)
def test_who_said_stop_still_gets_help(ann: Any, we_answer: None) -> None:
    say("STOP")
    assert say("HELP")


@pytest.mark.rule(9)
def test_yes_confirms_a_pending_request_and_says_what_comes() -> None:
    ann = guest(language="en")
    tick(ann, "sms", PHONE)
    reply = say("Yes", now=NOON + MINUTE)
    assert permitted(ann, "sms") == set(TOPICS)
    for part in ("Quillbrook", "up to 4 a month", "Message and data rates may apply", "HELP", "STOP"):
        assert part in reply
    assert segments(reply).encoding == "GSM-7"


@pytest.mark.rule(9)
def test_yes_counts_although_the_provider_takes_it_for_start() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    say("YES", opt_out_type="START", now=NOON + MINUTE)
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(10)
def test_start_lifts_the_carriers_block_and_nothing_else(ann: Any) -> None:
    cause = Suppression.Cause.CARRIER_BLOCK
    consents.revoke("sms", PHONE, topics=None, source="provider", mechanism="carrier", cause=cause, now=NOON)
    say("START", opt_out_type="START")
    assert suppressions.in_force("sms", PHONE) is None
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(10)
def test_after_stop_and_start_marketing_stays_off_until_a_new_yes(ann: Any) -> None:
    say("STOP")
    say("UNSTOP", now=NOON + MINUTE)
    block = suppressions.in_force("sms", PHONE)
    assert block is not None
    assert (block.cause, block.scope) == ("revoked", "marketing")
    assert permitted(ann, "sms") == set()
    tick(ann, "sms", PHONE, at=NOON + HOUR)
    say("YES", now=NOON + HOUR + MINUTE)
    assert permitted(ann, "sms") == set(TOPICS)
    assert suppressions.in_force("sms", PHONE) is None


@pytest.mark.parametrize(
    ("language", "part"), [("de", "abgemeldet"), ("fr", "désinscri"), ("", "unsubscribed")]
)
def test_people_are_answered_in_their_language(language: str, part: str, we_answer: None) -> None:
    ann = guest(language=language)
    tick(ann, "sms", PHONE)
    reply = say("STOP", now=NOON + MINUTE)
    assert part in reply
    assert "Quillbrook" in reply


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_answers_fit_into_plain_texts(language: str, we_answer: None) -> None:
    ann = guest(language=language)
    tick(ann, "sms", PHONE)
    for number, body in enumerate(("YES", "HELP", "STOP"), start=1):
        reply = say(body, now=NOON + number * MINUTE)
        assert segments(reply).encoding == "GSM-7"
        assert segments(reply).count <= 2


# it refuses


@pytest.mark.rule(17)
@pytest.mark.parametrize("body", ["when does the sale end?", "cancel my order", "don't stop!", "", "👍"])
def test_other_words_revoke_nothing(body: str, ann: Any) -> None:
    assert say(body) == ""
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(20, 23)
@pytest.mark.parametrize(
    ("body", "understood"), [("STOP", ""), (" help!", ""), ("assez", "STOP"), ("hm", "HELP")]
)
def test_where_the_provider_answers_we_do_not(body: str, understood: str, ann: Any) -> None:
    assert say(body, opt_out_type=understood) == ""


@pytest.mark.rule(20, 23)
@pytest.mark.parametrize(
    ("body", "part"), [("please stop texting me", "unsubscribed"), ("HILFE", "Reply STOP to cancel")]
)
def test_what_the_provider_does_not_understand_we_answer(body: str, part: str, ann: Any) -> None:
    assert part in say(body)


@pytest.mark.rule(20)
def test_toll_free_networks_answer_a_stop_themselves(ann: Any, we_answer: None) -> None:
    assert say("STOP", to=TOLL_FREE) == ""
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(9)
def test_yes_to_nothing_is_no_consent(ann: Any, we_answer: None) -> None:
    say("STOP")
    assert say("YES") == ""
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(10)
def test_start_lifts_no_other_block(ann: Any) -> None:
    cause, scope = Suppression.Cause.INVALID, Suppression.Scope.EVERYTHING
    consents.suppress("sms", PHONE, cause=cause, scope=scope, now=NOON)
    say("START")
    block = suppressions.in_force("sms", PHONE)
    assert block is not None
    assert block.scope == "everything"


# it survives


@pytest.mark.rule(67)
def test_a_doubled_text_counts_once(we_answer: None) -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    assert say("YES", sid="SM-double")
    assert say("YES", sid="SM-double") == ""
    assert ConsentEvent.objects.filter(action="grant").count() == len(TOPICS)


@pytest.mark.rule(16, 69)
def test_a_stop_that_cannot_be_applied_is_not_recorded_either(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(consents, "suppress", fail)
    with pytest.raises(OSError, match="disk"):
        say("STOP", sid="SM-again")
    monkeypatch.undo()
    assert not InboxEvent.objects.filter(name="sms.received").exists()
    say("STOP", sid="SM-again")
    assert permitted(ann, "sms") == set()


def test_a_text_with_a_nul_is_taken(ann: Any) -> None:
    say("STOP\x00")
    assert permitted(ann, "sms") == set()
    assert ConsentEvent.objects.get(action="revoke").verbatim == "STOP"


def test_a_stop_from_a_number_nobody_knows_is_kept() -> None:
    say("STOP", phone=OTHER_PHONE)
    ann = guest()
    contacts.set_point(ann, "sms", OTHER_PHONE, source="order", now=NOON)
    assert suppressions.in_force("sms", OTHER_PHONE) is not None
