"""What becomes of a message after its provider's answer: sent, tried again, another channel, given up, or unknown."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oscar_crosschannel import signals
from oscar_crosschannel.core.lifecycle import State, Status
from oscar_crosschannel.core.outbound import (
    Effect,
    NotSent,
    Outbound,
    Receipt,
    Refused,
    SenderBroken,
    TooLong,
    UnknownOutcome,
)
from oscar_crosschannel.core.plan import Blueprint
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Attempt, ChannelRest, Contact, Enrolment, Message, Suppression
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.recording import BACKOFF
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.stage import Asked, Either, Letter, Letters, Notice, Pair, Wires, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

#: Noon in New York: texts may go.
AFTERNOON = NOON + timedelta(hours=4)
HOUR = timedelta(hours=1)


def put(people: list[Contact], blueprint: type[Blueprint]) -> list[Message]:
    """Each person in the flow, with a first message due at AFTERNOON."""
    write_words(blueprint)
    enrol_all(people, blueprint, anchor=AFTERNOON - HOUR)
    return list(Message.objects.filter(flow__key=blueprint.key).order_by("id"))


def fresh(message: Message) -> Message:
    message.refresh_from_db()
    return message


# It works.


def test_a_due_message_goes_out_once_and_its_run_goes_on(email: Letters) -> None:
    (first,) = put(make_contacts(1), Pair)
    tick(AFTERNOON)
    tick(AFTERNOON + timedelta(minutes=1))
    assert len(email.calls) == 1
    assert fresh(first).state == State.SENT
    second = Message.objects.get(step_key="second")
    assert (second.state, second.due_at) == (State.PLANNED, AFTERNOON - HOUR + timedelta(hours=24))


def test_the_call_carries_the_uuid_of_its_attempt(email: Letters) -> None:
    put(make_contacts(1), Letter)
    tick(AFTERNOON)
    assert [outbound.uuid for outbound in email.calls] == [Attempt.objects.get().uuid]


def test_what_the_provider_told_is_kept_with_the_attempt(email: Letters) -> None:
    email.answer = lambda outbound: Receipt(provider="post", provider_id="abc", segments=2)
    put(make_contacts(1), Letter)
    tick(AFTERNOON)
    attempt = Attempt.objects.get()
    assert (attempt.provider, attempt.provider_id, attempt.segments) == ("post", "abc", 2)
    assert attempt.status == Status.QUEUED


@pytest.mark.rule(54)
def test_what_was_not_sent_is_tried_again_after_growing_pauses_at_most_six_times(email: Letters) -> None:
    email.fail(NotSent("busy", code="429"))
    (message,) = put(make_contacts(1), Notice)
    now, pauses = AFTERNOON, []
    while fresh(message).state == State.PLANNED:
        now = max(now, message.due_at)
        tick(now)
        if fresh(message).state == State.PLANNED:
            pauses.append(message.due_at - now)
    assert len(email.calls) == 6
    assert (message.state, message.reason) == (State.FAILED, Reason.GAVE_UP)
    doubled = [timedelta(seconds=30 * 2**tries) for tries in range(5)]
    assert [
        shortest <= pause < shortest + BACKOFF for shortest, pause in zip(doubled, pauses, strict=True)
    ] == [True] * 5
    assert set(Attempt.objects.values_list("status", flat=True)) == {Status.NOT_SENT}
    assert sorted(Attempt.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.rule(54)
def test_the_next_tries_of_many_do_not_all_come_at_once(email: Letters) -> None:
    email.fail(NotSent("busy", code="429"))
    messages = put(make_contacts(20), Notice)
    tick(AFTERNOON)
    assert len({fresh(each).due_at.replace(microsecond=0) for each in messages}) > 10


@pytest.mark.rule(54)
def test_a_wish_of_the_provider_for_more_time_is_respected(email: Letters) -> None:
    email.fail(NotSent("slow down", retry_after=3600))
    (message,) = put(make_contacts(1), Letter)
    tick(AFTERNOON)
    assert fresh(message).due_at >= AFTERNOON + HOUR


@pytest.mark.rule(54)
def test_after_four_hours_of_trying_it_is_given_up(email: Letters) -> None:
    email.fail(NotSent("come back tomorrow", retry_after=5 * 3600))
    (message,) = put(make_contacts(1), Letter)
    tick(AFTERNOON)
    assert (fresh(message).state, message.reason) == (State.FAILED, Reason.GAVE_UP)


@pytest.mark.rule(54)
def test_what_waits_for_another_try_takes_no_room_under_a_cap(email: Letters) -> None:
    email.fail(NotSent("busy"))
    (message,) = put(make_contacts(1), Letter)
    tick(AFTERNOON)
    assert fresh(message).attempted_at is None


@pytest.mark.rule(54)
def test_the_next_try_is_made_only_while_people_may_be_texted(sms: Wires) -> None:
    evening = AFTERNOON + timedelta(hours=7, minutes=54)  # 19:54 in New York; texts end at 20:00
    sms.fail(NotSent("busy", retry_after=240))
    write_words(Either)
    people = make_contacts(1, channels=["sms"])
    enrol_all(people, Either, anchor=evening - HOUR)
    tick(evening)
    message = Message.objects.get()
    sms.work()
    tick(message.due_at)
    assert len(sms.calls) == 1
    assert (fresh(message).state, message.reason) == (State.PLANNED, Reason.OUTSIDE_HOURS)
    assert message.due_at > evening + timedelta(hours=12)


# It refuses.


@pytest.mark.rule(55)
def test_a_refused_channel_is_out_and_another_serves(email: Letters, sms: Wires) -> None:
    sms.fail(Refused("landline"))
    (message,) = put(make_contacts(1), Either)
    tick(AFTERNOON)
    assert (len(sms.calls), len(email.calls)) == (1, 1)
    assert (fresh(message).state, message.channel) == (State.SENT, "email")


@pytest.mark.rule(55)
def test_refused_on_every_channel_it_has_failed(email: Letters, sms: Wires) -> None:
    sms.fail(Refused("landline"))
    email.fail(Refused("no such mailbox"))
    (message,) = put(make_contacts(1), Either)
    tick(AFTERNOON)
    tick(AFTERNOON + HOUR)
    assert (len(sms.calls), len(email.calls)) == (1, 1)
    assert (fresh(message).state, message.reason) == (State.FAILED, Reason.PROVIDER_REFUSED)


def test_a_text_that_is_too_long_says_so(sms: Wires) -> None:
    sms.fail(TooLong("nine segments"))
    (message,) = put(make_contacts(1, channels=["sms"]), Either)
    message.excluded = ["email"]
    message.save()
    tick(AFTERNOON)
    assert (fresh(message).state, message.reason) == (State.FAILED, Reason.TOO_LONG)


@pytest.mark.rule(27)
def test_a_refusal_that_says_the_address_is_dead_suppresses_it(email: Letters) -> None:
    email.fail(Refused("no such mailbox", effect=Effect.UNUSABLE))
    (person,) = make_contacts(1)
    put([person], Letter)
    tick(AFTERNOON)
    point = person.points.get(channel="email")
    assert Suppression.objects.get().digest == point.digest


@pytest.mark.rule(27)
def test_an_opt_out_at_the_provider_recalls_what_this_worker_has_claimed_for_the_person(
    email: Letters, sms: Wires, settings: Any
) -> None:
    settings.CROSSCHANNEL_CAPS = []
    settings.CROSSCHANNEL_CHUNK = 1  # so that the second text is in a later chunk
    sms.fail(Refused("blocked", code="21610", effect=Effect.OPTED_OUT))
    (person,) = make_contacts(1)
    put([person], Either)
    put([person], Pair)
    Message.objects.filter(flow__key=Pair.key).update(step_key="second")
    tick(AFTERNOON)
    assert len(sms.calls) == 1
    assert Message.objects.get(flow__key=Pair.key).reason in (Reason.NO_CONSENT, Reason.SUPPRESSED)


@pytest.mark.rule(55)
def test_an_unknown_error_code_tells_the_operator_once_a_day_however_many_messages_get_it(
    email: Letters,
) -> None:
    email.fail(Refused("99999", code="99999", alert=True))
    put(make_contacts(3), Letter)
    assert alerts_of(lambda: tick(AFTERNOON)) == ["unknown_provider_code"]
    enrol_all(make_contacts(2), Letter, anchor=AFTERNOON + timedelta(hours=23))
    assert alerts_of(lambda: tick(AFTERNOON + timedelta(days=1))) == ["unknown_provider_code"]


# It survives.


@pytest.mark.rule(56)
def test_a_broken_sender_is_called_once_and_everything_stays_queued(email: Letters) -> None:
    email.fail(SenderBroken("wrong password", code="401"))
    messages = put(make_contacts(60), Notice)  # three chunks
    tick(AFTERNOON)
    assert len(email.calls) == 1
    assert {(fresh(each).state, each.reason) for each in messages} == {(State.PLANNED, Reason.CHANNEL_CLOSED)}
    tick(AFTERNOON + timedelta(minutes=1))
    assert len(email.calls) == 1


@pytest.mark.rule(56)
def test_the_operator_hears_of_a_broken_sender_once(email: Letters) -> None:
    email.fail(SenderBroken("wrong password", code="401"))
    put(make_contacts(30), Notice)

    def an_hour() -> None:
        for minute in range(0, 61, 5):
            tick(AFTERNOON + timedelta(minutes=minute))

    assert alerts_of(an_hour) == ["channel_broken"]
    assert 3 <= len(email.calls) <= 5  # one probe whenever the rest is over


@pytest.mark.rule(56)
def test_after_the_rest_one_message_alone_tries_the_channel(email: Letters) -> None:
    email.fail(SenderBroken("wrong password", code="401"))
    put(make_contacts(60), Notice)
    tick(AFTERNOON)
    handed_over = Attempt.objects.count()
    tick(AFTERNOON + timedelta(minutes=20))
    assert len(email.calls) == 2
    assert Attempt.objects.count() == handed_over + 1


@pytest.mark.rule(56)
def test_while_one_worker_tries_the_channel_no_other_does(email: Letters, settings: Any) -> None:
    settings.CROSSCHANNEL_JUDGE_BATCH = 10
    email.fail(SenderBroken("wrong password", code="401"))
    messages = put(make_contacts(30), Notice)
    tick(AFTERNOON)
    later = AFTERNOON + timedelta(minutes=20)
    calls_of_the_other = []

    def answer(outbound: Outbound) -> Receipt:
        email.work()
        before = len(email.calls)
        assert tick(later).failed == []  # another worker, in the middle of the trial
        calls_of_the_other.append(len(email.calls) - before)
        return Receipt(provider="post")

    email.answer = answer
    tick(later)
    assert calls_of_the_other == [0]
    assert {fresh(each).state for each in messages} == {State.SENT, State.PLANNED}
    tick(later + timedelta(minutes=2))
    assert {fresh(each).state for each in messages} == {State.SENT}


@pytest.mark.rule(56)
def test_a_trial_that_made_no_call_is_the_next_messages(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    email.fail(SenderBroken("wrong password"))
    messages = put(make_contacts(3), Asked)
    tick(AFTERNOON)
    email.work()
    monkeypatch.setattr(Asked, "wants", staticmethod(lambda run: run.message_id != messages[0].pk))
    tick(AFTERNOON + timedelta(minutes=20))
    assert [fresh(each).state for each in messages] == [State.DROPPED, State.SENT, State.SENT]


@pytest.mark.rule(56)
def test_when_the_sender_works_again_what_is_still_worth_it_goes_out(email: Letters) -> None:
    email.fail(SenderBroken("wrong password"))
    messages = put(make_contacts(30), Notice)
    late = messages[0]
    Message.objects.filter(pk=late.pk).update(expires_at=AFTERNOON + timedelta(minutes=10))
    tick(AFTERNOON)
    email.work()
    tick(AFTERNOON + timedelta(minutes=20))
    assert (fresh(late).state, late.reason) == (State.DROPPED, Reason.CHANNEL_CLOSED)
    assert {fresh(each).state for each in messages[1:]} == {State.SENT}
    assert not ChannelRest.objects.exists()


@pytest.mark.rule(56)
def test_a_rest_uses_up_no_tries(email: Letters) -> None:
    email.fail(SenderBroken("wrong password"))
    (message,) = put(make_contacts(1), Notice)
    now = AFTERNOON
    for _ in range(20):  # five hours
        tick(now)
        now += timedelta(minutes=16)
    email.fail(NotSent("busy"))
    tick(now)
    assert (fresh(message).state, message.calls) == (State.PLANNED, 1)


@pytest.mark.rule(56)
def test_another_channel_serves_while_one_rests(email: Letters, sms: Wires) -> None:
    sms.fail(SenderBroken("account closed"))
    put(make_contacts(1), Either)
    tick(AFTERNOON)
    assert len(email.calls) == 1


@pytest.mark.rule(54)
@pytest.mark.rule(53)
def test_what_may_have_been_sent_is_never_sent_again(email: Letters) -> None:
    email.fail(UnknownOutcome("time-out"))
    (message,) = put(make_contacts(1), Pair)
    tick(AFTERNOON)
    email.work()
    tick(AFTERNOON + HOUR)
    assert len(email.calls) == 1
    assert (fresh(message).state, message.reason) == (State.UNKNOWN, Reason.NO_ANSWER)
    assert message.attempted_at is not None  # it counts towards caps
    assert Attempt.objects.get().status == Status.INTENDED
    assert Enrolment.objects.get().step_key == "second"  # the run does not wait for the truth


@pytest.mark.rule(62)
def test_a_channel_that_breaks_its_contract_leaves_doubt_and_harms_nobody_else(email: Letters) -> None:
    def answer(outbound: Outbound) -> Receipt:
        if len(email.calls) == 2:
            raise ZeroDivisionError
        return Receipt(provider="post")

    email.answer = answer
    messages = put(make_contacts(5), Notice)
    assert tick(AFTERNOON).failed == []
    assert [fresh(each).state for each in messages] == [
        State.SENT, State.UNKNOWN, State.SENT, State.SENT, State.SENT,
    ]  # fmt: skip


def test_a_context_that_raises_harms_nobody_else(email: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = put(make_contacts(5), Asked)
    bad = messages[2]

    def answer(run: Any) -> Any:
        if run.message_id == bad.pk:
            raise LookupError("this basket is odd")
        return original(run)

    original = Asked.answer
    monkeypatch.setattr(Asked, "answer", staticmethod(answer))
    tick(AFTERNOON)
    assert len(email.calls) == 4
    assert (fresh(bad).state, bad.reason) == (State.DROPPED, Reason.CONTEXT_ERROR)


def test_what_is_not_wanted_any_more_is_dropped_at_the_last_moment_and_its_run_ends(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = put(make_contacts(3), Asked)
    gone = messages[1]
    monkeypatch.setattr(Asked, "wants", staticmethod(lambda run: run.message_id != gone.pk))
    tick(AFTERNOON)
    assert len(email.calls) == 2
    assert (fresh(gone).state, gone.reason) == (State.DROPPED, Reason.NOT_WANTED)
    run = Enrolment.objects.get(messages=gone)
    assert (run.state, run.end_reason) == (Enrolment.State.ENDED, Reason.NOT_WANTED)


def test_an_answer_the_database_cannot_store_costs_no_other_message_its_record(
    email: Letters, caplog: pytest.LogCaptureFixture, vendor: str
) -> None:
    """SQLite stores anything, PostgreSQL refuses a NUL."""

    def answer(outbound: Outbound) -> Receipt:
        return Receipt(provider="post", provider_id="\0" if len(email.calls) == 2 else "fine")

    email.answer = answer
    messages = put(make_contacts(4), Notice)
    with caplog.at_level(logging.CRITICAL):
        tick(AFTERNOON)
    refused = State.SENDING if vendor == "postgresql" else State.SENT  # in doubt after its lease
    assert [fresh(each).state for each in messages] == [State.SENT, refused, State.SENT, State.SENT]


def alerts_of(act: Callable[[], object]) -> list[str]:
    """The codes of the alerts that `act` raises."""
    heard: list[str] = []

    def hear(code: str, **kwargs: Any) -> None:
        heard.append(code)

    signals.alert.connect(hear)
    try:
        act()
    finally:
        signals.alert.disconnect(hear)
    return heard
