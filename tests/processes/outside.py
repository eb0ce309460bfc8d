"""The world outside: mailboxes and phones that keep what they get, and can hold their answer back."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping

from aiosmtpd.smtp import SMTP, Envelope, Session

from oscar_crosschannel.testing.sms_counterpart import Fault, SmsCounterpart, Text
from sandbox.demo.mailbox import Mailbox

#: Seconds. Nothing takes a tenth of this on an idle machine; a test that waits longer has failed.
PATIENCE = 90


class Gate:
    """Where the outside answers. Closed, it holds one answer back until it is opened again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: int | None = None
        self._reached = threading.Event()
        self._opened = threading.Event()

    def close(self, *, after: int = 0) -> None:
        """Let `after` more answers through, and hold the next."""
        self._reached.clear()
        self._opened.clear()
        self._left = after

    def open(self) -> None:
        self._left = None
        self._opened.set()

    def wait_until_reached(self) -> None:
        """Until a message was taken, and its sender waits for the answer."""
        assert self._reached.wait(PATIENCE), "nobody called the provider"

    def answer(self) -> None:
        """Called between taking a message and saying so."""
        with self._lock:
            if self._left is None:
                return
            self._left -= 1
            if self._left >= 0:
                return
        self._reached.set()
        self._opened.wait(PATIENCE)


class Mailboxes(Mailbox):
    """A mail server whose "250 OK" may be held back."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        await asyncio.to_thread(self.gate.answer)
        return answer

    def got(self) -> Counter[str]:
        """How many emails each address got."""
        return Counter(mail.to for mail in self.mails)


class Phones(SmsCounterpart):
    """A counterpart of Twilio whose "201 Created" may be held back."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    def create(self, fields: Mapping[str, str]) -> tuple[int | Fault | None, Text | None]:
        taken = super().create(fields)
        self.gate.answer()
        return taken

    def got(self) -> Counter[str]:
        """How many texts each number got."""
        return Counter(text.to for text in self.messages)
