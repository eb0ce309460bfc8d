"""A flow changes, and what is planned follows: in small bites, by the flow as it is by then, and none is forgotten."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.plan import StepTuning, Tuning
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Flow, InboxEvent, Message, Topic
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import (
    following,
    inbox,
    intake,
    judging,
    limits,
    recall,
    stretches,
    topic_editing,
)
from oscar_crosschannel.services.handover import JUDGED_ANEW
from oscar_crosschannel.services.plans import Plans, load_plans
from oscar_crosschannel.services.tuning import Retuned, lock, retune
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.racing import race
from tests.services.stage import Letter, Pair
from tests.services.test_statements import equal, statements

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _small_bites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "LENGTH", 10)


def begin(count: int) -> None:
    enrol_all(make_contacts(count), Pair, anchor=NOON)


def delay(hours: int) -> Retuned:
    """From now on, the first step of `Pair` comes so many hours after the start."""
    load_plans()
    with transaction.atomic():
        flow = lock(Flow.objects.get(key=Pair.key).pk)
        wanted = Tuning(steps={"first": StepTuning(delay=hours * HOUR)})
        return retune(flow, Pair.plan(), wanted, now=NOON)


def due() -> list[datetime]:
    return list(Message.objects.order_by("due_at").values_list("due_at", flat=True))


def take_one(plans: Plans) -> bool:
    """One stretch as the fold of a tick takes it that read these plans when it began."""
    row = InboxEvent.objects.filter(name=following.FOLLOW_DUE, processed_at=None).order_by("pk").first()
    if row is None:
        return False
    following.fold_stretch(inbox.as_event(row), plans, now=NOON)
    InboxEvent.objects.filter(pk=row.pk).update(processed_at=NOON)
    return True


def work_off() -> int:
    """All stretches that wait; how many there were."""
    before = InboxEvent.objects.filter(processed_at__isnull=False).count()
    while intake._fold_next(load_plans(), NOON):
        pass
    assert not InboxEvent.objects.exclude(error="").exists()
    return InboxEvent.objects.filter(processed_at__isnull=False).count() - before


# It works.


@pytest.mark.parametrize("hours", [3, 0], ids=["later", "earlier"])
def test_the_first_stretch_follows_with_the_change_and_the_others_by_the_ticks(hours: int) -> None:
    begin(35)
    assert delay(hours).replanned == 35
    assert due().count(NOON + hours * HOUR) == 10
    assert work_off() >= 3
    assert due() == [NOON + hours * HOUR] * 35


def test_what_a_worker_has_claimed_follows_with_the_change() -> None:
    begin(25)
    Message.objects.update(state=State.CLAIMED, channel="email", attempted_at=NOON)
    delay(3)
    assert due() == [NOON + 3 * HOUR] * 25
    assert set(Message.objects.values_list("state", "attempted_at")) == {(State.PLANNED, None)}


def test_another_purpose_is_followed_by_all_that_is_planned() -> None:
    begin(25)
    enrol_all(make_contacts(8), Letter, anchor=NOON)  # about the same topic
    Message.objects.update(reason=Reason.CAPPED, due_at=NOON + 20 * HOUR)
    topic = Topic.objects.get(key=Pair.topic)
    topic.purpose = "transactional"
    topic_editing.keep(topic, {}, now=NOON)
    urgent = Message.objects.filter(
        purpose="transactional", lane=Lane.URGENT, due_at=NOON + JUDGED_ANEW, reason=""
    )
    assert urgent.count() == 18
    work_off()
    assert urgent.count() == 33


def test_what_a_worker_has_claimed_while_a_stretch_waited_follows_with_it() -> None:
    begin(35)
    delay(3)
    still = Message.objects.filter(due_at=NOON + HOUR).order_by("pk").values("pk")[:5]
    Message.objects.filter(pk__in=list(still.values_list("pk", flat=True))).update(state=State.CLAIMED)
    work_off()
    assert due() == [NOON + 3 * HOUR] * 35


def test_a_change_costs_the_same_for_sixty_and_for_three_hundred() -> None:
    begin(60)
    delay(2)
    work_off()
    _, few = statements(lambda: delay(3))
    work_off()
    begin(240)
    _, many = statements(lambda: delay(4))
    assert equal(few, many)


# It refuses.


def test_a_change_of_words_or_offers_moves_nobody() -> None:
    begin(15)
    before = due()
    following.follow(Flow.objects.get(key=Pair.key).pk, now=NOON)
    assert (due(), InboxEvent.objects.count()) == (before, 0)


@pytest.mark.rule(14)
def test_a_tick_that_began_before_a_topic_changed_judges_nothing_by_what_it_was() -> None:
    begin(9)
    enrol_all(make_contacts(9), Letter, anchor=NOON)
    now = NOON + 2 * HOUR
    before = load_plans()
    Message.objects.filter(flow__key=Letter.key).update(reason=Reason.CAPPED)
    some = Message.objects.filter(flow__key=Pair.key).order_by("pk").values_list("pk", flat=True)[:4]
    Message.objects.filter(pk__in=list(some)).update(state=State.CLAIMED, channel="email")
    topic = Topic.objects.get(key=Pair.topic)
    topic.minimum_age = 18
    topic_editing.keep(topic, {}, now=now)

    def judge(plans: Plans, at: datetime) -> judging.Batch:
        return judging.judge(Lane.FLOW, plans, limits.load(), now=at, closed={})

    assert judge(before, now).judged == 0
    batch = judge(load_plans(), now + JUDGED_ANEW)
    assert (batch.judged, batch.claims) == (18, ())


# It survives.


def test_stretches_come_to_an_end_while_the_clock_goes_on() -> None:
    begin(35)
    now = NOON + 2 * HOUR  # all are due, and are put behind all others
    Topic.objects.filter(key=Pair.topic).update(minimum_age=16)
    following.follow_topic([Flow.objects.get(key=Pair.key).pk], now=now)
    ticking = now

    def clock() -> datetime:
        nonlocal ticking
        ticking += timedelta(seconds=1)
        return ticking

    assert intake.fold(load_plans(), clock=clock, pause=nullcontext) < 10
    assert due() == [now + JUDGED_ANEW] * 35


def test_two_changes_that_have_come_to_the_same_place_go_on_both() -> None:
    begin(35)
    flow = Flow.objects.get(key=Pair.key).pk
    for steps in (["first"], ["first", "second"]):
        following.follow(flow, steps, now=NOON)
    following.follow_topic([flow], now=NOON)
    following.follow_topic([flow], now=NOON + HOUR)
    found = InboxEvent.objects.filter(name=following.FOLLOW_DUE)
    assert Counter(len(row.data["steps"]) for row in found) == {1: 1, 2: 1, 0: 2}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_topic_change_and_a_stop_of_somebody_in_its_flows_do_not_meet_in_a_deadlock() -> None:
    """The stop holds the first message and goes on to the last, which is of the flow that is followed first."""
    first, last = sorted(
        (Pair, Letter), key=lambda each: -next(p.flow_id for p in load_plans() if p.plan.key == each.key)
    )
    (person,) = make_contacts(1)
    for flow in (first, last):
        enrol_all([person], flow, anchor=NOON)
    earlier, later = Message.objects.order_by("pk")
    topic = Topic.objects.get(key=Pair.topic)
    topic.minimum_age = 18
    holds = threading.Event()

    def stop() -> None:
        with transaction.atomic():
            recall.cancel(Message.objects.filter(pk=earlier.pk), reason=Reason.PURCHASED, now=NOON)
            holds.set()
            _until_somebody_waits()
            recall.cancel(Message.objects.filter(pk=later.pk), reason=Reason.PURCHASED, now=NOON)

    def change() -> None:
        holds.wait(timeout=60)
        topic_editing.keep(topic, {}, now=NOON)

    with race(2) as contest:
        contest.together(stop, change, jitter=0)
    assert set(Message.objects.values_list("state", flat=True)) == {State.CANCELLED}


def _until_somebody_waits() -> None:
    for _ in range(6000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)


def test_a_stretch_goes_by_the_flow_as_it_is_by_then() -> None:
    begin(35)
    before = load_plans()
    delay(3)
    assert take_one(before)
    delay(5)
    while take_one(before):  # those of both changes
        pass
    assert due() == [NOON + 5 * HOUR] * 35


def test_a_stretch_taken_twice_does_no_harm() -> None:
    begin(35)
    delay(3)
    row = InboxEvent.objects.get(name=following.FOLLOW_DUE)
    for _ in range(2):
        following.fold_stretch(inbox.as_event(row), load_plans(), now=NOON)
    work_off()
    assert due() == [NOON + 3 * HOUR] * 35


def test_a_flow_that_is_gone_by_then_is_left_alone() -> None:
    begin(35)
    delay(3)
    before = due()
    Flow.objects.filter(key=Pair.key).update(key="of_last_year")
    work_off()
    assert due() == before
