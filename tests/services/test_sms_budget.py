"""The shop's budget for texts: strict, for marketing only, and by the shop's own clock."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from oscar_crosschannel import signals
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.outbound import NotSent, Receipt, Refused, SenderBroken, UnknownOutcome
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Copy, Flow, FlowStep, Message, SmsBudget
from oscar_crosschannel.services import sms_budget
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.sms_budget import Text as Sms
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.racing import race
from tests.services.stage import Either, Notice, Text, Wires, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.rule(84)]

#: Noon in New York.
AFTERNOON = NOON + timedelta(hours=4)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _engine(stage: None, settings: Any) -> None:
    settings.TIME_ZONE = "UTC"
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = 3


@pytest.fixture
def alerts() -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(sender: Any, code: str, detail: str, **kwargs: Any) -> None:
        heard.append(f"{code}: {detail}")

    signals.alert.connect(hear)
    yield heard
    signals.alert.disconnect(hear)


def due(flow: type, count: int, *, channel: str = "sms") -> list[Message]:
    """Messages of a flow to this number of people, due now and worth sending for days."""
    row = Flow.objects.get_or_create(key=flow.key)[0]
    if channel not in load_plans().get(row.pk).plan.steps[0].channels:
        FlowStep.objects.create(flow=row, key="only", channels=[channel])
    if not Copy.objects.filter(flow=row).exists():
        write_words(flow)
    runs = enrol_all(make_contacts(count), flow, anchor=AFTERNOON - HOUR)
    messages = Message.objects.filter(enrolment__in=runs)
    messages.update(expires_at=AFTERNOON + 3 * DAY)
    return list(messages.order_by("pk"))


def used(key: str = "day") -> int:
    return SmsBudget.objects.get(key=key).used


def reasons(state: int) -> list[str]:
    return list(Message.objects.filter(state=state).values_list("reason", flat=True))


# It works.


def test_marketing_stops_at_the_budget_and_goes_on_the_next_day(sms: Wires) -> None:
    due(Text, 5)
    tick(AFTERNOON)
    assert (len(sms.calls), used()) == (3, 3)
    assert reasons(State.PLANNED) == [Reason.OVER_BUDGET] * 2

    tick(AFTERNOON + timedelta(minutes=5))
    waiting = Message.objects.filter(state=State.PLANNED)
    assert len(sms.calls) == 3
    # from midnight on there is money again, and from nine in New York on people may be disturbed
    assert {message.due_at.date() for message in waiting} == {date(2026, 3, 11)}


def test_what_would_be_too_late_by_then_is_dropped_with_the_reason(sms: Wires) -> None:
    due(Text, 5)
    Message.objects.update(expires_at=AFTERNOON + 2 * HOUR)
    tick(AFTERNOON)
    tick(AFTERNOON + HOUR)
    assert len(sms.calls) == 3
    assert reasons(State.DROPPED) == [Reason.OVER_BUDGET] * 2


def test_texts_about_orders_count_and_are_never_stopped(sms: Wires) -> None:
    due(Notice, 4)
    tick(AFTERNOON)
    assert (len(sms.calls), used()) == (4, 4)
    due(Text, 1)
    tick(AFTERNOON + timedelta(minutes=1))
    assert len(sms.calls) == 4


def test_a_message_that_may_go_by_email_does(sms: Wires, email: Any) -> None:
    due(Text, 3)
    tick(AFTERNOON)
    due(Either, 1)
    tick(AFTERNOON + timedelta(minutes=1))
    assert (len(sms.calls), len(email.calls)) == (3, 1)


def test_long_texts_take_as_many_segments_as_they_have(sms: Wires) -> None:
    sms.costs = lambda content: 2
    due(Text, 3)
    tick(AFTERNOON)
    assert (len(sms.calls), used()) == (1, 2)


def test_the_month_is_a_limit_of_its_own(sms: Wires, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = None
    settings.CROSSCHANNEL_SMS_BUDGET_MONTHLY = 2
    due(Text, 3)
    tick(AFTERNOON)
    assert (len(sms.calls), used("month")) == (2, 2)
    (waiting,) = sms_budget.spent(list(SmsBudget.objects.all()), AFTERNOON).values()
    assert waiting == datetime(2026, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "began", "ends"),
    [
        ("UTC", datetime(2026, 3, 10, 23, 59, tzinfo=UTC), date(2026, 3, 10), datetime(2026, 3, 11, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2026, 3, 10, 18, 31, tzinfo=UTC), date(2026, 3, 11), datetime(2026, 3, 11, 18, 30, tzinfo=UTC)),
        # clocks go forward on 8 March: the day has 23 hours
        ("America/New_York", datetime(2026, 3, 8, 6, tzinfo=UTC), date(2026, 3, 8), datetime(2026, 3, 9, 4, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_day_is_the_shops_own(settings: Any, zone: str, now: datetime, began: date, ends: datetime) -> None:
    settings.TIME_ZONE = zone
    day, _month = sms_budget.standings(now)
    assert (day.began, day.ends) == (began, ends)


def test_a_new_day_begins_at_nothing(sms: Wires) -> None:
    sms_budget.take([Sms(3, Purpose.MARKETING, "US")], now=AFTERNOON)
    taken = sms_budget.take([Sms(1, Purpose.MARKETING, "FR")], now=AFTERNOON + DAY)
    assert taken.may_go == (True,)
    day, month = sms_budget.standings(AFTERNOON + DAY)
    assert (day.used, day.taken) == (1, {"FR": 1})
    assert (month.used, month.taken) == (4, {"US": 3, "FR": 1})


@pytest.mark.parametrize("failure", [NotSent("busy"), Refused("landline"), SenderBroken("no account")])
def test_what_certainly_was_not_sent_is_given_back(sms: Wires, failure: Exception) -> None:
    sms.fail(failure)
    due(Text, 2)
    tick(AFTERNOON)
    assert used() == 0


def test_what_may_have_been_sent_counts(sms: Wires) -> None:
    sms.fail(UnknownOutcome("no answer"))
    due(Text, 2)
    tick(AFTERNOON)
    assert used() == 2


def test_what_is_given_back_opens_a_closed_budget(sms: Wires) -> None:
    three = [Sms(1, Purpose.MARKETING, "US")] * 3
    taken = sms_budget.take([*three, Sms(1, Purpose.MARKETING, "US")], now=AFTERNOON)
    assert taken.may_go == (True, True, True, False)
    sms_budget.give_back(three[:2], taken, now=AFTERNOON)
    again = sms_budget.take(three, now=AFTERNOON)
    assert (again.may_go, used()) == ((True, True, False), 3)


def test_staff_are_told_at_eighty_and_at_a_hundred_percent_once_a_day(
    settings: Any, alerts: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = 10
    with caplog.at_level(logging.ERROR):
        for _ in range(13):
            sms_budget.take([Sms(1, Purpose.MARKETING, "US")], now=AFTERNOON)
    assert alerts == [
        "sms_budget_80: 8 of 10 segments of the day",
        "sms_budget_100: 10 of 10 segments of the day",
    ]
    assert len(caplog.messages) == 2
    for _ in range(9):
        sms_budget.take([Sms(1, Purpose.MARKETING, "US")], now=AFTERNOON + DAY)
    assert len(alerts) == 3


def test_the_merchants_number_counts_and_wakes_what_waits(sms: Wires) -> None:
    due(Text, 5)
    tick(AFTERNOON)
    tick(AFTERNOON + timedelta(minutes=3))
    soon = AFTERNOON + timedelta(minutes=10)
    sms_budget.lock("day")
    sms_budget.keep("day", 4, now=soon)
    tick(soon)
    assert len(sms.calls) == 4


# It refuses.


def test_without_a_budget_everything_goes_and_is_counted(sms: Wires, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = None
    due(Text, 5)
    tick(AFTERNOON)
    assert (len(sms.calls), used(), used("month")) == (5, 5, 5)


def test_a_budget_of_nothing_lets_no_marketing_out(sms: Wires, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = 0
    due(Text, 2)
    tick(AFTERNOON)
    assert sms.calls == []


# It survives.


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgresql
@pytest.mark.slow
def test_no_number_of_workers_goes_beyond_the_budget(settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = 40
    settings.CROSSCHANNEL_SMS_BUDGET_MONTHLY = 90
    chunk: Sequence[Sms] = [Sms(1 + n % 3, Purpose.MARKETING, "US") for n in range(5)]

    def work() -> int:
        gone = 0
        for _ in range(6):
            taken = sms_budget.take(chunk, now=AFTERNOON)
            unsent = [text for text, may in zip(chunk, taken.may_go, strict=True) if may][:1]
            sms_budget.give_back(unsent, taken, now=AFTERNOON)
            gone += sum(text.segments for text, may in zip(chunk, taken.may_go, strict=True) if may)
            gone -= sum(text.segments for text in unsent)
        return gone

    for _ in range(5):
        SmsBudget.objects.all().delete()
        with race(4) as contest:
            gone = sum(contest.together(work, work, work, work, jitter=0.005))
        assert (gone, gone) == (used("day"), used("month"))
        assert 35 < gone <= 40


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgresql
@pytest.mark.slow
def test_two_workers_with_real_texts_share_one_budget(sms: Wires, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = 20
    settings.CROSSCHANNEL_CHUNK = 5
    settings.CROSSCHANNEL_JUDGE_BATCH = 15
    sms.answer = lambda outbound: Receipt(provider="post")
    due(Text, 60)
    with race(2) as contest:
        contest.together(lambda: tick(AFTERNOON), lambda: tick(AFTERNOON), jitter=0.005)
    assert (len(sms.calls), used()) == (20, 20)
