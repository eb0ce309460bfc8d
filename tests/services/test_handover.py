"""T2: what is still claimed and still wanted is handed over, with its attempt, in one transaction."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from oscar_crosschannel import Context
from oscar_crosschannel.core.clicks import TRAP
from oscar_crosschannel.core.lifecycle import State, Status
from oscar_crosschannel.core.outbound import NotSent
from oscar_crosschannel.core.plan import StepTuning, Tuning
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Attempt, Contact, Enrolment, Flow, Message
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import enrolments, judging, limits, recall
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.handover import JUDGED_ANEW, hand_over
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.tuning import lock, retune
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.stage import Asked, Either, Letter, Letters, Pair, Wires, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

AFTERNOON = NOON + timedelta(hours=4)
HOUR = timedelta(hours=1)


def claimed(people: list[Contact], blueprint: Any, lane: int = Lane.FLOW) -> judging.Batch:
    """Each person's first message of the flow, claimed."""
    enrol_all(people, blueprint, anchor=AFTERNOON - HOUR)
    batch = judging.judge(lane, load_plans(), limits.load(), now=AFTERNOON, closed={})
    assert len(batch.claims) == len(people)
    return batch


# It works.


@pytest.mark.rule(51)
def test_the_attempt_is_written_before_any_call() -> None:
    batch = claimed(make_contacts(2), Letter)
    outcome = hand_over(batch.claims, batch.token, now=AFTERNOON)
    assert {item.attempt for item in outcome.handed} == set(Attempt.objects.values_list("uuid", flat=True))
    assert set(Attempt.objects.values_list("status", "number")) == {(Status.INTENDED, 1)}
    assert set(Message.objects.values_list("state", "calls", "first_call_at")) == {
        (State.SENDING, 1, AFTERNOON)
    }


def test_links_of_the_words_are_kept_with_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    links = {"basket": "/basket/", "help": "/help/"}
    monkeypatch.setattr(Asked, "answer", staticmethod(lambda run: Context(links=links)))
    batch = claimed(make_contacts(1), Asked, Lane.URGENT)
    hand_over(batch.claims, batch.token, now=AFTERNOON)
    assert Message.objects.get().links == ["/basket/", "/help/", TRAP], "an email's last link is for scanners"


def test_the_words_come_from_exactly_what_was_read_with_the_hand_over(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asked, "answer", staticmethod(lambda run: Context(values={"total": "12.00"})))
    write_words(Asked, text="{{ total }}")
    enrol_all(make_contacts(1), Asked, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    assert [outbound.content.text.split("\n")[0] for outbound in email.calls] == ["12.00"]


# It refuses.


@pytest.mark.rule(53)
def test_another_claims_token_hands_nothing_over() -> None:
    batch = claimed(make_contacts(3), Letter)
    assert hand_over(batch.claims, uuid4(), now=AFTERNOON).handed == []
    assert set(Message.objects.values_list("state", flat=True)) == {State.CLAIMED}


@pytest.mark.rule(53)
def test_a_claim_whose_lease_is_over_hands_nothing_over() -> None:
    batch = claimed(make_contacts(3), Letter)
    assert hand_over(batch.claims, batch.token, now=AFTERNOON + timedelta(minutes=5)).handed == []


def test_what_is_handed_over_is_not_handed_over_again() -> None:
    batch = claimed(make_contacts(3), Letter)
    assert len(hand_over(batch.claims, batch.token, now=AFTERNOON).handed) == 3
    assert hand_over(batch.claims, batch.token, now=AFTERNOON).handed == []
    assert Attempt.objects.count() == 3


@pytest.mark.parametrize(
    "change",
    [StepTuning(removed=True), StepTuning(delay=-HOUR, expires=24 * HOUR)],
    ids=["switched off", "earlier"],
)
def test_a_step_that_changed_is_not_sent_by_a_tick_that_knows_it_as_it_was(
    email: Letters, change: StepTuning
) -> None:
    """What the change makes due at once is due for the tick that runs already, too."""
    write_words(Pair)
    enrol_all(make_contacts(3), Pair, anchor=AFTERNOON)  # in an hour
    before = load_plans()
    flow = lock(Flow.objects.get(key=Pair.key).pk)
    retune(flow, Pair.plan(), Tuning(steps={"first": change}), now=AFTERNOON)
    batch = judging.judge(Lane.FLOW, before, limits.load(), now=AFTERNOON, closed={})
    assert len(batch.claims) == 3
    assert hand_over(batch.claims, batch.token, now=AFTERNOON).handed == []
    assert set(Message.objects.values_list("state", "due_at")) == {(State.PLANNED, AFTERNOON + JUDGED_ANEW)}

    tick(AFTERNOON + JUDGED_ANEW)
    gone = Message.objects.filter(step_key="first", reason=Reason.STEP_REMOVED)
    assert (len(email.calls), gone.count()) == ((0, 3) if change.removed else (3, 0))


@pytest.mark.rule(19)
def test_what_a_stop_took_back_is_not_handed_over() -> None:
    people = make_contacts(3)
    batch = claimed(people, Pair)
    flow = batch.claims[0].planned.flow_id
    enrolments.stop([people[1].pk], [flow], reason=Reason.PURCHASED, now=AFTERNOON)
    handed = hand_over(batch.claims, batch.token, now=AFTERNOON).handed
    assert [item.claim.message.contact_id for item in handed] == [people[0].pk, people[2].pk]
    stopped = Message.objects.get(contact=people[1])
    assert (stopped.state, stopped.reason, stopped.attempted_at) == (State.CANCELLED, Reason.PURCHASED, None)


@pytest.mark.rule(19)
def test_a_stop_on_one_channel_takes_back_the_claims_on_it_and_no_others(email: Letters, sms: Wires) -> None:
    (person,) = make_contacts(1)
    batch = claimed([person], Either)
    recall.recall_contacts([person.pk], reason=Reason.OPTED_OUT, now=AFTERNOON, channel="email")
    assert Message.objects.get().state == State.CLAIMED
    recall.recall_contacts([person.pk], reason=Reason.OPTED_OUT, now=AFTERNOON, channel="sms")
    message = Message.objects.get()
    assert (message.state, message.channel, message.token) == (State.PLANNED, "", None)
    assert hand_over(batch.claims, batch.token, now=AFTERNOON).handed == []


@pytest.mark.rule(19)
def test_an_order_takes_back_what_it_makes_pointless_by_account_email_or_phone() -> None:
    buyer, bystander = make_contacts(2)
    batch = claimed([buyer, bystander], Pair)
    phone = buyer.points.get(channel="sms").address
    assert (
        recall.recall_purchased(user_id=None, email="somebody@else.example", phone=phone, now=AFTERNOON) == 1
    )
    handed = hand_over(batch.claims, batch.token, now=AFTERNOON).handed
    assert [item.claim.message.contact_id for item in handed] == [bystander.pk]


def test_an_order_leaves_flows_alone_that_do_not_stop_on_orders() -> None:
    (buyer,) = make_contacts(1)
    claimed([buyer], Letter)
    assert (
        recall.recall_purchased(user_id=None, email=f"person{buyer.pk}@example.com", phone="", now=AFTERNOON)
        == 0
    )


def test_what_a_stop_finds_sending_is_left_to_its_record() -> None:
    (person,) = make_contacts(1)
    batch = claimed([person], Pair)
    hand_over(batch.claims, batch.token, now=AFTERNOON)
    enrolments.stop([person.pk], [batch.claims[0].planned.flow_id], reason=Reason.PURCHASED, now=AFTERNOON)
    assert Message.objects.get().state == State.SENDING
    assert Enrolment.objects.get().state == Enrolment.State.ENDED


# It survives.


class Odd:
    """A link that passes for a path."""

    def startswith(self, prefix: str) -> bool:
        return True


def test_a_link_that_leaves_the_shop_is_not_sent(email: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    write_words(Asked)
    enrol_all(make_contacts(1), Asked, anchor=AFTERNOON - HOUR)
    elsewhere = Context(links={"page": "https://elsewhere.example/"})
    monkeypatch.setattr(Asked, "answer", staticmethod(lambda run: elsewhere))
    tick(AFTERNOON)
    assert email.calls == []
    message = Message.objects.get(step_key="first")
    assert (message.state, message.reason) == (State.DROPPED, Reason.CONTEXT_ERROR)


def test_a_hand_over_that_fails_for_one_harms_no_other(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_words(Asked)
    enrol_all(make_contacts(5), Asked, anchor=AFTERNOON - HOUR)
    odd = Message.objects.order_by("id")[2]

    def answer(run: Any) -> Context:
        links: dict[str, Any] = {"odd": Odd()} if run.message_id == odd.pk else {}
        return Context(links=links)  # what JSON cannot hold fails in the middle of the transaction

    monkeypatch.setattr(Asked, "answer", staticmethod(answer))
    assert tick(AFTERNOON).failed == ["hand over", "hand over"]
    assert len(email.calls) == 4
    odd.refresh_from_db()
    assert (odd.state, odd.calls) == (State.CLAIMED, 0)


@pytest.mark.rule(79)
def test_a_message_that_a_dead_worker_held_has_all_its_tries(email: Letters) -> None:
    write_words(Asked)
    enrol_all(make_contacts(1), Asked, anchor=AFTERNOON - HOUR)
    Message.objects.update(returns=1)
    email.fail(NotSent("busy"))
    message = Message.objects.get()
    while message.state == State.PLANNED:
        tick(max(AFTERNOON, message.due_at))
        message.refresh_from_db()
    assert (message.reason, len(email.calls)) == (Reason.GAVE_UP, 6)


@pytest.mark.rule(79)
def test_what_fails_at_every_hand_over_is_given_up_after_five_and_nothing_else_is_blamed(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_words(Asked)
    enrol_all(make_contacts(30), Asked, anchor=AFTERNOON - HOUR)
    odd = Message.objects.order_by("id")[2]
    dead = 0

    def answer(run: Any) -> Context:
        nonlocal dead
        if run.message_id == odd.pk:
            dead += 1
            raise SystemExit  # as if the process were killed: no handler runs
        return Context()

    monkeypatch.setattr(Asked, "answer", staticmethod(answer))
    now = AFTERNOON
    for _ in range(12):
        with suppress(SystemExit):
            tick(now)
        now += timedelta(minutes=6)
    odd.refresh_from_db()
    assert (odd.state, odd.reason) == (State.FAILED, Reason.POISON)
    assert dead == 5
    others = Message.objects.filter(step_key="first").exclude(pk=odd.pk)
    assert set(others.values_list("state", flat=True)) == {State.SENT}
    assert len(email.calls) == len(set(email.reached)) == 29
    assert Message.objects.filter(enrolment=odd.enrolment, step_key="second", state=State.PLANNED).exists()
