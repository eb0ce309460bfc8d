"""Complaints and bounces: when marketing email pauses, and how it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel import signals
from oscar_crosschannel.core.events import Event
from oscar_crosschannel.core.lifecycle import State, Status
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Attempt, DeliveryEvent, Guard, Message
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import guards, handover, inbox, judging, limits
from oscar_crosschannel.services.dispatch import LONGEST_TICK, tick
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, make_contacts, owe
from tests.services.stage import Letter, Letters, Notice, write_words

pytestmark = pytest.mark.django_db

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def alerts() -> Iterator[list[str]]:
    """What operators were told."""
    heard: list[str] = []

    def hear(sender: object, code: str, detail: str, **kwargs: object) -> None:
        heard.append(code)

    signals.alert.connect(hear)
    yield heard
    signals.alert.disconnect(hear)


def sent(count: int, at: datetime = NOON - HOUR, **changes: Any) -> list[Attempt]:
    """So many emails that the provider took."""
    (person,) = make_contacts(1)
    message = owe(person, Letter, f"letter {uuid4()}", due=at)
    message.state, message.channel = State.SENT, "email"
    message.point, message.attempted_at = person.points.get(channel="email"), at
    message.address_digest = message.point.digest
    message.save()
    values = {
        "channel": "email", "address_digest": message.point.digest, "number": 1, "status": Status.SENT,
        "started_at": at, "status_at": at,
    }  # fmt: skip
    return Attempt.objects.bulk_create(
        Attempt(message=message, uuid=uuid4(), **values | changes) for _ in range(count)
    )


def bad(attempts: list[Attempt], count: int, measure: str = "complaints", at: datetime = NOON) -> None:
    """So many of them were reported, and the last report has the guards look."""
    report(attempts, count, measure, at)
    guards.review("email", now=at)


def report(attempts: list[Attempt], count: int, measure: str = "complaints", at: datetime = NOON) -> None:
    """So many of them were reported."""
    DeliveryEvent.objects.bulk_create(
        DeliveryEvent(
            attempt=attempt, provider="esp", key=uuid4().hex, kind="complained", counts_for=measure, at=at
        )
        for attempt in attempts[:count]
    )


def open_guard() -> Guard | None:
    return Guard.objects.filter(ended_at=None).first()


# it works


@pytest.mark.rule(50)
@pytest.mark.parametrize(
    ("measure", "count", "of", "level"),
    [
        ("complaints", 3, 3001, None),
        ("complaints", 3, 3000, "warned"),
        ("complaints", 3, 1001, "warned"),
        ("complaints", 3, 1000, "paused"),
        ("bounces", 4, 100, None),
        ("bounces", 5, 101, None),
        ("bounces", 5, 100, "paused"),
    ],
)
def test_a_share_of_bad_messages_trips_the_guard(
    measure: str, count: int, of: int, level: str | None
) -> None:
    bad(sent(of), count, measure)
    guard = open_guard()
    assert (guard.level if guard else None) == level
    if guard is not None:
        assert (guard.channel, guard.measure, guard.bad, guard.sent) == ("email", measure, count, of)


@pytest.mark.rule(50)
def test_it_is_told_once_and_once_more_when_it_grows_worse(alerts: list[str]) -> None:
    attempts = sent(1500)
    bad(attempts, 3)
    guards.review("email", now=NOON)
    assert alerts == ["guard_warned"]
    bad(attempts[3:], 3, at=NOON + HOUR)
    guards.review("email", now=NOON + HOUR)
    assert alerts == ["guard_warned", "guard_paused"]
    guard = open_guard()
    assert guard is not None
    assert (guard.bad, guard.sent, guard.since) == (6, 1500, NOON + HOUR)


@pytest.mark.rule(50)
def test_marketing_waits_orders_do_not_and_all_goes_on_when_staff_say_so(email: Letters) -> None:
    write_words(Letter, Notice)
    ann, bob = make_contacts(2)
    offer, notice = owe(ann, Letter, "offer", due=NOON), owe(bob, Notice, "notice", due=NOON)
    offer.save()
    notice.save()
    bad(sent(1000), 3)
    tick(NOON)
    offer.refresh_from_db()
    notice.refresh_from_db()
    assert (offer.state, offer.reason) == (State.PLANNED, Reason.GUARDED)
    assert notice.state == State.SENT
    guard = open_guard()
    assert guard is not None
    assert guards.end(guard, by="mina", note="the list was cleaned", now=NOON + HOUR)
    tick(NOON + HOUR)
    offer.refresh_from_db()
    assert offer.state == State.SENT
    guard.refresh_from_db()
    assert (guard.ended_at, guard.ended_by, guard.note) == (NOON + HOUR, "mina", "the list was cleaned")


@pytest.mark.rule(50)
def test_what_is_claimed_is_taken_back_when_marketing_pauses() -> None:
    ann, bob = make_contacts(2)
    owe(ann, Letter, "offer", due=NOON).save()
    owe(bob, Notice, "notice", due=NOON).save()
    judging.judge(Lane.FLOW, load_plans(), now=NOON, closed={}, limits=limits.load())
    assert set(Message.objects.values_list("state", flat=True)) == {State.CLAIMED}
    bad(sent(1000), 3)
    states = dict(Message.objects.filter(intent__in=["offer", "notice"]).values_list("intent", "state"))
    assert states == {"offer": State.PLANNED, "notice": State.CLAIMED}


@pytest.mark.rule(50)
def test_what_was_judged_before_marketing_paused_is_not_handed_over_after_it() -> None:
    ann, bob = make_contacts(2)
    owe(ann, Letter, "offer", due=NOON).save()
    owe(bob, Notice, "notice", due=NOON).save()
    as_the_tick_began = limits.load()
    bad(sent(1000), 3)
    batch = judging.judge(Lane.FLOW, load_plans(), as_the_tick_began, now=NOON, closed={})
    assert len(batch.claims) == 2

    outcome = handover.hand_over(batch.claims, batch.token, now=NOON)

    assert [item.claim.message.intent for item in outcome.handed] == ["notice"]
    assert outcome.refused == {}
    offer = Message.objects.get(intent="offer")
    assert (offer.state, offer.reason, offer.attempted_at, offer.calls) == (
        State.PLANNED,
        Reason.GUARDED,
        None,
        0,
    )
    assert offer.due_at - NOON >= LONGEST_TICK, "no tick that knows nothing of the guard judges it again"


@pytest.mark.rule(50)
def test_a_tick_that_runs_while_marketing_pauses_sends_no_more_of_it(email: Letters, settings: Any) -> None:
    settings.CROSSCHANNEL_CHUNK = 1
    write_words(Letter)
    people = make_contacts(4)
    for number, person in enumerate(people):
        owe(person, Letter, f"offer {number}", due=NOON).save()
    attempts = sent(1000)

    def complain(outbound: Any) -> Any:
        bad(attempts, 3)
        email.work()
        return email.answer(outbound)

    email.answer = complain
    assert tick(NOON).failed == []
    assert len(email.calls) == 1
    waiting = Message.objects.filter(intent__startswith="offer", state=State.PLANNED)
    assert waiting.count() == 3
    tick(NOON + LONGEST_TICK)
    assert len(email.calls) == 1
    assert set(waiting.values_list("reason", flat=True)) == {Reason.GUARDED}


@pytest.mark.rule(50)
def test_a_report_of_the_provider_has_the_guards_look(email: Letters, settings: Any) -> None:
    settings.CROSSCHANNEL_GUARD_LEAST_SENT = 3
    attempts = sent(3)
    for attempt in attempts:
        assert attempt.message.point is not None
        data = {
            "esp": "post", "event_type": "complained", "uuid": str(attempt.uuid), "message_id": "",
            "recipient": attempt.message.point.address, "reject_reason": None, "hard": False,
        }  # fmt: skip
        inbox.record(
            Event(name="email.tracking", key=str(attempt.uuid), occurred_at=NOON, data=data), now=NOON
        )
    tick(NOON)
    guard = open_guard()
    assert guard is not None
    assert (guard.level, guard.bad, guard.sent) == ("paused", 3, 3)


# it refuses


@pytest.mark.rule(50)
@pytest.mark.parametrize(("count", "of"), [(2, 100), (3, 99)])
def test_a_few_bad_ones_among_few_say_nothing(count: int, of: int) -> None:
    bad(sent(of), count)
    assert open_guard() is None


@pytest.mark.rule(50)
def test_only_what_was_sent_by_this_channel_in_the_window_counts() -> None:
    sent(200, at=NOON - 8 * DAY)
    sent(200, channel="sms")
    sent(200, status=Status.NOT_SENT)
    report(sent(10, at=NOON - 8 * DAY), 10, at=NOON - 8 * DAY)
    attempts = sent(900, at=NOON - 6 * DAY)
    bad(attempts, 2)
    assert open_guard() is None
    bad(attempts[2:], 1)
    guard = open_guard()
    assert guard is not None
    assert (guard.bad, guard.sent) == (3, 900)


@pytest.mark.rule(50)
def test_the_same_old_complaints_do_not_trip_it_again() -> None:
    attempts = sent(1000)
    bad(attempts, 5)
    guard = open_guard()
    assert guard is not None
    guards.end(guard, by="mina", note="", now=NOON + HOUR)
    guards.review("email", now=NOON + HOUR)
    more = sent(200, at=NOON + 2 * HOUR)
    bad(more, 2, at=NOON + 3 * HOUR)
    assert open_guard() is None
    bad(more[2:], 1, at=NOON + 4 * HOUR)
    again = open_guard()
    assert again is not None
    assert (again.bad, again.sent) == (3, 200)


def test_a_message_counts_once_however_often_it_is_reported() -> None:
    attempts = sent(1000)
    bad(attempts, 2)
    bad(attempts, 2)
    assert open_guard() is None


def test_a_guard_that_was_ended_is_not_ended_again() -> None:
    bad(sent(1000), 3)
    guard = open_guard()
    assert guard is not None
    assert guards.end(guard, by="mina", note="", now=NOON)
    assert not guards.end(guard, by="paul", note="", now=NOON)


def test_two_guards_hold_marketing_until_both_are_ended() -> None:
    attempts = sent(1000)
    bad(attempts, 3)
    bad(attempts, 50, "bounces")
    (ann,) = make_contacts(1)
    waiting = owe(ann, Letter, "offer", due=NOON + DAY)
    waiting.reason = Reason.GUARDED
    waiting.save()
    for guard, due in zip(Guard.objects.order_by("pk"), (NOON + DAY, NOON), strict=True):
        guards.end(guard, by="mina", note="", now=NOON)
        waiting.refresh_from_db()
        assert waiting.due_at == due


def test_ending_one_channels_guard_wakes_nothing_that_waits_for_another(settings: Any) -> None:
    bad(sent(1000), 3)
    (ann,) = make_contacts(1)
    letter, text = owe(ann, Letter, "letter", due=NOON + DAY), owe(ann, Letter, "text", due=NOON + DAY)
    for message, channel in ((letter, "email"), (text, "sms")):
        message.reason = Reason.GUARDED
        message.decision = [{"channel": channel, "outcome": "held", "at": NOON.isoformat(), "objections": []}]
        message.save()
    guard = open_guard()
    assert guard is not None
    guards.end(guard, by="mina", note="", now=NOON)
    due = dict(Message.objects.filter(reason=Reason.GUARDED).values_list("intent", "due_at"))
    assert due == {"letter": NOON, "text": NOON + DAY}


# it survives


def test_a_warning_ends_by_itself_and_is_no_excuse_for_what_led_to_it() -> None:
    attempts = sent(1500)
    bad(attempts, 3)
    sent(3000)
    guards.review("email", now=NOON)
    ended = Guard.objects.get()
    assert (ended.level, ended.ended_by) == ("warned", "system")
    bad(attempts[3:], 11)
    guard = open_guard()
    assert guard is not None
    assert (guard.level, guard.bad, guard.sent) == ("paused", 14, 4500)


@pytest.mark.postgresql
def test_counting_reads_no_more_than_it_takes() -> None:
    attempts = sent(8_000, at=NOON - 30 * DAY) + sent(8_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as queries:
        bad(attempts[-5:], 3)
    counting = [query["sql"] for query in queries if "COUNT(*)" in query["sql"]]
    with connection.cursor() as cursor:
        for sql in counting:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
            ((plan,),) = cursor.fetchall()
            read = _rows_read(plan[0]["Plan"])
            assert read <= 3 / 0.001 + 100, (read, sql)


def _rows_read(node: dict[str, Any]) -> int:
    own = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) if "Relation Name" in node else 0
    return int(own * node.get("Actual Loops", 1)) + sum(map(_rows_read, node.get("Plans", [])))
