"""A shop that runs Celery as the README says, with the world outside."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from celery import Celery
from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from oscar_crosschannel import tasks

from .machine import Broker, Database, Process, wait_until
from .outside import PATIENCE, Mailboxes, Phones
from .people import People, owe_letters, owe_texts
from .store.crosschannel import CRASHES

BASE_URL = "https://localhost"
CELERY = ("-m", "celery", "-A", "sandbox")
#: By name of a row of beat's, the worker that it wakes.
ROWS = {tasks.tick.name: "first", "second": "second"}
SCHEDULE_CHANGED = "Schedule changed"
LOOP = ("manage.py", "crosschannel_run", "--verbosity", "2")


class Shop:
    """Its processes, its database and its broker; `close` ends them all."""

    def __init__(self, home: Path, tables: Database, mailboxes: Mailboxes, phones: Phones) -> None:
        self.home, self.mailboxes, self.phones = home, mailboxes, phones
        self._ends = ExitStack()
        self.database = Database(home.name, copied_from=tables)
        self._ends.callback(self.database.drop)
        self.broker_url = ""

    def start(self, name: str, *command: str, ready: str, supervised: bool = False) -> Process:
        """Any command of this shop."""
        twilio = self.phones.settings()
        known = {
            "DJANGO_SETTINGS_MODULE": "tests.processes.store.settings",
            "SANDBOX_DATABASE_URL": self.database.url,
            "CELERY_BROKER_URL": self.broker_url,
            "SANDBOX_BASE_URL": BASE_URL,
            "BROKER_FOLDER": str(self.home / "broker"),
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(self.mailboxes.port),
            "TMPDIR": str(self.home),
            **{f"TWILIO_{key}": twilio[key] for key in ("ACCOUNT_SID", "AUTH_TOKEN", "FROM", "BASE_URL")},
        }
        process = Process(
            name, *command, ready=ready, home=self.home, environment=known, supervised=supervised
        )
        self._ends.callback(process.kill)
        return process

    def start_worker(self, name: str, *options: str) -> Process:
        """Supervised, because Celery's worker may end when its broker dies."""
        command = (*CELERY, "worker", "--loglevel", "INFO", "--hostname", f"{name}@shop")
        return self.start(name, *command, *options, ready=" ready.", supervised=True)

    def start_beat(self, name: str) -> Process:
        command = (*CELERY, "beat", "--loglevel", "INFO", "--pidfile", "")
        return self.start(name, *command, ready="beat: Starting")

    def start_loop(self, name: str) -> Process:
        return self.start(name, *LOOP, ready="folded")

    def run_once(self, name: str) -> None:
        """As cron does."""
        self.start(name, *LOOP, "--once", ready="").finish()

    def owe_letters(self, count: int, *, names: tuple[str, ...] = ()) -> People:
        return owe_letters(count, self.mailboxes, names=names)

    def owe_texts(self, count: int) -> People:
        return owe_texts(count, self.phones)

    def schedule_each_second(self) -> None:
        """What an administrator does on beat's page: the row that `migrate` made, but more often."""
        row = PeriodicTask.objects.get(name=tasks.tick.name)
        row.interval, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
        row.save()

    def crashes(self) -> int:
        """How often the store's own code has killed a process."""
        crashes = self.home / CRASHES
        return len(crashes.read_text().splitlines()) if crashes.exists() else 0

    def has_crashed(self, times: int) -> bool:
        return self.crashes() >= times

    def close(self) -> None:
        self._ends.close()


class CeleryShop(Shop):
    """A broker, a beat, and two workers with queues of their own, so that a test can say who works."""

    def __init__(self, home: Path, tables: Database, mailboxes: Mailboxes, phones: Phones) -> None:
        super().__init__(home, tables, mailboxes, phones)
        self.broker = Broker()
        self._ends.callback(self.broker.stop)
        self.broker_url = self.broker.url
        with self.database.in_use():
            self.schedule_each_second()
            self._schedule_second_worker()
        self.first = self.start_worker("first", "--concurrency", "6")
        self.second = self.start_second_worker()
        self.beat = self.start_beat("beat")
        for process in (self.first, self.second, self.beat):
            process.wait_until_ready()

    def start_second_worker(self) -> Process:
        return self.start_worker("second", "--concurrency", "2", "--queues", "second")

    def wake(self, *workers: Process) -> None:
        """Return when beat sends ticks to these workers only, and the others have ended theirs."""
        awake = {worker.name for worker in workers}
        rows = PeriodicTask.objects.filter(name__in=ROWS)
        if {ROWS[row.name] for row in rows if row.enabled} == awake:
            return
        known = self.beat.said(SCHEDULE_CHANGED)
        with transaction.atomic():
            for row in rows:
                row.enabled = ROWS[row.name] in awake
                row.save()
        self.beat.wait_until_said(SCHEDULE_CHANGED, known + 1)
        for worker in (self.first, self.second):
            if worker.name not in awake:
                wait_until(partial(self.is_idle, worker), lambda: "a worker does not end its task")

    def is_idle(self, worker: Process) -> bool:
        """Whether it has no task; one that does not answer is dead or frozen, and takes none."""
        return not self._tasks_of(worker, patience=1)

    def kill_who_is_at_work(self, worker: Process) -> None:
        """As the kernel does when memory runs out. Their parent notices within seconds, and replaces them.

        All that have a task: beside the one that is in a call, another may just be finding nothing to do.
        """
        for task in self._tasks_of(worker, patience=PATIENCE):
            with suppress(ProcessLookupError):  # killed before, and its parent has yet to notice
                os.kill(task["worker_pid"], signal.SIGKILL)

    def _tasks_of(self, worker: Process, *, patience: float) -> list[dict[str, Any]]:
        app = Celery(broker=self.broker.url, set_as_current=False)
        answers = app.control.inspect(destination=[f"{worker.name}@shop"], timeout=patience).active() or {}
        return [task for tasks_running in answers.values() for task in tasks_running]

    def _schedule_second_worker(self) -> None:
        row = PeriodicTask.objects.get(name=tasks.tick.name)
        row.pk, row.name, row.queue, row.enabled = None, "second", "second", False
        row.save()
