"""What customers text back, and what we answer."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.plan import After, Blueprint, On, send
from oscar_crosschannel.core.sms import segments
from oscar_crosschannel.models import ConsentEvent, Contact, InboxEvent, Message, OrdinaryReply, Suppression
from oscar_crosschannel.services import consents, contacts, replies, suppressions
from oscar_crosschannel.services.dispatch import tick as run_engine
from tests.factories import NOON, enrol_all, owe, registered
from tests.services.shoppers import OTHER_PHONE, PHONE, TOPICS, guest, permitted, tick
from tests.services.stage import Wires, write_words

pytestmark = pytest.mark.django_db

OURS, TOLL_FREE = "+12025550100", "+18005550100"
SIDS = count()
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CARRIER_BLOCK = Suppression.Cause.CARRIER_BLOCK


@registered
class Parcel(Blueprint):
    """A text that an order needs"""

    topic = "order_updates"
    start = On("parcel.sent")
    only = send("sms", at=After(hours=1))


def say(body: str, **changes: Any) -> str:
    """A text from Ann's phone; returns our answer."""
    values = {"sid": f"SM{next(SIDS)}", "phone": PHONE, "to": OURS, "now": NOON} | changes
    return replies.take_inbound(body=body, **values)


@pytest.fixture
def ann() -> Any:
    contact = guest(language="en")
    consents.grant(contact, "sms", TOPICS, source="test", words="Yes.", address=PHONE, now=NOON)
    return contact


def claimed(contact: Contact) -> Message:
    """A text that is about to go."""
    message = owe(contact, Parcel, "parcel", due=NOON)
    message.state, message.channel, message.token = State.CLAIMED, "sms", uuid4()
    message.save()
    return message


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
@pytest.mark.parametrize("body", ["stop please", "Stop texting me"])
def test_a_polite_stop_is_a_stop(body: str, ann: Any) -> None:
    say(body)
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(17)
@pytest.mark.parametrize("body", ["please don't text me again", "Ne m’écrivez plus", "wrong number"])
def test_any_reasonable_way_to_say_stop_stops_marketing_until_staff_have_read_it(body: str, ann: Any) -> None:
    assert say(body) == "", "the person is not answered before somebody knows what they meant"
    block = suppressions.in_force("sms", PHONE)
    assert block is not None
    assert (block.cause, block.scope) == ("review", "marketing")
    assert block.reply is not None
    assert block.reply.data["body"] == body
    assert permitted(ann, "sms") == set(TOPICS), "nothing is revoked"


@pytest.mark.rule(17, 19)
def test_a_doubtful_reply_takes_back_what_was_about_to_go(ann: Any) -> None:
    message = claimed(ann)
    say("leave me alone")
    message.refresh_from_db()
    assert (message.state, message.token) == (State.PLANNED, None)


@pytest.mark.rule(17)
def test_of_two_doubtful_replies_the_later_is_read_and_a_stop_settles_both(ann: Any) -> None:
    say("leave me alone")
    say("who are you? wrong number!", sid="SM-later")
    block = suppressions.in_force("sms", PHONE)
    assert block is not None
    assert block.reply is not None
    assert block.reply.key == "SM-later"
    say("STOP")
    block.refresh_from_db()
    assert (block.cause, block.scope, block.reply) == ("revoked", "everything", None)


@pytest.mark.rule(17, 26)
def test_a_fresh_yes_of_the_person_settles_the_doubt(ann: Any) -> None:
    say("leave me alone")
    tick(ann, "sms", PHONE, at=NOON + MINUTE)
    say("YES", now=NOON + 2 * MINUTE)
    assert suppressions.in_force("sms", PHONE) is None
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(10, 17)
def test_start_settles_no_doubt(ann: Any) -> None:
    consents.revoke(
        "sms", PHONE, topics=None, source="provider", mechanism="carrier", cause=CARRIER_BLOCK, now=NOON
    )
    say("leave me alone")
    say("START", now=NOON + MINUTE)
    block = suppressions.in_force("sms", PHONE)
    assert block is not None
    assert (block.cause, block.scope) == ("review", "marketing")


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


@pytest.mark.rule(9, 22)
@pytest.mark.parametrize(
    ("words", "scope"), [("yes!", "marketing"), ("yes please", "everything"), ("Oui", "everything")]
)
def test_a_yes_that_nobody_asked_for_lifts_a_stop_only_where_the_provider_takes_it_for_start(
    words: str, scope: str, ann: Any
) -> None:
    say("STOP")
    say(words, now=NOON + MINUTE)
    block = suppressions.in_force("sms", PHONE)
    assert block is not None
    assert block.scope == scope


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
@pytest.mark.parametrize(
    "body",
    [
        *("when does the sale end?", "cancel my order", "don't stop!", "Ne m’arrêtez pas !", "", "👍"),
        "I'm driving with Do Not Disturb turned on. I'll see your message when I get where I'm going.",
        "Auto-Reply: this number is not read. Reply STOP to stop these messages.",
        "Abwesenheitsnotiz: Ich bin bis Montag nicht da, keine SMS bitte.",
        "Liked “Quillbrook: 10 % off. Reply STOP to opt out”",
    ],
)
def test_other_words_and_machines_change_nothing(body: str, ann: Any) -> None:
    assert say(body) == ""
    assert permitted(ann, "sms") == set(TOPICS)
    assert suppressions.in_force("sms", PHONE) is None


@pytest.mark.parametrize(
    ("body", "is_read"),
    [
        ("When does the sale end?", True),
        ("cancel my order", True),
        ("👍", True),
        ("", True),  # a picture, perhaps
        ("Yes", True),  # to what, a person may know
        ("Orders?", True),
        ("HELP", False),
        ("START", False),
        ("STOP", False),
        ("leave me alone", False),  # that waits on a page of its own
        ("Auto-Reply: this number is not read. Reply STOP to stop these messages.", False),
        ("Liked “Quillbrook: 10 % off. Reply STOP to opt out”", False),
    ],
)
def test_what_has_no_consequence_is_read_by_staff(body: str, is_read: bool, ann: Any) -> None:
    say(body)
    assert list(OrdinaryReply.objects.values_list("data__body", "unread")) == [(body, True)] * is_read


def test_a_yes_that_was_asked_for_needs_nobody_to_read_it() -> None:
    tick(guest(), "sms", PHONE)
    say("YES")
    assert not OrdinaryReply.objects.exists()


def test_a_number_nobody_knows_is_read_too() -> None:
    say("Is this the shop at the harbour?", phone="+12125550199")
    assert OrdinaryReply.objects.get().phone == "+12125550199"


@pytest.mark.rule(22)
@pytest.mark.parametrize(("keeps", "texts"), [(False, 0), (True, 1)])
@pytest.mark.usefixtures("we_answer")
def test_texts_about_orders_end_with_a_stop_unless_the_shop_keeps_them(
    keeps: bool, texts: int, ann: Any, sms: Wires, settings: Any
) -> None:
    settings.CROSSCHANNEL_STOP_KEEPS_TRANSACTIONAL = keeps
    write_words(Parcel)
    reply = say("STOP")
    enrol_all([ann], Parcel, anchor=NOON)
    run_engine(NOON + 2 * HOUR)
    assert len(sms.calls) == texts
    assert ("only about your orders" in reply) is keeps
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(22)
def test_what_the_carrier_blocks_is_blocked_whole(ann: Any, settings: Any) -> None:
    settings.CROSSCHANNEL_STOP_KEEPS_TRANSACTIONAL = True
    say("STOP")
    consents.revoke(
        "sms", PHONE, topics=None, source="provider", mechanism="carrier", cause=CARRIER_BLOCK, now=NOON
    )
    block = suppressions.in_force("sms", PHONE)
    assert block is not None
    assert block.scope == "everything"


@pytest.mark.rule(21)
@pytest.mark.parametrize(
    ("minutes", "scope"), [(None, "everything"), (24 * 60 - 1, "marketing"), (24 * 60, "everything")]
)
def test_a_scope_question_left_unanswered_leaves_everything_stopped(
    minutes: int | None, scope: str, ann: Any, settings: Any, we_answer: None
) -> None:
    settings.CROSSCHANNEL_STOP_SCOPE_QUESTION = timedelta(hours=24)
    assert "To keep texts about your orders, reply ORDERS within 24 h." in say("STOP")
    if minutes is not None:
        assert say("Orders", now=NOON + minutes * MINUTE) == "", "the STOP had its one answer"
    block = suppressions.in_force("sms", PHONE)
    assert block is not None
    assert (block.cause, block.scope) == ("revoked", scope)
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(20, 21)
def test_an_answer_that_nobody_asked_for_loosens_nothing(ann: Any, settings: Any, we_answer: None) -> None:
    say("STOP")
    say("ORDERS", now=NOON + MINUTE)
    settings.CROSSCHANNEL_STOP_SCOPE_QUESTION = timedelta(hours=24)
    consents.revoke("sms", PHONE, topics=["weekly_deals"], source="page", mechanism="link", now=NOON)
    settings.CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "carrier_managed"
    assert say("STOP", now=NOON + MINUTE) == ""
    say("ORDERS", now=NOON + 2 * MINUTE)
    block = suppressions.in_force("sms", PHONE)
    assert block is not None
    assert block.scope == "everything"


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

    monkeypatch.setattr(suppressions, "suppress", fail)
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
