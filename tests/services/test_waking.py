"""Limits and guards change, and all that waits is judged anew: soon, in small bites, and none is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import FrequencyCap, Guard, InboxEvent, Message, TextingRule
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import frequency, guards, inbox, intake, stretches, texting_rules, waking
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.waking import Waiting
from tests.factories import NOON, make_contacts, owe_each, owe_thousands
from tests.services.stage import Letter
from tests.services.test_statements import equal, explained, statements

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CAPPED = Waiting(reasons=(Reason.CAPPED,))


@pytest.fixture(autouse=True)
def _small_bites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "LENGTH", 10)


def waiting(
    count: int, reason: Reason = Reason.CAPPED, *, tried: Sequence[str] = ("email",), **changes: Any
) -> None:
    """So many messages that wait until tomorrow, some for the same instant, in lanes by turns."""
    (person,) = make_contacts(1)
    messages = owe_each([person], Letter, [f"{person.pk}: {number}" for number in range(count)], due=NOON)
    for number, message in enumerate(messages):
        message.due_at = NOON + DAY - number // 9 * timedelta(minutes=1)
        message.lane = list(Lane)[number // 3 % 3]
        message.reason = reason
        message.decision = [
            {"channel": channel, "outcome": "open", "at": message.due_at.isoformat(), "objections": []}
            for channel in tried
        ]
        for name, value in changes.items():
            setattr(message, name, value)
    Message.objects.bulk_create(messages)


def woken(now: Any = NOON) -> int:
    return Message.objects.filter(due_at=now).count()


def work_off(now: Any = NOON) -> int:
    """All stretches that wait, each in a transaction of the fold; how many there were."""
    before = InboxEvent.objects.filter(name=waking.STRETCH_DUE, processed_at__isnull=False).count()
    while intake._fold_next(load_plans(), now):
        pass
    assert not InboxEvent.objects.exclude(error="").exists(), InboxEvent.objects.exclude(error="")[0].error
    return InboxEvent.objects.filter(name=waking.STRETCH_DUE, processed_at__isnull=False).count() - before


def take_next(now: Any = NOON) -> bool:
    """One stretch as the fold takes it; False when none waits."""
    row = InboxEvent.objects.filter(name=waking.STRETCH_DUE, processed_at=None).first()
    if row is None:
        return False
    waking.fold_stretch(inbox.as_event(row), load_plans(), now=now)
    InboxEvent.objects.filter(pk=row.pk).update(processed_at=now)
    return True


# it works


def test_a_change_wakes_the_first_stretch_itself_and_the_ticks_the_others() -> None:
    waiting(47)
    waking.wake(CAPPED, now=NOON)
    assert woken() == 10
    assert work_off() == 4
    assert woken() == 47


def test_what_fits_into_one_stretch_needs_no_tick() -> None:
    waiting(9)
    waking.wake(CAPPED, now=NOON)
    assert woken() == 9
    assert not InboxEvent.objects.exists()


def test_a_change_costs_the_same_for_sixty_and_for_six_hundred() -> None:
    waiting(60)
    _, few = statements(lambda: waking.wake(CAPPED, now=NOON))
    waiting(540)
    _, many = statements(lambda: waking.wake(CAPPED, now=NOON))
    assert equal(few, many)
    assert sum(sql.startswith("UPDATE") for sql in many) == 1
    _, stretch = statements(take_next)
    assert len(stretch) <= len(Lane) + 5, "each lane looked at, and the event found and marked"


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        pytest.param(
            lambda: frequency.keep(FrequencyCap(name="Calm", most=1, window=DAY, enabled=True), now=NOON),
            {"capped by email", "capped by text", "closed by text"},
            id="a limit",
        ),
        pytest.param(
            lambda: texting_rules.keep(TextingRule(place="FR", hours={"mon": "10:00-12:00"}), now=NOON),
            {"capped by text", "closed by text"},
            id="a rule for texts",
        ),
        pytest.param(lambda: end_of_a_guard("email"), {"guarded by email"}, id="a guard of email"),
        pytest.param(lambda: end_of_a_guard("sms"), {"guarded by text"}, id="a guard of texts"),
    ],
)
def test_each_change_wakes_what_waits_for_it(change: Any, touched: set[str]) -> None:
    for words, reason in (("capped", "capped"), ("closed", "outside_hours"), ("guarded", "guarded")):
        waiting(1, Reason(reason), tried=["email"], intent=f"{words} by email")
        waiting(1, Reason(reason), tried=["sms"], intent=f"{words} by text")
    Message.objects.filter(intent="closed by email").delete()  # email has no hours
    waiting(1, Reason.AWAITING_OPT_IN, intent="to be confirmed")
    waiting(1, Reason.CAPPED, calls=1, intent="put off by the provider")
    change()
    assert set(Message.objects.filter(due_at=NOON).values_list("intent", flat=True)) == touched


def end_of_a_guard(channel: str) -> None:
    guard = Guard.objects.create(
        channel=channel, measure="complaints", level="paused", bad=3, sent=900, since=NOON
    )
    assert guards.end(guard, by="mina", note="", now=NOON)


def test_a_channel_counts_wherever_among_those_tried_it_stands() -> None:
    waiting(1, tried=["sms", "email"])
    waiting(1, tried=["sms"])
    waiting(1, decision=None)
    waking.wake(Waiting(reasons=(Reason.CAPPED,), channel="email"), now=NOON)
    assert woken() == 2, "what nobody has noted may have been tried"


# it refuses


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": Reason.OUTSIDE_HOURS},
        {"reason": ""},
        {"state": State.CLAIMED},
        {"state": State.SENDING},
        {"state": State.DROPPED},
    ],
)
def test_nothing_else_is_touched(changes: dict[str, Any]) -> None:
    waiting(1, **changes)
    before = list(Message.objects.values())
    waking.wake(CAPPED, now=NOON)
    assert list(Message.objects.values()) == before


# it survives


def test_a_stretch_that_is_taken_twice_changes_nothing_more() -> None:
    waiting(25)
    waking.wake(CAPPED, now=NOON)
    event = inbox.as_event(InboxEvent.objects.get())
    while take_next():
        pass
    once = list(Message.objects.values())
    waking.fold_stretch(event, load_plans(), now=NOON + HOUR)
    while take_next(NOON + HOUR):
        pass
    assert list(Message.objects.values()) == once


def test_a_worker_that_dies_in_a_stretch_leaves_it_and_the_rest_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting(47)
    waking.wake(CAPPED, now=NOON)
    publish = inbox.publish

    def die(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the lights went out")

    monkeypatch.setattr(inbox, "publish", die)
    intake._fold_next(load_plans(), NOON)
    assert woken() == 10, "a stretch commits together with the event for the next one, or not at all"
    monkeypatch.setattr(inbox, "publish", publish)
    later = NOON + HOUR
    InboxEvent.objects.update(error="")
    work_off(later)
    assert woken() + woken(later) == 47


def test_two_changes_at_once_wake_everything_once() -> None:
    waiting(47)
    for _ in range(2):
        waking.wake(CAPPED, now=NOON)
    assert woken() == 20
    work_off()
    assert woken() == 47


def test_what_is_put_off_again_meanwhile_keeps_nobody_busy_for_ever() -> None:
    waiting(47)
    waking.wake(CAPPED, now=NOON)
    soon = NOON + HOUR
    for _ in range(6):
        Message.objects.filter(due_at=NOON).update(due_at=soon)  # another worker judges at once
        take_next()
    assert woken(soon) == 47
    assert not take_next(), "the stretches have an end"


@pytest.mark.postgresql
def test_the_queues_own_index_finds_the_next_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "LENGTH", 1000)
    people = make_contacts(4000, topics=(), channels=["email"])
    owe_thousands(people, Letter, 60_000, due=NOON)
    Message.objects.filter(pk__gt=0).update(reason=Reason.CAPPED)
    Message.objects.filter(due_at__gt=NOON + timedelta(seconds=20_000)).update(
        state=State.SENT, attempted_at=NOON, address_digest=F("intent")
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE oscar_crosschannel_message")
    waking.wake(CAPPED, now=NOON)
    with CaptureQueriesContext(connection) as queries:
        assert take_next()
    looked = [
        query["sql"] for query in queries if query["sql"].startswith("SELECT") and "LIMIT" in query["sql"]
    ]
    plans = [explained(sql) for sql in looked if "oscar_crosschannel_message" in sql]
    assert plans
    for plan in plans:
        assert "cc_message_due" in plan
        assert "Sort" not in plan.replace("Incremental Sort", "")
