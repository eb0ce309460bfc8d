"""What a provider of text messages must be able to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from uuid import UUID

from ...core.outbound import Outbound, Receipt
from ..base import Found


class SmsBackend(ABC):
    """One provider. Built without arguments, once per process, and called from several threads."""

    @abstractmethod
    def send(self, outbound: Outbound) -> Receipt:
        """Make exactly one provider call, with a time-out.

        The text is composed, the number is E.164 and `valid_until` lies ahead. Raise `NotSent`,
        `SenderBroken` or `Refused` if the message certainly did not go out; whatever else is
        raised counts as an unknown outcome.
        """

    def takes_replies(self) -> bool:
        """Whether people can answer; if not, "reply STOP" is no way out."""
        return True

    def sender(self) -> str:
        """Whose rate it is that carriers limit: the number or messaging service. Empty: no carrier is behind it."""
        return type(self).__qualname__

    def reaches_people(self) -> bool:
        """As `Channel.reaches_people`."""
        return True

    def look_up(self, uuid: UUID, provider_id: str, address: str, since: datetime) -> Found | None:
        """As `Channel.look_up`."""
        return None
