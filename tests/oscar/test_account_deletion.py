"""A customer deletes the account: what waits is taken back at once, and the next tick forgets them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Contact, ContactPoint, Enrolment, Erasure, InboxEvent, Message
from oscar_crosschannel.services import consents, contacts, erasing, intake, suppressions
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, enrol_all, registered
from tests.services.shoppers import ANN, PHONE, TOPICS, guest, member, permitted

pytestmark = pytest.mark.django_db


@registered
class LeftBehind(Blueprint):
    """Only here"""

    topic = "basket_reminders"
    start = On("test.left")
    hello = send("email", at=After(hours=1))


@pytest.fixture
def ann() -> Contact:
    ann = member()
    consents.grant(ann, "email", TOPICS, source="fair", words="Yes.", now=NOON)
    consents.grant(ann, "sms", TOPICS, source="fair", words="Yes.", address=PHONE, now=NOON)
    enrol_all([ann], LeftBehind, anchor=NOON)
    return ann


def tick() -> None:
    later = timezone.now() + timedelta(minutes=1)
    while intake._fold_next(load_plans(), later):
        pass
    assert not InboxEvent.objects.exclude(error="").exists()


# it works


@pytest.mark.rule(15, 30)
def test_a_customer_who_deletes_the_account_in_the_shop_is_erased(ann: Contact, client: Client) -> None:
    client.force_login(ann.user)
    answer = client.post(reverse("customer:profile-delete"), {"password": "secret"})
    assert answer.status_code == 302
    assert not get_user_model().objects.filter(email=ANN).exists()
    message = Message.objects.get()
    assert (message.state, message.reason) == (State.CANCELLED, Reason.ERASED)  # before any tick
    assert ContactPoint.objects.count() == 2
    tick()
    assert not ContactPoint.objects.exists()
    assert not Enrolment.objects.exists()
    erasure = Erasure.objects.get()
    assert (erasure.contact_id, erasure.cause, erasure.by) == (ann.pk, "account", "customer")
    for channel, address in (("email", ANN), ("sms", PHONE)):
        assert suppressions.in_force(channel, address) is not None
    assert not InboxEvent.objects.exclude(user_id=None).exists()


def test_statistics_may_stay(ann: Contact, settings: Any) -> None:
    settings.CROSSCHANNEL_ON_ACCOUNT_DELETION = "anonymise"
    assert ann.user is not None
    ann.user.delete()
    tick()
    assert not ContactPoint.objects.exists()
    assert Enrolment.objects.get().end_reason == Reason.ERASED
    assert Message.objects.get().intent.startswith("erased:")


def test_or_the_person_stays_as_a_guest(ann: Contact, settings: Any) -> None:
    settings.CROSSCHANNEL_ON_ACCOUNT_DELETION = "keep"
    assert ann.user is not None
    ann.user.delete()
    tick()
    assert permitted(ann, "email") == set(TOPICS)
    assert Message.objects.get().state == State.PLANNED
    assert guest() == ann


def test_a_guest_from_before_the_account_is_found_again(ann: Contact, settings: Any) -> None:
    settings.CROSSCHANNEL_ON_ACCOUNT_DELETION = "keep"
    before = guest("later@example.com")
    contacts.set_point(ann, "email", "later@example.com", source="account", now=NOON)
    assert ann.user is not None
    ann.user.delete()
    tick()
    before.refresh_from_db()
    assert contacts.followed(before) == ann
    assert guest("later@example.com") == ann


# it refuses


def test_an_account_that_nobody_knows_leaves_nothing() -> None:
    user = get_user_model().objects.create_user("bob", "bob@example.com")
    user.delete()
    assert not InboxEvent.objects.exists()


# it survives


def test_the_deletion_goes_on_whatever_happens_here(ann: Contact, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*events: Any, **kwargs: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    monkeypatch.setattr("oscar_crosschannel.services.inbox.publish", broken)
    assert ann.user is not None
    ann.user.delete()
    ann.refresh_from_db()
    assert ann.user is None
    assert Message.objects.get().state == State.PLANNED  # nothing of ours was done by halves


def test_a_deletion_costs_the_request_a_handful_of_statements(ann: Contact) -> None:
    assert ann.user is not None
    with CaptureQueriesContext(connection) as queries:
        ann.user.delete()
    ours = [query["sql"] for query in queries if "oscar_crosschannel" in query["sql"]]
    assert len(ours) <= 6, ours  # one of them is Django's, which sets the contact's account to nothing


def test_an_event_told_twice_erases_once(ann: Contact) -> None:
    assert ann.user is not None
    ann.user.delete()
    tick()
    InboxEvent.objects.filter(name=erasing.ACCOUNT_DELETED).update(
        processed_at=None, data={"contact": ann.pk, "mode": "erase"}
    )
    tick()
    assert Erasure.objects.count() == 1
