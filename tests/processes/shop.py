"""A shop that runs Celery as the README says, with the world outside."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

from celery import Celery
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from oscar_crosschannel import tasks

from .machine import Broker, Database, Process
from .outside import PATIENCE, Mailboxes, Phones
from .people import People, owe_letters, owe_texts
from .store.crosschannel import CRASHES

BASE_URL = "https://localhost"
CELERY = ("-m", "celery", "-A", "sandbox")
SCHEDULER = ("--scheduler", "django_celery_beat.schedulers:DatabaseScheduler")
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

    def start_worker_with_beat(self, name: str) -> Process:
        schedule = str(self.home / "schedule")
        return self.start_worker(name, "--beat", "--schedule", schedule, *SCHEDULER)

    def start_beat(self, name: str) -> Process:
        command = (*CELERY, "beat", "--loglevel", "INFO", "--pidfile", "", *SCHEDULER)
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
        """From now on beat sends ticks to these workers only."""
        for row in PeriodicTask.objects.filter(name__in=self._rows):
            row.enabled = self._rows[row.name] in [worker.name for worker in workers]
            row.save()

    def kill_the_child_at_work(self, worker: Process) -> None:
        """As the kernel does when memory runs out. Its parent notices within seconds, and replaces it."""
        app = Celery(broker=self.broker.url, set_as_current=False)
        answers = app.control.inspect(destination=[f"{worker.name}@shop"], timeout=PATIENCE).active()
        [[task]] = answers.values()
        os.kill(task["worker_pid"], signal.SIGKILL)

    _rows = {tasks.tick.name: "first", "second": "second"}

    def _schedule_second_worker(self) -> None:
        row = PeriodicTask.objects.get(name=tasks.tick.name)
        row.pk, row.name, row.queue, row.enabled = None, "second", "second", False
        row.save()
