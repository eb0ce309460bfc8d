"""Celery without a broker to install, and no Celery at all: the same messages go out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from oscar_crosschannel.core.lifecycle import State

from .machine import Database
from .outside import Mailboxes, Phones
from .people import People
from .shop import Shop

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]


@pytest.fixture
def shop(
    tables: Database, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A shop that runs nothing yet."""
    with django_db_blocker.unblock(), Mailboxes() as mailboxes, Phones() as phones:
        shop = Shop(tmp_path_factory.mktemp("way"), tables, mailboxes, phones)
        with shop.database.in_use():
            yield shop
        shop.close()


@pytest.fixture
def groups(shop: Shop) -> list[People]:
    """People with something due."""
    return [shop.owe_letters(20), shop.owe_texts(20)]


def each_got_one(groups: list[People]) -> bool:
    for people in groups:
        people.wait_until_all_are(State.SENT)
    return all(people.got_one_each() for people in groups)


@pytest.mark.rule(75)
def test_one_process_and_a_folder_are_enough(shop: Shop, groups: list[People]) -> None:
    shop.broker_url = "filesystem://"
    shop.schedule_each_second()
    shop.start_worker("worker", "--beat")
    assert each_got_one(groups)


@pytest.mark.rule(75)
def test_cron_is_enough(shop: Shop, groups: list[People]) -> None:
    shop.run_once("cron")
    assert each_got_one(groups)
