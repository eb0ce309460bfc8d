"""Forced races between workers and between workers and stops, on real sessions of PostgreSQL.

What is promised: caps hold however many judge at once, nothing is handed over after a stop's commit,
no run gets a message after it was stopped, and nobody ends in a deadlock (which would raise here).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.outbound import Receipt
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import (
    Attempt,
    Contact,
    ContactPoint,
    Enrolment,
    Message,
    VoucherBudget,
    VoucherGrant,
)
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import (
    contacts,
    enrolments,
    flow_versions,
    judging,
    limits,
    own_flows,
    recall,
    setup,
    topic_editing,
    tuning,
)
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.handover import hand_over
from oscar_crosschannel.services.judging import Claim
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.reaping import reap
from oscar_crosschannel.services.recording import Result, record
from tests.factories import NOON, enrol_all, grant_all, make_contacts, owe_each
from tests.services.racing import ROUNDS, race
from tests.services.shoppers import tick as tick_box
from tests.services.stage import (
    Coupon,
    Either,
    Letters,
    Notice,
    Pair,
    Question,
    Text,
    make_offer,
    write_words,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("stage"), pytest.mark.slow]
postgresql = pytest.mark.postgresql

AFTERNOON = NOON + timedelta(hours=4)
LATER = AFTERNOON + timedelta(minutes=6)  # the lease is over
HOUR = timedelta(hours=1)
OK = Receipt(provider="post")


class Engine:
    """T1 with plans that are loaded once, as a tick does."""

    def __init__(self) -> None:
        self.plans = load_plans()
        self.pair = next(item.flow_id for item in self.plans if item.plan.key == Pair.key)

    def judge(self, lane: int = Lane.FLOW) -> judging.Batch:
        return judging.judge(lane, self.plans, limits.load(), now=AFTERNOON, closed={})

    def claimed_run(self, people: Sequence[Contact]) -> judging.Batch:
        """The first message of `Pair` of each of these people, claimed."""
        enrol_all(people, Pair, anchor=AFTERNOON - HOUR)
        batch = self.judge()
        assert len(batch.claims) == len(people)
        return batch

    def claimed_many(self, person: Contact, count: int) -> judging.Batch:
        """Many claimed messages of one person, in no order."""
        owed = owe_each([person], Notice, [str(n) for n in range(count)], due=AFTERNOON, lane=Lane.URGENT)
        Message.objects.bulk_create(owed)
        batch = self.judge(Lane.URGENT)
        assert len(batch.claims) == count
        claims = list(batch.claims)
        random.Random(person.pk).shuffle(claims)
        return judging.Batch(batch.token, batch.judged, tuple(claims))


@pytest.fixture
def engine() -> Engine:
    return Engine()


def timed_hand_over(claims: Sequence[Claim], token: UUID) -> Callable[[], tuple[float, set[int]]]:
    """Gives when it began, and the ids it handed over."""

    def act() -> tuple[float, set[int]]:
        began = time.monotonic()
        return began, {item.claim.message.pk for item in hand_over(claims, token, now=AFTERNOON).handed}

    return act


def timed_stop(stop: Callable[[], Any]) -> Callable[[], float]:
    """Gives when it was committed."""

    def act() -> float:
        with transaction.atomic():
            stop()
        return time.monotonic()

    return act


def stop_runs(person: Contact, flow_id: int) -> Callable[[], Any]:
    def act() -> None:
        contacts.lock([person.pk])
        enrolments.stop([person.pk], [flow_id], reason=Reason.PURCHASED, now=AFTERNOON)

    return act


def recall_all(*people: Contact) -> Callable[[], Any]:
    def act() -> None:
        contacts.lock([person.pk for person in people])
        recall.recall_contacts([person.pk for person in people], reason=Reason.OPTED_OUT, now=AFTERNOON)

    return act


# Caps


@postgresql
@pytest.mark.rule(37)
@pytest.mark.parametrize("of_what", [{"channels": ["email"]}, {"topics": [Either.topic]}])
def test_caps_hold_when_four_workers_judge_at_once(
    engine: Engine, settings: Any, of_what: dict[str, list[str]]
) -> None:
    """Each message looks as if it would go by text, so none of them reserves the one email of the day."""
    settings.CROSSCHANNEL_JUDGE_BATCH = 40
    settings.CROSSCHANNEL_CAPS = [{"name": "one a day", "most": 1, "window": timedelta(days=1), **of_what}]
    for _ in range(2):
        people = make_contacts(60, topics=())
        grant_all(ContactPoint.objects.filter(contact__in=people, channel="email"), [Either.topic])
        owed = owe_each(people, Either, [str(n) for n in range(10)], due=AFTERNOON)
        random.Random(7).shuffle(owed)
        Message.objects.bulk_create(owed)

        def work() -> None:
            while engine.judge().judged:
                pass

        with race(4) as contest:
            contest.together(work, work, work, work, jitter=0.005)
        work()  # an empty batch may only mean that others held its contacts
        taken = Counter(Message.objects.filter(state=State.CLAIMED).values_list("contact_id", flat=True))
        assert set(taken.values()) == {1}
        assert len(taken) == 60
        Message.objects.all().delete()


@postgresql
@pytest.mark.rule(37)
@pytest.mark.parametrize(("in_new_york", "most"), [({}, 3), ({"most": 2, "most_within": 24}, 2)])
def test_the_legal_cap_of_a_number_holds_when_workers_judge_those_who_share_it_at_once(
    engine: Engine, settings: Any, in_new_york: dict[str, int], most: int
) -> None:
    """Six people, one number: no worker sees all of them, and no lock of one is a lock of another."""
    settings.CROSSCHANNEL_JUDGE_BATCH = 2
    settings.CROSSCHANNEL_TEXTING_RULES = {"US-NY": in_new_york}
    by_law = {"name": "by law", "most": 3, "window": timedelta(days=1), "channels": ["sms"], "legal": True}
    settings.CROSSCHANNEL_CAPS = [by_law]
    with race(3) as contest:
        for _ in range(ROUNDS // 7):
            people = make_contacts(6, channels=["sms"])
            shared = people[0].points.get()
            ContactPoint.objects.filter(contact__in=people).update(
                address=shared.address, digest=shared.digest
            )
            Message.objects.bulk_create(owe_each(people, Text, ["news"], due=AFTERNOON))
            contest.together(engine.judge, engine.judge, engine.judge, jitter=0.002)
            while engine.judge().judged:
                pass  # what was left because another held its number
            assert Message.objects.filter(state=State.CLAIMED).count() == most
            Message.objects.all().delete()


@postgresql
def test_people_who_share_no_number_are_judged_side_by_side(engine: Engine) -> None:
    one, other = make_contacts(2)
    Message.objects.bulk_create(owe_each([one, other], Text, ["news"], due=AFTERNOON))
    with transaction.atomic():
        contacts.lock([one.pk])
        with race(1) as contest:
            (batch,) = contest.together(engine.judge)
    assert [claim.message.contact_id for claim in batch.claims] == [other.pk]


@postgresql
@pytest.mark.rule(37)
def test_a_question_waits_while_another_worker_judges_for_whoever_has_the_number(engine: Engine) -> None:
    """It goes to a number that is not in use: without its owner's lock neither would count the other's text."""
    owner, other = make_contacts(2)
    number = owner.points.get(channel="sms").address
    tick_box(other, "sms", number, signed_in=True, at=AFTERNOON)
    assert not other.points.get(address=number).current
    Message.objects.bulk_create(owe_each([other], Question, ["question"], due=AFTERNOON))
    with transaction.atomic():
        contacts.lock([owner.pk])
        with race(1) as contest:
            (batch,) = contest.together(engine.judge)
    assert batch.judged == 0
    assert [claim.address for claim in engine.judge().claims] == [number]


# Stops against the hand-over


@postgresql
@pytest.mark.rule(19)
def test_nothing_is_handed_over_after_the_commit_of_a_stop(engine: Engine) -> None:
    outcomes = Counter[bool]()
    with race(2) as contest:
        for person in make_contacts(ROUNDS):
            batch = engine.claimed_run([person])
            (began, handed), committed = contest.together(
                timed_hand_over(batch.claims, batch.token), timed_stop(stop_runs(person, engine.pair))
            )
            assert hand_over(batch.claims, batch.token, now=AFTERNOON).handed == []  # after the commit
            state = Message.objects.get(contact=person).state
            assert state == (State.SENDING if handed else State.CANCELLED)
            assert not (handed and began > committed)
            outcomes[bool(handed)] += 1
            contest.even_out(last_won=not handed)
    assert set(outcomes) == {True, False}


@postgresql
@pytest.mark.rule(19)
def test_a_stop_of_twenty_claimed_messages_and_their_hand_over_never_wait_for_each_other_in_a_circle(
    engine: Engine,
) -> None:
    halves = 0
    with race(2) as contest:
        for person in make_contacts(ROUNDS):
            batch = engine.claimed_many(person, 20)
            (began, handed), committed = contest.together(
                timed_hand_over(batch.claims, batch.token), timed_stop(recall_all(person)), jitter=0.004
            )
            mine = Message.objects.filter(contact=person)
            assert set(mine.filter(state=State.SENDING).values_list("id", flat=True)) == handed
            # the hand-over passes by what the stop holds; the stop takes back all that is left
            assert mine.filter(state=State.CANCELLED).count() == 20 - len(handed)
            assert not (handed and began > committed)
            halves += bool(handed)
            contest.even_out(last_won=not handed)
    assert halves


@postgresql
@pytest.mark.rule(19)
def test_an_orders_recall_takes_no_contact_lock_and_still_nothing_is_handed_over_afterwards(
    engine: Engine,
) -> None:
    outcomes = Counter[bool]()
    with race(3) as contest:
        for person in make_contacts(ROUNDS):
            enrol_all([person], Pair, anchor=AFTERNOON - HOUR)
            email = person.points.get(channel="email").address

            def order(email: str = email) -> Any:
                return recall.recall_purchased(user_id=None, email=email, phone="", now=AFTERNOON)

            def work() -> set[int]:
                batch = engine.judge()
                return timed_hand_over(batch.claims, batch.token)()[1]

            one, two, _ = contest.together(work, work, timed_stop(order), jitter=0.015)
            batch = engine.judge()  # after the commit
            assert hand_over(batch.claims, batch.token, now=AFTERNOON).handed == []
            message = Message.objects.get(contact=person, step_key="first")
            assert len(one) + len(two) <= 1
            assert message.state == (State.SENDING if one or two else State.CANCELLED)
            outcomes[bool(one or two)] += 1
            contest.even_out(last_won=not one and not two)
            Message.objects.all().delete()
    assert set(outcomes) == {True, False}


# Stops against the next step


@postgresql
def test_a_stopped_run_never_gets_a_next_message(engine: Engine) -> None:
    first_recorded = 0
    with race(2) as contest:
        for person in make_contacts(ROUNDS):
            batch = engine.claimed_run([person])
            (item,) = hand_over(batch.claims, batch.token, now=AFTERNOON).handed
            result = Result(item.claim, item.attempt, OK)
            contest.together(
                lambda batch=batch, result=result: record([result], batch.token, now=AFTERNOON),
                timed_stop(stop_runs(person, engine.pair)),
                jitter=0.01,
            )
            assert Enrolment.objects.get(contact=person).state == Enrolment.State.ENDED
            left = Message.objects.filter(contact=person, step_key="second")
            assert not left.filter(state=State.PLANNED).exists()
            first_recorded += left.exists()
            contest.even_out(last_won=not left.exists())
    assert 0 < first_recorded < ROUNDS


# Stops against stops, and against results


@postgresql
def test_recalls_that_find_the_same_messages_in_different_orders_both_end() -> None:
    """One session may only read the table, the other only the index by intent."""
    (person,) = make_contacts(1)
    intents = [str(n) for n in range(500)]
    Message.objects.bulk_create(owe_each([person], Notice, intents, due=AFTERNOON))
    messages = Message.objects.filter(contact=person, intent__in=intents)

    def cancel(*forbidden: str) -> Callable[[], float]:
        def act() -> None:
            with connection.cursor() as cursor:
                for path in forbidden:
                    cursor.execute(f"SET LOCAL enable_{path} = off")
            recall.cancel(messages, reason=Reason.OPTED_OUT, now=AFTERNOON)

        return timed_stop(act)

    with race(2) as contest:
        for _ in range(ROUNDS // 2):
            messages.update(state=State.PLANNED)
            contest.together(cancel("indexscan", "bitmapscan"), cancel("seqscan", "bitmapscan"), jitter=0.001)
            assert set(messages.values_list("state", flat=True)) == {State.CANCELLED}


@postgresql
def test_a_stop_and_the_record_of_what_was_refused_never_wait_for_each_other_in_a_circle(
    engine: Engine,
) -> None:
    """What the hand-over refused is still claimed: both the stop and the record write it."""
    with race(2) as contest:
        for person in make_contacts(ROUNDS):
            batch = engine.claimed_many(person, 20)
            results = [Result(claim, None, Reason.CONTEXT_ERROR) for claim in batch.claims]
            contest.together(
                lambda batch=batch, results=results: record(results, batch.token, now=AFTERNOON),
                timed_stop(recall_all(person)),
                jitter=0.004,
            )
            states = set(Message.objects.filter(contact=person).values_list("state", flat=True))
            assert states <= {State.DROPPED, State.CANCELLED}


@postgresql
@pytest.mark.rule(53)
def test_a_frozen_worker_that_reports_while_it_is_reaped_is_heard(engine: Engine) -> None:
    with race(2) as contest:
        for _ in range(ROUNDS // 2):
            batch = engine.claimed_run(make_contacts(8))
            handed = hand_over(batch.claims, batch.token, now=AFTERNOON).handed
            results = [Result(item.claim, item.attempt, OK) for item in reversed(handed)]
            contest.together(
                lambda batch=batch, results=results: record(results, batch.token, now=LATER),
                lambda: reap(engine.plans, now=LATER),
                jitter=0.006,
            )
            reap(engine.plans, now=LATER)
            assert set(Message.objects.filter(step_key="first").values_list("state", flat=True)) == {
                State.SENT
            }
            assert Message.objects.filter(step_key="second", state=State.PLANNED).count() == 8
            Message.objects.all().delete()
            Enrolment.objects.all().delete()


# Codes


@postgresql
def test_the_days_budget_of_codes_holds_when_four_workers_hand_over_at_once(
    engine: Engine, settings: Any
) -> None:
    settings.CROSSCHANNEL_VOUCHER_DAILY_BUDGET = 50
    make_offer()
    with race(4) as contest:
        for _ in range(5):
            enrol_all(make_contacts(80), Coupon, anchor=AFTERNOON - HOUR)
            batch = engine.judge()
            chunks = [batch.claims[start::4] for start in range(4)]
            contest.together(*[timed_hand_over(chunk, batch.token) for chunk in chunks], jitter=0.005)
            assert VoucherGrant.objects.count() == VoucherBudget.objects.get().issued == 50
            Message.objects.all().delete()
            VoucherBudget.objects.all().delete()


# Everybody at once


@pytest.mark.rule(51)
@pytest.mark.rule(52)
@pytest.mark.rule(76)
def test_eight_workers_on_one_queue_send_each_message_once(email: Letters, settings: Any) -> None:
    settings.CROSSCHANNEL_JUDGE_BATCH = 30
    write_words(Pair, Notice)
    people = make_contacts(160)
    enrol_all(people[:80], Pair, anchor=AFTERNOON - HOUR)
    enrol_all(people[80:], Notice, anchor=AFTERNOON - HOUR)
    with race(8) as contest:
        reports = contest.together(*[lambda: tick(AFTERNOON)] * 8, jitter=0.01)
    tick(AFTERNOON)  # what each left because another held it
    assert [report.failed for report in reports] == [[]] * 8
    assert len(email.calls) == len(set(email.reached)) == 160
    first = Message.objects.exclude(step_key="second")
    assert set(first.values_list("state", flat=True)) == {State.SENT}
    assert Attempt.objects.count() == 160
    assert Message.objects.filter(step_key="second", state=State.PLANNED).count() == 80


# Staff against staff


@postgresql
@pytest.mark.rule(39)
def test_while_a_topic_changes_no_flow_does_and_none_is_made_about_it(engine: Engine) -> None:
    """Each is checked against what the other says."""
    setup.install()
    outline = flow_versions.Outline(title="Tea", topic="weekly_deals")

    @transaction.atomic
    def impatiently(act: Callable[[], Any]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
        act()

    def waits(act: Callable[[], Any]) -> Callable[[], None]:
        def attempt() -> None:
            with pytest.raises(OperationalError, match="lock timeout"):
                impatiently(act)

        return attempt

    with race(2) as contest, transaction.atomic():
        topic_editing.lock("weekly_deals")
        contest.together(
            waits(lambda: tuning.lock(engine.pair)),
            waits(lambda: own_flows.create(outline, "user.registered", author=None, now=NOON)),
        )
