"""Between hand-over and record: each call is made in time, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.outbound import Receipt, SenderBroken
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Attempt, Message, SmsBudget
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import dispatch, judging, limits, links, sms_budget
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.handover import hand_over
from oscar_crosschannel.services.pacing import Turns
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.recording import Result, record
from oscar_crosschannel.services.sending import send
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.stage import Letter, Letters, Notice, Text, Wires, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

#: Noon in New York, and eight in the evening.
AFTERNOON = NOON + timedelta(hours=4)
CLOSES = NOON + timedelta(hours=12)
HOUR = timedelta(hours=1)


class Strides:
    """A clock that moves on by `stride` whenever it is asked."""

    def __init__(self, now: datetime, stride: timedelta) -> None:
        self.now, self.stride = now, stride

    def __call__(self) -> datetime:
        now, self.now = self.now, self.now + self.stride
        return now


def handed_over(
    count: int, blueprint: Any, now: datetime, lane: int = Lane.FLOW
) -> tuple[Any, judging.Batch]:
    """`count` messages of a flow, handed over at `now`."""
    write_words(blueprint)
    enrol_all(make_contacts(count), blueprint, anchor=now - HOUR)
    batch = judging.judge(lane, load_plans(), limits.load(), now=now, closed={})
    return hand_over(batch.claims, batch.token, now=now).handed, batch


def kinds(results: Iterator[Result]) -> list[str]:
    return [type(result.outcome).__name__ for result in results]


# It works.


def test_one_call_for_each_message(email: Letters) -> None:
    handed, _ = handed_over(5, Letter, AFTERNOON)
    clock = Strides(AFTERNOON, timedelta(seconds=1))
    assert kinds(send(handed, turns=Turns(), clock=clock, deadline=AFTERNOON + HOUR)) == ["Receipt"] * 5
    assert len(set(email.reached)) == 5


# It refuses.


def test_past_the_deadline_no_call_begins_and_the_rest_is_given_back(email: Letters) -> None:
    handed, batch = handed_over(5, Letter, AFTERNOON)
    clock = Strides(AFTERNOON, timedelta(seconds=1))
    results = list(send(handed, turns=Turns(), clock=clock, deadline=AFTERNOON + timedelta(seconds=2)))
    assert kinds(iter(results)) == ["Receipt", "Receipt", "NoneType", "NoneType", "NoneType"]
    assert len(email.calls) == 2
    record(results, batch.token, now=AFTERNOON)
    given_back = Message.objects.filter(state=State.PLANNED)
    assert given_back.count() == 3
    assert {(m.calls, m.returns, m.attempted_at, m.due_at, m.first_call_at) for m in given_back} == {
        (0, 0, None, AFTERNOON, None)
    }


@pytest.mark.rule(32)
@pytest.mark.rule(33)
def test_a_text_whose_turn_comes_in_the_last_minutes_is_given_back(sms: Wires) -> None:
    evening = CLOSES - timedelta(minutes=6)
    handed, batch = handed_over(3, Text, evening)
    clock = Strides(evening, timedelta(seconds=25))
    results = list(send(handed, turns=Turns(), clock=clock, deadline=evening + HOUR))
    assert kinds(iter(results)) == ["Receipt", "Receipt", "NoneType"]
    record(results, batch.token, now=evening)
    judging.judge(Lane.FLOW, load_plans(), limits.load(), now=CLOSES, closed={})
    assert Message.objects.get(state=State.PLANNED).due_at > CLOSES + 12 * HOUR


@pytest.mark.rule(29)
def test_who_cannot_reply_where_they_live_is_known_when_the_text_is_made(sms: Wires) -> None:
    write_words(Text)
    ann, ben = make_contacts(2)
    ann.points.filter(channel="sms").update(country="FR", zones=["Europe/Paris"])
    enrol_all([ann, ben], Text, anchor=AFTERNOON - HOUR)
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})
    assert {claim.message.contact_id == ann.pk: claim.one_way for claim in batch.claims} == {
        True: True,
        False: False,
    }


def test_a_message_whose_turn_comes_after_it_expired_is_given_back(email: Letters) -> None:
    write_words(Letter)
    enrol_all(make_contacts(2), Letter, anchor=AFTERNOON - HOUR)
    Message.objects.update(expires_at=AFTERNOON + timedelta(seconds=1))
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})
    handed = hand_over(batch.claims, batch.token, now=AFTERNOON).handed
    clock = Strides(AFTERNOON, timedelta(seconds=2))
    assert kinds(send(handed, turns=Turns(), clock=clock, deadline=AFTERNOON + HOUR)) == [
        "Receipt",
        "NoneType",
    ]


@pytest.mark.rule(56)
def test_once_the_sender_is_broken_the_rest_of_the_chunk_is_given_back(email: Letters) -> None:
    handed, _ = handed_over(5, Notice, AFTERNOON, Lane.URGENT)
    email.fail(SenderBroken("wrong password"))
    clock = Strides(AFTERNOON, timedelta(0))
    assert (
        kinds(send(handed, turns=Turns(), clock=clock, deadline=AFTERNOON + HOUR))
        == ["SenderBroken"] + ["NoneType"] * 4
    )


# It survives.


def test_a_tick_that_runs_out_of_time_gives_everything_back_and_the_next_goes_on(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow provider: 20 seconds for each call, and nobody is blamed for it."""
    write_words(Notice)
    enrol_all(make_contacts(12), Notice, anchor=AFTERNOON - HOUR)
    late = timedelta(0)

    class Slowly:
        def __init__(self, now: datetime) -> None:
            self.now = now

        def __call__(self) -> datetime:
            return self.now + late

    def answer(outbound: Any) -> Receipt:
        nonlocal late
        late += timedelta(seconds=20)
        return Receipt(provider="post")

    monkeypatch.setattr(dispatch, "Clock", Slowly)
    email.answer = answer
    tick(AFTERNOON)
    assert len(email.calls) == 6  # two minutes
    rest = Message.objects.filter(state=State.PLANNED)
    assert {(message.returns, message.calls) for message in rest} == {(0, 0)}
    late = timedelta(0)
    tick(AFTERNOON + timedelta(minutes=3))
    assert len(set(email.reached)) == 12
    assert not Attempt.objects.exclude(message__state=State.SENT).exists()


@pytest.mark.rule(53, 84)
def test_a_budget_that_cannot_be_asked_leaves_no_text_in_doubt(
    sms: Wires, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = 100
    write_words(Text)
    enrol_all(make_contacts(2), Text, anchor=AFTERNOON - HOUR)
    with monkeypatch.context() as broken:
        broken.setattr(sms_budget, "_locked", lambda now: 1 / 0)
        assert tick(AFTERNOON).judged == 2
    waiting = Message.objects.filter(state=State.PLANNED, reason=Reason.NOT_PREPARED)
    assert (sms.calls, waiting.count()) == ([], 2)
    tick(AFTERNOON + timedelta(minutes=3))
    assert len(set(sms.reached)) == len(sms.calls) == 2
    assert SmsBudget.objects.get(key="day").used == 2


@pytest.mark.rule(53, 84)
def test_what_fails_after_the_budget_was_asked_gives_it_back(
    sms: Wires, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = 100
    sms.per_second = 100
    write_words(Text)
    enrol_all(make_contacts(2), Text, anchor=AFTERNOON - HOUR)
    monkeypatch.setattr(Turns, "begin", lambda *args, **kwargs: 1 / 0)
    tick(AFTERNOON)
    assert sms.calls == []
    assert set(Message.objects.values_list("state", "reason")) == {(State.PLANNED, Reason.NOT_PREPARED)}
    assert SmsBudget.objects.get(key="day").used == 0


def test_a_message_whose_links_cannot_be_made_is_not_in_doubt(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_words(Letter)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    monkeypatch.setattr(links, "reply_address", lambda message_id: 1 / 0)
    tick(AFTERNOON)
    assert (email.calls, Message.objects.get().reason) == ([], Reason.NOT_PREPARED)


@pytest.mark.rule(79)
def test_what_can_never_be_prepared_is_given_up(email: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    write_words(Letter)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    monkeypatch.setattr(links, "reply_address", lambda message_id: 1 / 0)
    now, pauses = AFTERNOON, []
    for _ in range(20):
        tick(now)
        message = Message.objects.get()
        if message.state != State.PLANNED:
            break
        assert message.reason == Reason.NOT_PREPARED
        pauses.append(message.due_at - now)
        now = message.due_at
    assert (message.state, message.reason, email.calls) == (State.FAILED, Reason.GAVE_UP, [])
    assert Attempt.objects.count() == 6
    assert pauses[-1] > 4 * pauses[0]


@pytest.mark.rule(41)
def test_only_what_a_person_can_stop_offers_a_way_out(email: Letters) -> None:
    write_words(Letter, Notice, text="way out: {{ unsubscribe_url }}")
    (reader,) = make_contacts(1)
    enrol_all([reader], Letter, anchor=AFTERNOON - HOUR)
    enrol_all([reader], Notice, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    words = {outbound.purpose.value: outbound.content.text for outbound in email.calls}
    assert "/cc/u/" not in words["transactional"]
    assert "/cc/u/" in words["marketing"]
