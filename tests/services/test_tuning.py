"""A merchant changes a flow: rows, version, and what is planned already follow together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.plan import StepTuning, Tuning
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Enrolment, Flow, FlowStep, Message
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.tuning import Retuned, lock, retune
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.stage import Letter, Letters, Pair, Wires, make_offer, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def change(*, enabled: bool | None = None, now: datetime = NOON, **steps: StepTuning) -> Retuned:
    """Change `Pair`, as the admin does."""
    with transaction.atomic():
        flow = lock(flow_of_pair().pk)
        return retune(flow, Pair.plan(), Tuning(enabled=enabled, steps=steps), now=now)


def flow_of_pair() -> Flow:
    load_plans()
    return Flow.objects.get(key=Pair.key)


def times(**where: Any) -> list[tuple[datetime, datetime]]:
    rows = Message.objects.filter(**where).order_by("pk")
    return list(rows.values_list("due_at", "expires_at"))


def begin(count: int = 1, *, anchor: datetime = NOON) -> list[Enrolment]:
    return enrol_all(make_contacts(count), Pair, anchor=anchor)


# It works.


def test_rows_and_version_say_what_the_merchant_wants() -> None:
    offer = make_offer()
    first = StepTuning(
        delay=2 * HOUR, channels=("sms", "email"), patience=HOUR, only_if="purchased", unless=""
    )
    done = change(enabled=False, first=first, second=StepTuning(offer_id=offer.pk))

    flow = flow_of_pair()
    assert (flow.enabled, flow.version) == (False, 2)
    row = FlowStep.objects.get(flow=flow, key="first")
    assert (row.delay, row.channels, row.patience, row.only_if, row.unless) == (
        2 * HOUR, ["sms", "email"], HOUR, "purchased", "",
    )  # fmt: skip
    assert done.before == Pair.plan()
    assert done.after == Pair.plan().tuned(
        Tuning(version=2, enabled=False, steps={"first": first, "second": StepTuning(offer_id=offer.pk)})
    )


def test_what_the_merchant_does_not_name_goes_back_to_the_blueprint() -> None:
    change(enabled=True, first=StepTuning(delay=2 * HOUR), second=StepTuning(patience=HOUR))
    change(first=StepTuning(delay=2 * HOUR))

    assert list(FlowStep.objects.values_list("key", flat=True)) == ["first"]
    assert flow_of_pair().enabled is None


def test_planned_messages_move_with_the_delay_from_their_own_anchors() -> None:
    begin(anchor=NOON)
    begin(anchor=NOON - 30 * timedelta(minutes=1))

    assert change(first=StepTuning(delay=3 * HOUR)).replanned == 2
    half = timedelta(minutes=30)
    assert times() == [(NOON + 3 * HOUR, NOON + DAY), (NOON - half + 3 * HOUR, NOON - half + DAY)]


def test_a_step_expires_when_the_next_now_falls_due() -> None:
    begin()
    change(second=StepTuning(delay=30 * HOUR))
    assert times() == [(NOON + HOUR, NOON + 30 * HOUR)]


def test_what_waits_for_the_morning_is_judged_anew_when_a_channel_is_added() -> None:
    begin()
    Message.objects.update(due_at=NOON + 20 * HOUR, reason=Reason.OUTSIDE_HOURS)
    change(first=StepTuning(channels=("sms", "email")))
    assert times(reason="") == [(NOON + HOUR, NOON + DAY)]


def test_a_claim_is_taken_back() -> None:
    begin()
    Message.objects.update(state=State.CLAIMED, token=uuid4(), channel="email", attempted_at=NOON)
    change(first=StepTuning(delay=3 * HOUR))

    message = Message.objects.get()
    assert (message.state, message.token, message.attempted_at) == (State.PLANNED, None, None)
    assert message.due_at == NOON + 3 * HOUR


def test_a_removed_step_gives_way_to_the_next_at_once_and_leaves_a_tombstone() -> None:
    write_words(Pair)
    begin()
    change(first=StepTuning(removed=True), now=NOON + HOUR / 2)
    assert FlowStep.objects.get().removed_at == NOON + HOUR / 2

    tick(NOON + HOUR / 2)
    assert list(Message.objects.order_by("pk").values_list("step_key", "state", "reason")) == [
        ("first", State.DROPPED, Reason.STEP_REMOVED),
        ("second", State.PLANNED, ""),
    ]
    assert times(step_key="second") == [(NOON + DAY, NOON + 2 * DAY)]


def test_a_step_that_is_removed_already_keeps_its_day() -> None:
    change(first=StepTuning(removed=True), now=NOON)
    change(first=StepTuning(removed=True, delay=2 * HOUR), now=NOON + DAY)
    assert FlowStep.objects.get().removed_at == NOON


# It refuses.


def test_a_message_that_is_going_out_or_is_done_with_stays_as_it_is() -> None:
    begin(3)
    for message, state in zip(Message.objects.all(), [State.SENDING, State.SENT, State.UNKNOWN], strict=True):
        Message.objects.filter(pk=message.pk).update(state=state)
    before = times()
    assert change(first=StepTuning(delay=3 * HOUR)).replanned == 0
    assert times() == before


def test_a_message_that_was_tried_keeps_the_time_the_provider_asked_for() -> None:
    begin()
    Message.objects.update(calls=1, due_at=NOON + 2 * HOUR)
    change(first=StepTuning(delay=HOUR / 2))
    assert times() == [(NOON + 2 * HOUR, NOON + DAY)]


def test_other_steps_and_other_flows_are_left_alone() -> None:
    begin()
    enrol_all(make_contacts(1), Letter, anchor=NOON)
    Message.objects.update(due_at=NOON + 9 * HOUR, reason=Reason.CAPPED)
    assert change(second=StepTuning(patience=HOUR)).replanned == 0
    assert times() == [(NOON + 9 * HOUR, NOON + DAY), (NOON + 9 * HOUR, NOON + 25 * HOUR)]


def test_another_offer_moves_nobody() -> None:
    begin()
    Message.objects.update(due_at=NOON + 9 * HOUR)
    assert change(first=StepTuning(offer_id=make_offer().pk)).replanned == 0


# It survives.


def test_rows_of_steps_that_the_project_no_longer_has_stay() -> None:
    FlowStep.objects.create(flow=flow_of_pair(), key="of_last_year", removed_at=NOON)
    change(first=StepTuning(delay=2 * HOUR))
    assert set(FlowStep.objects.values_list("key", flat=True)) == {"first", "of_last_year"}


def test_moving_many_messages_costs_no_more_statements_than_moving_one() -> None:
    def cost(delay: timedelta) -> int:
        with CaptureQueriesContext(connection) as queries:
            change(first=StepTuning(delay=delay))
        return len(queries)

    change(first=StepTuning(delay=2 * HOUR))
    begin(1)
    one = cost(3 * HOUR)
    begin(40)
    assert cost(4 * HOUR) == one
    assert {due for due, _ in times()} == {NOON + 4 * HOUR}


def test_the_engine_runs_the_changed_flow_to_its_end(email: Letters, sms: Wires) -> None:
    write_words(Pair)
    begin()
    change(first=StepTuning(delay=3 * HOUR), second=StepTuning(delay=8 * HOUR))
    for hours in (1, 3, 8):
        tick(NOON + hours * HOUR)
        assert (len(email.calls), len(sms.calls)) == {1: (0, 0), 3: (1, 0), 8: (1, 1)}[hours]
