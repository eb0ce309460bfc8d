"""Exclusive codes: one for each message, born with its hand-over, within the day's budget, dead when not sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from oscar.core.loading import get_model
from oscar.test.factories import create_order

from oscar_crosschannel.core.events import Event
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.outbound import NotSent, Refused, SenderBroken, UnknownOutcome
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Contact, FlowStep, Message, VoucherBudget, VoucherGrant
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import contacts, inbox, judging, limits, vouchers
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.handover import hand_over
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, enrol_all, make_contacts, owe
from tests.services.stage import Coupon, Letters, make_offer, write_words

Voucher = get_model("voucher", "Voucher")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

AFTERNOON = NOON + timedelta(hours=4)
HOUR = timedelta(hours=1)


@pytest.fixture
def offer() -> Any:
    return make_offer()


def enter(count: int) -> list[Contact]:
    people = make_contacts(count)
    write_words(Coupon, text="{{ voucher.code }}")
    enrol_all(people, Coupon, anchor=AFTERNOON - HOUR)
    return people


# It works.


def test_everybody_gets_a_code_of_their_own_and_it_is_valid(offer: Any, email: Letters) -> None:
    enter(3)
    tick(AFTERNOON)
    told = {outbound.content.text.split()[0] for outbound in email.calls}
    vouchers = Voucher.objects.filter(code__in=told)
    assert len(told) == vouchers.count() == 3
    for voucher in vouchers:
        assert voucher.usage == Voucher.SINGLE_USE
        assert list(voucher.offers.all()) == [offer]
        assert voucher.is_active(AFTERNOON + timedelta(hours=71))
        assert not voucher.is_active(AFTERNOON + timedelta(hours=73))


def test_a_step_may_name_another_offer(offer: Any, email: Letters) -> None:
    other = make_offer("Half off")
    load_plans()
    enter(1)
    FlowStep.objects.create(flow=Message.objects.get().flow, key="only", offer=other)
    tick(AFTERNOON)
    assert list(Voucher.objects.get().offers.all()) == [other]


def test_another_try_says_the_same_code(offer: Any, email: Letters) -> None:
    email.fail(NotSent("busy"))
    enter(1)
    tick(AFTERNOON)
    email.work()
    tick(Message.objects.get().due_at)
    assert len(email.calls) == 2
    assert {outbound.content.text.split()[0] for outbound in email.calls} == {Voucher.objects.get().code}


# It refuses.


def test_one_code_for_a_contact_in_thirty_days(offer: Any, email: Letters, settings: Any) -> None:
    settings.CROSSCHANNEL_CAPS = []
    (person,) = enter(1)
    Message.objects.bulk_create(
        owe(person, Coupon, intent, due=AFTERNOON + timedelta(days=days))
        for intent, days in (("x", 29), ("y", 31))
    )
    for days in (0, 29, 31):
        tick(AFTERNOON + timedelta(days=days))
    assert Message.objects.get(intent="x").reason == Reason.VOUCHER_TOO_SOON
    assert Message.objects.get(intent="y").state == State.SENT
    assert len(email.calls) == Voucher.objects.count() == 2


def test_the_days_budget_is_not_overdrawn_and_the_rest_says_why(
    offer: Any, email: Letters, settings: Any
) -> None:
    settings.CROSSCHANNEL_VOUCHER_DAILY_BUDGET = 7
    settings.CROSSCHANNEL_CHUNK = 5
    enter(20)
    tick(AFTERNOON)
    assert len(email.calls) == Voucher.objects.count() == 7
    assert VoucherBudget.objects.get().issued == 7
    rest = Message.objects.filter(state=State.DROPPED)
    assert set(rest.values_list("reason", flat=True)) == {Reason.VOUCHER_UNAVAILABLE}
    assert rest.count() == 13


def test_the_next_day_has_a_budget_of_its_own(offer: Any, email: Letters, settings: Any) -> None:
    settings.CROSSCHANNEL_VOUCHER_DAILY_BUDGET = 1
    people = enter(2)
    tick(AFTERNOON)
    Message.objects.bulk_create([owe(people[1], Coupon, "x", due=AFTERNOON + timedelta(days=1))])
    tick(AFTERNOON + timedelta(days=1))
    assert len(email.calls) == 2


def test_without_an_offer_nothing_goes_out_and_no_budget_is_spent(email: Letters) -> None:
    enter(3)
    tick(AFTERNOON)
    assert email.calls == []
    assert set(Message.objects.values_list("reason", flat=True)) == {Reason.VOUCHER_UNAVAILABLE}
    assert VoucherBudget.objects.get().issued == 0


# It survives.


def test_a_definite_refusal_makes_the_code_unusable(offer: Any, email: Letters) -> None:
    email.fail(Refused("no such mailbox"))
    enter(1)
    tick(AFTERNOON)
    assert not Voucher.objects.get().is_active(AFTERNOON + HOUR)
    assert VoucherGrant.objects.get().withdrawn_at is not None


def test_a_code_in_doubt_stays_usable(offer: Any, email: Letters) -> None:
    email.fail(UnknownOutcome("time-out"))
    enter(1)
    tick(AFTERNOON)
    assert Voucher.objects.get().is_active(AFTERNOON + HOUR)


def test_a_message_that_was_tried_and_then_dropped_takes_its_code_along(offer: Any, email: Letters) -> None:
    email.fail(NotSent("busy"))
    enter(1)
    tick(AFTERNOON)
    assert Voucher.objects.get().is_active(AFTERNOON + HOUR)
    tick(AFTERNOON + timedelta(days=2))
    assert Message.objects.get().reason == Reason.EXPIRED
    assert not Voucher.objects.get().is_active(AFTERNOON + HOUR)


def withdrawn() -> bool:
    return VoucherGrant.objects.get().withdrawn_at is not None


def test_a_code_whose_message_was_put_off_was_given_to_nobody_yet(offer: Any, email: Letters) -> None:
    email.fail(SenderBroken("wrong password"))
    enter(1)
    tick(AFTERNOON)
    run = Message.objects.get().enrolment_id
    assert run is not None
    assert (vouchers.of_runs([run]), withdrawn()) == ({}, False)
    email.work()
    tick(AFTERNOON + HOUR)
    assert vouchers.of_runs([run]) == {run: VoucherGrant.objects.get()}


def test_a_message_that_was_put_off_and_then_dropped_takes_its_code_along(offer: Any, email: Letters) -> None:
    email.fail(SenderBroken("wrong password"))
    enter(1)
    tick(AFTERNOON)
    assert Message.objects.get().calls == 0
    tick(AFTERNOON + timedelta(days=2))
    assert Message.objects.get().reason == Reason.EXPIRED
    assert withdrawn()
    assert not Voucher.objects.get().is_active(AFTERNOON + HOUR)


def test_a_message_that_was_put_off_and_then_called_off_takes_its_code_along(
    offer: Any, email: Letters
) -> None:
    email.fail(SenderBroken("wrong password"))
    (person,) = enter(1)
    tick(AFTERNOON)
    address = person.points.get(channel="email").address
    placed = AFTERNOON + timedelta(minutes=5)
    inbox.publish(Event(name="order.placed", key="1", occurred_at=placed, email=address), now=placed)
    tick(placed)
    assert Message.objects.get(flow__key=Coupon.key).state == State.CANCELLED
    assert withdrawn()


def test_a_step_that_brings_no_code_any_more_takes_it_along(offer: Any, email: Letters) -> None:
    email.fail(SenderBroken("wrong password"))
    enter(1)
    tick(AFTERNOON)
    FlowStep.objects.create(flow=Message.objects.get().flow, key="only", voucher=False)
    email.work()
    tick(AFTERNOON + HOUR)
    assert Message.objects.get().state == State.SENT
    assert withdrawn()


def test_a_code_that_was_withdrawn_lives_again_when_its_message_goes_out_after_all(
    offer: Any, email: Letters, settings: Any
) -> None:
    """Staff switch the code of a step off, and on again with another offer; meanwhile the shop's key was changed."""
    email.fail(SenderBroken("wrong password"))
    settings.CROSSCHANNEL_VOUCHER_DAILY_BUDGET = 1
    enter(1)
    tick(AFTERNOON)
    code = VoucherGrant.objects.get().code
    vouchers.withdraw([Message.objects.get().pk], now=AFTERNOON)
    other = make_offer("Half off")
    FlowStep.objects.create(flow=Message.objects.get().flow, key="only", offer=other)
    settings.CROSSCHANNEL_LINK_KEYS = ["a" * 50]
    email.work()
    tick(AFTERNOON + HOUR)
    assert (Message.objects.get().state, withdrawn()) == (State.SENT, False)
    assert email.calls[-1].content.text.split()[0] == code == Voucher.objects.get().code
    voucher, grant = Voucher.objects.get(), VoucherGrant.objects.get()
    assert (voucher.start_datetime, voucher.end_datetime) == (grant.granted_at, grant.valid_until)
    assert grant.granted_at >= AFTERNOON + HOUR
    assert voucher.is_active(AFTERNOON + timedelta(hours=72))
    assert list(voucher.offers.all()) == [other]
    assert VoucherBudget.objects.get().issued == 1


def test_a_code_that_was_withdrawn_and_yet_spent_is_given_to_nobody(
    offer: Any, email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    email.fail(SenderBroken("wrong password"))
    enter(1)
    tick(AFTERNOON)
    vouchers.withdraw([Message.objects.get().pk], now=AFTERNOON)
    voucher = Voucher.objects.get()
    voucher.applications.create(order=create_order())
    email.work()
    tick(AFTERNOON + HOUR)
    assert Message.objects.get().reason == Reason.VOUCHER_UNAVAILABLE


def test_what_is_said_after_all_because_an_order_came_to_nothing_has_its_code(
    offer: Any, email: Letters
) -> None:
    email.fail(SenderBroken("wrong password"))
    (person,) = enter(1)
    tick(AFTERNOON)
    address = person.points.get(channel="email").address
    placed = AFTERNOON + timedelta(minutes=5)
    inbox.publish(Event(name="order.placed", key="1", occurred_at=placed, email=address), now=placed)
    tick(placed)
    assert withdrawn()
    email.work()
    voided = Event(
        name="order.voided",
        key="1",
        occurred_at=placed + HOUR,
        email=address,
        data={"placed_at": placed.isoformat()},
    )
    inbox.publish(voided, now=voided.occurred_at)
    tick(voided.occurred_at)
    tick(voided.occurred_at + HOUR)
    message = Message.objects.get(flow__key=Coupon.key)
    assert (message.state, withdrawn()) == (State.SENT, False)
    assert Voucher.objects.get().is_active(AFTERNOON + timedelta(days=3))


def test_what_a_merge_calls_off_because_it_was_said_takes_its_code_along(offer: Any, email: Letters) -> None:
    email.fail(SenderBroken("wrong password"))
    gone, keep = enter(2)
    tick(AFTERNOON)
    Message.objects.update(enrolment=None)
    said, twice = Message.objects.get(contact=keep), Message.objects.get(contact=gone)
    Message.objects.filter(pk=twice.pk).update(intent=said.intent)
    contacts.merge(keep, gone, now=AFTERNOON)
    twice.refresh_from_db()
    assert (twice.state, twice.reason) == (State.CANCELLED, Reason.DUPLICATE)
    lost = VoucherGrant.objects.exclude(withdrawn_at=None)
    assert [grant.message_id for grant in lost] == [twice.pk]


@pytest.mark.parametrize("hours", [1, 3])
def test_a_code_whose_message_was_put_off_is_valid_as_long_as_it_should_be(
    offer: Any, email: Letters, settings: Any, hours: int
) -> None:
    settings.CROSSCHANNEL_VOUCHER_VALID_FOR = timedelta(hours=2)
    settings.CROSSCHANNEL_VOUCHER_DAILY_BUDGET = 1
    email.fail(SenderBroken("wrong password"))
    enter(1)
    tick(AFTERNOON)
    code = VoucherGrant.objects.get().code
    email.work()
    later = AFTERNOON + hours * HOUR
    tick(later)
    assert email.calls[-1].content.text.split()[0] == code == Voucher.objects.get().code
    assert VoucherGrant.objects.get().valid_until >= later + 2 * HOUR
    assert Voucher.objects.get().is_active(later + 2 * HOUR)


def test_a_code_of_a_message_that_was_put_off_is_not_given_if_it_was_spent(
    offer: Any, email: Letters
) -> None:
    email.fail(SenderBroken("wrong password"))
    enter(1)
    tick(AFTERNOON)
    Voucher.objects.get().applications.create(order=create_order())
    email.work()
    tick(AFTERNOON + HOUR)
    assert Message.objects.get().reason == Reason.VOUCHER_UNAVAILABLE


def test_a_hand_over_that_fails_leaves_no_code(offer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(2)
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("oscar_crosschannel.services.handover.uuid4", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        hand_over(batch.claims, batch.token, now=AFTERNOON)
    assert (Voucher.objects.count(), VoucherGrant.objects.count(), VoucherBudget.objects.count()) == (0, 0, 0)


def test_asking_twice_for_one_message_gives_one_code(offer: Any) -> None:
    enter(1)
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})
    (once,) = hand_over(batch.claims, batch.token, now=AFTERNOON).handed
    Message.objects.update(state=State.CLAIMED)
    (twice,) = hand_over(batch.claims, batch.token, now=AFTERNOON).handed
    assert once.grant is not None
    assert twice.grant is not None
    assert once.grant.code == twice.grant.code
    assert Voucher.objects.count() == 1
