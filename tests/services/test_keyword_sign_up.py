"""The word that the shop prints on its posters, from the phone to the grant."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from oscar_crosschannel.core.keywords import Keyword, classify
from oscar_crosschannel.core.sms import segments
from oscar_crosschannel.models import ConsentEvent, Contact, ContactPoint, Suppression, Topic
from oscar_crosschannel.services import (
    consents,
    contacts,
    keyword_sign_up,
    links,
    replies,
    suppressions,
    wordings,
)
from tests.factories import NOON
from tests.services.shoppers import PHONE, TOPICS, guest, member, permitted, tick

pytestmark = pytest.mark.django_db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def text(body: str, *, sid: str = "SM1", at: datetime = NOON) -> str:
    """Somebody texts the shop; returns what they are answered."""
    return replies.take_inbound(sid=sid, phone=PHONE, to="+12065550100", body=body, now=at)


def owner() -> Contact:
    """Who has the number."""
    return ContactPoint.objects.get(address=PHONE, current=True, verified_at__isnull=False).contact


# it works


@pytest.mark.rule(1, 4, 7)
def test_who_texts_the_word_has_agreed_to_what_stands_beside_it() -> None:
    answer = text(" Join! ", sid="SM42")
    event = ConsentEvent.objects.get(topic="weekly_deals")
    assert (event.action, event.basis, event.jurisdiction) == ("grant", "express_written", "US")
    assert (event.source, event.mechanism, event.verbatim) == ("keyword", "keyword", " Join! ")
    assert (event.provider_id, event.actor, event.at) == ("SM42", "customer", NOON)
    assert event.text is not None
    assert event.text.words == wordings.wording("sms_keyword", "en").words
    assert permitted(owner(), "sms") == set(TOPICS)
    assert answer.startswith("Quillbrook: You signed up for Basket reminders, Weekly deals")


@pytest.mark.rule(1, 5)
def test_the_answer_says_all_that_carriers_ask_for_and_where_to_choose() -> None:
    answer = text("JOIN")
    link = links.number_url(owner().points.get().pk)
    for part in ("Quillbrook", "up to 4 a month", "Message and data rates may apply", "HELP", "STOP", link):
        assert part in answer
    assert segments(answer).count == 2
    assert segments(answer.removesuffix(f" Choose what you get: {link}")).count == 1


def test_the_word_says_in_which_language_it_was_read() -> None:
    text("Rejoindre")
    assert {event.text.language for event in ConsentEvent.objects.select_related("text") if event.text} == {
        "fr"
    }
    assert owner().language == "fr"


def test_a_shop_has_words_of_its_own(settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_JOIN_WORDS = {"en": ["TEA CLUB"]}
    assert text("join") == ""
    assert text("tea-club please", sid="SM2")


@pytest.mark.rule(12)
def test_a_number_is_nobodys_but_its_own_unless_somebody_confirmed_it() -> None:
    ann = member()
    contacts.set_point(ann, "sms", PHONE, source="order", now=NOON)
    text("JOIN")
    assert permitted(ann, "sms") == set()
    assert owner() != ann
    assert list(owner().points.values_list("channel", "address")) == [("sms", PHONE)]


@pytest.mark.rule(12)
def test_a_number_that_two_people_use_is_its_own() -> None:
    for name in "ab":
        person = guest(f"{name}@example.com")
        tick(person, "sms", PHONE)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM0", now=NOON)
    consents.revoke("sms", PHONE, topics=None, source="keyword", mechanism="keyword", now=NOON)
    text("JOIN", at=NOON + MINUTE)
    agreed = ConsentEvent.objects.filter(mechanism="keyword", action="grant").values_list(
        "contact", flat=True
    )
    assert set(agreed) == {Contact.objects.latest("pk").pk}
    assert [permitted(guest(f"{name}@example.com"), "sms") for name in "ab"] == [set(), set()]


def test_the_one_person_who_confirmed_the_number_is_meant() -> None:
    ann = guest()
    tick(ann, "sms", PHONE, topics=["weekly_deals"])
    consents.confirm_reply(PHONE, body="YES", provider_id="SM0", now=NOON)
    text("JOIN", at=NOON + MINUTE)
    assert owner() == ann
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(9, 12)
def test_the_word_answers_our_question_as_a_yes_does() -> None:
    ann = member()
    tick(ann, "sms", PHONE, topics=["weekly_deals"], signed_in=True)
    assert text("JOIN", at=NOON + MINUTE)
    assert owner() == ann
    assert permitted(ann, "sms") == set(TOPICS)
    assert Contact.objects.count() == 1
    confirmed = ConsentEvent.objects.get(action="grant", mechanism="reply")
    assert (confirmed.topic, confirmed.verbatim) == ("weekly_deals", "JOIN")
    assert not consents.confirm_reply(PHONE, body="YES", provider_id="SM2", now=NOON + 2 * MINUTE)
    assert ConsentEvent.objects.filter(mechanism="reply").count() == 1


@pytest.mark.rule(12)
def test_who_missed_our_question_texts_the_word_instead() -> None:
    ann = member()
    tick(ann, "sms", PHONE, signed_in=True)
    assert text("JOIN", at=NOON + 3 * DAY)
    assert owner() == ann
    assert permitted(ann, "sms") == set(TOPICS)
    grants = ConsentEvent.objects.filter(action="grant")
    assert {grant.mechanism for grant in grants} == {"keyword"}


@pytest.mark.rule(12)
def test_what_joined_before_is_no_other_person() -> None:
    text("JOIN")
    ann = member()
    tick(ann, "sms", PHONE, signed_in=True, at=NOON + DAY)
    assert text("JOIN", sid="SM2", at=NOON + DAY + MINUTE)
    assert permitted(ann, "sms") == set(TOPICS)
    assert Contact.objects.count() == 2


@pytest.mark.rule(12)
@pytest.mark.parametrize("what", ["stopped", "long ago", "for two"])
def test_a_question_that_tells_nothing_any_more_gives_the_number_to_nobody(what: str) -> None:
    ann = member()
    tick(ann, "sms", PHONE, signed_in=True)
    if what == "stopped":
        text("STOP", sid="SM0")
    if what == "for two":
        tick(member("bob@example.com"), "sms", PHONE, signed_in=True)
    text("JOIN", at=NOON + (8 * DAY if what == "long ago" else MINUTE))
    assert permitted(ann, "sms") == set()
    assert owner().user is None


@pytest.mark.rule(10, 26)
def test_joining_after_a_stop_is_a_fresh_grant() -> None:
    text("STOP", sid="SM1")
    text("START", sid="SM2", at=NOON + MINUTE)
    assert not ConsentEvent.objects.filter(action="grant").exists()
    assert suppressions.in_force("sms", PHONE) is not None
    text("JOIN", sid="SM3", at=NOON + 2 * MINUTE)
    assert suppressions.in_force("sms", PHONE) is None
    assert permitted(owner(), "sms") == set(TOPICS)


def test_the_same_number_is_the_same_contact_for_ever() -> None:
    text("JOIN", sid="SM1")
    first = owner()
    text("STOP", sid="SM2", at=NOON + DAY)
    text("JOIN", sid="SM3", at=NOON + 2 * DAY)
    assert owner() == first
    assert Contact.objects.count() == 1


@pytest.mark.parametrize(
    ("words", "language", "word"),
    [
        ({"en": ["JOIN"], "de": ["DABEI"]}, "de", "DABEI"),
        ({"en": ["JOIN"], "de": ["DABEI"]}, "de-at", "DABEI"),
        ({"en": ["JOIN"], "de": ["DABEI"]}, "pl", "JOIN"),
        ({"de": ["DABEI"]}, "pl", "DABEI"),
        ({"en": []}, "en", ""),
        ({}, "en", ""),
    ],
)
def test_pages_name_the_word_in_the_readers_language(
    words: dict[str, list[str]], language: str, word: str, settings: Any
) -> None:
    settings.CROSSCHANNEL_SMS_JOIN_WORDS = words
    assert keyword_sign_up.word(language) == word


# it refuses


@pytest.mark.parametrize("body", ["join us for tea", "I want to join", "can I join?", "JOINT", "STOP JOIN"])
def test_a_sentence_is_not_the_word(body: str) -> None:
    assert classify(body, join=["JOIN"]) is not Keyword.JOIN


@pytest.mark.rule(16)
@pytest.mark.parametrize("word", ["STOP", "help", "Unsubscribe", "YES", "START"])
def test_a_word_that_means_something_else_keeps_its_meaning(word: str) -> None:
    assert classify(word, join=[word]) is classify(word)


@pytest.mark.rule(14)
def test_a_topic_with_an_age_is_not_joined_by_a_word() -> None:
    Topic.objects.filter(key="weekly_deals").update(minimum_age=21)
    text("JOIN")
    assert permitted(owner(), "sms") == {"basket_reminders"}


def test_a_block_that_is_not_the_persons_own_wish_stays() -> None:
    cause, scope = Suppression.Cause.LEGAL, Suppression.Scope.EVERYTHING
    suppressions.suppress("sms", PHONE, cause=cause, scope=scope, now=NOON)
    text("JOIN")
    assert suppressions.in_force("sms", PHONE) is not None


# it survives


def test_joining_twice_is_joining_once_and_two_machines_fall_silent() -> None:
    assert text("JOIN", sid="SM1")
    assert text("JOIN", sid="SM2", at=NOON + MINUTE)
    assert text("JOIN", sid="SM3", at=NOON + 2 * MINUTE) == ""
    assert text("JOIN", sid="SM4", at=NOON + DAY)
    assert ConsentEvent.objects.count() == len(TOPICS)


def test_a_doubled_webhook_joins_once() -> None:
    assert text("JOIN", sid="SM1")
    assert text("JOIN", sid="SM1") == ""
    assert ConsentEvent.objects.count() == len(TOPICS)


def test_a_short_code_that_texts_the_word_is_nobody() -> None:
    answer = replies.take_inbound(sid="SM9", phone="72345", to="+12065550100", body="JOIN", now=NOON)
    assert answer == ""
    assert not Contact.objects.exists()
