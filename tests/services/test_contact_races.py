"""Events about the same person that are worked off at the same instant."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction

from oscar_crosschannel.core.events import Event
from oscar_crosschannel.models import ConsentEvent, Contact, InboxEvent, Message
from oscar_crosschannel.services import (
    consents,
    contacts,
    evidence,
    inbox,
    intake,
    preferences,
    replies,
    setup,
)
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON
from tests.services.racing import race
from tests.services.shoppers import PHONE, TOPICS, account, guest, permitted, tick

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]

ROUNDS = 25


def identify(**who: object) -> None:
    with transaction.atomic():
        contacts.identify(**who, now=NOON)  # type: ignore[arg-type]


def test_a_guest_seen_three_times_at_once_is_one_contact() -> None:
    with race(3) as runners:
        for number in range(ROUNDS):
            email = f"guest{number}@example.com"
            runners.together(*[lambda email=email: identify(email=email)] * 3)
    assert Contact.objects.count() == ROUNDS


def test_a_guest_who_registers_while_seen_as_a_guest_is_one_contact() -> None:
    with race(3) as runners:
        for number in range(ROUNDS):
            email = f"new{number}@example.com"
            guest(email)
            user_id = account(email).pk
            runners.together(
                lambda email=email: identify(email=email),
                *[lambda user_id=user_id: identify(user_id=user_id)] * 2,
            )
    assert Contact.objects.filter(merged_into=None).count() == ROUNDS


def test_two_merges_in_opposite_directions_leave_one_contact() -> None:
    with race(2) as runners:
        for number in range(ROUNDS):
            one, other = guest(f"one{number}@example.com"), guest(f"other{number}@example.com")
            runners.together(
                lambda one=one, other=other: contacts.merge(one, other, now=NOON),
                lambda one=one, other=other: contacts.merge(other, one, now=NOON),
            )
    assert Contact.objects.filter(merged_into=None).count() == ROUNDS


@pytest.mark.rule(16, 19)
def test_stops_and_ticked_boxes_for_one_number_end_in_a_stop() -> None:
    people = [guest(f"{name}@example.com") for name in "abc"]
    for contact in people:
        consents.grant(contact, "sms", TOPICS, source="test", words="Yes.", address=PHONE, now=NOON)

    def stop(sid: str) -> None:
        replies.take_inbound(sid=sid, phone=PHONE, to="", body="STOP", now=NOON)

    with race(5) as runners:
        for number in range(ROUNDS):
            runners.together(
                *[lambda sid=f"SM{number}-{copy}": stop(sid) for copy in range(2)],
                *[lambda contact=contact: tick(contact, "sms", PHONE) for contact in people],
            )
    assert [permitted(contact, "sms") for contact in people] == [set()] * 3
    assert evidence.altered("sms", PHONE) == []


def test_an_order_and_a_stop_from_one_number_never_deadlock() -> None:
    """The fold locks everybody an event names before it writes, in the order in which a STOP does."""
    setup.install()
    first, second = guest("a@example.com"), guest("b@example.com")
    for contact in (first, second):
        contacts.set_point(contact, "sms", PHONE, source="test", now=NOON)
    plans = load_plans()
    refused: list[str] = []
    with race(2) as runners:
        for number in range(120):
            order = Event(
                name="order.placed",
                key=f"order:{number}",
                occurred_at=NOON,
                email="b@example.com",
                phone=PHONE,
                data={"name": f"Name {number}"},
            )
            inbox.publish(order, now=NOON)

            def stop(number: int = number) -> None:
                try:
                    replies.take_inbound(sid=f"SM{number}", phone=PHONE, to="", body="STOP", now=NOON)
                except OperationalError as error:
                    refused.append(str(error))

            def fold() -> None:
                intake.fold(plans, clock=lambda: NOON, pause=nullcontext)

            runners.together(stop, fold, jitter=0.012)
    assert not refused
    assert not InboxEvent.objects.exclude(error="").exists()


@pytest.mark.rule(12)
def test_a_number_that_joins_three_times_at_once_is_one_contact_with_one_yes() -> None:
    setup.install()
    with race(3) as runners:
        for number in range(ROUNDS):
            phone = f"+1206555{100 + number:04}"
            runners.together(
                *[
                    lambda phone=phone, sid=f"SM{number}-{times}": replies.take_inbound(
                        sid=sid, phone=phone, to="", body="JOIN", now=NOON
                    )
                    for times in range(3)
                ]
            )
    assert Contact.objects.count() == ROUNDS
    assert ConsentEvent.objects.count() == ROUNDS * len(TOPICS)


@pytest.mark.rule(9, 12)
def test_the_word_and_a_yes_at_once_are_one_persons() -> None:
    setup.install()
    with race(2) as runners:
        for number in range(ROUNDS):
            ann, phone = guest(f"{number}@example.com"), f"+1206555{100 + number:04}"
            at = NOON + number * timedelta(hours=1)
            tick(ann, "sms", phone, at=at)
            runners.together(
                *[
                    lambda body=body, phone=phone, at=at: replies.take_inbound(
                        sid=f"{body}{phone}", phone=phone, to="", body=body, now=at
                    )
                    for body in ("JOIN", "YES")
                ]
            )
            assert permitted(ann, "sms") == set(TOPICS)
    assert Contact.objects.count() == ROUNDS


def test_two_who_share_a_number_ask_for_a_pause_while_it_joins() -> None:
    """A pause locks everybody at the address, as a text from it does."""
    refused: list[str] = []
    with race(3) as runners:
        for number in range(ROUNDS):
            phone = f"+1206555{100 + number:04}"
            people = [guest(f"{name}{number}@example.com") for name in "ab"]
            for contact in people:
                contacts.set_point(contact, "sms", phone, source="test", now=NOON)

            def pause(contact: Contact) -> None:
                try:
                    preferences.choose(contact, paused_until=NOON + timedelta(days=30), now=NOON)
                except OperationalError as error:
                    refused.append(str(error))

            def join(phone: str) -> None:
                try:
                    replies.take_inbound(sid=phone, phone=phone, to="", body="JOIN", now=NOON)
                except OperationalError as error:
                    refused.append(str(error))

            runners.together(
                lambda phone=phone: join(phone),
                *[lambda contact=contact: pause(contact) for contact in people],
                jitter=0.006,
            )
    assert not refused


@pytest.mark.rule(8)
def test_forms_that_are_worked_off_at_once_ask_no_more_than_may_be_asked(settings: Any) -> None:
    settings.CROSSCHANNEL_OPT_IN_TEXTS_AN_HOUR = 2
    with race(3) as runners:
        for number in range(ROUNDS):
            people = [guest(f"{name}{number}@example.com") for name in "abc"]
            at = NOON + number * timedelta(hours=1)
            phones = [f"+1206555{100 + 3 * number + each:04}" for each in range(3)]
            runners.together(
                *[
                    lambda who=who, phone=phone, at=at: tick(who, "sms", phone, at=at)
                    for who, phone in zip(people, phones, strict=True)
                ]
            )
            said = ConsentEvent.objects.filter(at=at).order_by("action").values_list("action", flat=True)
            assert list(said) == ["request", "request", "unasked"]


@pytest.mark.rule(8)
def test_a_number_that_three_give_at_once_is_texted_once() -> None:
    with race(3) as runners:
        for number in range(ROUNDS):
            phone = f"+1206555{100 + number:04}"
            people = [guest(f"{name}{number}@example.com") for name in "abc"]
            runners.together(*[lambda who=who, phone=phone: tick(who, "sms", phone) for who in people])
    assert ConsentEvent.objects.filter(action="request").count() == 3 * ROUNDS
    assert InboxEvent.objects.filter(name="consent.requested.sms").count() == ROUNDS


@pytest.mark.rule(8, 12)
def test_one_person_in_four_tabs_gives_only_so_many_numbers() -> None:
    with race(4) as runners:
        for number in range(ROUNDS):
            ann = guest(f"{number}@example.com")
            phones = [f"+1206555{100 + 4 * number + each:04}" for each in range(4)]
            runners.together(*[lambda phone=phone, ann=ann: tick(ann, "sms", phone) for phone in phones])
            assert ConsentEvent.objects.filter(contact=ann, action="request").count() == 3


def test_two_who_share_a_number_save_their_preferences_at_once() -> None:
    """Each locks the other: whoever locks one before the rest, as a merge does, may wait in a circle."""
    refused: list[str] = []
    with race(2) as runners:
        for number in range(40):
            email = f"ann{number}@example.com"
            phone = f"+1206555{100 + number:04}"
            bob = guest(f"bob{number}@example.com")
            user = account(email)
            ann = Contact.objects.create(user=user, created_at=NOON)
            guest_of_old = Contact.objects.create(guest_key=contacts.digest("email", email), created_at=NOON)
            contacts.set_point(guest_of_old, "email", email, source="test", now=NOON)
            for contact in (bob, ann):
                contacts.set_point(contact, "sms", phone, source="test", now=NOON)
            proven = bob.points.get(channel="email")
            visitors = [
                preferences.Visitor(contact=ann, user_id=user.pk, email=email),
                preferences.Visitor(contact=bob, message=Message(), proven=proven),
            ]

            def save(visitor: preferences.Visitor) -> None:
                wishes = preferences.Wishes(off=[("sms", "weekly_deals")], details={"fewer": True})
                try:
                    preferences.save(visitor, wishes, now=NOON)
                except OperationalError as error:
                    refused.append(str(error))

            runners.together(*[lambda visitor=visitor: save(visitor) for visitor in visitors], jitter=0.006)
    assert not refused
    assert Contact.objects.filter(merged_into__isnull=False, fewer=False).count() == 40
