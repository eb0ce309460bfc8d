"""What shoppers do touches no broker, so a dead one can neither slow them down nor fail them."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from celery import Celery, current_app
from kombu.exceptions import OperationalError

from oscar_crosschannel import tasks
from oscar_crosschannel.models import InboxEvent
from tests.oscar.conftest import Shopper, country, product, statements  # noqa: F401 - fixtures

from .machine import free_port

pytestmark = pytest.mark.django_db

_heard: list[Any] = []


@cache
def _hear_all() -> None:
    sys.addaudithook(_listen)  # for good: Python takes none back


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        _heard.append(arguments[1])


@pytest.fixture
def connections() -> list[Any]:
    """Where this process connects to. The database's driver, which is no Python, is not heard."""
    _hear_all()
    _heard.clear()
    return _heard


@contextmanager
def broker(port: int) -> Iterator[None]:
    """This process' Celery has its broker there."""
    usual = current_app._get_current_object()
    Celery(broker=f"amqp://127.0.0.1:{port}//").set_current()
    try:
        yield
    finally:
        usual.set_current()


def shopping(product: Any, email: str) -> list[tuple[int, int]]:  # noqa: F811 - a fixture's value
    """Status and number of statements of each request, from the basket to the order."""
    shopper = Shopper()
    steps = [
        lambda: shopper.add(product),
        lambda: shopper.enter_checkout(email, cc_email="1"),
        lambda: shopper.add(product),
        shopper.give_address,
        shopper.choose_shipping,
        shopper.place_order,
    ]
    done = []
    for step in steps:
        count, response = statements(step)
        done.append((response.status_code, count))
    return done


@pytest.mark.rule(75)
@pytest.mark.usefixtures("country")
def test_a_dead_broker_changes_nothing_for_shoppers(product: Any, connections: list[Any]) -> None:  # noqa: F811
    shopping(product, "first@example.com")  # fills caches
    with socket.create_server(("127.0.0.1", 0)) as alive, broker(alive.getsockname()[1]):
        usual = shopping(product, "second@example.com")
    with broker(free_port()):
        assert shopping(product, "third@example.com") == usual
        assert connections == []
        assert InboxEvent.objects.filter(email="third@example.com").exists()

        with pytest.raises(OperationalError):  # what an enqueued task would have met
            tasks.tick.apply_async(retry=False)
        assert connections != []
