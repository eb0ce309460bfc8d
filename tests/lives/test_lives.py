"""Random lives: whatever happens, in whatever order, nobody hears what they should not.

What is drawn is always the same here. `python -m tests.lives` lives 500 lives, others each time.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, Phase, seed, settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from oscar_crosschannel.services import dispatch, setup
from oscar_crosschannel.services.handover import HandOver
from tests.oscar.conftest import country, product  # noqa: F401 - fixtures
from tests.services.stage import make_offer, write_words

from .cast import BEGINNINGS
from .flows import FLOWS
from .life import Life
from .provider import CHANNELS
from .size import IS_DRAWN_ANEW, SEED, STEPS, lives_of, missed, parts
from .world import Things, World


@pytest.fixture
def machine(
    db: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    product: Any,  # noqa: F811
    country: Any,  # noqa: F811
) -> Iterator[type[Life]]:
    """A shop in which lives can begin. Each ends with a rollback, so none knows of another."""
    settings.CROSSCHANNEL_CHANNELS = CHANNELS
    settings.CROSSCHANNEL_BASE_URL = "https://shop.example"
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    setup.install()
    write_words(*FLOWS)
    current: list[World] = []

    def watched(*args: Any, **kwargs: Any) -> HandOver:
        return current[0].watch(*args, **kwargs)

    # a pause for other processes, of which there are none
    monkeypatch.setattr(dispatch, "_polite", contextlib.nullcontext)
    monkeypatch.setattr(dispatch, "hand_over", watched)

    class Watched(Life):
        seen = Counter()
        things = Things(product, country)

        def __init__(self) -> None:
            super().__init__()
            current[:] = [self.world]

    Watched.settings = settings
    logging.disable(logging.CRITICAL)  # providers are in all kinds of moods
    with time_machine.travel(BEGINNINGS[0], tick=False) as traveller:
        Watched.traveller = traveller
        yield Watched
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.timeout(3600)  # a life that ends badly is made as short as possible, which takes minutes
@pytest.mark.rule(2, 16, 19, 26, 30, 31, 37, 51, 53, 54, 76, 77)
@pytest.mark.parametrize("part", parts())
def test_whatever_happens_nobody_hears_what_they_should_not(
    machine: type[Life], part: int, vendor: str, record_property: Any
) -> None:
    lives = lives_of(vendor)
    seed(SEED + part)(machine)
    try:
        run_state_machine_as_test(
            machine,
            settings=hypothesis_settings(
                max_examples=lives,
                stateful_step_count=STEPS,
                phases=[Phase.generate, Phase.shrink],
                report_multiple_bugs=False,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        record_property("lives", dict(machine.seen))
    quiet = missed(machine.seen, lives)
    assert IS_DRAWN_ANEW or not quiet, f"these lives were too quiet to prove anything: {quiet}"
