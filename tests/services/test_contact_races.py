"""Events about the same person that are worked off at the same instant."""

from __future__ import annotations

import pytest
from django.db import transaction

from oscar_crosschannel.models import Contact
from oscar_crosschannel.services import consents, contacts, evidence, replies
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
