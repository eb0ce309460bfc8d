"""What a change would mean for the people inside is what it then does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.plan import Plan, StepTuning, Tuning
from oscar_crosschannel.models import Enrolment, Flow, Message
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.tuning import Effect, foresee, lock, restored, retune
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.stage import Letter, Pair

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

HOUR = timedelta(hours=1)


def pair() -> Flow:
    load_plans()
    return Flow.objects.get(key=Pair.key)


def begin(count: int, *, hours_ago: float, step: str = "first") -> None:
    """People inside, who wait for a step."""
    runs = enrol_all(make_contacts(count), Pair, anchor=NOON - hours_ago * HOUR)
    if step != "first":
        plan = Pair.plan()
        found = plan.step(step)
        assert found is not None
        for run in runs:
            due, expires = plan.due_at(found, run.anchor_at), plan.expires_at(found, run.anchor_at)
            run.messages.update(step_key=step, due_at=due, expires_at=expires)


def after(**steps: StepTuning) -> Plan:
    return Pair.plan().tuned(Tuning(steps=steps))


def foreseen(**steps: StepTuning) -> Effect:
    return foresee(pair().pk, Pair.plan(), after(**steps), now=NOON)


# It works.


def test_each_message_counts_by_what_becomes_of_it() -> None:
    begin(3, hours_ago=0)  # to come, and moved
    begin(4, hours_ago=0.75)  # falls due by the change
    begin(5, hours_ago=20, step="second")  # of a step that stays as it is

    assert foreseen(first=StepTuning(delay=HOUR / 2)) == Effect(waiting=12, due_now=4, following=3)


def test_who_waits_for_a_step_that_goes_loses_it() -> None:
    begin(2, hours_ago=0)
    begin(1, hours_ago=20, step="second")

    assert foreseen(first=StepTuning(removed=True)) == Effect(waiting=3, losing=2)


def test_what_would_be_past_its_time_is_too_late() -> None:
    begin(2, hours_ago=20, step="second")
    begin(3, hours_ago=1, step="second")

    effect = foreseen(second=StepTuning(delay=6 * HOUR, expires=8 * HOUR))
    assert effect == Effect(waiting=5, late=2, following=3)


def test_who_is_past_a_new_step_misses_it() -> None:
    begin(2, hours_ago=0)
    begin(3, hours_ago=20, step="second")

    effect = foreseen(between=StepTuning(delay=6 * HOUR, channels=("email",)))
    assert effect.missing == {"between": 3}
    # what came before it now expires when it falls due
    assert (effect.waiting, effect.following) == (5, 2)


def test_a_step_that_moves_to_the_front_misses_who_waits_for_what_it_overtakes() -> None:
    begin(2, hours_ago=3)
    begin(3, hours_ago=20, step="second")

    assert foreseen(first=StepTuning(delay=30 * HOUR)).missing == {"second": 2}
    assert foreseen(second=StepTuning(delay=HOUR / 2)).missing == {"second": 2}


def test_who_has_had_a_step_does_not_miss_it_when_it_comes_back_to_the_front() -> None:
    begin(4, hours_ago=26, step="second")
    for message in Message.objects.all()[:3]:
        Message.objects.filter(pk=message.pk).update(state=State.SENT)
        message.pk, message.step_key, message.intent = None, "first", f"{message.intent} anew"
        message.save()
    Message.objects.filter(state=State.PLANNED).update(step_key="first")

    effect = foresee(pair().pk, after(first=StepTuning(delay=30 * HOUR)), Pair.plan(), now=NOON)
    assert effect.missing == {}
    effect = foreseen(first=StepTuning(delay=30 * HOUR))
    assert effect.missing == {"second": 1}


def test_what_is_foreseen_to_be_missed_is_never_sent() -> None:
    begin(2, hours_ago=3)
    wanted = {"first": StepTuning(delay=30 * HOUR)}
    effect = foreseen(**wanted)
    with transaction.atomic():
        retune(lock(pair().pk), Pair.plan(), Tuning(steps=wanted), now=NOON)

    for hours in (25, 30, 60):
        tick(NOON + hours * HOUR)
    assert effect.missing == {"second": 2}
    assert not Enrolment.objects.filter(state=Enrolment.State.ACTIVE).exists()
    assert set(Message.objects.values_list("step_key", flat=True)) == {"first"}


def test_what_was_foreseen_is_what_is_done() -> None:
    begin(3, hours_ago=0)
    begin(4, hours_ago=0.75)
    wanted = {"first": StepTuning(delay=HOUR / 2)}
    effect = foreseen(**wanted)
    due_before = Message.objects.filter(due_at__lte=NOON).count()

    with transaction.atomic():
        done = retune(lock(pair().pk), Pair.plan(), Tuning(steps=wanted), now=NOON)

    assert done.replanned == effect.touched
    assert Message.objects.filter(due_at__lte=NOON).count() - due_before == effect.due_now


def test_claims_count_and_what_is_going_out_does_not() -> None:
    begin(3, hours_ago=0.75)
    claimed, sending, _planned = Message.objects.order_by("pk")
    Message.objects.filter(pk=claimed.pk).update(state=State.CLAIMED)
    Message.objects.filter(pk=sending.pk).update(state=State.SENDING)

    assert foreseen(first=StepTuning(delay=HOUR / 2)) == Effect(waiting=2, due_now=2)


def test_a_step_that_is_switched_off_still_has_a_place_for_words() -> None:
    tuning = Tuning(steps={"first": StepTuning(removed=True, title="Bye")})

    plan = restored(Pair.plan(), tuning)
    assert [(step.key, step.title) for step in plan.steps] == [("first", "Bye"), ("second", "")]


# It refuses.


def test_a_change_of_words_alone_touches_nobody() -> None:
    begin(2, hours_ago=0)
    assert foreseen(first=StepTuning(title="Another")) == Effect(waiting=2)


def test_other_flows_are_not_counted() -> None:
    enrol_all(make_contacts(3), Letter, anchor=NOON)
    assert foreseen(first=StepTuning(delay=HOUR / 2)) == Effect(waiting=0)


# It survives.


def test_it_costs_two_statements_however_many_people_there_are() -> None:
    begin(30, hours_ago=0)
    begin(30, hours_ago=20, step="second")
    flow, plan = pair().pk, after(first=StepTuning(delay=2 * HOUR), second=StepTuning(removed=True))

    with CaptureQueriesContext(connection) as queries:
        foresee(flow, Pair.plan(), plan, now=NOON)
    assert len(queries) == 2
    assert Enrolment.objects.count() == 60
