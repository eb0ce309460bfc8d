"""T0: what a dead worker held comes back, what it may have sent is doubted, and every run goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.conf import flows
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Contact, Enrolment, Message
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import judging, limits, reaping
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.handover import hand_over
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.reaping import reap
from tests.factories import NOON, enrol_all, make_contacts, registered
from tests.services.stage import Letter, Letters, Pair, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

AFTERNOON = NOON + timedelta(hours=4)
LATER = AFTERNOON + timedelta(minutes=6)  # the lease is over
HOUR = timedelta(hours=1)


@registered
class Spring(Blueprint):
    """A promotion, a reminder of it, and something else"""

    topic = "basket_reminders"
    start = On("spring.began")

    offer = send("email", at=After(hours=1), intent="spring")
    again = send("email", at=After(hours=2), intent="spring")
    other = send("email", at=After(hours=3), expires=After(hours=48))


def claim(people: list[Contact], blueprint: type[Blueprint]) -> judging.Batch:
    enrol_all(people, blueprint, anchor=AFTERNOON - HOUR)
    return judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})


# It works.


@pytest.mark.rule(53)
def test_an_expired_claim_is_due_again_and_takes_no_room_under_a_cap() -> None:
    claim(make_contacts(3), Letter)
    reap(load_plans(), now=LATER)
    assert set(Message.objects.values_list("state", "token", "lease_until", "attempted_at", "returns")) == {
        (State.PLANNED, None, None, None, 1)
    }
    assert judging.judge(Lane.FLOW, load_plans(), limits.load(), now=LATER, closed={}).judged == 3


@pytest.mark.rule(53)
def test_an_expired_hand_over_is_in_doubt_and_its_run_goes_on(email: Letters) -> None:
    batch = claim(make_contacts(3), Pair)
    hand_over(batch.claims, batch.token, now=AFTERNOON)
    write_words(Pair)
    tick(LATER)
    assert email.calls == []
    doubted = Message.objects.filter(step_key="first")
    assert set(doubted.values_list("state", "reason")) == {(State.UNKNOWN, Reason.NO_ANSWER)}
    assert not doubted.filter(attempted_at=None).exists()
    assert Message.objects.filter(step_key="second", state=State.PLANNED).count() == 3
    assert not Enrolment.objects.filter(needs_next=True).exists()


def test_the_last_steps_doubt_ends_the_run() -> None:
    batch = claim(make_contacts(1), Letter)
    hand_over(batch.claims, batch.token, now=AFTERNOON)
    reap(load_plans(), now=LATER)
    assert Enrolment.objects.get().state == Enrolment.State.ENDED


# It refuses.


def test_what_is_within_its_lease_is_left_alone() -> None:
    batch = claim(make_contacts(4), Pair)
    hand_over(batch.claims[:2], batch.token, now=AFTERNOON)
    reap(load_plans(), now=AFTERNOON + timedelta(minutes=5))
    assert sorted(Message.objects.values_list("state", flat=True)) == [1, 1, 2, 2]


def test_a_doubted_message_of_a_stopped_run_starts_it_not_again() -> None:
    batch = claim(make_contacts(1), Pair)
    hand_over(batch.claims, batch.token, now=AFTERNOON)
    Enrolment.objects.update(state=Enrolment.State.ENDED)
    reap(load_plans(), now=LATER)
    assert Message.objects.count() == 1


# It survives.


def test_a_promotion_that_was_said_already_is_skipped_and_the_run_does_not_stand_still(
    email: Letters,
) -> None:
    write_words(Spring)
    enrol_all(make_contacts(1), Spring, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    assert len(email.calls) == 1
    assert Enrolment.objects.get().needs_next  # "again" may not be said
    tick(AFTERNOON + timedelta(minutes=1))
    assert Message.objects.get(step_key="other").due_at == AFTERNOON + 2 * HOUR


def test_a_run_whose_message_is_open_again_is_not_moved_past_it() -> None:
    """A thawed worker gave the doubted message back before the run could go on."""
    enrol_all(make_contacts(1), Pair, anchor=AFTERNOON - HOUR)
    Enrolment.objects.update(needs_next=True)
    reap(load_plans(), now=LATER)
    run = Enrolment.objects.get()
    assert (run.step_key, Message.objects.get().step_key) == ("first", "first")


def test_a_run_of_a_flow_that_is_gone_ends() -> None:
    batch = claim(make_contacts(1), Spring)
    hand_over(batch.claims, batch.token, now=AFTERNOON)
    flows.unregister(Spring.key)
    try:
        reap(load_plans(), now=LATER)
    finally:
        flows.register(Spring)
    run = Enrolment.objects.get()
    assert (run.state, run.end_reason) == (Enrolment.State.ENDED, Reason.FLOW_OFF)


def test_reaping_twice_changes_nothing_more() -> None:
    batch = claim(make_contacts(2), Pair)
    hand_over(batch.claims[:1], batch.token, now=AFTERNOON)
    reap(load_plans(), now=LATER)
    before = list(Message.objects.order_by("id").values())
    reap(load_plans(), now=LATER)
    assert list(Message.objects.order_by("id").values()) == before


def test_many_dead_messages_are_worked_off_over_several_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaping, "MOST", 5)
    batch = claim(make_contacts(24), Pair)
    hand_over(batch.claims[:12], batch.token, now=AFTERNOON)
    reap(load_plans(), now=LATER)
    assert Message.objects.filter(step_key="first", state=State.UNKNOWN).count() == 5
    assert Message.objects.filter(step_key="first", state=State.PLANNED).count() == 5
    for _ in range(2):
        reap(load_plans(), now=LATER)
    assert Message.objects.filter(state=State.UNKNOWN).count() == 12
    assert Message.objects.filter(step_key="first", state=State.PLANNED).count() == 12
    assert Message.objects.filter(step_key="second", state=State.PLANNED).count() == 12
