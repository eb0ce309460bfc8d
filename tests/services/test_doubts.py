"""Replies that may mean stop, once staff have read them; and who may lift what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oscar_crosschannel.models import ConsentEvent, InboxEvent, Suppression, UnreadReply
from oscar_crosschannel.services import consents, contacts, doubts, replies, suppressions
from tests.factories import NOON
from tests.services.shoppers import OTHER_PHONE, PHONE, TOPICS, guest, permitted

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
LATER = NOON + 60 * MINUTE
Cause, Scope = Suppression.Cause, Suppression.Scope


@pytest.fixture
def ann() -> Any:
    contact = guest(language="en")
    consents.grant(contact, "sms", TOPICS, source="test", words="Yes.", address=PHONE, now=NOON)
    return contact


def say(body: str, *, sid: str = "SM1", phone: str = PHONE) -> InboxEvent:
    replies.take_inbound(sid=sid, phone=phone, to="+12025550100", body=body, now=NOON)
    return InboxEvent.objects.get(name="sms.received", key=sid)


def block(phone: str = PHONE) -> Suppression | None:
    return suppressions.in_force("sms", phone)


# it works


@pytest.mark.rule(17, 24)
def test_what_staff_read_as_a_stop_is_the_persons_own_stop(ann: Any) -> None:
    reply = say("Who is this? Leave me alone!")
    assert doubts.was_stop(reply.pk, by="mina", now=LATER)
    assert permitted(ann, "sms") == set()
    event = ConsentEvent.objects.get(action="revoke")
    assert (event.source, event.actor, event.verbatim) == ("reply", "mina", "Who is this? Leave me alone!")
    assert (event.provider_id, event.received_at, event.at) == ("SM1", NOON, LATER)
    found = block()
    assert found is not None
    assert (found.cause, found.scope) == ("revoked", "everything")
    assert not UnreadReply.objects.exists()


@pytest.mark.rule(17)
def test_what_staff_read_as_something_else_lets_marketing_go_on(ann: Any) -> None:
    reply = say("I never signed up for the raffle, can I still?")
    assert doubts.was_no_stop(reply.pk, by="mina", note="asks about the raffle", now=LATER)
    assert block() is None
    assert permitted(ann, "sms") == set(TOPICS)
    row = Suppression.objects.get()
    assert (row.lifted_at, row.note) == (LATER, "mina: asks about the raffle")
    assert not UnreadReply.objects.exists()


@pytest.mark.rule(17)
def test_a_number_that_nobody_knows_is_stopped_all_the_same() -> None:
    reply = say("wrong number", phone=OTHER_PHONE)
    assert doubts.was_stop(reply.pk, by="mina", now=LATER)
    found = block(OTHER_PHONE)
    assert found is not None
    assert found.cause == "revoked"
    assert ConsentEvent.objects.get().address == OTHER_PHONE


@pytest.mark.rule(26)
def test_a_number_that_works_again_still_waits_for_its_reply_to_be_read(ann: Any) -> None:
    suppressions.suppress("sms", PHONE, cause=Cause.INVALID, scope=Scope.EVERYTHING, now=NOON)
    reply = say("leave me alone")
    found = block()
    assert found is not None
    assert (found.cause, list(UnreadReply.objects.values_list("reply_id"))) == ("invalid", [(reply.pk,)])
    assert suppressions.lift_by_staff("sms", found.digest, note="it works", now=LATER)
    found.refresh_from_db()
    assert (found.cause, found.scope, found.lifted_at) == ("review", "marketing", None)
    doubts.was_no_stop(reply.pk, by="mina", note="a joke", now=LATER)
    assert block() is None


@pytest.mark.rule(26)
def test_a_reply_that_is_no_stop_leaves_another_block_as_it_is(ann: Any) -> None:
    suppressions.suppress("sms", PHONE, cause=Cause.INVALID, scope=Scope.EVERYTHING, now=NOON)
    reply = say("leave me alone")
    assert doubts.was_no_stop(reply.pk, by="mina", note="a joke", now=LATER)
    found = block()
    assert found is not None
    assert (found.cause, found.scope) == ("invalid", "everything")
    assert not UnreadReply.objects.exists()


# it refuses


@pytest.mark.rule(17)
def test_a_decision_is_about_the_reply_that_was_read(ann: Any) -> None:
    first = say("I never signed up?")
    second = say("LEAVE ME ALONE", sid="SM2")
    assert not doubts.was_no_stop(first.pk, by="mina", note="asks how", now=LATER)
    assert not doubts.was_stop(first.pk, by="mina", now=LATER)
    assert block() is not None
    assert doubts.was_stop(second.pk, by="mina", now=LATER)
    assert not doubts.was_no_stop(second.pk, by="mina", note="too late", now=LATER)


@pytest.mark.parametrize("cause", [Cause.REVOKED, Cause.COMPLAINT, Cause.LEGAL, Cause.MANUAL, Cause.ERASED])
def test_who_gets_no_marketing_for_good_leaves_nothing_to_decide(cause: Cause, ann: Any) -> None:
    suppressions.suppress("sms", PHONE, cause=cause, scope=Scope.MARKETING, now=NOON)
    say("leave me alone")
    assert not UnreadReply.objects.exists()
    found = block()
    assert found is not None
    assert found.cause == cause


@pytest.mark.rule(26)
@pytest.mark.parametrize("cause", list(Cause))
def test_staff_lift_only_what_did_not_work_and_the_person_only_their_own_wish(cause: Cause, ann: Any) -> None:
    suppressions.suppress("sms", PHONE, cause=cause, scope=Scope.MARKETING, now=NOON)
    digest = contacts.digest("sms", PHONE)
    by_staff = cause in {Cause.INVALID, Cause.HARD_BOUNCE}
    by_person = cause in {Cause.REVOKED, Cause.COMPLAINT, Cause.CARRIER_BLOCK, Cause.ERASED, Cause.REVIEW}
    assert suppressions.lift_by_staff("sms", digest, note="works", now=LATER) is by_staff
    if not by_staff:
        assert suppressions.lift("sms", PHONE, causes=suppressions.OWN_WISH, now=LATER) is by_person
        assert (block() is None) is by_person


@pytest.mark.rule(26)
@pytest.mark.parametrize("graver", [Cause.REVOKED, Cause.COMPLAINT, Cause.LEGAL, Cause.MANUAL])
def test_a_graver_cause_is_never_replaced_by_one_that_staff_may_lift(graver: Cause, ann: Any) -> None:
    suppressions.suppress("sms", PHONE, cause=graver, scope=Scope.MARKETING, now=NOON)
    suppressions.suppress("sms", PHONE, cause=Cause.INVALID, scope=Scope.EVERYTHING, now=NOON)
    found = block()
    assert found is not None
    assert (found.cause, found.scope) == (graver, "everything")


# it survives


@pytest.mark.rule(17, 26)
def test_who_agrees_anew_while_staff_press_the_button_is_not_stopped(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = say("leave me alone")
    lock = contacts.lock

    def wait_for_the_lock(people: Any) -> Any:
        suppressions.lift("sms", PHONE, causes=suppressions.OWN_WISH, now=LATER)
        return lock(people)

    monkeypatch.setattr(contacts, "lock", wait_for_the_lock)
    assert not doubts.was_stop(reply.pk, by="mina", now=LATER)
    assert permitted(ann, "sms") == set(TOPICS)


def test_a_reply_that_is_not_kept_any_more_goes_on_blocking(ann: Any) -> None:
    say("leave me alone")
    InboxEvent.objects.all().delete()
    found = block()
    assert found is not None
    assert (found.cause, found.reply) == ("review", None)
    assert UnreadReply.objects.get().pk == found.pk
