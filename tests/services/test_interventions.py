"""What staff call off by hand: it never goes out afterwards, and what has gone is not claimed to be stopped."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Contact, Enrolment, Message
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import interventions, judging, limits
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.handover import hand_over
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.racing import ROUNDS, race
from tests.services.stage import Letters, Pair, Wires, write_words

AFTERNOON = NOON + timedelta(hours=4)
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("stage")


def enrolled() -> Message:
    """One person inside `Pair`, whose first message is due."""
    (run,) = enrol_all(make_contacts(1), Pair, anchor=AFTERNOON - HOUR)
    return run.messages.get()


def claimed(message: Message) -> judging.Batch:
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})
    assert [claim.message.pk for claim in batch.claims] == [message.pk]
    return batch


@pytest.mark.django_db
def test_what_is_called_off_never_goes_and_its_run_goes_on(email: Letters, sms: Wires) -> None:
    write_words(Pair)
    first = enrolled()

    assert interventions.call_off([first.pk], now=AFTERNOON) == {first.pk}
    tick(AFTERNOON)
    tick(AFTERNOON + timedelta(hours=23))

    first.refresh_from_db()
    assert (first.state, first.reason, first.resolved_at) == (State.CANCELLED, Reason.STAFF, AFTERNOON)
    assert email.reached == []
    second = Message.objects.get(enrolment=first.enrolment, step_key="second")
    assert second.due_at == AFTERNOON + timedelta(hours=23)
    assert len(sms.reached) == 1


@pytest.mark.django_db
def test_a_claimed_message_is_called_off_before_it_is_handed_over() -> None:
    first = enrolled()
    batch = claimed(first)

    assert interventions.call_off([first.pk], now=AFTERNOON) == {first.pk}

    assert hand_over(batch.claims, batch.token, now=AFTERNOON).handed == []
    first.refresh_from_db()
    assert (first.state, first.token, first.attempted_at) == (State.CANCELLED, None, None)


@pytest.mark.django_db
def test_what_was_handed_over_is_not_called_off() -> None:
    first = enrolled()
    batch = claimed(first)
    hand_over(batch.claims, batch.token, now=AFTERNOON)

    assert interventions.call_off([first.pk], now=AFTERNOON) == set()

    first.refresh_from_db()
    assert first.state == State.SENDING
    assert not Enrolment.objects.get().needs_next


@pytest.mark.django_db
def test_a_run_that_staff_ended_plans_nothing_more(email: Letters) -> None:
    write_words(Pair)
    first = enrolled()

    assert interventions.end_run(first.enrolment_id, now=AFTERNOON) == {first.pk}
    tick(AFTERNOON)

    run = Enrolment.objects.get()
    assert (run.state, run.end_reason, run.ended_at) == (Enrolment.State.ENDED, Reason.STAFF, AFTERNOON)
    assert [message.state for message in Message.objects.all()] == [State.CANCELLED]
    assert email.reached == []


@pytest.mark.django_db
def test_a_run_ends_once() -> None:
    first = enrolled()
    interventions.end_run(first.enrolment_id, now=AFTERNOON)

    assert interventions.end_run(first.enrolment_id, now=AFTERNOON + HOUR) is None

    assert Enrolment.objects.get().ended_at == AFTERNOON


@pytest.mark.postgresql
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_message_is_either_called_off_or_handed_over() -> None:
    outcomes = Counter[bool]()
    plans = load_plans()
    with race(2) as contest:
        for person in make_contacts(ROUNDS // 2):
            first = one_of(person)
            batch = judging.judge(Lane.FLOW, plans, limits.load(), now=AFTERNOON, closed={})

            handed, called_off = contest.together(
                lambda batch=batch: hand_over(batch.claims, batch.token, now=AFTERNOON).handed,
                lambda pk=first.pk: interventions.call_off([pk], now=AFTERNOON),
                jitter=0.004,
            )

            first.refresh_from_db()
            assert bool(handed) != bool(called_off)
            assert first.state == (State.SENDING if handed else State.CANCELLED)
            outcomes[bool(handed)] += 1
            contest.even_out(last_won=not handed)
            Message.objects.all().delete()
    assert set(outcomes) == {True, False}


def one_of(person: Contact) -> Message:
    (run,) = enrol_all([person], Pair, anchor=AFTERNOON - HOUR)
    return run.messages.get()
