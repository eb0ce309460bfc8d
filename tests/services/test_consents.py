"""Agreeing: what counts as a yes, to what, with which proof."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime
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
from oscar_crosschannel.models.consents import MissingProof
from oscar_crosschannel.services import consents, contacts, suppressions
from tests.factories import NOON, owe
from tests.services.consenting import (
    DAY,
    HOUR,
    MINUTE,
    RevokedFlow,
    asked,
    grow_up,
    order_texts,
    request_of,
    stop,
)
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


def confirmed(contact: Contact, phone: str, *, at: datetime) -> None:
    """The person gives a number in their account and answers from it."""
    tick(contact, "sms", phone, signed_in=True, at=at)
    assert consents.confirm_reply(phone, body="YES", provider_id="SM1", now=at + MINUTE)


def block(phone: str, scope: Suppression.Scope) -> None:
    """Texts to the number came back."""
    suppressions.suppress("sms", phone, cause=Suppression.Cause.INVALID, scope=scope, now=NOON + HOUR)


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


@pytest.mark.rule(8, 12)
def test_a_number_that_has_only_texts_about_orders_takes_no_confirmed_ones_place_before_its_yes() -> None:
    ann = member()
    order_texts(ann, OTHER_PHONE, signed_in=True)
    confirmed(ann, PHONE, at=NOON + HOUR)
    order_texts(ann, OTHER_PHONE, signed_in=True, at=NOON + DAY)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: PHONE}
    assert permitted(ann, "sms") == set(TOPICS)
    assert consents.confirm_reply(OTHER_PHONE, body="YES", provider_id="SM2", now=NOON + DAY + HOUR)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: OTHER_PHONE}
    assert permitted(ann, "sms") == {"order_updates"}


@pytest.mark.rule(8, 12)
@pytest.mark.parametrize(
    ("scope", "in_use", "topics"),
    [("everything", OTHER_PHONE, {"order_updates"}), ("marketing", PHONE, set(TOPICS))],
)
def test_a_number_that_gets_nothing_any_more_makes_way_for_the_one_given_for_an_order(
    scope: str, in_use: str, topics: set[str]
) -> None:
    ann = member()
    confirmed(ann, PHONE, at=NOON)
    block(PHONE, Suppression.Scope(scope))
    order_texts(ann, OTHER_PHONE, signed_in=True, at=NOON + DAY, order_number="100017")
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: in_use}
    assert permitted(ann, "sms") == topics


@pytest.mark.rule(12)
def test_a_number_that_gets_nothing_any_more_does_not_come_back_into_use_by_being_typed() -> None:
    ann = member()
    confirmed(ann, OTHER_PHONE, at=NOON)
    confirmed(ann, PHONE, at=NOON + HOUR)
    block(OTHER_PHONE, Suppression.Scope.EVERYTHING)
    tick(ann, "sms", OTHER_PHONE, signed_in=True, at=NOON + DAY)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: PHONE}


@pytest.mark.rule(2, 8)
def test_words_about_orders_permit_no_advertising_whatever_a_form_makes_of_them() -> None:
    ann = guest()
    order_texts(ann, topics=["order_updates", "weekly_deals"])
    assert permitted(ann, "sms") == {"order_updates"}
    order_texts(ann, topics=["weekly_deals"])
    assert permitted(ann, "sms") == {"order_updates"}


@pytest.mark.rule(8)
def test_texts_before_an_event_need_no_second_yes_beside_its_order() -> None:
    ann = guest()
    order_texts(ann, order_number="100017", topics=["order_updates", "events"])
    assert permitted(ann, "sms") == {"order_updates", "events"}


@pytest.mark.rule(8)
def test_what_was_asked_for_without_an_order_needs_the_yes_of_the_phone() -> None:
    ann = guest()
    order_texts(ann, topics=["stock_alerts"])
    assert permitted(ann, "sms") == set()
    assert len(asked("sms")) == 1


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


# it refuses


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
