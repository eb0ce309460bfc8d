"""What providers report, in whatever order and number, and what follows from it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest

from oscar_crosschannel.channels.base import Found
from oscar_crosschannel.channels.sms_backends import codes
from oscar_crosschannel.core.events import Event
from oscar_crosschannel.core.lifecycle import State, Status
from oscar_crosschannel.core.outbound import NotSent, Receipt, Refused, UnknownOutcome
from oscar_crosschannel.core.plan import Blueprint
from oscar_crosschannel.models import (
    Attempt,
    ChannelRest,
    ConsentEvent,
    Contact,
    DeliveryEvent,
    InboxEvent,
    Message,
    Suppression,
)
from oscar_crosschannel.services import dispatch, erasing, inbox
from tests.factories import NOON, enrol_all, make_contacts, owe
from tests.services.stage import Either, Letter, Letters, Notice, Text, Wires, write_words

pytestmark = pytest.mark.django_db(transaction=True)

#: In the afternoon of New York, where marketing may be texted.
AFTERNOON = NOON + timedelta(hours=6)


def sent(blueprint: type[Blueprint], now: datetime = AFTERNOON) -> tuple[Contact, Attempt]:
    """One person got one message."""
    write_words(blueprint)
    (person,) = make_contacts(1)
    enrol_all([person], blueprint, anchor=now - timedelta(hours=1))
    dispatch.tick(now)
    return person, Attempt.objects.get()


def callback(
    attempt: Attempt, status: str, *, code: str = "", sid: str = "SM1", at: datetime = AFTERNOON
) -> None:
    """The SMS provider's report, as the webhook takes it in."""
    data = {"uuid": str(attempt.uuid), "sid": sid, "status": status, "code": code}
    inbox.record(Event(name="sms.status", key=f"{sid}:{status}", occurred_at=at, data=data), now=at)


def email_event(attempt: Attempt, kind: str, *, key: str = "e1", **data: Any) -> None:
    """An email provider's report, as the webhook takes it in."""
    known = {
        "esp": "postal",
        "uuid": str(attempt.uuid),
        "message_id": "",
        "recipient": attempt.message.point.address if attempt.message.point else "",
        "event_type": kind,
        "reject_reason": None,
        "hard": False,
    }
    event = Event(name="email.tracking", key=key, occurred_at=AFTERNOON, data=known | data)
    inbox.record(event, now=AFTERNOON)


def work(minutes: float = 1) -> None:
    dispatch.tick(AFTERNOON + timedelta(minutes=minutes))


@pytest.fixture
def accepted(sms: Wires) -> Wires:
    sms.answer = lambda outbound: Receipt(provider="twilio", provider_id="SM1")
    return sms


# it works


@pytest.mark.rule(68)
@pytest.mark.parametrize("order", list(permutations(["sending", "sent", "delivered"])))
def test_reports_in_any_order_end_delivered(accepted: Wires, order: tuple[str, ...]) -> None:
    _, attempt = sent(Text)
    for status in order:
        callback(attempt, status)
        work()
    attempt.refresh_from_db()
    assert attempt.status == Status.DELIVERED
    assert DeliveryEvent.objects.filter(attempt=attempt).count() == 3


@pytest.mark.rule(68)
def test_a_late_queued_does_not_undo_undelivered(accepted: Wires) -> None:
    _, attempt = sent(Text)
    callback(attempt, "undelivered", code="30003")
    work()
    callback(attempt, "queued")
    work(2)
    attempt.refresh_from_db()
    assert attempt.status == Status.UNDELIVERED


@pytest.mark.rule(53)
def test_a_report_about_a_call_that_was_made_again_since_sends_nothing_beside_it(
    sms: Wires, email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Either, "topic", "order_updates")
    sms.fail(NotSent("busy", retry_after=30))
    _, first = sent(Either)
    sms.work()
    work(2)
    assert (len(sms.calls), Message.objects.get().state) == (2, State.SENT)
    callback(first, "undelivered", code="30008")
    work(3)
    assert (len(sms.calls), email.calls) == (2, [])


@pytest.mark.rule(60)
def test_a_report_that_comes_before_the_result_finds_its_attempt_by_the_uuid(sms: Wires) -> None:
    sms.fail(UnknownOutcome("dropped"))
    _, attempt = sent(Text)
    message = Message.objects.get()
    assert (attempt.provider_id, message.state) == ("", State.UNKNOWN)
    callback(attempt, "delivered", sid="SM7")
    work()
    attempt.refresh_from_db()
    message.refresh_from_db()
    assert (attempt.provider_id, attempt.status) == ("SM7", Status.DELIVERED)
    assert message.state == State.SENT, "the report proves that it was sent"


@pytest.mark.rule(53, 71)
def test_a_message_in_doubt_is_looked_up_after_an_hour_and_not_sent_again(sms: Wires) -> None:
    sms.fail(UnknownOutcome("no answer"))
    sent(Text)
    asked: list[str] = []

    def look_up(uuid: object, provider_id: str, address: str, since: datetime) -> Found:
        asked.append(address)
        return Found(provider_id="SM9", status=Status.DELIVERED)

    sms.look_up = look_up  # type: ignore[method-assign]
    work(59)
    assert not asked
    work(62)
    assert len(asked) == 1
    assert Message.objects.get().state == State.SENT
    work(200)
    assert len(asked) == 1, "it has ended"
    assert len(sms.calls) == 1


@pytest.mark.rule(71)
def test_a_provider_that_does_not_know_is_asked_again_but_not_at_every_tick(sms: Wires) -> None:
    sms.fail(UnknownOutcome("no answer"))
    sent(Text)
    asked: list[str] = []
    sms.look_up = lambda uuid, provider_id, address, since: asked.append(address)  # type: ignore[assignment,func-returns-value,method-assign]
    for minutes in (61, 70, 80, 125):
        work(minutes)
    assert len(asked) == 2
    assert Message.objects.get().state == State.UNKNOWN


def test_what_was_promised_goes_by_email_when_the_text_cannot_be_delivered(
    accepted: Wires, email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Either, "topic", "order_updates")
    _, attempt = sent(Either)
    callback(attempt, "undelivered", code="30006")
    work()
    assert len(email.calls) == 1
    assert Suppression.objects.get().channel == "sms", "a landline takes no texts"


@pytest.mark.rule(27, 72)
def test_a_complaint_about_an_email_counts_though_the_message_has_gone_by_text_since(
    accepted: Wires, email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Either, "topic", "order_updates")
    write_words(Either)
    (person,) = make_contacts(1)
    Contact.objects.update(primary_channel="email")
    enrol_all([person], Either, anchor=AFTERNOON - timedelta(hours=1))
    dispatch.tick(AFTERNOON)
    first = Attempt.objects.get()
    email_event(first, "bounced", key="full")
    work()
    assert (first.channel, len(accepted.calls)) == ("email", 1)
    first.message.point = person.points.get(channel="email")
    email_event(first, "complained", key="spam")
    work(2)
    assert Suppression.objects.get().cause == "complaint"


@pytest.mark.rule(26, 27)
def test_what_a_provider_says_of_a_text_counts_for_the_number_though_the_message_has_gone_by_email_since(
    sms: Wires, email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Either, "topic", "order_updates")
    write_words(Either)
    (person,) = make_contacts(1)
    sms.fail(Refused("no"))
    owe(person, Either, "parcel", due=AFTERNOON).save()
    dispatch.tick(AFTERNOON)
    assert len(email.calls) == 1
    callback(Attempt.objects.get(channel="sms"), "failed", code="21610")
    work()
    block = Suppression.objects.get()
    assert (block.channel, block.digest) == ("sms", person.points.get(channel="sms").digest)


@pytest.mark.rule(27)
def test_a_number_is_given_up_though_each_message_it_could_not_get_has_gone_by_email(
    sms: Wires, email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Either, "topic", "order_updates")
    write_words(Either)
    (person,) = make_contacts(1)
    for sid in ("SM1", "SM2"):
        assert not Suppression.objects.exists()
        sms.answer = lambda outbound, sid=sid: Receipt(provider="twilio", provider_id=sid)
        owe(person, Either, f"parcel {sid}", due=AFTERNOON).save()
        work()
        callback(Attempt.objects.get(provider_id=sid), "undelivered", code="30005", sid=sid)
        work()
    assert (len(email.calls), Suppression.objects.get().channel) == (2, "sms")


def test_marketing_does_not_fall_back(accepted: Wires, email: Letters) -> None:
    _, attempt = sent(Either)
    callback(attempt, "undelivered", code="30008")
    work()
    work(60)
    assert email.calls == []


@pytest.mark.rule(27)
@pytest.mark.parametrize(("code", "times"), [("30004", 2), ("30005", 2), ("30006", 1)])
def test_a_number_that_cannot_be_served_is_given_up(code: str, times: int, accepted: Wires) -> None:
    _, attempt = sent(Text)
    for number in range(1, times + 1):
        assert not Suppression.objects.exists()
        if number > 1:
            Attempt.objects.create(
                message=attempt.message, uuid=uuid4(), channel="sms", address_digest=attempt.address_digest,
                number=number, status=Status.QUEUED, provider_id=f"SM{number}", started_at=AFTERNOON, status_at=AFTERNOON,
            )  # fmt: skip
        found = Attempt.objects.get(provider_id=f"SM{number}")
        callback(found, "undelivered", code=code, sid=f"SM{number}")
        work(number)
    block = Suppression.objects.get()
    assert (block.cause, block.scope, block.note) == ("invalid", "everything", code)


@pytest.mark.rule(27)
def test_a_delivery_between_makes_failures_count_anew(accepted: Wires) -> None:
    _, attempt = sent(Text)
    for number, (status, code) in enumerate(
        [("undelivered", "30004"), ("delivered", ""), ("undelivered", "30004")], start=1
    ):
        if number > 1:
            at = AFTERNOON + timedelta(minutes=number)
            Attempt.objects.create(
                message=attempt.message, uuid=uuid4(), channel="sms", address_digest=attempt.address_digest,
                number=number, status=Status.QUEUED, provider_id=f"SM{number}", started_at=at, status_at=at,
            )  # fmt: skip
        callback(Attempt.objects.get(provider_id=f"SM{number}"), status, code=code, sid=f"SM{number}")
        work(number)
    assert not Suppression.objects.exists()


@pytest.mark.rule(26, 27)
@pytest.mark.parametrize(
    ("code", "cause", "events"),
    [("21610", "carrier_block", 1), ("21614", "invalid", 0), ("21635", "invalid", 0)],
)
def test_what_the_provider_refuses_at_once_is_suppressed_at_once(
    code: str, cause: str, events: int, sms: Wires
) -> None:
    sms.fail(Refused("refused", code=code, effect=codes.code_of(code).effect))
    sent(Text)
    block = Suppression.objects.get()
    assert (block.channel, block.cause, block.scope) == ("sms", cause, "everything")
    said = ConsentEvent.objects.filter(action="revoke", source="provider", provider_id=code)
    assert said.count() == events


@pytest.mark.rule(26)
def test_what_a_provider_says_of_a_number_counts_for_others_when_its_person_was_erased(
    accepted: Wires,
) -> None:
    contact, attempt = sent(Text)
    (other,) = make_contacts(1)
    point = contact.points.get(channel="sms")
    other.points.filter(channel="sms").update(address=point.address, digest=point.digest)
    erasing.erase(contact, cause="request", by="mina", now=AFTERNOON)
    callback(attempt, "undelivered", code="21610")
    work()
    block = Suppression.objects.get(channel="sms", digest=point.digest)
    assert (block.cause, block.scope) == ("carrier_block", "everything")


@pytest.mark.rule(56)
def test_a_suspended_account_lets_the_channel_rest(accepted: Wires) -> None:
    _, attempt = sent(Text)
    callback(attempt, "failed", code="30002")
    work()
    assert ChannelRest.objects.get().channel == "sms"


def test_a_hard_bounce_ends_email_to_that_address(email: Letters) -> None:
    _, attempt = sent(Letter)
    email_event(attempt, "bounced", hard=True, reject_reason="bounced")
    work()
    attempt.refresh_from_db()
    assert attempt.status == Status.UNDELIVERED
    assert Suppression.objects.get().scope == "everything"


def test_a_soft_bounce_ends_nothing(email: Letters) -> None:
    _, attempt = sent(Letter)
    email_event(attempt, "bounced")
    work()
    assert not Suppression.objects.exists()


def test_a_complaint_ends_marketing_at_once_and_leaves_order_mail(email: Letters) -> None:
    person, attempt = sent(Letter)
    email_event(attempt, "complained")
    work()
    suppression = Suppression.objects.get()
    assert (suppression.cause, suppression.scope) == ("complaint", "marketing")
    write_words(Notice)
    enrol_all([person], Notice, anchor=AFTERNOON - timedelta(hours=1))
    work(2)
    assert len(email.calls) == 2


# it refuses


@pytest.mark.rule(67)
def test_a_doubled_report_counts_once(accepted: Wires) -> None:
    _, attempt = sent(Text)
    callback(attempt, "delivered")
    work()
    InboxEvent.objects.filter(name="sms.status").update(processed_at=None)
    work(2)
    assert DeliveryEvent.objects.count() == 1


@pytest.mark.rule(72)
@pytest.mark.parametrize(
    "lie",
    [{"recipient": "somebody.else@example.com"}, {"message_id": "another"}],
    ids=["recipient", "message id"],
)
def test_a_report_whose_ids_disagree_is_kept_and_applied_to_nobody(
    email: Letters, lie: dict[str, str]
) -> None:
    email.answer = lambda outbound: Receipt(provider="postal", provider_id="known")
    _, attempt = sent(Letter)
    email_event(attempt, "complained", **lie)
    work()
    assert DeliveryEvent.objects.get().attempt is None
    assert not Suppression.objects.exists()


@pytest.mark.rule(68)
def test_a_status_nobody_knows_is_kept_and_ignored(accepted: Wires) -> None:
    _, attempt = sent(Text)
    before = Attempt.objects.values("status", "code").get()
    callback(attempt, "teleported")
    work()
    assert Attempt.objects.values("status", "code").get() == before
    assert DeliveryEvent.objects.get().kind == "teleported"


# it survives


def test_a_report_about_nothing_of_ours_is_kept(sms: Wires) -> None:
    stray = Attempt(uuid="00000000-0000-0000-0000-000000000000")
    callback(stray, "delivered", sid="SM404")
    work()
    assert DeliveryEvent.objects.get().attempt is None
    assert InboxEvent.objects.get().processed_at is not None
