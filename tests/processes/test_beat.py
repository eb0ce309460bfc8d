"""Celery's beat drives the engine by its row, and nothing else is needed."""

from __future__ import annotations

import pytest

from oscar_crosschannel import tasks
from oscar_crosschannel.core.lifecycle import State

from .kill_table import Recorder, tell
from .shop import CeleryShop

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

TICK = f"Task {tasks.tick.name}"


@pytest.mark.rule(78)
def test_beat_runs_the_engine_by_the_row_that_migrate_made(shop: CeleryShop) -> None:
    people = shop.owe_letters(3)
    people.wait_until_all_are(State.SENT)
    assert people.got_one_each()


@pytest.mark.rule(78)
def test_a_row_that_was_switched_off_runs_nothing(shop: CeleryShop) -> None:
    """The second worker is ready, and the row that would wake it is off."""
    first, second = shop.first.said(TICK), shop.second.said(TICK)
    shop.first.wait_until_said(TICK, first + 2)
    assert shop.second.said(TICK) == second


@pytest.mark.rule(75)
def test_a_broker_that_is_emptied_loses_no_message(shop: CeleryShop, record_property: Recorder) -> None:
    shop.phones.gate.close(after=5)
    people = shop.owe_texts(60)
    shop.phones.gate.wait_until_reached()
    shop.broker.empty()
    shop.phones.gate.open()
    people.wait_until_resolved()
    assert people.got_one_each()
    tell(record_property, people.row("broker: emptied while a worker sends"))
