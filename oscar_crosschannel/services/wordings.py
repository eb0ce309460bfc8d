"""The words beside consent boxes: how they read now, and how they read when somebody agreed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ImproperlyConfigured
from django.template.loader import get_template
from django.utils import translation

from ..conf import settings
from ..models import ConsentText


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The words beside a consent box, and the topics they name."""

    words: str
    digest: str  #: of words, channel, language and topics; 64 hex characters
    topics: tuple[str, ...]


def wording(channel: str, language: str) -> Wording:
    """The words as they are shown now. Asks no database.

    They come from the template `oscar_crosschannel/consent/<channel>.txt`, whose first line is
    "topics: <key> <key> …": whoever changes the words says there what they permit.
    """
    template = get_template(f"oscar_crosschannel/consent/{channel}.txt")
    with translation.override(language):
        rendered = template.render(
            {
                "brand": settings.BRAND,
                "frequency": settings.SMS_FREQUENCY,
                "terms_url": settings.TERMS_URL,
                "privacy_url": settings.PRIVACY_URL,
            }
        )
    head, _, body = rendered.strip().partition("\n")
    label, _, keys = head.partition(":")
    words, topics = " ".join(body.split()), tuple(keys.split())
    if label.strip() != "topics" or not topics or not words:
        raise ImproperlyConfigured(
            f"consent/{channel}.txt must begin with a line 'topics: <key> …' before its words."
        )
    return Wording(words=words, digest=_digest(channel, language, topics, words), topics=topics)


def shown(digest: str, *, channel: str, language: str, now: datetime) -> ConsentText | None:
    """The words a form showed, by their digest; None when nobody knows them (any more).

    Stored with their first answer, and from then on known whatever becomes of the template.
    """
    known: ConsentText | None = ConsentText.objects.filter(digest=digest, channel=channel).first()
    if known is not None:
        return known
    # the language comes back from the form, so it may be anything
    if not translation.check_for_language(language):
        return None
    now_shown = wording(channel, language)
    if now_shown.digest != digest:
        return None
    return store(channel, language, now_shown.topics, now_shown.words, now=now)


def store(channel: str, language: str, topics: Sequence[str], words: str, *, now: datetime) -> ConsentText:
    """The immutable row of these words; other words, or other topics for them, are another row."""
    text: ConsentText
    text, _ = ConsentText.objects.get_or_create(
        digest=_digest(channel, language, topics, words),
        defaults={
            "channel": channel,
            "language": language,
            "words": words,
            "topics": list(topics),
            "created_at": now,
        },
    )
    return text


def _digest(channel: str, language: str, topics: Sequence[str], words: str) -> str:
    return hashlib.sha256(json.dumps([channel, language, list(topics), words]).encode()).hexdigest()
