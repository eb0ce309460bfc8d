"""A flow in shadow mode decides and records as ever, but sends nothing and stands in nobody's way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oscar_crosschannel import After, Blueprint, Event, On, send
from oscar_crosschannel.core.decision import Outcome, trace_from_json
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Contact, Enrolment, Flow, Message
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import enrolments, handover, judging, limits
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, enrol_all, make_contacts, registered
from tests.services.stage import Coupon, Letter, Letters, Pair, Wires, make_offer, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

#: Noon in New York.
AFTERNOON = NOON + timedelta(hours=4)
HOUR = timedelta(hours=1)


@registered
class Lifelong(Blueprint):
    """One email in a life"""

    topic = "basket_reminders"
    start = On("lifelong.began", once=True)

    only = send("email", at=After(hours=1))


@registered
class Autumn(Blueprint):
    """A named promotion"""

    topic = "basket_reminders"
    start = On("autumn.began")

    only = send("email", at=After(hours=1), intent="autumn")


@registered
class AutumnToo(Autumn):
    """The same by another flow"""

    start = On("autumn_too.began")


@pytest.fixture
def person() -> Contact:
    write_words(Pair, Letter, Coupon)
    return make_contacts(1)[0]


def shade(key: str, *, on: bool = True) -> None:
    load_plans()
    Flow.objects.filter(key=key).update(shadow=on)


def test_it_records_what_would_have_gone_out_and_goes_on(person: Contact, email: Letters, sms: Wires) -> None:
    shade("pair")
    enrol_all([person], Pair, anchor=AFTERNOON)
    tick(AFTERNOON + HOUR)
    tick(AFTERNOON + 24 * HOUR)

    assert email.calls == sms.calls == []
    first, second = Message.objects.order_by("due_at")
    assert {(each.state, each.reason) for each in (first, second)} == {(State.DROPPED, Reason.SHADOW)}
    would = trace_from_json(first.decision)[0]
    assert (would.channel, would.outcome) == ("email", Outcome.OPEN)
    assert Enrolment.objects.get().state == Enrolment.State.ENDED


def test_what_would_not_have_gone_out_keeps_its_own_reason(person: Contact) -> None:
    shade("pair")
    person.points.filter(channel="email").delete()
    enrol_all([person], Pair, anchor=AFTERNOON)
    tick(AFTERNOON + HOUR)

    assert Message.objects.get(step_key="first").reason == Reason.NO_POINT


def test_it_takes_no_room_under_a_cap_and_no_code(person: Contact, email: Letters) -> None:
    """Both are due at once, and a person gets one email in 16 hours; the shadow is asked first."""
    make_offer()
    shade("coupon")
    enrol_all([person], Coupon, anchor=AFTERNOON)
    enrol_all([person], Letter, anchor=AFTERNOON)
    tick(AFTERNOON + HOUR)

    assert len(email.calls) == 1
    assert Message.objects.get(flow__key="letter").state == State.SENT
    assert not person.grants.exists()


def test_it_reserves_no_slot(person: Contact, email: Letters) -> None:
    """A more important email that is due soon would hold this one back."""
    shade("coupon")
    enrol_all([person], Coupon, anchor=AFTERNOON + HOUR)
    Message.objects.update(priority=1)
    enrol_all([person], Letter, anchor=AFTERNOON)
    tick(AFTERNOON + HOUR)

    assert len(email.calls) == 1


def test_people_inside_get_what_is_left_when_it_goes_live(
    person: Contact, email: Letters, sms: Wires
) -> None:
    shade("pair")
    enrol_all([person], Pair, anchor=AFTERNOON)
    tick(AFTERNOON + HOUR)
    shade("pair", on=False)
    tick(AFTERNOON + 24 * HOUR)

    assert (len(email.calls), len(sms.calls)) == (0, 1)


def test_a_run_in_the_shadow_does_not_use_up_the_only_one_of_a_life(person: Contact, email: Letters) -> None:
    write_words(Lifelong)
    shade("lifelong")
    for day in (0, 20, 40):
        at = AFTERNOON + timedelta(days=day)
        flow = next(each for each in load_plans() if each.plan.key == "lifelong")
        enrolments.enrol(person, flow, Event(name="lifelong.began", key=str(day), occurred_at=at), now=at)
        tick(at + HOUR)
        shade("lifelong", on=False)

    assert len(email.calls) == 1
    assert Enrolment.objects.count() == 2, "one in the shadow"


def test_what_was_not_said_in_the_shadow_may_be_said_by_another_flow(person: Contact, email: Letters) -> None:
    write_words(Autumn, AutumnToo)
    shade("autumn")
    enrol_all([person], Autumn, anchor=AFTERNOON)
    tick(AFTERNOON + HOUR)
    enrol_all([person], AutumnToo, anchor=AFTERNOON + HOUR)
    tick(AFTERNOON + 2 * HOUR)

    assert Message.objects.get(flow__key="autumn").reason == Reason.SHADOW
    assert len(email.calls) == 1


@pytest.mark.parametrize("change", [{"enabled": False}, {"shadow": True}])
def test_what_a_tick_has_claimed_stays_when_the_flow_falls_silent(
    person: Contact, change: dict[str, bool], email: Letters
) -> None:
    enrol_all([person], Letter, anchor=AFTERNOON)
    due = AFTERNOON + HOUR
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=due, closed={})
    assert len(batch.claims) == 1
    Flow.objects.filter(key="letter").update(**change)
    assert handover.hand_over(batch.claims, batch.token, now=due).handed == []

    tick(due + handover.JUDGED_ANEW)
    assert Message.objects.get().state == State.DROPPED
    assert email.calls == []
