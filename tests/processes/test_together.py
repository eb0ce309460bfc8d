"""Several of everything at once send nothing twice; and then the broker dies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oscar_crosschannel import tasks
from oscar_crosschannel.core.lifecycle import State

from .kill_table import Recorder, tell
from .machine import Process
from .shop import CeleryShop

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

TICK = f"Task {tasks.tick.name}"


@pytest.fixture(scope="module")
def loop(celery_shop: CeleryShop) -> Iterator[Process]:
    """The engine without a broker, beside Celery's workers."""
    process = celery_shop.start_loop("loop")
    yield process
    process.kill()


@pytest.fixture
def second_beat(shop: CeleryShop) -> Iterator[Process]:
    process = shop.start_beat("second-beat")
    yield process
    process.kill()


@pytest.mark.rule(52, 76)
def test_two_beats_two_workers_and_the_loop_at_once_send_each_message_once(
    shop: CeleryShop, loop: Process, second_beat: Process, record_property: Recorder
) -> None:
    works = {
        shop.first: TICK,
        shop.second: TICK,
        shop.beat: "Sending due task",
        second_beat: "Sending due task",
        loop: "folded",
    }
    for process in works:
        process.wait_until_ready()
    shop.wake(shop.first, shop.second)
    before = {process: process.said(words) for process, words in works.items()}
    letters, texts = shop.owe_letters(180), shop.owe_texts(180)
    for people in (letters, texts):
        people.wait_until_all_are(State.SENT)
        assert people.got_one_each()
    for process, words in works.items():
        process.wait_until_said(words, before[process] + 1)
    tell(record_property, letters.row("nobody: 2 beats, 2 workers and the loop, emails"))
    tell(record_property, texts.row("nobody: 2 beats, 2 workers and the loop, texts"))


@pytest.mark.rule(75)
def test_a_broker_that_dies_loses_no_message_and_the_loop_goes_on_without_it(
    shop: CeleryShop, loop: Process, record_property: Recorder
) -> None:
    shop.phones.gate.close(after=5)
    people = shop.owe_texts(60)
    shop.phones.gate.wait_until_reached()
    shop.broker.kill()
    shop.phones.gate.open()
    later = shop.owe_texts(60)
    for group in (people, later):
        group.wait_until_resolved()
        assert group.got_one_each()
    tell(record_property, people.row("broker: killed while somebody sends"))
    tell(record_property, later.row("broker: gone for good, the loop works"))
    loop.kill()

    shop.broker.start()
    after = shop.owe_texts(20)
    after.wait_until_resolved()
    assert after.got_one_each()
    tell(record_property, after.row("broker: back, and empty"))
