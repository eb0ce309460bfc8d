"""Withdrawing: a stop always counts, at once and for everybody at the address."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import (
    ConsentEvent,
    Message,
    Suppression,
)
from oscar_crosschannel.services import consents, contacts, suppressions
from tests.factories import NOON, owe
from tests.services.consenting import (
    MINUTE,
    RevokedFlow,
    stop,
)
from tests.services.shoppers import (
    ANN,
    PHONE,
    TOPICS,
    guest,
    permitted,
    tick,
)

pytestmark = pytest.mark.django_db


# it works


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


# it survives


def test_messages_of_other_people_are_left_alone() -> None:
    guest("ann@example.com")
    bob = guest("bob@example.com")
    message = owe(bob, RevokedFlow, "his", due=NOON)
    message.state, message.channel, message.token = State.CLAIMED, "email", uuid4()
    message.save()
    stop("email", "ann@example.com")
    assert Message.objects.get().state == State.CLAIMED
