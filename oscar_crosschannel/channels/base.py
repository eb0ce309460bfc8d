"""The one interface between the engine and a provider."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from ..core.facts import Purpose
from ..core.lifecycle import Status
from ..core.outbound import ChannelError, Content, Outbound, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a provider knows of an earlier call."""

    provider_id: str
    status: Status
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast one sender may go, over all workers together."""

    sender: str  #: whose rate it is, at most 80 characters: a number, a messaging service, an account
    per_second: float  #: units (see `Channel.units`) in a second


class Channel(ABC):
    """A way to reach people. Safe to call from several threads."""

    key: ClassVar[str]
    #: The parts of copy this channel needs: `{"text"}` for SMS, `{"subject", "text", "html"}` for email.
    parts: ClassVar[frozenset[str]]

    @abstractmethod
    def compose(self, words: Mapping[str, str], *, purpose: Purpose, language: str) -> Content:
        """Turn rendered words into content that may be sent, or raise `Refused`.

        Adds what every message of the channel must carry (brand, postal address) and
        refuses what may not go out (`TooLong`, a marketing text without a way out).
        """

    @abstractmethod
    def send(self, outbound: Outbound) -> Receipt:
        """Make exactly one provider call.

        Raises `NotSent`, `SenderBroken`, `Refused` or `UnknownOutcome`, and nothing else.
        """

    def pace(self) -> Pace | None:
        """How fast the sender may go; `None`: as fast as the provider answers."""
        return None

    def units(self, content: Content) -> int:
        """How much of the pace `content` takes."""
        return 1

    def reaches_people(self) -> bool:
        """Whether anybody would get what is sent: a provider is chosen, though it may be broken just now."""
        return True

    def look_up(self, uuid: UUID, provider_id: str, address: str, since: datetime) -> Found | None:
        """Ask the provider what became of an attempt; `None`: it does not know or cannot tell."""
        return None


def without_address(error: ChannelError, address: str) -> ChannelError:
    """`error`, its words free of the recipient's address, so that they may be logged."""
    error.detail = re.sub(re.escape(address), "<address>", error.detail, flags=re.IGNORECASE)
    error.args = (error.detail,)
    return error
