"""Questions to the owner of an address: asked once, answered from there, or over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import (
    Consent,
    ConsentEvent,
    Contact,
    ContactPoint,
    Suppression,
)
from oscar_crosschannel.services import consents, contacts, evidence, suppressions
from tests.factories import NOON, owe
from tests.services.consenting import (
    DAY,
    HOUR,
    MINUTE,
    MORNING,
    RevokedFlow,
    asked,
    fold,
    order_texts,
    request_of,
    stop,
)
from tests.services.shoppers import (
    ANN,
    OTHER_PHONE,
    PHONE,
    TOPICS,
    guest,
    member,
    permitted,
    tick,
)

pytestmark = pytest.mark.django_db


# it works


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


# it works: time


def test_a_request_that_nobody_confirmed_decides_nothing() -> None:
    ann = member()
    tick(ann, "sms", PHONE, signed_in=True)
    assert ann.user_id is not None
    assert consents.has_decided(ann.user_id) == set()
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    assert consents.has_decided(ann.user_id) == {"sms"}


@pytest.mark.rule(8)
def test_a_shop_that_sets_one_expiry_keeps_the_other(settings: Any) -> None:
    settings.CROSSCHANNEL_OPT_IN_EXPIRES = {"sms": 12 * HOUR}
    assert (consents.opt_in_expiry("sms"), consents.opt_in_expiry("email")) == (12 * HOUR, 7 * DAY)
    tick(guest(country="DE"), "email", ANN)
    assert ConsentEvent.objects.get().expires_at == NOON + 7 * DAY


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
