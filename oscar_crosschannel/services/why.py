"""Why somebody got a message: what they agreed to before, what happened, and what they said since."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q

from ..core.facts import EMAIL, Purpose
from ..models import ConsentEvent, ContactPoint, Message
from . import contacts, failures, links, plans, topics
from .handover import run_of
from .topics import Words

logger = logging.getLogger(__name__)

_Action = ConsentEvent.Action
#: So many texts are listed for who asks about one.
LATEST = 10


class Text(NamedTuple):
    """One text that somebody got."""

    topic: str  #: its name
    at: datetime | None
    why_path: str  #: of the page that says why


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """All that is known of why a message was sent."""

    message: Message
    channel: str
    point: ContactPoint | None  #: where it went; None when that address was deleted
    topic: Words
    purpose: Purpose
    sent_at: datetime | None
    occasion: str  #: a sentence; empty: nothing to say
    agreed: ConsentEvent | None  #: what permitted it
    stopped: ConsentEvent | None  #: what was said since


def reasons(message: Message, *, language: str) -> Reasons:
    """Why `message` went out. Writes nothing; speaks the active language."""
    agreed, stopped = _said(message)
    return Reasons(
        message=message,
        channel=channel_of(message),
        point=message.point,
        topic=topic_words(message, language=language),
        purpose=Purpose(message.purpose),
        sent_at=message.attempted_at,
        occasion=_occasion(message),
        agreed=agreed,
        stopped=stopped,
    )


def texts_to(point: ContactPoint, *, language: str) -> list[Text]:
    """The last texts that a number got, the newest first, for there is no room in them for the way to here."""
    sent = Message.objects.filter(
        contact=point.contact_id, point__address=point.address, attempted_at__isnull=False
    ).order_by("-attempted_at", "-pk")[:LATEST]
    names = {topic.key: topics.words(topic, language).name for topic in topics.in_order()}
    return [
        Text(names.get(text.topic, text.topic), text.attempted_at, links.why_path(text.pk)) for text in sent
    ]


def channel_of(message: Message) -> str:
    """The channel a message went by."""
    return message.channel or EMAIL


def topic_words(message: Message, *, language: str) -> Words:
    """How the topic of a message is called. Two statements."""
    topic = topics.in_order().filter(key=message.topic).first()
    return topics.words(topic, language) if topic is not None else Words(name=message.topic, description="")


def _said(message: Message) -> tuple[ConsentEvent | None, ConsentEvent | None]:
    """The last agreement before the message went out, and the stop after it."""
    point, sent_at = message.point, message.attempted_at
    if point is None or sent_at is None:
        return None, None
    about_it = Q(topic=message.topic) | Q(topic="", action=_Action.REVOKE)
    events = ConsentEvent.objects.select_related("text").filter(
        about_it, point=point, action__in=[_Action.GRANT, _Action.REVOKE]
    )
    agreed = events.filter(action=_Action.GRANT, at__lte=sent_at).order_by("-pk").first()
    last = events.order_by("-pk").first()
    return agreed, last if last is not None and last.action == _Action.REVOKE else None


def _occasion(message: Message) -> str:
    found = plans.origin(message.flow)
    if found is None:
        return ""
    _declared, about = found
    email = message.point.address if message.point is not None and message.channel == EMAIL else ""
    message.contact = contacts.followed(message.contact)
    try:
        with transaction.atomic():
            sent_at = message.attempted_at or message.created_at
            run = run_of(message, channel=channel_of(message), now=sent_at, email=email)
            said = about.occasion(run)
            transaction.set_rollback(True)  # whatever the shop's code wrote while it was asked
    except Exception as error:
        failures.log(logger, error, "occasion of flow %s failed for message %d", message.flow.key, message.pk)
        return ""
    return said
