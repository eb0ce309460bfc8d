"""Celery carries hints only: no waiting in the broker, no queues of ours, and twice does nothing more.

The row by which its beat runs the engine is made once; from then on it is the merchant's.
"""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import time_machine
from celery import Task, current_app
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import post_migrate
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

import oscar_crosschannel
from oscar_crosschannel import signals, tasks
from oscar_crosschannel.models import InboxEvent, Message, Watermark
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


def test_there_is_a_task_that_works_and_one_that_throws_away() -> None:
    assert set(ours()) == {"oscar_crosschannel.tick", "oscar_crosschannel.prune"}


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


# The schedule


def deploy() -> None:
    """What `migrate` tells this app when it is done, without the half second of the other apps."""
    ours = apps.get_app_config("oscar_crosschannel")
    post_migrate.send(sender=ours, app_config=ours, verbosity=0, interactive=False, using="default")


def scheduled(task: Task = tasks.tick) -> PeriodicTask:
    return PeriodicTask.objects.get(name=task.name)


@pytest.mark.rule(78)
def test_a_shop_that_has_the_tick_gets_what_a_later_version_schedules(fresh: None) -> None:
    deploy()
    Watermark.objects.filter(name="schedule-prune").delete()
    PeriodicTask.objects.all().delete()
    deploy()
    assert PeriodicTask.objects.get() == scheduled(tasks.prune)


@pytest.mark.django_db
def test_the_task_throws_away_what_is_old() -> None:
    old = InboxEvent.objects.create(name="x", key="1", occurred_at=NOON, not_before=NOON, processed_at=NOON)
    with time_machine.travel(NOON + timedelta(days=200), tick=False):
        tasks.prune.apply(throw=True)
    assert not InboxEvent.objects.filter(pk=old.pk).exists()


@pytest.mark.django_db(transaction=True)  # a pass closes the connections that are too old
def test_without_celery_the_loop_throws_it_away_once_a_day(stage: None) -> None:
    left = []
    for number, day in enumerate((0, 0, 1)):
        with time_machine.travel(NOON + timedelta(days=200 + day), tick=False):
            old = InboxEvent(name="x", key=str(number), occurred_at=NOON, not_before=NOON, processed_at=NOON)
            old.save()
            call_command("crosschannel_run", "--once", verbosity=0)
            left.append(InboxEvent.objects.count())
    assert left == [0, 1, 0]


@pytest.fixture
def fresh(db: None) -> None:
    """As before the first `migrate`."""
    Watermark.objects.all().delete()
    PeriodicTask.objects.all().delete()
    IntervalSchedule.objects.all().delete()


@pytest.mark.rule(78)
def test_migrate_schedules_the_tick(fresh: None, settings: Any) -> None:
    del settings.CROSSCHANNEL_TICK_SECONDS
    call_command("migrate", verbosity=0)
    row = scheduled()
    assert (row.name, row.task, row.enabled) == ("oscar_crosschannel.tick", tasks.tick.name, True)
    assert (row.interval.every, row.interval.period) == (30, "seconds")
    assert (row.args, row.kwargs, row.queue) == ("[]", "{}", None)
    prune = scheduled(tasks.prune)
    assert (prune.task, prune.interval.every, prune.interval.period) == (tasks.prune.name, 1, "days")


@pytest.mark.rule(78)
def test_a_running_beat_hears_of_the_new_row(fresh: None) -> None:
    PeriodicTasks.objects.all().delete()
    deploy()
    assert PeriodicTasks.last_change() is not None


@pytest.mark.rule(77)
def test_a_tick_that_waited_through_a_downtime_is_thrown_away(fresh: None) -> None:
    deploy()
    assert scheduled().expire_seconds == 600


@pytest.mark.rule(78)
@pytest.mark.parametrize(("seconds", "every"), [(5, 5), (90.0, 90), (0.02, 1)])
def test_the_tick_comes_as_often_as_the_setting_says(
    fresh: None, settings: Any, seconds: float, every: int
) -> None:
    settings.CROSSCHANNEL_TICK_SECONDS = seconds
    deploy()
    assert scheduled().interval.every == every


@pytest.mark.rule(78)
def test_what_an_admin_changed_survives_the_next_deploy(fresh: None) -> None:
    deploy()
    hourly = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.HOURS)
    PeriodicTask.objects.update(interval=hourly, enabled=False, description="not now")
    kept = list(PeriodicTask.objects.order_by("pk").values())
    deploy()
    assert list(PeriodicTask.objects.order_by("pk").values()) == kept


@pytest.mark.rule(78)
def test_a_deleted_row_stays_deleted(fresh: None) -> None:
    deploy()
    PeriodicTask.objects.all().delete()
    deploy()
    assert not PeriodicTask.objects.exists()


@pytest.mark.rule(78)
def test_a_row_of_that_name_is_left_alone(fresh: None) -> None:
    own = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.MINUTES)
    PeriodicTask.objects.create(name="oscar_crosschannel.tick", task="shop.tick_and_more", interval=own)
    deploy()
    assert scheduled().task == "shop.tick_and_more"


@pytest.mark.rule(78)
def test_an_interval_that_the_shop_has_twice_is_no_trouble(fresh: None, settings: Any) -> None:
    for _ in range(2):
        IntervalSchedule.objects.create(every=settings.CROSSCHANNEL_TICK_SECONDS, period="seconds")
    deploy()
    assert scheduled().interval in IntervalSchedule.objects.all()
    assert IntervalSchedule.objects.filter(period="seconds").count() == 2


@pytest.mark.rule(78)
def test_a_shop_without_beat_migrates_and_gets_the_row_once_it_has_beat(fresh: None) -> None:
    apps.set_available_apps(
        [config.name for config in apps.get_app_configs() if config.name != "django_celery_beat"]
    )
    try:
        deploy()
    finally:
        apps.unset_available_apps()
    assert not PeriodicTask.objects.exists()
    deploy()
    assert PeriodicTask.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.rule(78)
def test_beat_may_be_migrated_after_us(fresh: None) -> None:
    with connection.schema_editor() as editor:
        editor.alter_db_table(PeriodicTask, PeriodicTask._meta.db_table, "elsewhere")
    try:
        tasks.install_schedule(now=NOON)
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(PeriodicTask, "elsewhere", PeriodicTask._meta.db_table)
    assert not PeriodicTask.objects.exists()
    tasks.install_schedule(now=NOON)
    assert PeriodicTask.objects.exists()


@pytest.mark.rule(78)
def test_our_migrations_need_no_beat() -> None:
    for path in (PACKAGE / "migrations").glob("0*.py"):
        migration = import_module(f"oscar_crosschannel.migrations.{path.stem}").Migration
        assert "django_celery_beat" not in {app for app, _ in migration.dependencies}


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.rule(78)
def test_another_app_may_be_migrated_first(tmp_path: Path) -> None:
    """On an empty database, with the real migrations."""
    environment = {**os.environ, "SANDBOX_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "sandbox.settings"}
    command = [sys.executable, "manage.py", "migrate", "contenttypes", "--skip-checks"]
    subprocess.run(command, cwd=PACKAGE.parent, env=environment, check=True, timeout=100, capture_output=True)
