"""Agreeing, confirming, withdrawing: what counts as a yes, and that a stop always counts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import (
    Consent,
    ConsentEvent,
    ConsentText,
    Contact,
    ContactPoint,
    InboxEvent,
    Message,
    Suppression,
    Topic,
)
from oscar_crosschannel.models.consents import AppendOnlyError, MissingProof
from oscar_crosschannel.services import consents, contacts, evidence, intake, suppressions, wordings
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, owe, registered
from tests.services.shoppers import (
    ANN,
    OTHER_PHONE,
    PHONE,
    TOPICS,
    answer,
    guest,
    member,
    permitted,
    tick,
)

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: When it is nine in the morning where `PHONE` rings; NOON, in UTC, is five o'clock there.
MORNING = NOON + 4 * HOUR


@registered
class RevokedFlow(Blueprint):
    """Only here"""

    topic = "basket_reminders"
    start = On("test.revoke")
    hello = send("email", at=After(hours=1))


def asked(via: str) -> list[InboxEvent]:
    return list(InboxEvent.objects.filter(name=f"consent.requested.{via}"))


def fold(now: datetime) -> None:
    """What the next tick works off."""
    intake.fold(load_plans(), clock=lambda: now, pause=nullcontext)


def request_of(channel: str = "email") -> int:
    return ConsentEvent.objects.filter(channel=channel, action="request").latest("pk").pk


def order_texts(contact: Contact, phone: str = PHONE, **changes: Any) -> None:
    """The person gives a number for texts about an order."""
    shown = wordings.wording("order_texts", "en", topics=changes.get("topics", ()))
    tick(contact, "sms", phone, text=shown.digest, kind="order_texts", mechanism="button", **changes)


def grow_up(topic: str = "weekly_deals", age: int = 21) -> None:
    Topic.objects.filter(key=topic).update(minimum_age=age)


def stop(channel: str, address: str, *topics: str, **details: Any) -> bool:
    values = {"source": "page", "mechanism": "link", "now": NOON} | details
    return consents.revoke(channel, address, topics=topics or None, **values)


# it works: words


@pytest.mark.rule(4)
def test_changed_words_are_another_text_and_old_grants_keep_the_old_one(settings: Any) -> None:
    tick(guest("ann@example.com"), "email", "ann@example.com")
    settings.CROSSCHANNEL_BRAND = "Newbrook"
    tick(guest("bob@example.com"), "email", "bob@example.com")
    ann, bob = (
        ConsentEvent.objects.filter(address=address, action="grant").first()
        for address in ("ann@example.com", "bob@example.com")
    )
    assert ann is not None
    assert bob is not None
    assert ann.text is not None
    assert bob.text is not None
    assert "Quillbrook" in ann.text.words
    assert "Newbrook" in bob.text.words


def test_words_say_which_topics_they_permit() -> None:
    assert consents.wording("email", "en").topics == TOPICS
    assert consents.wording("email", "en").digest != consents.wording("email", "de").digest


# it works: a ticked box


@pytest.mark.rule(4)
def test_a_ticked_box_becomes_a_grant_with_all_its_proof() -> None:
    ann = guest(country="US")
    tick(ann, "email", "Ann@Example.com", order_number="100017")
    event = ConsentEvent.objects.get(topic="weekly_deals")
    assert event.text is not None
    assert (event.contact, event.point) == (ann, ContactPoint.objects.get(address=ANN))
    assert (event.channel, event.address_given, event.address) == ("email", "Ann@Example.com", ANN)
    assert (event.action, event.basis, event.jurisdiction) == ("grant", "express", "US")
    assert (event.source, event.mechanism, event.default_state) == ("gateway", "checkbox", "unticked")
    assert (event.page_url, event.ip) == ("https://shop.example/checkout/", "203.0.113.7")
    assert (event.user_agent, event.session, event.order_number) == ("Firefox", "browsing-5e55", "100017")
    assert (event.text.language, event.text.topics) == ("en", list(TOPICS))
    assert event.text.words == consents.wording("email", "en").words
    assert (event.actor, event.brand, event.at) == ("visitor", "Quillbrook", NOON)
    assert permitted(ann, "email") == set(TOPICS)


@pytest.mark.rule(1, 4)
@pytest.mark.parametrize(
    ("country", "phone", "jurisdiction"),
    [("", PHONE, "US"), ("FR", PHONE, "FR"), ("", "+447400123456", "GB"), ("FR", "+447400123456", "FR")],
)
def test_a_grant_for_texts_says_what_it_rests_on_and_whose_law_counts(
    country: str, phone: str, jurisdiction: str
) -> None:
    ann = guest(country=country)
    tick(ann, "sms", phone)
    consents.confirm_reply(phone, body="YES", provider_id="SM1", now=NOON)
    event = ConsentEvent.objects.filter(action="grant").latest("pk")
    assert (event.basis, event.jurisdiction) == ("express_written", jurisdiction)
    assert set(Consent.objects.values_list("basis", flat=True)) == {"express_written"}


@pytest.mark.rule(1)
def test_texts_about_orders_rest_on_less_than_advertising() -> None:
    ann = guest()
    order_texts(ann)
    assert permitted(ann, "sms") == {"order_updates"}
    assert Consent.objects.get().basis == "express"


@pytest.mark.rule(7)
def test_who_agreed_is_known_as_the_person_a_visitor_or_staff() -> None:
    ann, bob = member(), guest("bob@example.com")
    tick(ann, "email", ANN, signed_in=True)
    tick(bob, "email", "bob@example.com")
    consents.grant(
        guest("cy@example.com"),
        "email",
        ["weekly_deals"],
        source="admin",
        mechanism="staff",
        actor="meg",
        words="She asked me at the till.",
        now=NOON,
    )
    marks = ConsentEvent.objects.filter(topic="weekly_deals").order_by("pk")
    assert list(marks.values_list("actor", "mechanism")) == [
        ("customer", "checkbox"),
        ("visitor", "checkbox"),
        ("meg", "staff"),
    ]


@pytest.mark.rule(2)
def test_a_yes_to_email_permits_no_texts_and_only_the_topics_its_words_name() -> None:
    ann = guest()
    contacts.set_point(ann, "sms", PHONE, source="order", now=NOON)
    tick(ann, "email", ANN)
    assert permitted(ann, "email") == set(TOPICS)
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(2)
def test_a_yes_to_texts_permits_no_email() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + MINUTE)
    assert permitted(ann, "sms") == set(TOPICS)
    assert permitted(ann, "email") == set()


@pytest.mark.rule(3)
def test_an_empty_box_is_remembered_and_grants_nothing() -> None:
    ann = member()
    tick(ann, "email", ANN, given=False, signed_in=True)
    tick(ann, "sms", "", given=False, signed_in=True)
    assert not Consent.objects.exists()
    assert {event.action for event in ConsentEvent.objects.all()} == {"decline"}
    assert ann.user_id is not None
    assert consents.has_decided(ann.user_id) == {"email", "sms"}


@pytest.mark.rule(3)
def test_an_empty_box_withdraws_nothing() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    tick(ann, "email", ANN, given=False, at=NOON + DAY)
    assert permitted(ann, "email") == set(TOPICS)


def test_ticking_again_adds_nothing() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    tick(ann, "email", ANN, at=NOON + DAY)
    assert ConsentEvent.objects.count() == len(TOPICS)


def test_whether_somebody_decided_costs_one_query(django_assert_num_queries: Any) -> None:
    before = guest()
    tick(before, "email", ANN)
    ann = member("other@example.com")
    contacts.merge(ann, before, now=NOON)
    assert ann.user_id is not None
    with django_assert_num_queries(1):
        assert consents.has_decided(ann.user_id) == {"email"}
    with django_assert_num_queries(1):
        assert consents.has_decided(987_654) == set()


def test_an_agreement_given_elsewhere_is_stored_with_its_words() -> None:
    ann = guest()
    consents.grant(
        ann,
        "email",
        ["weekly_deals"],
        source="trade_fair",
        words="Write to me.",
        now=NOON,
        actor="clerk",
        ip="::ffff:203.0.113.7",
    )
    event = ConsentEvent.objects.get()
    assert event.text is not None
    assert (event.text.words, event.actor, event.ip) == ("Write to me.", "clerk", "203.0.113.7")
    assert permitted(ann, "email") == {"weekly_deals"}


def test_a_grant_with_an_end_says_when() -> None:
    ann = guest()
    end = NOON + 730 * DAY
    consents.grant(
        ann,
        "email",
        ["weekly_deals"],
        source="order",
        words="Similar goods.",
        now=NOON,
        basis=ConsentEvent.Basis.IMPLIED,
        expires_at=end,
    )
    assert Consent.objects.get().until == end


# it works: confirmation


@pytest.mark.rule(8)
def test_texts_from_a_web_form_wait_for_the_owner_of_the_phone() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    assert permitted(ann, "sms") == set()
    assert {(row.answer, row.until) for row in Consent.objects.all()} == {("pending", MORNING + DAY)}
    (event,) = asked("sms")
    assert event.subjects == {"consent_request": request_of("sms")}
    assert contacts.owner_of("consent_request", request_of("sms")) == ann


@pytest.mark.rule(8, 9)
def test_yes_to_a_pending_request_is_a_grant_with_both_proofs() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    assert consents.confirm_reply(PHONE, body="Yes!", provider_id="SM42", now=NOON + HOUR)
    event = ConsentEvent.objects.get(action="grant", topic="basket_reminders")
    assert (event.mechanism, event.verbatim, event.provider_id) == ("reply", "Yes!", "SM42")
    assert (event.request_id, event.page_url) == (request_of("sms"), "https://shop.example/checkout/")
    assert event.basis == "express_written"
    assert permitted(ann, "sms") == set(TOPICS)
    assert ContactPoint.objects.get(address=PHONE).verified_at == NOON + HOUR


@pytest.mark.rule(8)
def test_an_open_request_is_not_asked_twice() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    tick(ann, "sms", PHONE, at=NOON + HOUR)
    assert len(asked("sms")) == 1
    tick(ann, "sms", PHONE, at=NOON + 7 * DAY)
    assert len(asked("sms")) == 2


@pytest.mark.rule(8)
def test_a_number_given_by_two_people_is_texted_once_and_one_yes_answers_both() -> None:
    ann, typo = guest("ann@example.com"), guest("amn@example.com")
    for contact in (typo, ann):
        tick(contact, "sms", PHONE)
    assert len(asked("sms")) == 1
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + MINUTE)
    assert permitted(ann, "sms") == permitted(typo, "sms") == set(TOPICS)


def test_a_request_that_is_over_when_it_is_worked_off_is_not_asked() -> None:
    ann = guest()
    tick(ann, "sms", PHONE, at=NOON, now=NOON + 2 * DAY)
    assert asked("sms") == []
    assert not Consent.objects.exists()


def test_a_confirmation_wakes_the_message_that_waited_for_it() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    message = owe(ann, RevokedFlow, "waiting", due=NOON + DAY)
    message.reason = Reason.AWAITING_OPT_IN
    message.save()
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + HOUR)
    message.refresh_from_db()
    assert message.due_at == NOON + HOUR


@pytest.mark.rule(8)
def test_email_asks_back_where_the_shop_or_the_country_wants_it(settings: Any) -> None:
    tick(guest("uwe@example.com", country="DE"), "email", "uwe@example.com")
    assert len(asked("email")) == 1
    settings.CROSSCHANNEL_DOUBLE_OPT_IN = {"sms": True, "email": True}
    tick(guest("ann@example.com", country="US"), "email", "ann@example.com")
    assert len(asked("email")) == 2
    assert not Consent.objects.filter(answer="granted").exists()


@pytest.mark.rule(8)
def test_the_link_of_the_email_confirms_once() -> None:
    ann = guest(country="DE")
    tick(ann, "email", ANN)
    for _ in range(2):
        assert consents.confirm_link(request_of(), now=NOON + DAY, ip="203.0.113.9", user_agent="Safari")
    assert permitted(ann, "email") == set(TOPICS)
    event = ConsentEvent.objects.get(action="grant", topic="weekly_deals")
    assert (event.mechanism, event.ip, event.user_agent) == ("link", "203.0.113.9", "Safari")


@pytest.mark.rule(8)
def test_what_was_chosen_while_it_was_pending_is_taken_with_the_yes() -> None:
    ann = guest()
    tick(ann, "sms", PHONE, topics=["weekly_deals"], is_primary=True)
    assert set(Consent.objects.values_list("topic", "answer")) == {("weekly_deals", "pending")}
    ann.refresh_from_db()
    assert ann.primary_channel == ""
    assert consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + MINUTE) == ["weekly_deals"]
    assert permitted(ann, "sms") == {"weekly_deals"}
    ann.refresh_from_db()
    assert ann.primary_channel == "sms"


def test_what_was_chosen_with_a_grant_counts_at_once() -> None:
    ann = guest()
    tick(ann, "email", ANN, topics=["weekly_deals", "made_up"], is_primary=True)
    assert permitted(ann, "email") == {"weekly_deals"}
    ann.refresh_from_db()
    assert ann.primary_channel == "email"


def test_more_topics_can_be_added_later() -> None:
    ann = guest()
    tick(ann, "email", ANN, topics=["weekly_deals"])
    tick(ann, "email", ANN, at=NOON + DAY)
    assert permitted(ann, "email") == set(TOPICS)


@pytest.mark.rule(8)
@pytest.mark.parametrize(("channel", "end"), [("sms", MORNING + DAY), ("email", NOON + 7 * DAY)])
def test_a_request_that_nobody_confirmed_is_over_and_the_ledger_says_so(channel: str, end: datetime) -> None:
    ann = guest(country={"sms": "US", "email": "DE"}[channel])
    tick(ann, channel, {"sms": PHONE, "email": ANN}[channel])
    fold(end - MINUTE)
    assert not ConsentEvent.objects.filter(action="expire").exists()
    fold(end)
    fold(end + DAY)
    over = ConsentEvent.objects.get(action="expire")
    assert (over.at, over.request_id, over.contact) == (end, request_of(channel), ann)
    assert {(row.answer, row.until) for row in Consent.objects.all()} == {("pending", end)}
    assert evidence.altered(channel, over.address) == []
    assert ann.user_id is None
    assert not consents.confirm_link(request_of(channel), now=end - MINUTE)


@pytest.mark.rule(8)
def test_a_request_that_was_answered_is_not_over() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    fold(NOON + DAY)
    assert not ConsentEvent.objects.filter(action="expire").exists()
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(8)
def test_a_stop_counts_on_after_a_request_that_ran_out() -> None:
    ann = guest()
    consents.grant(ann, "sms", TOPICS, source="test", words="Yes.", address=PHONE, now=NOON)
    stop("sms", PHONE)
    tick(ann, "sms", PHONE)
    fold(NOON + DAY)
    point = ann.points.get(channel="sms")
    assert evidence.is_revoked(point, "sms", PHONE, "weekly_deals")


@pytest.mark.rule(8)
def test_both_ways_to_confirm_verify_the_address() -> None:
    ann, uwe = guest(), guest("uwe@example.com", country="DE")
    tick(ann, "sms", PHONE)
    tick(uwe, "email", "uwe@example.com")
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + MINUTE)
    consents.confirm_link(request_of("email"), now=NOON + HOUR)
    verified = dict(ContactPoint.objects.values_list("address", "verified_at"))
    assert verified == {ANN: None, PHONE: NOON + MINUTE, "uwe@example.com": NOON + HOUR}


# it works: whoever came by a link that was sent to the address


@pytest.mark.rule(8)
def test_who_came_by_a_link_to_the_address_speaks_for_it() -> None:
    ann = member(country="DE")
    tick(ann, "email", ANN, owns=ANN)
    assert permitted(ann, "email") == set(TOPICS)
    assert ConsentEvent.objects.latest("pk").actor == "customer"


@pytest.mark.rule(8, 26)
@pytest.mark.parametrize("cause", [None, *suppressions.OWN_WISH])
def test_a_forwarded_link_ends_no_stop_before_the_owner_confirms(cause: Suppression.Cause | None) -> None:
    ann = member()
    if cause is None:  # no block: one topic was switched off
        stop("email", ANN, TOPICS[0])
    else:
        consents.suppress("email", ANN, cause=cause, scope=Suppression.Scope.MARKETING, now=NOON)
    tick(ann, "email", ANN, owns=ANN)
    assert permitted(ann, "email") == set()
    assert (suppressions.in_force("email", ANN) is None) is (cause is None)
    assert consents.confirm_link(request_of(), now=NOON + HOUR)
    assert permitted(ann, "email") == set(TOPICS)
    assert suppressions.in_force("email", ANN) is None


@pytest.mark.rule(8, 26)
def test_a_number_that_said_stop_is_not_switched_on_by_the_link_in_a_text() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    stop("sms", PHONE)
    tick(ann, "sms", PHONE, owns=PHONE, at=NOON + HOUR)
    assert permitted(ann, "sms") == set()
    assert suppressions.in_force("sms", PHONE) is not None


@pytest.mark.rule(8, 12)
@pytest.mark.parametrize("person", [guest, member])
def test_a_number_given_by_a_link_is_nobodys_before_the_mailbox_and_the_phone_confirm_it(
    person: Callable[[], Contact],
) -> None:
    ann = person()
    tick(ann, "sms", PHONE, owns=ANN)
    assert not ann.points.filter(channel="sms").exists()
    assert (len(asked("email")), asked("sms")) == (1, [])
    assert consents.confirm_link(request_of("sms"), now=NOON + MINUTE)
    assert permitted(ann, "sms") == set()
    assert len(asked("sms")) == 1
    assert consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + HOUR)
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(8, 12)
@pytest.mark.parametrize("person", [guest, member])
def test_a_link_sends_no_texts_about_orders_to_a_number_of_a_strangers(
    person: Callable[[], Contact],
) -> None:
    ann = person()
    contacts.set_point(ann, "sms", PHONE, source="account", now=NOON)
    for phone in (OTHER_PHONE, PHONE):
        order_texts(ann, phone, owns=ANN)
    assert ann.points.get(channel="sms", current=True).address == PHONE
    assert permitted(ann, "sms") == set()
    assert (len(asked("email")), asked("sms")) == (2, [])


def test_the_number_that_was_agreed_to_is_asked_itself_for_more() -> None:
    ann = member()
    order_texts(ann, signed_in=True)
    tick(ann, "sms", PHONE, owns=ANN)
    assert permitted(ann, "sms") == {"order_updates"}
    assert (asked("email"), len(asked("sms"))) == ([], 1)


@pytest.mark.rule(12)
@pytest.mark.parametrize("owns", ["old@example.com", "mallory@example.com"])
def test_a_link_to_another_mailbox_speaks_for_nobody(owns: str) -> None:
    ann = member()
    ContactPoint.objects.create(
        contact=ann,
        channel="email",
        address="old@example.com",
        digest=contacts.digest("email", "old@example.com"),
        current=False,
        created_at=NOON,
    )
    tick(ann, "sms", PHONE, owns=owns)
    tick(ann, "email", ANN, given=False, owns=owns)
    assert not ann.points.filter(channel="sms").exists()
    assert ann.user_id is not None
    assert consents.has_decided(ann.user_id) == set()


@pytest.mark.rule(12)
def test_a_number_that_is_confirmed_is_asked_itself_whoever_typed_it() -> None:
    ann = member()
    point = contacts.set_point(ann, "sms", PHONE, source="account", now=NOON)
    assert point is not None
    ContactPoint.objects.filter(pk=point.pk).update(verified_at=NOON)
    tick(guest(), "sms", PHONE)
    assert permitted(ann, "sms") == set()
    assert len(asked("sms")) == 1
    assert asked("email") == []


# it works: texts about an order


@pytest.mark.rule(8)
def test_texts_about_an_order_need_no_second_yes() -> None:
    ann = guest()
    order_texts(ann, order_number="100017")
    event = ConsentEvent.objects.get()
    assert (event.action, event.topic, event.order_number) == ("grant", "order_updates", "100017")
    assert (event.mechanism, event.default_state) == ("button", "")
    assert asked("sms") == []


@pytest.mark.rule(8, 26)
def test_a_number_that_said_stop_is_asked_before_it_gets_texts_about_an_order() -> None:
    ann = guest()
    stop("sms", PHONE)
    order_texts(ann)
    assert permitted(ann, "sms") == set()
    assert len(asked("sms")) == 1


@pytest.mark.rule(2, 8)
def test_words_about_orders_permit_no_advertising_whatever_a_form_makes_of_them() -> None:
    ann = guest()
    order_texts(ann, topics=["order_updates", "weekly_deals"])
    assert permitted(ann, "sms") == {"order_updates"}
    order_texts(ann, topics=["weekly_deals"])
    assert permitted(ann, "sms") == {"order_updates"}


# it works: an age


@pytest.mark.rule(14)
@pytest.mark.parametrize(
    ("proven_age", "topics"), [(None, {"basket_reminders"}), (20, {"basket_reminders"}), (21, set(TOPICS))]
)
def test_a_topic_with_an_age_takes_a_date_of_birth(proven_age: int | None, topics: set[str]) -> None:
    grow_up()
    ann = guest()
    tick(ann, "email", ANN, proven_age=proven_age)
    assert permitted(ann, "email") == topics
    assert set(ConsentEvent.objects.values_list("proven_age", flat=True)) == {proven_age}


@pytest.mark.rule(14)
def test_the_age_that_was_proven_comes_along_with_the_yes() -> None:
    grow_up()
    ann = guest()
    tick(ann, "sms", PHONE, proven_age=30)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    assert Consent.objects.get(topic="weekly_deals").proven_age == 30


@pytest.mark.rule(14)
def test_who_is_too_young_for_all_of_it_is_not_asked() -> None:
    for topic in TOPICS:
        grow_up(topic)
    tick(guest(), "sms", PHONE, proven_age=17)
    assert not ConsentEvent.objects.exists()


@pytest.mark.rule(14)
@pytest.mark.parametrize(
    ("proof", "age"),
    [
        ({"born_on": date(2005, 3, 1)}, 21),
        ({"born_on": date(2008, 3, 1)}, None),
        ({"born_on": date(2099, 3, 1)}, None),
        ({"proven_age": 30}, None),
        ({}, None),
    ],
)
def test_an_agreement_from_elsewhere_proves_an_age_by_a_date_of_birth_only(
    proof: dict[str, Any], age: int | None
) -> None:
    grow_up()
    with pytest.raises(MissingProof) if age is None else nullcontext():
        consents.grant(guest(), "email", TOPICS, source="fair", words="Yes.", now=NOON, **proof)
    assert [event.proven_age for event in ConsentEvent.objects.all()] == ([age] * 2 if age else [])


@pytest.mark.rule(14)
def test_an_age_cannot_be_claimed() -> None:
    with pytest.raises(MissingProof, match="born_on"):
        consents.grant(guest(), "email", TOPICS, source="fair", words="Yes.", now=NOON, proven_age=30)


# it works: what follows from a purchase or a question


@pytest.mark.rule(13)
@pytest.mark.parametrize(("occasion", "end"), [("purchase", (2028, 2, 28)), ("inquiry", (2026, 8, 28))])
def test_a_consent_that_is_only_implied_ends_when_the_law_says(
    occasion: str, end: tuple[int, int, int]
) -> None:
    bought = NOON.replace(year=2026, month=2, day=28)
    ann = guest(country="CA")
    consents.grant(
        ann,
        "email",
        ["weekly_deals"],
        source="order",
        words="A customer.",
        now=NOON,
        basis=ConsentEvent.Basis.IMPLIED,
        occasion=occasion,
        at=bought,
    )
    year, month, day = end
    consent = Consent.objects.get()
    assert (consent.until, consent.basis) == (bought.replace(year=year, month=month, day=day), "implied")
    assert ConsentEvent.objects.get().jurisdiction == "CA"


@pytest.mark.rule(13)
@pytest.mark.parametrize(
    ("country", "occasion"), [("CA", ""), ("CA", "visit"), ("US", "purchase"), ("", "purchase")]
)
def test_where_no_law_says_how_long_it_lasts_nothing_is_implied(country: str, occasion: str) -> None:
    with pytest.raises(MissingProof, match="expires_at"):
        consents.grant(
            guest(country=country),
            "email",
            ["weekly_deals"],
            source="order",
            words="A customer.",
            now=NOON,
            basis=ConsentEvent.Basis.IMPLIED,
            occasion=occasion,
        )
    assert not ConsentEvent.objects.exists()


@pytest.mark.rule(13)
@pytest.mark.parametrize(("offered", "granted"), [(None, False), (False, False), (True, True)])
def test_a_soft_opt_in_needs_a_way_out_that_was_offered(offered: bool | None, granted: bool) -> None:
    ann = guest(country="GB")
    with nullcontext() if granted else pytest.raises(MissingProof, match="way_out_offered"):
        consents.grant(
            ann,
            "email",
            ["weekly_deals"],
            source="order",
            words="Similar goods.",
            now=NOON,
            basis=ConsentEvent.Basis.SOFT_OPT_IN,
            way_out_offered=offered,
        )
    assert permitted(ann, "email") == ({"weekly_deals"} if granted else set())


# it works: guests who give the email of an account


@pytest.mark.rule(8)
def test_a_guest_under_the_email_of_an_account_can_only_ask() -> None:
    ann = member()
    tick(guest(), "email", ANN)
    assert permitted(ann, "email") == set()
    assert len(asked("email")) == 1
    assert consents.confirm_link(request_of(), now=NOON + HOUR)
    assert permitted(ann, "email") == set(TOPICS)


def test_the_owner_who_is_signed_in_need_not_be_asked() -> None:
    ann = member()
    tick(ann, "email", ANN, signed_in=True)
    assert permitted(ann, "email") == set(TOPICS)
    assert asked("email") == []


@pytest.mark.rule(8, 12)
def test_a_phone_given_under_somebody_elses_account_is_not_theirs_until_they_say_so() -> None:
    ann = member()
    tick(guest(), "sms", PHONE)
    assert not ann.points.filter(channel="sms").exists()
    assert asked("sms") == []
    # the stranger owns the phone, but not the mailbox
    assert not consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + MINUTE)

    assert consents.confirm_link(request_of("sms"), now=NOON + HOUR)
    assert permitted(ann, "sms") == set()
    assert len(asked("sms")) == 1
    assert consents.confirm_reply(PHONE, body="YES", provider_id="SM2", now=NOON + 2 * HOUR)
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(8, 12)
def test_a_phone_that_a_strangers_order_left_with_an_account_is_not_theirs_either() -> None:
    ann = member()
    contacts.set_point(ann, "sms", PHONE, source="order", now=NOON, weak=True)
    tick(guest(), "sms", PHONE)
    assert not consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + MINUTE)
    assert len(asked("email")) == 1
    assert permitted(ann, "sms") == set()


def test_a_guest_cannot_take_over_the_phone_that_another_guest_agreed_with() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    tick(ann, "sms", OTHER_PHONE)
    assert not consents.confirm_reply(OTHER_PHONE, body="YES", provider_id="SM2", now=NOON + MINUTE)
    assert permitted(ann, "sms") == set(TOPICS)


def test_an_empty_box_of_a_stranger_is_no_answer_of_the_account() -> None:
    ann = member()
    tick(guest(), "email", ANN, given=False)
    assert ann.user_id is not None
    assert consents.has_decided(ann.user_id) == set()


def test_a_request_that_nobody_confirmed_decides_nothing() -> None:
    ann = member()
    tick(ann, "sms", PHONE, signed_in=True)
    assert ann.user_id is not None
    assert consents.has_decided(ann.user_id) == set()
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    assert consents.has_decided(ann.user_id) == {"sms"}


def test_an_email_that_is_not_the_accounts_own_is_neither_granted_nor_used() -> None:
    bob = member("bob@example.com")
    tick(bob, "email", ANN, signed_in=True)
    assert contacts.addresses_in_use([bob.pk], "email") == {bob.pk: "bob@example.com"}
    assert not Consent.objects.exists()
    assert not ContactPoint.objects.filter(address=ANN).exists()


@pytest.mark.rule(8)
@pytest.mark.parametrize(
    ("country", "language", "granted"),
    [("", "de", False), ("", "en", True), ("US", "de", True), ("DE", "en", False)],
)
def test_where_nobody_knows_the_country_the_language_says_whether_to_ask(
    country: str, language: str, granted: bool
) -> None:
    ann = guest(country=country)
    tick(ann, "email", ANN, language=language)
    assert (permitted(ann, "email") == set(TOPICS)) is granted
    assert (len(asked("email")) == 0) is granted


@pytest.mark.rule(8)
def test_a_shop_that_sets_one_expiry_keeps_the_other(settings: Any) -> None:
    settings.CROSSCHANNEL_OPT_IN_EXPIRES = {"sms": 12 * HOUR}
    assert (consents.opt_in_expiry("sms"), consents.opt_in_expiry("email")) == (12 * HOUR, 7 * DAY)
    tick(guest(country="DE"), "email", ANN)
    assert ConsentEvent.objects.get().expires_at == NOON + 7 * DAY


@pytest.mark.parametrize("how", ["box", "elsewhere"])
def test_every_grant_wakes_what_waited_for_it(how: str) -> None:
    ann = guest()
    message = owe(ann, RevokedFlow, "waits", due=NOON + DAY)
    message.reason = Reason.AWAITING_OPT_IN
    message.save()
    if how == "box":
        tick(ann, "email", ANN)
    else:
        consents.grant(ann, "email", TOPICS, source="fair", words="Yes.", now=NOON)
    message.refresh_from_db()
    assert message.due_at == NOON


def test_an_address_that_is_not_the_guests_own_is_ignored() -> None:
    tick(guest(), "email", "mallory@example.com")
    assert not ConsentEvent.objects.exists()
    assert not ContactPoint.objects.filter(address="mallory@example.com").exists()


# it works: stops


@pytest.mark.rule(19, 22)
def test_stopping_one_topic_leaves_the_others() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    assert stop("email", "ANN@example.com", "weekly_deals", message_id=5)
    assert permitted(ann, "email") == {"basket_reminders"}
    event = ConsentEvent.objects.get(action="revoke")
    assert (event.topic, event.message_id, event.address) == ("weekly_deals", 5, ANN)
    assert suppressions.in_force("email", ANN) is None


@pytest.mark.rule(19, 26)
@pytest.mark.parametrize(
    ("channel", "address", "scope"), [("sms", PHONE, "everything"), ("email", ANN, "marketing")]
)
def test_stopping_everything_also_suppresses_the_address(channel: str, address: str, scope: str) -> None:
    ann = guest()
    consents.grant(ann, channel, TOPICS, source="test", words="Yes.", address=address, now=NOON)
    assert stop(channel, address)
    assert permitted(ann, channel) == set()
    row = suppressions.in_force(channel, address)
    assert row is not None
    assert (row.cause, row.scope, row.digest) == ("revoked", scope, contacts.digest(channel, address))


@pytest.mark.rule(19)
def test_a_stop_counts_for_everybody_who_uses_the_number() -> None:
    people = [guest(f"{name}@example.com") for name in "ab"]
    for contact in people:
        consents.grant(contact, "sms", TOPICS, source="test", words="Yes.", address=PHONE, now=NOON)
    stop("sms", PHONE)
    assert [permitted(contact, "sms") for contact in people] == [set(), set()]


@pytest.mark.rule(19)
def test_a_stop_takes_back_what_is_claimed_on_its_channel() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    contacts.set_point(ann, "sms", PHONE, source="order", now=NOON)
    claims = {}
    for channel in ("email", "sms"):
        message = owe(ann, RevokedFlow, f"by {channel}", due=NOON)
        message.state, message.channel, message.token = State.CLAIMED, channel, uuid4()
        message.attempted_at, message.lease_until = NOON, NOON + MINUTE
        message.save()
        claims[channel] = message
    stop("email", ANN, "basket_reminders")
    for message in claims.values():
        message.refresh_from_db()
    assert (claims["email"].state, claims["email"].token, claims["email"].attempted_at) == (
        State.PLANNED,
        None,
        None,
    )
    assert claims["sms"].state == State.CLAIMED


def test_a_stop_from_an_unknown_number_is_remembered() -> None:
    assert stop("sms", PHONE)
    assert suppressions.in_force("sms", PHONE) is not None
    assert ConsentEvent.objects.get().contact is None


def test_a_number_that_cannot_be_texted_can_still_say_stop() -> None:
    assert stop("sms", "72345")
    assert suppressions.in_force("sms", "72345") is not None


@pytest.mark.rule(42)
def test_stopping_twice_is_stopping_once() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    assert stop("email", ANN, "weekly_deals")
    assert not stop("email", ANN, "weekly_deals")
    assert stop("email", ANN)
    assert not stop("email", ANN)
    assert not stop("email", ANN, "basket_reminders")
    assert ConsentEvent.objects.filter(action="revoke").count() == 2


# it refuses


@pytest.mark.rule(9)
def test_yes_without_a_request_is_no_consent() -> None:
    ann = guest()
    contacts.set_point(ann, "sms", PHONE, source="order", now=NOON)
    assert not consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    assert not ConsentEvent.objects.exists()


@pytest.mark.rule(9)
def test_yes_after_the_request_expired_is_no_consent() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    assert not consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=MORNING + DAY)
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(9)
def test_yes_from_another_number_is_no_consent() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    assert not consents.confirm_reply(OTHER_PHONE, body="YES", provider_id="SM1", now=NOON)
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(8)
def test_an_old_or_unknown_link_confirms_nothing() -> None:
    ann = guest(country="DE")
    tick(ann, "email", ANN)
    assert not consents.confirm_link(request_of(), now=NOON + 7 * DAY)
    assert not consents.confirm_link(987_654, now=NOON)
    assert permitted(ann, "email") == set()


def test_a_stop_overtakes_a_request() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    stop("sms", PHONE)
    assert not consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + MINUTE)
    assert permitted(ann, "sms") == set()


def test_a_second_stop_overtakes_what_was_asked_after_the_first() -> None:
    ann = guest()
    stop("sms", PHONE)
    tick(ann, "sms", PHONE)
    stop("sms", PHONE)
    tick(ann, "sms", PHONE, at=NOON + MINUTE)
    stop("sms", PHONE)
    assert not consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + MINUTE)
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(26)
def test_an_address_that_once_said_stop_must_say_yes_itself() -> None:
    ann = member()
    tick(ann, "email", ANN, signed_in=True)
    stop("email", ANN)
    tick(ann, "email", ANN, signed_in=True, at=NOON + HOUR)
    assert permitted(ann, "email") == set()
    assert suppressions.in_force("email", ANN) is not None
    assert consents.confirm_link(request_of(), now=NOON + 2 * HOUR)
    assert permitted(ann, "email") == set(TOPICS)
    assert suppressions.in_force("email", ANN) is None


@pytest.mark.rule(26)
def test_a_confirmation_does_not_lift_a_bounce() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    consents.suppress(
        "sms", PHONE, cause=Suppression.Cause.INVALID, scope=Suppression.Scope.EVERYTHING, now=NOON
    )
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + MINUTE)
    assert suppressions.in_force("sms", PHONE) is not None


@pytest.mark.rule(26)
def test_the_graver_cause_of_a_suppression_stays() -> None:
    cause, scope = Suppression.Cause, Suppression.Scope
    consents.suppress("email", ANN, cause=cause.COMPLAINT, scope=scope.MARKETING, now=NOON)
    consents.suppress("email", ANN, cause=cause.HARD_BOUNCE, scope=scope.EVERYTHING, now=NOON)
    row = Suppression.objects.get()
    assert (row.cause, row.scope) == ("complaint", "everything")


@pytest.mark.rule(26)
def test_a_block_that_was_lifted_can_come_back() -> None:
    cause = Suppression.Cause
    values: dict[str, Any] = {"scope": Suppression.Scope.EVERYTHING, "now": NOON}
    consents.suppress("sms", PHONE, cause=cause.CARRIER_BLOCK, **values)
    assert suppressions.lift("sms", PHONE, causes=[cause.CARRIER_BLOCK], now=NOON)
    assert consents.suppress("sms", PHONE, cause=cause.INVALID, **values)
    assert not suppressions.lift("sms", PHONE, causes=[cause.CARRIER_BLOCK], now=NOON)


@pytest.mark.rule(15)
def test_an_address_can_be_suppressed_by_its_digest_alone() -> None:
    digest = contacts.digest("email", ANN)
    consents.suppress_digest(
        "email", digest, cause=Suppression.Cause.MANUAL, scope=Suppression.Scope.EVERYTHING, now=NOON
    )
    assert suppressions.in_force("email", "Ann@example.com") is not None


@pytest.mark.rule(4)
@pytest.mark.parametrize("missing", ["text", "source", "at", "address", "mechanism"])
def test_a_grant_that_could_not_be_proven_is_not_stored(missing: str) -> None:
    ann = guest()
    tick(ann, "email", ANN)
    event = ConsentEvent.objects.filter(action="grant").latest("pk")
    event.pk, event._state.adding = None, True
    nothing = {"text": None, "at": None}.get(missing, "")
    setattr(event, missing, nothing)
    with pytest.raises(MissingProof, match=missing):
        event.save()


@pytest.mark.rule(4)
def test_a_grant_at_a_time_without_a_zone_is_not_stored() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    event = ConsentEvent.objects.filter(action="grant").latest("pk")
    event.pk, event._state.adding, event.at = None, True, NOON.replace(tzinfo=None)
    with pytest.raises(MissingProof, match="at"):
        event.save()


@pytest.mark.rule(4)
@pytest.mark.parametrize("change", [{"words": ""}, {"source": ""}, {"address": "ann@"}])
def test_an_agreement_from_elsewhere_needs_its_proof_too(change: dict[str, str]) -> None:
    values: dict[str, Any] = {"words": "Yes.", "source": "fair", "address": ANN} | change
    with pytest.raises(MissingProof):
        consents.grant(guest(), "email", TOPICS, now=NOON, **values)
    assert not ConsentEvent.objects.exists()


@pytest.mark.rule(4)
@pytest.mark.parametrize("change", [{"text": "0" * 64}, {"text": ""}, {"language": "../../etc"}])
def test_a_box_whose_words_nobody_knows_is_not_taken(change: dict[str, str]) -> None:
    shown = replace(answer("email", ANN), **change)
    consents.take_answer(guest(), shown, signed_in=False, at=NOON, now=NOON)
    assert not ConsentEvent.objects.exists()


def test_the_words_of_one_channel_permit_nothing_on_another() -> None:
    ann = guest()
    tick(ann, "sms", PHONE)
    tick(ann, "email", ANN, text=consents.wording("sms", "en").digest)
    assert permitted(ann, "email") == set()


def test_a_ticked_box_without_a_number_that_can_be_texted_is_not_taken() -> None:
    ann = guest()
    tick(ann, "sms", "+18005550123")
    assert not ConsentEvent.objects.exists()


@pytest.mark.rule(6)
def test_the_ledger_can_only_grow() -> None:
    tick(guest(), "email", ANN)
    event, text = ConsentEvent.objects.latest("pk"), ConsentText.objects.get()
    for forbidden in (
        event.save,
        event.delete,
        text.save,
        text.delete,
        ConsentEvent.objects.all().delete,
        lambda: ConsentEvent.objects.update(action="grant"),
        lambda: ConsentEvent.objects.bulk_update([event], ["action"]),
        lambda: ConsentText.objects.update(words="I agree to everything."),
        lambda: ConsentEvent.objects.bulk_create(
            [event], update_conflicts=True, unique_fields=["id"], update_fields=["action"]
        ),
    ):
        with pytest.raises(AppendOnlyError):
            forbidden()


@pytest.mark.rule(6)
def test_a_new_object_with_the_id_of_a_row_does_not_replace_it() -> None:
    tick(guest(), "email", ANN)
    kept = ConsentEvent.objects.latest("pk")
    with pytest.raises(IntegrityError), transaction.atomic():
        ConsentEvent(pk=kept.pk, action="revoke", basis="none", at=NOON).save()
    assert ConsentEvent.objects.get(pk=kept.pk).action == "grant"


# it survives


@pytest.mark.rule(6)
def test_a_row_changed_behind_our_back_shows() -> None:
    tick(guest(), "email", ANN)
    stop("email", ANN)
    assert evidence.altered("email", ANN) == []
    first = ConsentEvent.objects.earliest("pk")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {ConsentEvent._meta.db_table} SET source = 'elsewhere' WHERE id = %s", [first.pk]
        )
    assert evidence.altered("email", ANN) == [first.pk]


@pytest.mark.rule(6)
def test_a_row_removed_behind_our_back_shows() -> None:
    tick(guest(), "email", ANN)
    stop("email", ANN, "weekly_deals")
    stop("email", ANN)
    gone, after = ConsentEvent.objects.filter(action="revoke").order_by("pk")
    Consent.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {ConsentEvent._meta.db_table} WHERE id = %s", [gone.pk])
    assert evidence.altered("email", ANN) == [after.pk]


def test_what_browsers_send_does_not_break_the_ledger() -> None:
    tick(guest(), "email", ANN, user_agent="\x00" * 5000, page_url="x" * 5000, ip="not an address")
    event = ConsentEvent.objects.latest("pk")
    assert (event.user_agent, event.ip, len(event.page_url)) == ("", None, 500)
    assert evidence.altered("email", ANN) == []


def test_an_unproven_import_grants_nothing() -> None:
    ann = guest()
    evidence.append(
        ConsentEvent(
            contact=ann,
            point=ann.points.get(),
            channel="email",
            address=ANN,
            address_given=ANN,
            topic="weekly_deals",
            action="grant",
            basis=ConsentEvent.Basis.UNPROVEN,
            source="import",
            mechanism="import",
            actor="staff",
            brand="Quillbrook",
            at=NOON,
        )
    )
    assert not Consent.objects.exists()


def test_messages_of_other_people_are_left_alone() -> None:
    guest("ann@example.com")
    bob = guest("bob@example.com")
    message = owe(bob, RevokedFlow, "his", due=NOON)
    message.state, message.channel, message.token = State.CLAIMED, "email", uuid4()
    message.save()
    stop("email", "ann@example.com")
    assert Message.objects.get().state == State.CLAIMED
