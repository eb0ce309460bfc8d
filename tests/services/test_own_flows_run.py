"""Flows that merchants made of rows run as those that are declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import pytest

from oscar_crosschannel import About, Context, Event, Run, Trigger
from oscar_crosschannel.conf import triggers
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Contact, Copy, Enrolment, Flow, FlowStep, Message
from oscar_crosschannel.services import contacts, inbox, recall
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, make_contacts
from tests.services.stage import Letters, Wires

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

#: Noon in New York.
AFTERNOON = NOON + timedelta(hours=4)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Tea(About):
    """What was said about a cup of tea."""

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        return {run.message_id: Context(values={"tea": run.data.get("tea", "")}) for run in runs}


@pytest.fixture
def offered() -> Iterator[None]:
    triggers.register(
        Trigger(event="tea.poured", title="Tea is poured", about=Tea()),
        Trigger(event="tea.spilt", title="Tea is spilt", starts=False, same="cup"),
        Trigger(event="tea.served", title="Tea is served", anchor="at"),
    )
    yield
    for event in ("tea.poured", "tea.spilt", "tea.served"):
        triggers.unregister(event)


@pytest.fixture
def person() -> Contact:
    person = make_contacts(1)[0]
    address = person.points.get(channel="email").address
    Contact.objects.filter(pk=person.pk).update(guest_key=contacts.digest("email", address))
    return person


def make_flow(*, trigger: str = "tea.poured", stops: str = "tea.spilt", **delays: timedelta) -> Flow:
    flow = Flow.objects.create(
        key="tea", title="Tea", topic="basket_reminders", trigger=trigger, stops=stops, enabled=True
    )
    for key, delay in delays.items():
        FlowStep.objects.create(flow=flow, key=key, delay=delay, channels=["email"])
        Copy.objects.create(
            flow=flow,
            step_key=key,
            channel="email",
            language="en",
            subject="Tea",
            text=f"{key} {{{{ tea }}}}",
        )
    return flow


def happen(person: Contact, name: str, key: str = "cup:1", *, cup: int = 1, **data: str) -> None:
    email = person.points.get(channel="email").address
    event = Event(name=name, key=key, occurred_at=AFTERNOON, email=email, subjects={"cup": cup}, data=data)
    inbox.publish(event, now=AFTERNOON)
    tick(AFTERNOON)


# It works.


@pytest.mark.usefixtures("offered")
def test_its_steps_go_out_in_the_order_in_which_they_fall_due(person: Contact, email: Letters) -> None:
    make_flow(second=20 * HOUR, first=HOUR)
    happen(person, "tea.poured", tea="Assam")
    tick(AFTERNOON + HOUR)
    tick(AFTERNOON + 20 * HOUR)

    assert [call.content.text.splitlines()[0] for call in email.calls] == ["first Assam", "second Assam"]
    assert Enrolment.objects.get().state == Enrolment.State.ENDED


@pytest.mark.usefixtures("offered")
def test_what_happens_to_one_thing_ends_the_run_about_it_and_no_other(
    person: Contact, email: Letters
) -> None:
    make_flow(only=HOUR)
    happen(person, "tea.poured")
    happen(person, "tea.poured", "cup:2", cup=2)
    happen(person, "tea.spilt", cup=2)

    ended = Enrolment.objects.get(state=Enrolment.State.ENDED)
    assert (ended.subjects, ended.end_reason) == ({"cup": 2}, Reason.NOT_WANTED)
    assert Enrolment.objects.get(state=Enrolment.State.ACTIVE).subjects == {"cup": 1}


@pytest.mark.usefixtures("offered")
def test_an_event_that_ends_and_begins_at_once_replaces_the_run_of_the_same_thing(person: Contact) -> None:
    """So an appointment moves: the old reminder ends, a new one is planned. Told twice, it stays as it is."""
    triggers.register(Trigger(event="tea.served", title="Tea is served", anchor="at", same="cup"))
    make_flow(trigger="tea.served", stops="tea.served", only=-HOUR / 6)
    happen(person, "tea.served", "cup:1:0", at=(AFTERNOON + DAY).isoformat())
    happen(person, "tea.served", "cup:1:1", at=(AFTERNOON + 2 * DAY).isoformat())
    happen(person, "tea.served", "cup:1:1", at=(AFTERNOON + 2 * DAY).isoformat())

    waiting = Message.objects.get(state=State.PLANNED)
    assert waiting.due_at == AFTERNOON + 2 * DAY - HOUR / 6
    assert Message.objects.get(state=State.CANCELLED).due_at == AFTERNOON + DAY - HOUR / 6


@pytest.mark.usefixtures("offered")
def test_a_declared_flow_gets_a_step_of_the_merchants(person: Contact) -> None:
    load_plans()
    flow = Flow.objects.get(key="pair")
    FlowStep.objects.create(flow=flow, key="between", delay=12 * HOUR, channels=["sms"], title="In between")
    FlowStep.objects.create(flow=flow, key="left_over", channels=["sms"])

    plan = next(planned.plan for planned in load_plans() if planned.plan.key == "pair")
    assert plan.order == ("first", "between", "second")
    assert [(step.key, step.title) for step in plan.steps][1] == ("between", "In between")


@pytest.mark.usefixtures("offered")
def test_what_ends_it_may_have_the_key_of_what_began_it(person: Contact) -> None:
    """As an order that is placed and comes to nothing has."""
    make_flow(only=HOUR)
    happen(person, "tea.poured", "cup:1")
    happen(person, "tea.spilt", "cup:1")

    assert Enrolment.objects.get().state == Enrolment.State.ENDED


# It refuses.


@pytest.mark.usefixtures("offered")
def test_it_is_off_until_it_is_put_on(person: Contact) -> None:
    flow = make_flow(only=HOUR)
    Flow.objects.filter(pk=flow.pk).update(enabled=None)
    happen(person, "tea.poured")

    assert not Enrolment.objects.exists()


def test_without_its_trigger_nobody_enters_and_who_is_inside_leaves(person: Contact, offered: None) -> None:
    make_flow(only=HOUR)
    happen(person, "tea.poured")
    triggers.unregister("tea.poured")
    tick(AFTERNOON + HOUR)

    assert Message.objects.get().reason == Reason.FLOW_OFF
    assert Enrolment.objects.get().state == Enrolment.State.ENDED


# It survives.


@pytest.mark.usefixtures("offered")
def test_an_order_recalls_what_it_ends_before_the_fold(person: Contact, sms: Wires) -> None:
    make_flow(stops="tea.spilt order.placed", only=HOUR)
    happen(person, "tea.poured")
    address = person.points.get(channel="email").address
    assert recall.recall_purchased(user_id=None, email=address, phone="", now=AFTERNOON) == 1
    assert Message.objects.get().state == State.CANCELLED
