"""Forgetting a person, and remembering only what keeps them from being written to again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import serializers

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.core.decision import Finding, Outcome, Send
from oscar_crosschannel.core.events import Event
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import (
    Attempt,
    Belonging,
    Click,
    Consent,
    ConsentEvent,
    Contact,
    ContactPoint,
    DeliveryEvent,
    Enrolment,
    Erasure,
    InboxEvent,
    Message,
    OrdinaryReply,
    Suppression,
    UnreadReply,
)
from oscar_crosschannel.services import (
    answers,
    consents,
    contacts,
    erasing,
    evidence,
    inbox,
    persons,
    replies,
    suppressions,
)
from tests.factories import NOON, enrol_all, owe, registered
from tests.services.shoppers import ANN, PHONE, TOPICS, guest, member, permitted, tick

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: Everything that would tell who she was.
NAMES = (
    "annabel",
    "ann@",
    "206555",
    "203.0.113",
    "firefox",
    "browsing-5e55",
    "100017",
    "leave me alone",
    "my basket",
)


@registered
class Erased(Blueprint):
    """Only here"""

    topic = "basket_reminders"
    start = On("test.erase")
    hello = send("email", at=After(hours=1))


def erase(contact: Contact, **details: Any) -> Erasure | None:
    values = {"cause": "request", "by": "mina", "now": NOON + DAY} | details
    return erasing.erase(contact, **values)


def full_life(contact: Contact | None = None) -> Contact:
    """Somebody about whom there is something of every kind."""
    ann = contact or guest(name="Annabel", country="US", language="en")
    tick(ann, "email", ANN, order_number="100017")
    tick(ann, "sms", PHONE)
    consents.confirm_reply(PHONE, body="Yes!", provider_id="SM1", now=NOON)
    consents.revoke(
        "email",
        ANN,
        topics=["weekly_deals"],
        source="staff",
        mechanism="letter",
        verbatim="Leave me alone",
        now=NOON,
    )
    (run,) = enrol_all([ann], Erased, anchor=NOON)
    Enrolment.objects.filter(pk=run.pk).update(
        key="my basket 7", subjects={"basket": 7}, data={"name": "Annabel"}
    )
    sent = owe(ann, Erased, "my basket 6", due=NOON)
    point = ann.points.get(channel="email")
    sent.state, sent.channel, sent.attempted_at, sent.resolved_at = State.SENT, "email", NOON, NOON
    sent.point, sent.address_digest, sent.links = point, point.digest, ["/ann/"]
    sent.decision = Send("email", point.pk, (Finding("email", Outcome.OPEN, NOON),)).as_json()
    sent.save()
    attempt = Attempt.objects.create(
        message=sent, uuid=uuid4(), channel="email", number=1, provider_id="pm-1", detail="to ann@example.com",
        started_at=NOON, status_at=NOON,
    )  # fmt: skip
    DeliveryEvent.objects.create(
        attempt=attempt, key=str(attempt.uuid), kind="delivered", detail="ann@", at=NOON
    )
    Click.objects.create(message=sent, link=0, at=NOON, verdict="human")
    contacts.remember("basket", 7, ann)
    for number, event in enumerate(
        [
            Event(name="order.placed", key="order:1", occurred_at=NOON, email=ANN, data={"name": "Annabel"}),
            Event(
                name="sms.received",
                key="SM1",
                occurred_at=NOON,
                phone=PHONE,
                data={"body": "Hi, Annabel here"},
            ),
            Event(name="email.tracking", key="t1", occurred_at=NOON, data={"recipient": ANN}),
            Event(
                name="link.clicked",
                key="c1",
                occurred_at=NOON,
                data={"message": sent.pk, "user_agent": "Firefox"},
            ),
        ]
    ):
        inbox.publish(event, now=NOON)
        if number:
            InboxEvent.objects.filter(name=event.name, key=event.key).update(processed_at=NOON)
    return ann


def everything() -> str:
    models = [Contact, ContactPoint, Consent, ConsentEvent, Enrolment, Message, Attempt, DeliveryEvent, Click]
    models += [InboxEvent, Suppression, Belonging, Erasure, LogEntry]
    rows = [row for model in models for row in model._default_manager.all()]
    return serializers.serialize("json", rows).lower()


# it works


@pytest.mark.rule(15)
def test_nothing_that_is_left_tells_who_it_was() -> None:
    ann = full_life()
    LogEntry.objects.create(
        user=member("mina@shop.example").user,
        content_type=ContentType.objects.get_for_model(Contact),
        object_id=str(ann.pk),
        object_repr=str(ann),
        action_flag=CHANGE,
        change_message="looked",
    )
    before = everything()
    assert all(name in before for name in NAMES)
    assert erase(ann) is not None
    left = everything()
    assert [name for name in NAMES if name in left] == []
    assert not ann.points.exists()
    assert not Belonging.objects.exists()
    assert not InboxEvent.objects.filter(processed_at=None).exists()


@pytest.mark.rule(15)
@pytest.mark.parametrize("statistics", [False, True])
def test_what_staff_wrote_about_them_goes_and_that_they_did_something_stays(statistics: bool) -> None:
    ann, bob = full_life(), guest("bob@example.com")
    suppressions.suppress(
        "sms",
        PHONE,
        cause=Suppression.Cause.MANUAL,
        scope=Suppression.Scope.EVERYTHING,
        note="mina: Annabel wrote: leave me alone",
        now=NOON,
    )
    block = Suppression.objects.get()
    mina = member("mina@shop.example").user
    unsent = Message.objects.filter(contact=ann, attempted_at=None).earliest("pk")
    run = Enrolment.objects.get(contact=ann)
    wrote = Event(name="sms.received", key="SM2", occurred_at=NOON, phone=PHONE, data={"body": "Hi!"})
    inbox.record(wrote, now=NOON)
    answers.keep(wrote)
    answer = OrdinaryReply.objects.get()
    for model, row in (
        (Contact, ann),
        (Suppression, block),
        (UnreadReply, block),
        (Message, unsent),
        (Enrolment, run),
        (OrdinaryReply, answer),
        (Contact, bob),
    ):
        LogEntry.objects.create(
            user=mina,
            content_type=ContentType.objects.get_for_model(model, for_concrete_model=False),
            object_id=str(row.pk),
            object_repr=str(row),
            action_flag=CHANGE,
            change_message="read “Leave me alone”",
        )
    erase(ann, statistics=statistics)
    *theirs, bobs = LogEntry.objects.order_by("pk")
    assert {(entry.user, entry.change_message) for entry in theirs} == {(mina, "")}
    assert {entry.object_repr for entry in theirs} == {
        f"#{row.pk}" for row in (ann, block, unsent, run, answer)
    }
    assert not OrdinaryReply.objects.exists(), "what they wrote is read by nobody any more"
    assert (bobs.object_repr, bobs.change_message) == (str(bob), "read “Leave me alone”")
    block.refresh_from_db()
    assert (block.note, block.cause, block.lifted_at) == ("", "manual", None)


@pytest.mark.rule(7, 15)
@pytest.mark.parametrize("has_said_stop", [False, True])
def test_an_address_that_nobody_uses_is_erased_by_its_rows(has_said_stop: bool) -> None:
    evidence.append(
        ConsentEvent(
            channel="sms",
            address=PHONE,
            address_given="+1 (206) 555-0123",
            topic="weekly_deals",
            action="grant",
            basis="unproven",
            source="import",
            actor="mina",
            verbatim="I am Annabel",
            at=NOON,
        )
    )
    if has_said_stop:
        consents.revoke(
            "sms", PHONE, topics=None, source="keyword", mechanism="keyword", verbatim="STOP", now=NOON
        )
    words = Event(name="sms.received", key="1", occurred_at=NOON, phone=PHONE, data={"body": "Annabel here"})
    inbox.publish(words, now=NOON)
    rows = ConsentEvent.objects.count()
    assert erasing.foreseen_at("sms", PHONE) == {"inbox": 1, "ledger": rows}
    assert erase_number() == {"inbox": 1, "ledger": rows}
    left = everything()
    assert [name for name in NAMES if name in left] == []
    assert {row.address for row in ConsentEvent.objects.all()} == {contacts.digest("sms", PHONE)}
    last = ConsentEvent.objects.latest("pk")
    assert (last.action, last.source, last.mechanism, last.actor) == ("revoke", "erasure", "request", "mina")
    assert all(is_whole for _, is_whole in evidence.examined())
    block = suppressions.in_force("sms", PHONE)
    assert block is not None
    assert block.cause == ("revoked" if has_said_stop else "erased")
    assert erase_number() is None


def erase_number() -> Any:
    return erasing.erase_address("sms", PHONE, cause="request", by="mina", now=NOON + DAY)


@pytest.mark.rule(15, 26)
def test_what_is_erased_is_not_written_to_again() -> None:
    erase(full_life())
    for channel, address in (("email", ANN), ("sms", PHONE)):
        row = suppressions.in_force(channel, address)
        assert row is not None
        assert (row.cause, row.scope) == ("erased", "marketing")
        assert row.digest == contacts.digest(channel, address)


@pytest.mark.rule(15, 26)
def test_only_a_fresh_yes_of_the_person_revives_them() -> None:
    erase(full_life())
    again = guest()
    tick(again, "email", ANN, at=NOON + 2 * DAY)
    assert permitted(again, "email") == set()  # asked, although email asks nobody else here
    request = ConsentEvent.objects.filter(action="request").latest("pk")
    assert consents.confirm_link(request.pk, now=NOON + 3 * DAY)
    assert permitted(again, "email") == set(TOPICS)
    assert suppressions.in_force("email", ANN) is None


@pytest.mark.rule(15)
def test_the_ledger_stays_whole_without_a_name() -> None:
    ann = full_life()
    told = [
        (row.pk, row.action, row.topic, row.at, row.text_id) for row in ConsentEvent.objects.order_by("pk")
    ]
    erase(ann)
    rows = ConsentEvent.objects.order_by("pk")
    assert [(row.pk, row.action, row.topic, row.at, row.text_id) for row in rows][: len(told)] == told
    assert all(is_whole for _, is_whole in evidence.examined())
    assert {row.address for row in rows} == {contacts.digest("email", ANN), contacts.digest("sms", PHONE)}
    for last in (rows.filter(channel=channel).last() for channel in ("email", "sms")):
        assert last is not None
        assert (last.action, last.source, last.mechanism, last.actor) == (
            "revoke",
            "erasure",
            "request",
            "mina",
        )


@pytest.mark.rule(15, 30)
def test_an_erasure_loses_no_revocation() -> None:
    ann = full_life()
    consents.revoke("sms", PHONE, topics=None, source="keyword", mechanism="keyword", now=NOON)
    erase(ann)
    row = suppressions.in_force("sms", PHONE)
    assert row is not None
    assert (row.cause, row.scope) == ("revoked", "everything")
    assert ConsentEvent.objects.filter(action="revoke", source="keyword", channel="sms").count() == 1


def test_what_still_waits_is_called_off_and_runs_end() -> None:
    ann = full_life()
    campaign = owe(ann, Erased, "news", due=NOON)
    campaign.state, campaign.channel, campaign.token = State.CLAIMED, "email", uuid4()
    campaign.save()
    erase(ann, statistics=True)
    states = Message.objects.filter(attempted_at=None).values_list("state", "reason")
    assert set(states) == {(State.CANCELLED, Reason.ERASED)}
    assert set(Enrolment.objects.values_list("state", "end_reason")) == {
        (Enrolment.State.ENDED, Reason.ERASED)
    }


def test_what_was_sent_stays_as_evidence_and_the_rest_goes() -> None:
    ann = full_life()
    erasure = erase(ann)
    assert erasure is not None
    sent = Message.objects.get()
    assert (sent.state, sent.topic, sent.channel, sent.attempted_at) == (
        State.SENT,
        "basket_reminders",
        "email",
        NOON,
    )
    assert sent.address_digest == contacts.digest("email", ANN)
    assert not Enrolment.objects.exists()
    assert not Click.objects.exists()
    assert erasure.counts == {
        "inbox": InboxEvent.objects.count(),
        "ledger": 6,
        "addresses": 2,
        "messages": 2,
        "clicks": 1,
        "unsent": 1,
    }


def test_statistics_may_stay_without_anybody_behind_them() -> None:
    erase(full_life(), statistics=True)
    assert (Message.objects.count(), Enrolment.objects.count(), Click.objects.count()) == (2, 1, 1)
    left = everything()
    assert [name for name in NAMES if name in left] == []


def test_what_was_merged_into_the_person_goes_with_them() -> None:
    ann, before = member(), full_life(guest("before@example.com", name="Annie"))
    contacts.merge(ann, before, now=NOON)
    erase(before)
    left = everything()
    assert "annie" not in left
    assert "before@" not in left
    assert not ContactPoint.objects.exists()


@pytest.mark.rule(15)
def test_what_their_number_said_by_itself_goes_with_them() -> None:
    replies.take_inbound(sid="SM1", phone=PHONE, to="", body="JOIN", now=NOON)
    number = Contact.objects.get()
    ann = guest()
    tick(ann, "sms", PHONE)
    consents.confirm_reply(PHONE, body="YES", provider_id="SM2", now=NOON)
    assert permitted(number, "sms") == set(TOPICS)
    erase(ann)
    assert not ContactPoint.objects.exists()
    assert suppressions.in_force("sms", PHONE) is not None
    assert not Consent.objects.exists()
    assert "206555" not in everything()


@pytest.mark.rule(12, 15)
def test_who_merely_typed_a_number_takes_nothing_of_its_owners_away() -> None:
    replies.take_inbound(sid="SM1", phone=PHONE, to="", body="JOIN", now=NOON)
    number = Contact.objects.get()
    ann = guest()
    contacts.set_point(ann, "sms", PHONE, source="order", now=NOON)
    erase(ann)
    assert permitted(number, "sms") == set(TOPICS)
    assert suppressions.in_force("sms", PHONE) is None


def test_a_message_on_its_way_is_left_to_its_worker() -> None:
    ann = guest()
    (run,) = enrol_all([ann], Erased, anchor=NOON)
    sending = run.messages.get()
    sending.state, sending.token, sending.attempted_at = State.SENDING, uuid4(), NOON
    sending.save()
    erase(ann)
    sending.refresh_from_db()
    assert (sending.state, sending.enrolment) == (State.SENDING, run)


# it refuses


def test_the_other_one_at_a_shared_number_keeps_their_rows_their_consent_and_their_seal() -> None:
    ann, bob = guest(), guest("bob@example.com")
    for contact in (ann, bob, ann):
        consents.grant(contact, "sms", TOPICS, source="fair", words="Yes.", address=PHONE, now=NOON)
    inbox.publish(
        Event(name="sms.received", key="1", occurred_at=NOON, phone=PHONE, data={"body": "Hi"}), now=NOON
    )
    erase(ann)
    assert permitted(bob, "sms") == set(TOPICS)
    assert suppressions.in_force("sms", PHONE) is None
    rows = ConsentEvent.objects.filter(channel="sms", address=PHONE)
    assert {row.contact for row in rows} == {bob}
    assert evidence.altered("sms", PHONE) == []
    assert all(is_whole for _, is_whole in evidence.examined())
    assert InboxEvent.objects.get().data == {"body": "Hi"}  # nobody can say whose it is
    erase(bob)
    assert all(is_whole for _, is_whole in evidence.examined())
    assert not ConsentEvent.objects.filter(address=PHONE).exists()
    assert suppressions.in_force("sms", PHONE) is not None


def test_an_address_that_somebody_uses_is_not_erased_behind_their_back() -> None:
    full_life()
    before = everything()
    assert erase_number() is None
    assert everything() == before


def test_erasing_twice_is_erasing_once() -> None:
    ann = full_life()
    assert erase(ann) is not None
    before = everything()
    assert erase(Contact.objects.get(pk=ann.pk)) is None
    assert everything() == before


@pytest.mark.rule(6)
def test_a_row_that_was_changed_before_still_shows_after_an_erasure() -> None:
    ann = full_life()
    changed = ConsentEvent.objects.filter(channel="email").earliest("pk")
    evidence._writable().filter(pk=changed.pk).update(topic="events")
    removed = ConsentEvent.objects.filter(channel="sms", action="request").get()
    after = ConsentEvent.objects.filter(channel="sms", pk__gt=removed.pk).earliest("pk")
    Consent.objects.all().delete()
    evidence._writable().filter(pk=removed.pk)._raw_delete("default")
    erase(ann)
    broken = {row.pk for row, is_whole in evidence.examined() if not is_whole}
    assert broken == {changed.pk, after.pk}


# it survives


def test_who_comes_back_and_leaves_again_is_erased_again() -> None:
    erase(full_life())
    back = full_life(guest(name="Annabel"))
    assert erase(back, now=NOON + 5 * DAY) is not None
    left = everything()
    assert [name for name in NAMES if name in left] == []
    assert all(is_whole for _, is_whole in evidence.examined())
    assert Erasure.objects.count() == 2


def test_an_event_that_waited_does_not_bring_them_back(settings: Any) -> None:
    ann = member()
    assert ann.user is not None
    waiting = Event(name="basket.active", key="basket:7", occurred_at=NOON, user_id=ann.user_id)
    inbox.publish(waiting, now=NOON)
    erase(ann)
    row = InboxEvent.objects.get()
    assert (row.user_id, row.processed_at) == (None, NOON + DAY)


def test_nobody_knows_an_erased_number_but_its_digest_does() -> None:
    erase(full_life())
    assert persons.of_address("sms", PHONE).ledger().exists()
    assert not persons.of_address("sms", "+12125550147").ledger().exists()
