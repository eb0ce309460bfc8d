"""The tick: the urgent go first, parts fail apart, and two ticks at once send once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.outbound import Outbound, Receipt
from oscar_crosschannel.models import InboxEvent, Message
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.oscar.shop import OscarShop
from oscar_crosschannel.services import dispatch, intake
from oscar_crosschannel.services.dispatch import tick
from tests.factories import NOON, enrol_all, make_contacts, owe, owe_thousands
from tests.services.stage import Letter, Letters, Notice, Pair, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

AFTERNOON = NOON + timedelta(hours=4)
HOUR = timedelta(hours=1)


def sent_before_the_urgent_one(email: Letters, monkeypatch: pytest.MonkeyPatch) -> int:
    """Work the campaign; during its 30th call an urgent message falls due. How many calls come between?"""
    (hasty,) = make_contacts(1)
    over = False

    class UntilItIsSent(dispatch.Clock):
        def __call__(self) -> datetime:
            return super().__call__() + (HOUR if over else timedelta(0))

    def answer(outbound: Outbound) -> Receipt:
        nonlocal over
        if len(email.calls) == 30:
            owe(hasty, Notice, "your parcel", due=AFTERNOON, lane=Lane.URGENT).save()
        over = outbound.recipient.address == f"person{hasty.pk}@example.com"
        return Receipt(provider="post")

    monkeypatch.setattr(dispatch, "Clock", UntilItIsSent)
    email.answer = answer
    assert tick(AFTERNOON).failed == []
    assert over
    return len(email.calls) - 30 - 1


# It works.


def test_an_urgent_message_waits_for_one_chunk_of_a_campaign_at_most(
    email: Letters, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CROSSCHANNEL_CAPS = []
    write_words(Letter, Notice)
    people = make_contacts(200)
    Message.objects.bulk_create(
        owe(person, Letter, "news", due=AFTERNOON - HOUR, lane=Lane.CAMPAIGN) for person in people
    )
    assert (
        sent_before_the_urgent_one(email, monkeypatch) == 20
    )  # the 30th call was the fifth of its chunk of 25


@pytest.mark.slow
@pytest.mark.postgresql
def test_a_hundred_thousand_due_newsletters_delay_an_urgent_message_by_one_chunk_at_most(
    email: Letters, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CROSSCHANNEL_CAPS = []
    write_words(Letter, Notice)
    people = make_contacts(5000, channels=["email"])
    owe_thousands(people, Letter, 100_000, due=AFTERNOON - 30 * HOUR, lane=Lane.CAMPAIGN)
    Message.objects.filter(lane=Lane.CAMPAIGN).update(expires_at=AFTERNOON + HOUR)
    assert sent_before_the_urgent_one(email, monkeypatch) == 20
    assert (
        Message.objects.filter(lane=Lane.CAMPAIGN, state=State.PLANNED, due_at__lte=AFTERNOON).count()
        > 99_000
    )


def test_lanes_are_worked_from_the_highest_down(email: Letters) -> None:
    write_words(Letter, Notice)
    people = make_contacts(3)
    campaign, flow, urgent = (f"person{person.pk}@example.com" for person in people)
    owe(people[0], Letter, "a", due=AFTERNOON - 3 * HOUR, lane=Lane.CAMPAIGN).save()
    owe(people[1], Letter, "b", due=AFTERNOON - 2 * HOUR, lane=Lane.FLOW).save()
    owe(people[2], Notice, "c", due=AFTERNOON - HOUR, lane=Lane.URGENT).save()
    tick(AFTERNOON)
    assert email.reached == [urgent, flow, campaign]


# It refuses.


@pytest.mark.rule(51)
@pytest.mark.rule(76)
def test_a_tick_inside_a_tick_sends_nothing_twice(email: Letters) -> None:
    """The strictest form of two at once: the second runs in the middle of each call of the first."""
    write_words(Pair)
    enrol_all(make_contacts(30), Pair, anchor=AFTERNOON - HOUR)

    def answer(outbound: Outbound) -> Receipt:
        email.work()
        tick(AFTERNOON)
        return Receipt(provider="post")

    email.answer = answer
    tick(AFTERNOON)
    assert len(email.calls) == len(set(email.reached)) == 30


# It survives.


def test_a_search_that_fails_stops_no_message(email: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("a strange basket")

    monkeypatch.setattr(OscarShop, "sweeps", lambda self: {"baskets": broken})
    write_words(Letter)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    assert tick(AFTERNOON).failed == ["sweep"]
    assert len(email.calls) == 1


def test_an_event_that_cannot_be_folded_stops_neither_the_next_nor_a_message(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a strange click")

    monkeypatch.setitem(intake.HANDLERS, "link.clicked", fail)
    for number in range(3):
        InboxEvent.objects.create(name="link.clicked", key=str(number), occurred_at=NOON, not_before=NOON)
    write_words(Letter)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    report = tick(AFTERNOON)
    assert (report.folded, report.failed, len(email.calls)) == (3, [], 1)
    assert InboxEvent.objects.filter(tries=1, processed_at=None).count() == 3


@pytest.fixture
def _urgent_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = dispatch.judging.judge

    def brittle(lane: int, *args: Any, **kwargs: Any) -> Any:
        if lane == Lane.URGENT:
            raise RuntimeError
        return judge(lane, *args, **kwargs)

    monkeypatch.setattr(dispatch.judging, "judge", brittle)


@pytest.mark.usefixtures("_urgent_fails")
def test_a_lane_that_fails_stops_no_other(email: Letters) -> None:
    write_words(Letter, Notice)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    enrol_all(make_contacts(1), Notice, anchor=AFTERNOON - HOUR)
    assert tick(AFTERNOON).failed == ["urgent"]
    assert len(email.calls) == 1


@pytest.mark.usefixtures("_urgent_fails")
def test_a_higher_lane_that_fails_between_two_chunks_is_left_alone_until_the_next_tick(
    email: Letters,
) -> None:
    write_words(Letter)
    enrol_all(make_contacts(60), Letter, anchor=AFTERNOON - HOUR)
    (hasty,) = make_contacts(1)

    def answer(outbound: Outbound) -> Receipt:
        if len(email.calls) == 1:
            owe(hasty, Notice, "your parcel", due=AFTERNOON, lane=Lane.URGENT).save()
        return Receipt(provider="post")

    email.answer = answer
    assert tick(AFTERNOON).failed == ["urgent"]
    assert len(email.calls) == 60


def test_days_without_a_tick_lose_nothing(email: Letters) -> None:
    write_words(Notice)
    people = make_contacts(3)
    Message.objects.bulk_create(
        owe(person, Notice, "x", due=AFTERNOON, lane=Lane.URGENT) for person in people
    )
    Message.objects.update(expires_at=AFTERNOON + timedelta(days=9))
    tick(AFTERNOON + timedelta(days=5))
    assert len(email.calls) == 3
