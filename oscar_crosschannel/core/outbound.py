"""What a channel is given, and what it may answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from .facts import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One person on one channel. `address` is normalised: E.164, or a lower-cased email."""

    address: str
    name: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Something that goes along with an email, such as a calendar entry."""

    name: str
    content: bytes
    type: str  #: with its parameters, such as "text/calendar; method=REQUEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Rendered words, ready to hand over. SMS uses `text` only."""

    text: str
    subject: str = ""
    html: str = ""
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """One provider call: who, what, and the uuid under which its callbacks come back."""

    uuid: UUID
    recipient: Recipient
    content: Content
    purpose: Purpose
    topic: str
    now: datetime
    valid_until: datetime | None = None  #: the provider must not deliver later than this
    callback_url: str = ""
    unsubscribe_url: str = ""  #: https one-click address (RFC 8058); empty for transactional
    reply_to: str = ""  #: mailbox for answers by email; empty: the sender's
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The provider accepted the message."""

    provider: str
    provider_id: str = ""  #: empty when the backend tells none (SMTP, locmem)
    segments: int | None = None


class Effect(StrEnum):
    """What a permanent refusal says about the address."""

    NONE = "none"
    OPTED_OUT = "opted_out"  #: blocked by the person at the provider (21610)
    UNUSABLE = "unusable"  #: not a number or mailbox this channel can serve
    COMPLAINED = "complained"


class ChannelError(Exception):
    """A provider call that did not end in a receipt. `code` is the provider's own."""

    def __init__(self, detail: str, *, code: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class NotSent(ChannelError):
    """Certainly not sent and worth another try. `retry_after` is the provider's wish in seconds."""

    def __init__(self, detail: str, *, code: str = "", retry_after: float | None = None) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class SenderBroken(NotSent):
    """Certainly not sent, and no other message would be: credentials, account or sender are wrong."""


class Refused(ChannelError):
    """Certainly not sent, now or ever. `effect` says what it tells about the address."""

    def __init__(
        self, detail: str, *, code: str = "", effect: Effect = Effect.NONE, alert: bool = False
    ) -> None:
        super().__init__(detail, code=code)
        self.effect = effect
        self.alert = alert  #: unknown to the code table: tell the operator


class TooLong(Refused):
    """The rendered text is longer than this channel may send for its purpose."""


class UnknownOutcome(ChannelError):
    """Perhaps sent. Never sent again by itself; reconciled by callback or look-up."""
