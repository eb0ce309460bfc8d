"""Text messages on standard output, for development."""

from __future__ import annotations

import sys
import threading

from django.conf import settings as django_settings

from ...core.outbound import Outbound, Receipt
from ...core.sms import segments
from .base import SmsBackend


class ConsoleBackend(SmsBackend):
    """Writes each message and what it would cost; nothing leaves the machine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def sender(self) -> str:
        return ""

    def reaches_people(self) -> bool:
        """Its developer alone, who stands for them."""
        return django_settings.DEBUG

    def send(self, outbound: Outbound) -> Receipt:
        found = segments(outbound.content.text)
        rule = "-" * 79
        with self._lock:  # the lines of two threads must not mix
            sys.stdout.write(
                f"SMS to {outbound.recipient.address} ({found.encoding}, segments: {found.count})\n"
                f"{outbound.content.text}\n{rule}\n"
            )
            sys.stdout.flush()
        return Receipt(provider="console", segments=found.count)
