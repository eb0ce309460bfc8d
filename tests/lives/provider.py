"""Both providers: they take what they are given, unless they are told to be in a mood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache

from oscar_crosschannel.channels.base import Channel
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.outbound import (
    Content,
    Effect,
    NotSent,
    Outbound,
    Receipt,
    Refused,
    SenderBroken,
    UnknownOutcome,
)


class Mood(StrEnum):
    """How the next call ends."""

    FINE = "fine"
    BUSY = "busy"  #: 429
    REFUSED = "refused"
    OPTED_OUT = "opted out"  #: 21610
    UNUSABLE = "unusable"
    LOST = "lost"  #: no answer, and it never arrived
    HEARD = "heard"  #: no answer, and it did arrive
    CRASH = "crash"  #: the backend raises what it must not
    BROKEN = "broken"  #: 401


NOT_SENT = {Mood.BUSY, Mood.REFUSED, Mood.OPTED_OUT, Mood.UNUSABLE, Mood.BROKEN}


class Provider(Channel):
    """One channel's provider, as the engine sees it."""

    parts = frozenset({"text"})

    def __init__(self) -> None:
        self.mood = Mood.FINE
        self.hears: Callable[[Outbound, Mood], None] = lambda outbound, mood: None

    def compose(self, words: Mapping[str, str], *, purpose: Purpose, language: str) -> Content:
        return Content(text=words["text"])

    def send(self, outbound: Outbound) -> Receipt:
        mood, self.mood = self.mood, Mood.FINE
        self.hears(outbound, mood)
        match mood:
            case Mood.BUSY:
                raise NotSent("busy", code="429", retry_after=30)
            case Mood.REFUSED:
                raise Refused("no")
            case Mood.OPTED_OUT:
                raise Refused("they opted out", code="21610", effect=Effect.OPTED_OUT)
            case Mood.UNUSABLE:
                raise Refused("no such address", code="21614", effect=Effect.UNUSABLE)
            case Mood.LOST | Mood.HEARD:
                raise UnknownOutcome("no answer")
            case Mood.CRASH:
                raise RuntimeError("what no backend may raise")
            case Mood.BROKEN:
                raise SenderBroken("wrong password", code="20003")
        return Receipt(provider="lives", provider_id=str(outbound.uuid))


class Mailer(Provider):
    key = "email"


class Texter(Provider):
    key = "sms"


CHANNELS = {"email": "tests.lives.provider.mailer", "sms": "tests.lives.provider.texter"}


@cache
def mailer() -> Mailer:
    """The provider of email; the app makes its channels anew whenever a setting changes."""
    return Mailer()


@cache
def texter() -> Texter:
    """The provider of texts."""
    return Texter()
