"""Text messages in memory, for tests."""

from __future__ import annotations

from ...core.outbound import Outbound, Receipt
from ...core.sms import segments
from .base import SmsBackend

#: What was sent in this process, oldest first. Clear it between tests: `outbox.clear()`.
outbox: list[Outbound] = []


class LocmemBackend(SmsBackend):
    """Appends each message to `outbox`."""

    def sender(self) -> str:
        return ""

    def send(self, outbound: Outbound) -> Receipt:
        outbox.append(outbound)
        return Receipt(provider="locmem", segments=segments(outbound.content.text).count)
