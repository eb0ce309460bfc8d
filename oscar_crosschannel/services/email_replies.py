"""What a customer writes back by email, and the mail that a mailbox sends to unsubscribe.

A From header proves nothing. What counts is a token that only the recipient of a message had: in
the address that the message asked answers to, or the message's own id. Without one, whoever it
claims to be from is merely left in peace until somebody has read it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from ..conf import settings
from ..core import letters, tokens
from ..core.events import Event
from ..core.facts import EMAIL
from ..core.keywords import Keyword, classify
from ..models import Attempt, Message
from . import answers, consents, contacts, doubts, inbox

#: Name of the event.
RECEIVED = "email.received"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One email that came in."""

    key: str  #: the same however often the provider hands it over
    sender: str
    recipients: Collection[str]
    subject: str = ""
    text: str = ""  #: what stands above the quotation
    below: str = ""  #: what stands under it, if nothing stands above
    answers_to: Collection[str] = ()  #: ids of the messages it refers to, without brackets
    is_automatic: bool = False  #: a machine wrote it
    at: datetime


@transaction.atomic
def take_inbound(letter: Letter, *, now: datetime) -> None:
    """Take one email: the record and what follows from it commit together. A doubled one changes nothing."""
    leaving = _message(_signed(tokens.UNSUBSCRIBE, letter))
    answered = _message(_signed(tokens.REPLY, letter)) or _answered(letter)
    meaning = Keyword.NONE if letter.is_automatic else _meaning(letter)
    event = Event(
        name=RECEIVED,
        key=letter.key,
        occurred_at=letter.at,
        email=contacts.known_as(EMAIL, letter.sender),
        data={
            "subject": letter.subject,
            "body": "\n\n".join(filter(None, (letter.text, letter.below))),
            "meaning": meaning,
            "message": proof.pk if (proof := leaving or answered) is not None else None,
        },
    )
    if not inbox.record(event, now=now, settled=True):
        return
    if leaving is not None:
        # whoever wrote it: a mailbox's own unsubscribe button is a machine, too
        _revoke(leaving, [leaving.topic], event, source="mailto", mechanism="link", now=now)
    elif answered is not None and meaning is Keyword.STOP:
        _revoke(answered, None, event, source="email_reply", mechanism="keyword", now=now)
    elif meaning in (Keyword.STOP, Keyword.REVIEW_STOP):
        address = _address(answered) if answered is not None else _known(event.email)
        if address:
            doubts.raise_doubt(EMAIL, address, event, now=now)
    elif not letter.is_automatic and (answered is not None or _known(event.email)):
        answers.keep(event)


def _signed(purpose: str, letter: Letter) -> int | None:
    """Id of the message whose token the letter bears, in an address or, as some mailboxes alter those, in the subject."""
    tags = [letters.tag_of(address) for address in letter.recipients]
    for token in [*tags, *letter.subject.split()[-1:]]:
        if token and (found := tokens.read(purpose, token, keys=settings.link_keys())) is not None:
            return found[0]
    return None


def _message(message_id: int | None) -> Message | None:
    if message_id is None:
        return None
    return Message.objects.select_related("contact", "point").filter(pk=message_id).first()


def _answered(letter: Letter) -> Message | None:
    """The message of ours that it answers, by the id that the provider gave it; nobody else can know that."""
    ids = {each for known in letter.answers_to for each in (known, f"<{known}>", known.partition("@")[0])}
    attempt = Attempt.objects.filter(channel=EMAIL, provider_id__in=ids - {""}).order_by("pk").first()
    return _message(attempt.message_id) if attempt is not None else None


def _meaning(letter: Letter) -> Keyword:
    """A word of stop above a greeting or a signature is a word of stop; more words are for staff to read."""
    paragraphs = letters.paragraphs(letter.text) or [letter.subject]
    first = classify(paragraphs[0])
    meaning = first if first is Keyword.STOP else classify("\n".join(paragraphs))
    if meaning is Keyword.NONE and _speaks_of_stop(letter.below):
        return Keyword.REVIEW_STOP
    return meaning


def _speaks_of_stop(below: str) -> bool:
    """Under a quotation a line of ours may have lost its mark, so that it is never more than a doubt."""
    said = (below, *letters.paragraphs(below)[:1])
    return any(classify(words) in (Keyword.STOP, Keyword.REVIEW_STOP) for words in said)


def _revoke(
    message: Message,
    topics: list[str] | None,
    event: Event,
    *,
    source: str,
    mechanism: str,
    now: datetime,
) -> None:
    if address := _address(message):
        consents.revoke(
            EMAIL,
            address,
            topics=topics,
            source=source,
            mechanism=mechanism,
            verbatim=event.data["body"] or event.data["subject"],
            provider_id=event.key,
            message_id=message.pk,
            received_at=event.occurred_at,
            now=now,
        )


def _address(message: Message) -> str:
    """Where the message went; if that is not known any more, where its contact is reached now."""
    if message.point is not None and message.point.channel == EMAIL:
        return message.point.address
    point = contacts.followed(message.contact).points.filter(channel=EMAIL, current=True).first()
    return point.address if point is not None else ""


def _known(sender: str) -> str:
    """The sender's address if we write to it; spam, which likes to speak of unsubscribing, is nobody's wish."""
    return sender if contacts.find_by_address(EMAIL, sender) else ""
