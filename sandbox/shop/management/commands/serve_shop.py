from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from sandbox.shop import people, seed

#: A little more than the flow waits after the last activity.
EMAIL_IS_DUE = timedelta(hours=1, minutes=5)
TEXT_IS_DUE = timedelta(hours=24, minutes=5)


class Command(BaseCommand):
    help = """Run the sandbox at SANDBOX_BASE_URL, http://127.0.0.1:8000 if there is none: the shop in
        this process, the engine in another. Ctrl-C ends both."""

    def handle(self, *_args: Any, **_options: Any) -> None:
        url = settings.CROSSCHANNEL_BASE_URL  # that of the links in emails and texts
        self._prepare()
        self._print_welcome(url)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the engine is ended, too
        with self._engine():
            call_command("runserver", urlsplit(url).netloc, use_reloader=False, skip_checks=True)

    def _prepare(self) -> None:
        self.stdout.write("Preparing the database (half a minute the first time) …")
        call_command("migrate", verbosity=0)
        if seed.is_empty():
            call_command("seed_shop", stdout=self.stdout)

    def _print_welcome(self, url: str) -> None:
        logins = "\n".join(
            f"  {person.email:<22} {person.zone:<20} {person.language}" for person in people.PEOPLE
        )
        username, _, password = people.STAFF
        now = timezone.now()
        an_hour_on, a_day_on = (f"{now + later:%Y-%m-%dT%H:%M}Z" for later in (EMAIL_IS_DUE, TEXT_IS_DUE))
        self.stdout.write(
            f"""
Shop         {url}/
Admin        {url}/admin/       {username} / {password}
Dashboard    {url}/dashboard/
Emails       {url}/outbox/      (texts are printed here)
Data         {settings.HOME}
Time         {now:%Y-%m-%d %H:%M} UTC

Customers, password "{people.PASSWORD}":
{logins}

Fill a basket, go to the checkout, leave, and move the time from another terminal:
  .venv/bin/python manage.py crosschannel_run --once --now {an_hour_on}    the email is due
  .venv/bin/python manage.py crosschannel_run --once --now {a_day_on}    the text is due, by day
"""
        )

    @contextmanager
    def _engine(self) -> Iterator[None]:
        process = subprocess.Popen([sys.executable, sys.argv[0], "crosschannel_run"])
        threading.Thread(target=self._watch, args=[process], daemon=True).start()
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """A shop whose engine has died looks alive and sends nothing."""
        if process.wait() > 0:
            self.stderr.write(
                self.style.ERROR("The engine has stopped; nothing is sent any more. See above.")
            )
