"""Which channel suits a message: short and urgent by text, long, visual or frequent by email, critical by both.

Hints, no rules: nothing is ever stopped by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from .facts import EMAIL, SMS, Purpose

#: What must be read within this time is urgent: a text is read within minutes, an email within a day.
URGENT = timedelta(hours=4)
#: What keeps longer than this is in no hurry.
PATIENT = timedelta(days=2)
#: A text of more segments is long: it costs several times as much, and few read it to the end.
SHORT = 2
#: Texts a month, above which people ask them to stop.
OFTEN = 4
MONTH = timedelta(days=30)


class Why(StrEnum):
    """Why a channel suits a message."""

    CRITICAL = "critical"  #: everybody must hear of it, at once
    URGENT = "urgent"  #: too late if it is read tomorrow
    URGENT_AND_LONG = "urgent_and_long"  #: a short text at once, with a link to the rest
    LONG = "long"
    VISUAL = "visual"
    PATIENT = "patient"  #: in no hurry
    OFTEN = "often"


@dataclass(frozen=True, slots=True)
class Hint:
    """What speaks for which channels."""

    why: Why
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What is known of a message."""

    purpose: Purpose
    worth: timedelta  #: from when it is due until it is no longer worth sending
    any_hour: bool = False  #: it may come at night
    segments: int = 0  #: of its words as a text; 0: not known
    pictures: int = 0
    links: int = 0
    a_month: int = 0  #: texts that one person gets at most of the flow it belongs to


def hints(traits: Traits) -> list[Hint]:
    """What speaks for which channel, the strongest first; nothing, if either will do."""
    return list(_hints(traits))


def _hints(traits: Traits) -> Iterator[Hint]:
    if traits.purpose is Purpose.CRITICAL:
        yield Hint(Why.CRITICAL, (SMS, EMAIL))
        return
    is_long, is_visual = traits.segments > SHORT, traits.pictures > 0 or traits.links > 1
    if traits.worth <= URGENT or traits.any_hour:
        yield Hint(Why.URGENT_AND_LONG if is_long or is_visual else Why.URGENT, (SMS,))
    elif traits.worth > PATIENT:
        yield Hint(Why.PATIENT, (EMAIL,))
    if is_long:
        yield Hint(Why.LONG, (EMAIL,))
    if is_visual:
        yield Hint(Why.VISUAL, (EMAIL,))
    if traits.a_month > OFTEN:
        yield Hint(Why.OFTEN, (EMAIL,))


def a_month(texts: Sequence[timedelta], again_after: timedelta, *, once: bool) -> int:
    """How many texts one person gets within a month, at most, of a flow that rests so long between two runs.

    `texts` are the delays of those of one run. Of a flow that never rests nobody knows how often it
    begins: it counts as one run.
    """
    a_run = max((sum(first <= each < first + MONTH for each in texts) for first in texts), default=0)
    runs = 1 if once or not again_after else max(1, MONTH // again_after)
    return a_run * runs
