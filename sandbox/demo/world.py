"""The shop and the engine as processes of their own, the mailboxes and phones outside, and one clock."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from oscar_crosschannel.testing.sms_counterpart import SmsCounterpart, Text
from sandbox import clock

from .browser import Astray
from .mailbox import Mail, Mailbox

#: A process that has not started, or not ended a pass, after this many seconds has failed.
PATIENCE = 120


class Collapsed(Exception):
    """A process of the demo has died or hangs; there is no story to judge."""


@dataclass
class World:
    """What is outside the shop, and the time of everything."""

    home: str  #: address of the shop
    mailbox: Mailbox
    phones: SmsCounterpart
    engine: Engine
    _mails: int = 0  #: how many were told of
    _texts: int = 0
    _reported: int = 0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def move_to(self, moment: datetime) -> list[Mail | Text]:
        """Put everybody's clock to `moment`, unless it is past, and let the engine do what is due then."""
        if moment > self.now():
            clock.set_now(moment)
        return self.settle()

    def settle(self) -> list[Mail | Text]:
        """Let the engine do what is due now; returns what has arrived since the last time."""
        self.engine.work()
        self._report_deliveries()
        return self.arrivals()

    def arrivals(self) -> list[Mail | Text]:
        """What mailboxes and phones got since the last time, in order."""
        new: list[Mail | Text] = [*self.mailbox.mails[self._mails :], *self.phones.messages[self._texts :]]
        self._mails += sum(isinstance(arrival, Mail) for arrival in new)
        self._texts += sum(isinstance(arrival, Text) for arrival in new)
        return sorted(new, key=lambda arrival: arrival.at)

    def answer(self, phone: str, words: str) -> None:
        """Somebody texts the shop; the provider tells its webhook, signed."""
        reply = self.phones.inbound(phone, words, f"{self.home}/cc/twilio/inbound/")
        if reply.status != 200:
            raise Astray(f"the webhook for texts answered with {reply.status}")

    def _report_deliveries(self) -> None:
        """What the phone company tells the shop of each text."""
        for text in self.phones.messages[self._reported :]:
            self._reported += 1
            if text.status_callback:
                self.phones.callback(text.sid, "delivered")


@dataclass(frozen=True, slots=True)
class Shop:
    """The web server."""

    home: str
    process: subprocess.Popen[str]

    def wait_until_open(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + PATIENCE
        while not _answers(urlsplit(self.home).port or 0):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Collapsed("The shop does not open.")
            time.sleep(0.05)


class Engine:
    """`manage.py crosschannel_run`. It says when a pass has ended, which is how the demo waits for it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._passes = 0
        self._passed = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def work(self) -> None:
        """Return after a whole pass: the one under way may have begun before the clock was moved."""
        deadline = time.monotonic() + PATIENCE
        with self._passed:
            wanted = self._passes + 2
            while self._passes < wanted:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise Collapsed("The engine does not work any more.")
                self._passed.wait(1)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("folded"):
                with self._passed:
                    self._passes += 1
                    self._passed.notify_all()


def environment(home: Path, mailbox: Mailbox, phones: SmsCounterpart) -> dict[str, str]:
    """What the processes of this world must know; see `sandbox.settings`."""
    twilio = phones.settings()
    return {
        "SANDBOX_HOME": str(home),
        "SANDBOX_BASE_URL": f"http://127.0.0.1:{_free_port()}",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(mailbox.port),
        **{f"TWILIO_{name}": twilio[name] for name in ("ACCOUNT_SID", "AUTH_TOKEN", "FROM", "BASE_URL")},
    }


@contextmanager
def shop(home: str) -> Iterator[Shop]:
    """The storefront at its address, in Django's own server."""
    address = urlsplit(home).netloc
    with _process("runserver", "--noreload", "--skip-checks", address, stdout=subprocess.DEVNULL) as process:
        yield Shop(home, process)


@contextmanager
def engine() -> Iterator[Engine]:
    """The engine without a broker, as a shop runs it."""
    with _process("crosschannel_run", "--verbosity", "2", stdout=subprocess.PIPE) as process:
        yield Engine(process)


def last_words() -> str:
    """What the processes complained of last; requests are no complaint."""
    lines = [
        line
        for path in sorted(Path(settings.HOME).glob("*.log"))
        for line in path.read_text().splitlines()
        if not line.startswith("[")
    ]
    return "\n".join(lines[-30:])


@contextmanager
def _process(command: str, *arguments: str, stdout: int) -> Iterator[subprocess.Popen[str]]:
    """A command of the sandbox; it is asked to end, and waited for."""
    with Path(settings.HOME, f"{command}.log").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), command, *arguments],
            stdout=stdout,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
