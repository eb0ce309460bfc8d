"""What the engine costs: the same number of statements for five messages and for a full batch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.outbound import ChannelError, NotSent, Receipt, Refused, UnknownOutcome
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Message
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import agenda, contacts, judging, limits, questions
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.handover import HandOver, hand_over
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.reaping import reap
from oscar_crosschannel.services.recording import Result, record
from tests.factories import NOON, enrol_all, make_contacts, owe, owe_thousands
from tests.services.stage import Coupon, Letter, Pair, make_offer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

AFTERNOON = NOON + timedelta(hours=4)
HOUR = timedelta(hours=1)
OK = Receipt(provider="post")

OUTCOMES: tuple[Receipt | ChannelError | Reason | None, ...] = (
    OK,
    OK,
    NotSent("busy"),
    UnknownOutcome("time-out"),
    Refused("no such mailbox"),  # hits a code, at either size
)


def statements(act: Callable[[], Any]) -> tuple[Any, list[str]]:
    """What `act` returns, and the statements it made, a block of equal ones as one."""
    with CaptureQueriesContext(connection) as queries:
        found = act()
    return found, [query["sql"][:110] for query in queries]


def equal(few: list[str], many: list[str]) -> bool:
    """Print both lists when their lengths differ."""
    lines = "\n".join(
        f"{a:<112}{b}" for a, b in zip([*few, *[""] * len(many)], [*many, *[""] * len(few)], strict=False)
    )
    assert len(few) == len(many), f"{len(few)} statements for few, {len(many)} for many:\n{lines}"
    return True


def due(count: int) -> None:
    """`count` due first messages of `Pair`: most may go, a fifth must wait, a fifth is dropped."""
    fifth = count // 5
    willing, capped = make_contacts(count - 2 * fifth), make_contacts(fifth)
    unwilling = make_contacts(fifth, topics=())
    enrol_all([*willing, *capped, *unwilling], Pair, anchor=AFTERNOON - HOUR)
    earlier = [owe(person, Letter, "earlier", due=AFTERNOON - HOUR) for person in capped]
    for message in earlier:
        message.state, message.channel, message.attempted_at = State.SENT, "email", AFTERNOON - HOUR
    Message.objects.bulk_create(earlier)


def judged(count: int) -> list[str]:
    due(count)
    batch, made = statements(
        lambda: judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})
    )
    fifth = count // 5
    assert (batch.judged, len(batch.claims)) == (count, count - 2 * fifth)
    assert Message.objects.filter(state=State.PLANNED, reason=Reason.CAPPED).count() == fifth
    assert Message.objects.filter(state=State.DROPPED).count() == fifth
    Message.objects.all().delete()
    return made


def handed_over(count: int) -> tuple[HandOver, judging.Batch, list[str]]:
    """A chunk of `count`: first messages of `Pair`, and every fifth with a code."""
    people = make_contacts(count)
    enrol_all(people[count // 5 :], Pair, anchor=AFTERNOON - HOUR)
    enrol_all(people[: count // 5], Coupon, anchor=AFTERNOON - HOUR)
    batch = judging.judge(Lane.FLOW, load_plans(), limits.load(), now=AFTERNOON, closed={})
    assert len(batch.claims) == count
    outcome, made = statements(lambda: hand_over(batch.claims, batch.token, now=AFTERNOON))
    assert len(outcome.handed) == count
    return outcome, batch, made


def test_a_tick_with_nothing_to_do_costs_six_statements() -> None:
    """What is there to do, the searches for idle baskets, customers who stay away and new stock, their mark, and
    whose turn comes next.
    """
    tick(AFTERNOON)
    enrol_all(make_contacts(3), Pair, anchor=AFTERNOON)  # due in an hour
    report, made = statements(lambda: tick(AFTERNOON + timedelta(seconds=30)))
    assert (report.failed, report.judged, report.folded) == ([], 0, 0)
    assert len(made) == 6, "\n".join(made)


def test_judging_costs_the_same_for_five_and_for_two_hundred() -> None:
    few = judged(5)
    assert equal(few, judged(200))
    assert len(few) <= 20  # three of them load the plans, four the limits


def test_handing_over_costs_the_same_for_five_and_for_twenty_five() -> None:
    make_offer()
    handed_over(5)  # creates the row of the day's budget
    few = handed_over(5)[2]
    assert equal(few, handed_over(25)[2])


def test_recording_costs_the_same_for_five_and_for_twenty_five() -> None:
    make_offer()

    def recorded(count: int) -> list[str]:
        outcome, batch, _ = handed_over(count)
        results = [
            Result(item.claim, item.attempt, OUTCOMES[number % len(OUTCOMES)])
            for number, item in enumerate(outcome.handed)
        ]
        _, made = statements(lambda: record(results, batch.token, now=AFTERNOON))
        assert Message.objects.filter(state=State.SENT).count() == 2 * count // 5
        Message.objects.all().delete()
        return made

    assert equal(recorded(5), recorded(25))


def test_reaping_costs_the_same_for_five_and_for_a_hundred() -> None:
    plans = load_plans()

    def reaped(count: int) -> list[str]:
        enrol_all(make_contacts(count), Pair, anchor=AFTERNOON - HOUR)
        batch = judging.judge(Lane.FLOW, plans, limits.load(), now=AFTERNOON, closed={})
        hand_over(batch.claims[: count // 2], batch.token, now=AFTERNOON)
        _, made = statements(lambda: reap(plans, now=AFTERNOON + HOUR))
        assert Message.objects.filter(state=State.UNKNOWN).count() == count // 2
        Message.objects.all().delete()
        return made

    assert equal(reaped(5), reaped(100))


@pytest.mark.postgresql
def test_an_index_finds_what_is_due_what_was_sent_and_what_is_leased() -> None:
    people = make_contacts(4000, topics=(), channels=["email"])
    owe_thousands(people, Letter, 60_000, due=AFTERNOON, lane=Lane.CAMPAIGN)
    resolved = Message.objects.filter(due_at__gt=AFTERNOON + timedelta(seconds=500))
    resolved.update(state=State.SENT, attempted_at=AFTERNOON, address_digest=F("intent"))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE oscar_crosschannel_message")
    plans = load_plans()
    with CaptureQueriesContext(connection) as queries:
        judging.judge(Lane.CAMPAIGN, plans, limits.load(), now=AFTERNOON + timedelta(seconds=100), closed={})
        reap(plans, now=AFTERNOON + HOUR)
        agenda.read(AFTERNOON)
        agenda.next_turn(AFTERNOON, AFTERNOON + timedelta(seconds=30))
    asked = [query["sql"] for query in queries]
    of_messages = [explained(sql) for sql in asked if sql.startswith('SELECT "oscar_crosschannel_message"')]
    due, sent, claimed, sending = of_messages
    todo, turn = (explained(sql) for sql in asked[-2:])
    of_messages += [todo, turn]
    print(*of_messages, sep="\n\n")
    assert "cc_message_due" in due
    assert "cc_message_attempted" in sent
    assert "cc_message_address" in sent
    assert "cc_message_leased" in claimed
    assert "cc_message_leased" in sending
    assert "cc_message_due" in todo
    assert "cc_message_leased" in todo
    assert "cc_message_due" in turn
    assert "Seq Scan on oscar_crosschannel_message" not in "".join(of_messages)


@pytest.mark.sqlite
def test_whose_a_number_is_and_which_was_asked_last_is_found_by_indexes() -> None:
    """A text that comes in must not read every address of the shop, nor a batch every question."""
    with CaptureQueriesContext(connection) as queries:
        questions.asked_lately("+12065550123", now=NOON)
        list(contacts.of_nothing_but("sms", "+12065550123"))
        questions.numbers_asked([1, 2], now=NOON)
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plan = "\n".join(row[-1] for row in cursor.fetchall())
            assert "SEARCH" in plan
            assert "SCAN" not in plan, f"{query['sql']}\n{plan}"


def explained(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(row[0] for row in cursor.fetchall())
