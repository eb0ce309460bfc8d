from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
import webbrowser
from argparse import ArgumentParser
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from sandbox.shop import people, seed
from sandbox.shop.outbox import engine, phones


class Command(BaseCommand):
    help = """Run the sandbox at SANDBOX_BASE_URL, http://127.0.0.1:8000 if there is none: the shop, its
        engine, and everybody's phone, in one process. Ctrl-C ends all of it."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-browser", action="store_true", help="do not open the outbox in a browser")

    def handle(self, *_args: Any, no_browser: bool, **_options: Any) -> None:
        url = settings.CROSSCHANNEL_BASE_URL  # that of the links in emails and texts
        self._prepare()
        self._print_welcome(url)
        # An open outbox asks every few seconds; only what fails is printed. By a filter, because the
        # server's start sets the levels once more.
        logging.getLogger("django.server").addFilter(lambda record: record.levelno >= logging.ERROR)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the engine ends its work
        if not no_browser and _has_display():
            threading.Thread(target=_open_when_ready, args=[f"{url}/outbox/"], daemon=True).start()
        with ExitStack() as stack:
            if not settings.CROSSCHANNEL_TWILIO["ACCOUNT_SID"]:
                stack.enter_context(phones.run(settings.HOME / "phones.json"))
            stack.enter_context(engine.running())
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
        self.stdout.write(
            f"""
Start here   {url}/outbox/      everybody's inbox and phone, and buttons that move the time

Shop         {url}/
Admin        {url}/admin/       {username} / {password}
Dashboard    {url}/dashboard/
Data         {settings.HOME}
Time         {timezone.now():%Y-%m-%d %H:%M} UTC

Customers, password "{people.PASSWORD}":
{logins}
"""
        )


def _has_display() -> bool:
    """Whether a person sits before this: at a terminal, with windows."""
    has_windows = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return has_windows and sys.stdout.isatty() and not os.environ.get("CI")


def _open_when_ready(url: str) -> None:
    address = urlsplit(url)
    while True:
        try:
            socket.create_connection((address.hostname or "", address.port or 80), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            webbrowser.open(url)
            return
