"""From what a person said, one thing after another, to what counts now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .facts import Answer, ConsentFacts


class Action(StrEnum):
    """One entry in the ledger of consents."""

    GRANT = "grant"
    REQUEST = "request"  #: somebody typed the address; its owner has yet to confirm
    DECLINE = "decline"  #: a box was shown and left empty
    REVOKE = "revoke"


class Unasked(StrEnum):
    """Why the owner of an address was not asked what a form said in their name. Stored; never rename one."""

    ASKED_LATELY = "asked_lately"  #: the number, which has not said yes since
    MANY_NUMBERS = "many_numbers"  #: one person gave several in a day
    MANY_TEXTS = "many_texts"  #: the shop asked as many in an hour as it may
    MANY_FROM_IP = "many_from_ip"  #: one address on the internet had as many asked
    NO_OPEN_HOURS = "no_open_hours"  #: no hour is open wherever the number may ring
    NO_MAILBOX = "no_mailbox"  #: whose yes is needed before a number is asked
    MAILBOX_BLOCKED = "mailbox_blocked"  #: nothing at all may go there


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentEvent:
    """What was said about one topic on one address."""

    action: Action
    at: datetime
    until: datetime | None = None  #: end of an implied grant, or of a request


def current(events: Iterable[ConsentEvent]) -> ConsentFacts | None:
    """The answer that counts after `events`, oldest first; None: nobody ever answered.

    A request takes nothing away: who has agreed stays agreed. An empty box is no answer.
    """
    answer: ConsentFacts | None = None
    for event in events:
        match event.action:
            case Action.GRANT:
                answer = ConsentFacts(answer=Answer.GRANTED, until=event.until)
            case Action.REVOKE:
                answer = ConsentFacts(answer=Answer.REVOKED)
            case Action.REQUEST if not _is_granted(answer, event.at):
                answer = ConsentFacts(answer=Answer.PENDING, until=event.until)
    return answer


def _is_granted(facts: ConsentFacts | None, at: datetime) -> bool:
    return facts is not None and facts.answer is Answer.GRANTED and (facts.until is None or at < facts.until)
