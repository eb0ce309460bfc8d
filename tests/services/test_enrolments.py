"""Entering a flow, following the person's activity, and leaving."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from oscar_crosschannel import After, Blueprint, Event, On, send
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.core.triggers import Trigger
from oscar_crosschannel.models import Contact, Enrolment, Flow, Message
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import contacts, enrolments, judging, limits
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.handover import hand_over
from oscar_crosschannel.services.plans import PlannedFlow, load_plans
from tests.factories import NOON, make_contacts, registered
from tests.services.stage import Letter, Letters, Pair, Wires, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

#: Noon in New York.
AFTERNOON = NOON + timedelta(hours=4)
HOUR = timedelta(hours=1)


@registered
class Greeting(Blueprint):
    """Once in a lifetime"""

    topic = "basket_reminders"
    start = On("greeting.began", once=True)

    only = send("email", at=After(hours=1))


def planned(blueprint: type[Blueprint]) -> PlannedFlow:
    return next(item for item in load_plans() if item.plan.key == blueprint.key)


def happened(at: datetime, key: str = "basket:1", **data: Any) -> Event:
    return Event(name="pair.began", key=key, occurred_at=at, **data)


def enter(person: Contact, at: datetime, blueprint: type[Blueprint] = Pair, **data: Any) -> Enrolment | None:
    return enrolments.enrol(person, planned(blueprint), happened(at, **data), now=at)


def stop(person: Contact, at: datetime) -> int:
    return enrolments.stop([person.pk], [planned(Pair).flow_id], reason=Reason.PURCHASED, now=at)


@pytest.fixture
def person() -> Contact:
    return make_contacts(1)[0]


# It works.


def test_entering_plans_the_first_message_only(person: Contact) -> None:
    run = enter(person, AFTERNOON)
    assert run is not None
    message = Message.objects.get()
    assert (message.step_key, message.due_at, message.expires_at) == (
        "first", AFTERNOON + HOUR, AFTERNOON + 24 * HOUR,
    )  # fmt: skip
    assert (message.lane, message.purpose) == (Lane.FLOW, "marketing")


def test_what_the_event_told_goes_with_the_run(person: Contact) -> None:
    run = enter(person, AFTERNOON, subjects={"basket": 7}, data={"word": "hello"})
    assert run is not None
    run.refresh_from_db()
    assert (run.subjects, run.data) == ({"basket": 7}, {"word": "hello"})


def test_activity_moves_the_clock_of_the_open_run_and_its_subject(person: Contact) -> None:
    run = enter(person, AFTERNOON, subjects={"basket": 1})
    again = enter(person, AFTERNOON + HOUR / 2, key="basket:2", subjects={"basket": 2})
    assert again == run
    assert Enrolment.objects.get().subjects == {"basket": 2}
    assert Message.objects.get().due_at == AFTERNOON + HOUR / 2 + HOUR


def test_activity_takes_a_claimed_message_back(person: Contact) -> None:
    enter(person, AFTERNOON)
    due = AFTERNOON + HOUR
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=due, closed={})
    enter(person, due)
    assert hand_over(batch.claims, batch.token, now=due).handed == []
    message = Message.objects.get()
    assert (message.state, message.due_at, message.attempted_at) == (State.PLANNED, due + HOUR, None)


def test_activity_after_the_first_message_moves_the_second_and_says_nothing_twice(
    person: Contact, email: Letters, sms: Wires
) -> None:
    write_words(Pair)
    enter(person, AFTERNOON)
    tick(AFTERNOON + HOUR)
    enter(person, AFTERNOON + 3 * HOUR)
    tick(AFTERNOON + 4 * HOUR)
    tick(AFTERNOON + 24 * HOUR)
    assert (len(email.calls), len(sms.calls)) == (1, 0)
    tick(AFTERNOON + 27 * HOUR)
    assert (len(email.calls), len(sms.calls)) == (1, 1)


def test_leaving_recalls_the_message_and_says_why(person: Contact) -> None:
    enter(person, AFTERNOON)
    assert stop(person, AFTERNOON) == 1
    run, message = Enrolment.objects.get(), Message.objects.get()
    assert (run.state, run.end_reason, run.ended_at) == (Enrolment.State.ENDED, Reason.PURCHASED, AFTERNOON)
    assert (message.state, message.reason) == (State.CANCELLED, Reason.PURCHASED)


# It refuses.


def test_an_older_activity_moves_nothing(person: Contact) -> None:
    enter(person, AFTERNOON)
    enter(person, AFTERNOON - HOUR)
    assert Message.objects.get().due_at == AFTERNOON + HOUR


def test_after_a_run_that_said_something_the_flow_rests(person: Contact, email: Letters) -> None:
    write_words(Pair)
    enter(person, AFTERNOON)
    tick(AFTERNOON + HOUR)
    ended = AFTERNOON + 2 * HOUR
    stop(person, ended)
    assert enter(person, ended + timedelta(days=6)) is None
    assert enter(person, ended + timedelta(days=7)) is not None


def test_after_a_run_that_said_nothing_it_does_not_rest(person: Contact) -> None:
    enter(person, AFTERNOON)
    stop(person, AFTERNOON + HOUR / 2)
    assert enter(person, AFTERNOON + HOUR) is not None


@pytest.mark.parametrize("first", ["guest", "account"])
def test_two_contacts_that_are_one_person_are_in_a_flow_of_a_life_once(first: str, email: Letters) -> None:
    """The run that began first goes on, whoever's it was."""
    write_words(Greeting)
    keep, gone = make_contacts(2)
    earlier, later = (gone, keep) if first == "guest" else (keep, gone)
    run = enter(earlier, AFTERNOON, Greeting, key="one")
    enter(later, AFTERNOON + HOUR / 2, Greeting, key="other")
    contacts.merge(keep, gone, now=AFTERNOON + HOUR / 2)
    assert Enrolment.objects.get(state=Enrolment.State.ACTIVE) == run
    assert Enrolment.objects.get(state=Enrolment.State.ENDED).end_reason == Reason.REPLACED
    tick(AFTERNOON + 2 * HOUR)

    assert len(email.calls) == 1
    assert run is not None
    assert Message.objects.get(state=State.SENT).enrolment_id == run.pk
    assert enter(keep, AFTERNOON + timedelta(days=900), Greeting, key="third") is None


def test_who_had_it_as_a_guest_does_not_get_it_again_with_an_account(email: Letters) -> None:
    write_words(Greeting)
    keep, gone = make_contacts(2)
    enter(gone, AFTERNOON, Greeting, key="one")
    tick(AFTERNOON + HOUR)
    enter(keep, AFTERNOON + 2 * HOUR, Greeting, key="other")
    contacts.merge(keep, gone, now=AFTERNOON + 2 * HOUR)
    assert not Enrolment.objects.filter(state=Enrolment.State.ACTIVE).exists()
    tick(AFTERNOON + timedelta(days=2))

    assert len(email.calls) == 1


def test_a_run_cannot_both_follow_events_and_count_from_what_one_said() -> None:
    with pytest.raises(ValueError, match="anchor"):
        On("event.scheduled", one_run=True, anchor="starts_at")
    with pytest.raises(ValueError, match="anchor"):
        Trigger(event="event.scheduled", title="It begins", one_run=True, anchor="starts_at")


def test_what_happened_before_the_last_run_ended_starts_no_new_one(person: Contact) -> None:
    enter(person, AFTERNOON)
    stop(person, AFTERNOON + HOUR / 2)
    late = happened(AFTERNOON + HOUR / 4)
    assert enrolments.enrol(person, planned(Pair), late, now=AFTERNOON + HOUR) is None


def test_once_is_once(person: Contact) -> None:
    assert enter(person, AFTERNOON, Greeting, key="user:1") is not None
    assert enter(person, AFTERNOON + timedelta(days=900), Greeting, key="user:1b") is None


def test_the_same_event_again_starts_nothing_new(person: Contact) -> None:
    first = enter(person, AFTERNOON, Letter)
    assert enter(person, AFTERNOON, Letter) == first
    assert (Enrolment.objects.count(), Message.objects.count()) == (1, 1)


def test_stopping_one_flow_leaves_another_and_another_person_alone(person: Contact) -> None:
    (other,) = make_contacts(1)
    for each in (person, other):
        enter(each, AFTERNOON)
        enter(each, AFTERNOON, Letter, key="x")
    stop(person, AFTERNOON)
    assert Message.objects.filter(state=State.CANCELLED).count() == 1
    assert Message.objects.filter(state=State.PLANNED).count() == 3


# It survives.


def test_a_share_of_the_people_is_held_out_always_the_same() -> None:
    people = make_contacts(80)
    Flow.objects.filter(key=Letter.key).update(holdout=0.2)
    flow = planned(Letter)
    for person in people:
        enrolments.enrol(person, flow, happened(AFTERNOON), now=AFTERNOON)
    out = set(Enrolment.objects.filter(held_out=True).values_list("contact_id", flat=True))
    assert 4 <= len(out) <= 32  # a fifth, give or take
    Enrolment.objects.all().delete()
    for person in people:
        enrolments.enrol(person, flow, happened(AFTERNOON, key="another"), now=AFTERNOON)
    assert set(Enrolment.objects.filter(held_out=True).values_list("contact_id", flat=True)) == out


def test_stopping_twice_keeps_the_first_reason(person: Contact) -> None:
    enter(person, AFTERNOON)
    stop(person, AFTERNOON)
    assert enrolments.stop([person.pk], [planned(Pair).flow_id], reason=Reason.OPTED_OUT, now=AFTERNOON) == 0
    assert Enrolment.objects.get().end_reason == Reason.PURCHASED
