"""Rule 80: however many workers send through one number, it is never asked for more than it may."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from typing import Any

import pytest

from oscar_crosschannel.channels.base import Pace
from oscar_crosschannel.core.events import Event
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.outbound import Content, Outbound, Receipt
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Contact, ContactPoint, Enrolment, Flow, Message, Sender
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import dispatch, inbox, pacing
from oscar_crosschannel.services.dispatch import tick
from tests.factories import NOON, make_contacts, owe
from tests.services.racing import race
from tests.services.stage import Letter, Letters, Text, Wires, write_words
from tests.services.virtual_time import VirtualTime

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stage"),
    pytest.mark.rule(80),
]

#: What two may do at once; on SQLite only one may.
two_workers = pytest.mark.postgresql

#: Noon in New York: texts may go.
AFTERNOON = NOON + timedelta(hours=4)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
TICK = timedelta(seconds=30)


class Road:
    """Workers who tick every 30 seconds, and a record of what they sent when."""

    def __init__(self, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workers, self.time = workers, VirtualTime(AFTERNOON, workers)
        self.sent: list[tuple[datetime, str, int]] = []
        monkeypatch.setattr(dispatch, "Clock", self.time.clock)

    def lead(self, channel: Wires, call: float = 0) -> None:
        """Record what `channel` sends; a call takes so many seconds."""

        def answer(outbound: Outbound) -> Receipt:
            units = channel.costs(outbound.content)
            self.sent.append((self.time.now, outbound.recipient.address, units))
            self.time.wait_until(self.time.now + call * SECOND)
            return Receipt(provider="road")

        channel.answer = answer

    def travel(self, ticks: int) -> None:
        """So many ticks of every worker."""

        def work() -> None:
            try:
                for number in range(1, ticks + 1):
                    assert tick(self.time.now).failed == []
                    self.time.wait_until(AFTERNOON + number * TICK)
            finally:
                self.time.leave()

        with race(self.workers) as contest:
            contest.together(*[work] * self.workers)

    @property
    def took(self) -> float:
        """Seconds until the last call."""
        return (max(at for at, _, _ in self.sent) - AFTERNOON).total_seconds()

    @property
    def reached(self) -> list[str]:
        return [address for _, address, _ in self.sent]


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch, vendor: str) -> Road:
    """Two workers on one road, for tests marked `two_workers`."""
    assert vendor == "postgresql"
    return Road(2, monkeypatch)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Road:
    return Road(1, monkeypatch)


def texts(
    count: int, lane: int = Lane.FLOW, due: datetime = AFTERNOON - HOUR, channel: str = "sms"
) -> list[str]:
    """Messages for as many new people, named after their number, a second apart; gives their addresses."""
    blueprint = Text if channel == "sms" else Letter
    people = make_contacts(count)
    for number, person in enumerate(people):
        person.name = str(number)
    Contact.objects.bulk_update(people, ["name"])
    Message.objects.bulk_create(
        owe(person, blueprint, "news", due=due + number * SECOND, lane=lane)
        for number, person in enumerate(people)
    )
    points = ContactPoint.objects.filter(contact__in=people, channel=channel)
    return list(points.order_by("contact").values_list("address", flat=True))


def excess(sent: Sequence[tuple[datetime, str, int]], per_second: float) -> float:
    """By how many units the worst window holds more than it may; its last message counts for what follows."""
    worst = 0.0
    ordered = sorted(sent)
    for (start, first), (end, last) in combinations(enumerate(ordered), 2):
        units = sum(each[2] for each in ordered[start:end])
        worst = max(worst, units - per_second * (last[0] - first[0]).total_seconds())
    return worst


@pytest.fixture(autouse=True)
def _stage(settings: Any) -> None:
    settings.CROSSCHANNEL_TICK_SECONDS = 30
    write_words(Text, Letter, text="hello {{ name }}. STOP ends it.")


# It works.


@two_workers
def test_a_sender_is_never_asked_for_more_and_what_it_may_is_used(sms: Wires, shared: Road) -> None:
    sms.per_second = 2
    shared.lead(sms)
    texts(36)
    shared.travel(1)
    assert len(set(shared.reached)) == len(shared.sent) == 36
    assert excess(shared.sent, 2) < 0.001
    assert shared.took <= 36 / 2 + 1


def test_a_long_text_takes_as_many_turns_as_it_has_segments(sms: Wires, alone: Road) -> None:
    chance = random.Random(80)
    lengths = [chance.choice([1, 1, 2, 3]) for _ in range(40)]

    def costs(content: Content) -> int:
        found = re.match(r"hello (\d+)", content.text)
        assert found
        return lengths[int(found[1])]

    sms.per_second, sms.costs = 2, costs
    alone.lead(sms)
    texts(40)
    alone.travel(3)
    assert len(alone.sent) == 40
    assert excess(alone.sent, 2) < 0.001
    assert alone.took <= sum(lengths) / 2 + 2


@two_workers
def test_calls_that_take_longer_than_a_turn_waste_none_as_long_as_workers_are_left(
    sms: Wires, shared: Road
) -> None:
    sms.per_second = 1
    shared.lead(sms, call=0.9)
    texts(33)
    shared.travel(2)
    assert len(shared.sent) == 33
    assert excess(shared.sent, 1) < 0.001
    assert shared.took <= 34


def test_what_a_worker_does_before_its_first_call_takes_nothing_off_the_pause_after_it(
    sms: Wires, alone: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It renders between taking its turns and calling, now faster, now slower."""
    chance = random.Random(81)
    sms.per_second = 2
    alone.lead(sms)
    as_ever = sms.compose

    def slowly(*args: Any, **kwargs: Any) -> Content:
        alone.time.wait_until(alone.time.now + chance.choice([0, 0, 0.06, 0.2]) * SECOND)
        return as_ever(*args, **kwargs)

    monkeypatch.setattr(sms, "compose", slowly)
    texts(20)
    alone.travel(2)
    assert len(set(alone.reached)) == len(alone.sent) == 20
    assert excess(alone.sent, 2) < 0.001


def test_higher_lanes_have_their_turns_first(sms: Wires, alone: Road) -> None:
    sms.per_second = 1
    alone.lead(sms)
    newsletters = texts(20, Lane.CAMPAIGN, due=AFTERNOON - 10 * HOUR)
    nudges = texts(5, Lane.FLOW, due=AFTERNOON - 5 * HOUR)
    news_of_parcels = texts(5, Lane.URGENT)
    late = texts(1, Lane.URGENT, due=AFTERNOON + timedelta(seconds=14.5))
    alone.travel(1)
    order = alone.reached
    assert order[:10] == news_of_parcels + nudges
    assert order[10:15] == newsletters[:5]
    assert order[15:16] == late
    assert order[16:] == newsletters[5:19]


def test_a_slow_sender_holds_up_no_other_channel(email: Letters, sms: Wires, alone: Road) -> None:
    sms.per_second = 1
    for channel in (sms, email):
        alone.lead(channel)
    texts(100, Lane.URGENT)
    letters = texts(50, Lane.CAMPAIGN, channel="email")
    alone.travel(1)
    at_once = {address for at, address, _ in alone.sent if at == AFTERNOON}
    assert set(letters) <= at_once
    assert len(at_once) == 51


def test_what_is_put_off_says_why_and_takes_no_room_under_a_cap(sms: Wires, alone: Road) -> None:
    sms.per_second = 0.5
    texts(40)
    tick(AFTERNOON)
    waiting = Message.objects.filter(state=State.PLANNED)
    assert set(waiting.values_list("reason", "attempted_at", "calls")) == {(Reason.PACED, None, 0)}
    due = sorted(waiting.values_list("due_at", flat=True))
    assert {later - earlier for earlier, later in pairwise(due)} == {2 * SECOND}


# It refuses.


def test_a_tick_leaves_the_next_one_its_turn(sms: Wires, alone: Road) -> None:
    sms.per_second = 1
    texts(100)
    tick(AFTERNOON)
    assert len(sms.calls) == 30
    assert alone.time.now < AFTERNOON + TICK


def test_a_text_whose_turn_comes_too_late_is_dropped_when_its_time_is_over(sms: Wires, alone: Road) -> None:
    sms.per_second = 1
    texts(10)
    Message.objects.update(expires_at=AFTERNOON + timedelta(seconds=4.5))
    tick(AFTERNOON)
    assert len(sms.calls) == 5
    over = AFTERNOON + timedelta(seconds=4.5)
    dropped = Message.objects.filter(state=State.DROPPED).values_list("reason", "resolved_at")
    assert list(dropped) == [(Reason.EXPIRED, over)] * 5


def test_a_flow_that_is_switched_off_meanwhile_sends_no_more(sms: Wires, alone: Road) -> None:
    sms.per_second = 1

    def answer(outbound: Outbound) -> Receipt:
        if len(sms.calls) == 3:
            Flow.objects.filter(key="text").update(enabled=False)
        return Receipt(provider="road")

    sms.answer = answer
    texts(10)
    tick(AFTERNOON)
    assert len(sms.calls) == 3
    dropped = Message.objects.filter(state=State.DROPPED, reason=Reason.FLOW_OFF)
    assert dropped.count() == 7


def test_what_happens_meanwhile_is_folded_before_the_next_text_goes(sms: Wires, alone: Road) -> None:
    sms.per_second = 1
    (person,) = make_contacts(1)

    def answer(outbound: Outbound) -> Receipt:
        if len(sms.calls) == 2:
            at = alone.time.now
            email = person.points.get(channel="email").address
            inbox.publish(Event(name="letter.began", key="1", occurred_at=at, email=email), now=at)
        elif len(sms.calls) == 3:
            assert Enrolment.objects.filter(contact=person).count() == 1
        return Receipt(provider="road")

    sms.answer = answer
    texts(5)
    assert tick(AFTERNOON).folded == 1
    assert len(sms.calls) == 5


@two_workers
def test_of_four_who_want_the_same_turn_one_gets_it() -> None:
    pace = Pace(sender="number", per_second=1)
    now = AFTERNOON
    with race(4) as contest:
        for _ in range(50):
            answers = contest.together(
                *[lambda now=now: pacing.take(pace, 1, now=now)] * 4,
                jitter=0.002,
            )
            assert sorted(answer is None for answer in answers) == [False, False, False, True]
            now += SECOND


def test_a_channel_without_a_pace_asks_nobody_for_a_turn(sms: Wires, alone: Road) -> None:
    texts(30)
    tick(AFTERNOON)
    assert len(sms.calls) == 30
    assert not Sender.objects.exists()


# It survives.


def test_a_dead_workers_turns_are_lost_for_one_chunk_at_most(sms: Wires, alone: Road) -> None:
    """It died between taking the turns and handing over."""
    sms.per_second = 3
    alone.lead(sms)
    pacing.take(Pace(sender="sms", per_second=3), 3, now=AFTERNOON)
    texts(1)
    tick(AFTERNOON)
    assert [at for at, _, _ in alone.sent] == [AFTERNOON + SECOND]


def test_a_worker_that_was_frozen_until_others_had_its_turn_waits_for_another(
    sms: Wires, alone: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    sms.per_second = 1
    alone.lead(sms)
    as_ever = sms.compose

    def frozen(*args: Any, **kwargs: Any) -> Content:
        if alone.time.now == AFTERNOON:
            alone.time.wait_until(AFTERNOON + 5 * SECOND)
            assert pacing.take(Pace(sender="sms", per_second=1), 2, now=alone.time.now) is None
        return as_ever(*args, **kwargs)

    monkeypatch.setattr(sms, "compose", frozen)
    texts(2)
    tick(AFTERNOON)
    assert [at for at, _, _ in alone.sent] == [AFTERNOON + 7 * SECOND, AFTERNOON + 8 * SECOND]
    assert set(Message.objects.values_list("state", "calls")) == {(State.SENT, 1)}


def test_a_chunk_that_is_handed_over_one_by_one_keeps_the_pace(
    sms: Wires, alone: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    sms.per_second = 4
    alone.lead(sms)
    as_ever = dispatch.hand_over

    def only_alone(chunk: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        if len(chunk) > 1:
            raise ZeroDivisionError
        return as_ever(chunk, *args, **kwargs)

    monkeypatch.setattr(dispatch, "hand_over", only_alone)
    texts(9)
    tick(AFTERNOON)
    assert len(alone.sent) == 9
    assert excess(alone.sent, 4) < 0.001


def test_a_clock_that_is_set_back_stops_nobody(sms: Wires, alone: Road) -> None:
    sms.per_second = 1
    Sender.objects.create(key="sms", free_at=AFTERNOON + timedelta(days=9))
    texts(2)
    tick(AFTERNOON)
    assert len(sms.calls) == 2


def test_a_sender_that_takes_one_an_hour_is_waited_for(sms: Wires, alone: Road) -> None:
    sms.per_second = 1 / 3600
    for minutes, calls in ((0, 1), (30, 1), (60, 2)):
        texts(1)
        now = AFTERNOON + timedelta(minutes=minutes)
        alone.time.wait_until(now)
        tick(now)
        assert len(sms.calls) == calls


def test_two_who_share_a_number_but_no_memory_go_on_where_the_other_stopped(sms: Wires, alone: Road) -> None:
    """A worker that knows of no turn asks the row, and finds what others left there."""
    sms.per_second = 1
    alone.lead(sms)
    texts(2)
    one, other = pacing.Turns(), pacing.Turns()
    pace = Pace(sender="sms", per_second=1)
    assert one.take(pace, 1, now=AFTERNOON)
    assert not other.take(pace, 1, now=AFTERNOON)
    assert other.put_off(pace, Lane.FLOW) == AFTERNOON + SECOND
    assert other.put_off(pace, Lane.FLOW) == AFTERNOON + 2 * SECOND
    assert other.put_off(pace, Lane.URGENT) == AFTERNOON + SECOND
