"""T3: what became of a chunk is written only by who still speaks for it, and every run gets its next message."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from oscar_crosschannel.core.lifecycle import State, Status
from oscar_crosschannel.core.outbound import ChannelError, NotSent, Receipt, UnknownOutcome
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Attempt, Contact, Enrolment, Message
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import enrolments, judging, limits
from oscar_crosschannel.services.handover import Handed, hand_over
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.reaping import reap
from oscar_crosschannel.services.recording import Result, record
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.stage import Letter, Pair

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

AFTERNOON = NOON + timedelta(hours=4)
LATER = AFTERNOON + timedelta(minutes=6)  # the lease is over
HOUR = timedelta(hours=1)
OK = Receipt(provider="post")


def sending(people: list[Contact]) -> tuple[list[Handed], judging.Batch]:
    """Each person's first message of `Pair`, handed over."""
    enrol_all(people, Pair, anchor=AFTERNOON - HOUR)
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})
    return hand_over(batch.claims, batch.token, now=AFTERNOON).handed, batch


def result(item: Handed, outcome: Receipt | ChannelError | Reason | None) -> Result:
    return Result(item.claim, item.attempt, outcome)


def first() -> Message:
    return Message.objects.get(step_key="first")


# It works.


def test_a_receipt_makes_it_sent_and_plans_the_next() -> None:
    (item,), batch = sending(make_contacts(1))
    record([result(item, OK)], batch.token, now=AFTERNOON)
    assert (first().state, first().token, first().lease_until) == (State.SENT, None, None)
    assert Enrolment.objects.get().step_key == "second"
    assert Message.objects.get(step_key="second").state == State.PLANNED


def test_the_last_step_ends_the_run() -> None:
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})
    (item,) = hand_over(batch.claims, batch.token, now=AFTERNOON).handed
    record([result(item, OK)], batch.token, now=AFTERNOON)
    run = Enrolment.objects.get()
    assert (run.state, run.ended_at, run.end_reason) == (Enrolment.State.ENDED, AFTERNOON, "")


def test_the_next_message_counts_from_the_anchor_and_not_from_the_send() -> None:
    (item,), batch = sending(make_contacts(1))
    record([result(item, OK)], batch.token, now=LATER)
    assert Message.objects.get(step_key="second").due_at == AFTERNOON - HOUR + timedelta(hours=24)


# It refuses.


def test_who_does_not_hold_the_claim_writes_nothing() -> None:
    (item,), _ = sending(make_contacts(1))
    record([result(item, OK)], uuid4(), now=AFTERNOON)
    assert first().state == State.SENDING
    assert Attempt.objects.get().status == Status.INTENDED
    assert not Message.objects.filter(step_key="second").exists()


def test_a_run_that_was_stopped_meanwhile_gets_no_next_message() -> None:
    people = make_contacts(1)
    (item,), batch = sending(people)
    enrolments.stop([people[0].pk], [item.claim.planned.flow_id], reason=Reason.PURCHASED, now=AFTERNOON)
    record([result(item, OK)], batch.token, now=AFTERNOON)
    assert first().state == State.SENT
    assert not Message.objects.filter(step_key="second").exists()
    assert Enrolment.objects.get().end_reason == Reason.PURCHASED


def test_a_callback_that_came_first_knows_more_than_the_call() -> None:
    (item,), batch = sending(make_contacts(1))
    Attempt.objects.update(status=Status.DELIVERED, provider_id="from the callback")
    record([result(item, Receipt(provider="post", provider_id="late"))], batch.token, now=AFTERNOON)
    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.provider_id) == (Status.DELIVERED, "from the callback")


# It survives.


@pytest.mark.rule(53)
def test_the_late_truth_of_a_frozen_worker_lifts_unknown_to_sent() -> None:
    (item,), batch = sending(make_contacts(1))
    reap(load_plans(), now=LATER)
    assert (first().state, first().reason) == (State.UNKNOWN, Reason.NO_ANSWER)
    assert first().attempted_at is not None
    record([result(item, OK)], batch.token, now=LATER)
    assert (first().state, first().reason) == (State.SENT, "")


@pytest.mark.rule(53)
def test_a_run_that_went_on_without_the_frozen_worker_is_not_turned_back() -> None:
    (item,), batch = sending(make_contacts(1))
    reap(load_plans(), now=LATER)
    run = Enrolment.objects.get()
    assert run.step_key == "second"
    Message.objects.filter(step_key="second").update(state=State.SENT)
    Enrolment.objects.update(step_key="third", needs_next=True)
    record([result(item, OK)], batch.token, now=LATER)
    run.refresh_from_db()
    assert (run.step_key, run.needs_next) == ("third", True)


@pytest.mark.rule(53)
def test_what_a_frozen_worker_never_called_is_due_again() -> None:
    """The reaper doubted it; its worker knows that it never passed it on."""
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    Message.objects.update(enrolment=None)
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})
    (item,) = hand_over(batch.claims, batch.token, now=AFTERNOON).handed
    reap(load_plans(), now=LATER)
    record([result(item, None)], batch.token, now=LATER)
    message = Message.objects.get()
    assert (message.state, message.calls, message.attempted_at) == (State.PLANNED, 0, None)


@pytest.mark.rule(53)
@pytest.mark.parametrize("outcome", [None, NotSent("busy")], ids=["never called", "not sent"])
def test_a_frozen_worker_gives_back_nothing_that_the_run_has_gone_past(outcome: ChannelError | None) -> None:
    (one, other), batch = sending(make_contacts(2))
    reap(load_plans(), now=LATER)
    assert Message.objects.filter(step_key="second").count() == 2
    record([result(one, outcome), result(other, OK)], batch.token, now=LATER)
    left, sent = Message.objects.filter(step_key="first").order_by("id")
    assert (left.state, left.reason, left.attempted_at) == (State.DROPPED, Reason.EXPIRED, None)
    assert sent.state == State.SENT
    assert Message.objects.filter(step_key="second", state=State.PLANNED).count() == 2


def test_doubt_counts_towards_caps_and_stays_open_to_the_truth() -> None:
    (item,), batch = sending(make_contacts(1))
    record([result(item, UnknownOutcome("time-out"))], batch.token, now=AFTERNOON)
    assert (first().state, first().attempted_at, first().token) == (State.UNKNOWN, AFTERNOON, batch.token)


def test_recording_twice_changes_nothing_more() -> None:
    (item,), batch = sending(make_contacts(1))
    record([result(item, OK)], batch.token, now=AFTERNOON)
    record([result(item, NotSent("no"))], batch.token, now=AFTERNOON)
    assert first().state == State.SENT
    assert Message.objects.count() == 2
