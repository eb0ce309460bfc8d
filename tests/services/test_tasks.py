"""Celery carries hints only: no waiting in the broker, no queues of ours, and twice does nothing more."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from celery import Task, current_app

import oscar_crosschannel
from oscar_crosschannel import signals, tasks
from oscar_crosschannel.models import Message
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.stage import Letter, Letters, write_words

PACKAGE = Path(oscar_crosschannel.__file__).parent


def ours() -> dict[str, Task]:
    tasks_known: dict[str, Task] = current_app.tasks
    return {name: task for name, task in tasks_known.items() if name.startswith("oscar_crosschannel.")}


def keywords_of_calls() -> Iterator[tuple[str, str]]:
    """(place, keyword) of every call in the package, and the names of what is called."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                yield place, ast.unparse(node.func).rpartition(".")[2]
                for keyword in node.keywords:
                    yield place, keyword.arg or ""


def test_there_is_a_task() -> None:
    assert set(ours()) == {"oscar_crosschannel.tick"}


@pytest.mark.rule(74)
def test_no_task_waits_in_the_broker() -> None:
    waiting = {"eta", "countdown", "retry", "apply_async", "autoretry_for", "default_retry_delay"}
    assert [found for found in keywords_of_calls() if found[1] in waiting] == []


@pytest.mark.rule(79)
def test_tasks_name_no_queue_and_no_rate() -> None:
    for task in ours().values():
        assert not hasattr(task, "queue")
        assert task.rate_limit is None
    named = {"queue", "rate_limit", "routing_key"}
    assert [found for found in keywords_of_calls() if found[1] in named] == []


@pytest.mark.rule(79)
def test_tasks_take_nothing_but_ids() -> None:
    for task in ours().values():
        for parameter in inspect.signature(task.run).parameters.values():
            assert parameter.annotation in ("int", "list[int]")
        assert task.serializer in (None, "json")
        assert task.ignore_result


@pytest.mark.django_db
@pytest.mark.rule(79)
def test_a_tick_delivered_twice_does_nothing_more(stage: None, email: Letters) -> None:
    write_words(Letter)
    enrol_all(make_contacts(1), Letter, anchor=NOON)
    heard = []
    signals.tick_started.connect(lambda **kwargs: heard.append(1), dispatch_uid="test", weak=False)
    try:
        with time_machine.travel("2026-03-10T13:30Z", tick=False):
            tasks.tick.apply(throw=True)
            once = list(Message.objects.values())
            tasks.tick.apply(throw=True)
    finally:
        signals.tick_started.disconnect(dispatch_uid="test")
    assert len(email.calls) == 1
    assert list(Message.objects.values()) == once
    assert len(heard) == 2
