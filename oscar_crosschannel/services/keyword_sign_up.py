"""Somebody texts the word that the shop prints on its posters: JOIN.

The text comes from the phone itself, so it is the yes of whoever has the number. It says nothing of who
that is: unless one person has shown before that the number is theirs, or the shop has asked the number for
one person lately, which is answered by this, the yes is nobody else's.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings as django_settings
from django.utils import translation

from ..conf import settings
from ..core.events import Event
from ..core.facts import SMS
from ..core.keywords import Keyword, classify
from . import confirmations, consents, contacts, inbox, wordings

#: Note in the inbox that a JOIN was answered.
ANSWERED = "sms.joined"


def words() -> list[str]:
    """Every word that means JOIN, in any language."""
    return [word for spoken in settings.SMS_JOIN_WORDS.values() for word in spoken]


def word(language: str) -> str:
    """The word to be printed for who reads this language; empty: nobody signs up that way."""
    spoken = settings.SMS_JOIN_WORDS
    for known in (language, language.partition("-")[0], django_settings.LANGUAGE_CODE.partition("-")[0]):
        if own := next(iter(spoken.get(known, ())), ""):
            return own
    return next(iter(words()), "")


def take(phone: str, *, body: str, sid: str, now: datetime) -> str:
    """A number agrees to what the shop prints beside the word, in the word's language; returns the reply.

    Whoever agreed before is told so again, once a day at most: two machines must not talk for ever.
    Lifts an earlier STOP of the number here. A provider that blocked it itself must hear START.
    """
    address = contacts.normalise(SMS, phone)
    if address is None:
        return ""
    language = _language(body)
    contacts.lock([contact.pk for contact in contacts.find_by_address(SMS, address)])
    asked = consents.asked_lately(address, now=now)
    answered = bool(asked and consents.confirm_reply(phone, body=body, provider_id=sid, now=now))
    if asked is not None:
        contacts.use(asked)
    point = asked or contacts.of_number(address, now=now)
    shown = wordings.wording(wordings.SMS_KEYWORD, language, country=point.country)
    agreed = consents.agree(
        point.contact,
        point,
        shown,
        language=language,
        source="keyword",
        mechanism="keyword",
        verbatim=body,
        provider_id=sid,
        now=now,
    )
    if not point.contact.language:
        point.contact.language = language
        point.contact.save(update_fields=["language"])
    if not agreed and not answered and not _may_answer(point.digest, now):
        return ""
    with translation.override(language):
        return confirmations.signed_up(shown.topics, point)


def _language(body: str) -> str:
    """The language of the word; the shop's own if it stands for several, as "OK" might."""
    spoken = [
        language
        for language, its_words in settings.SMS_JOIN_WORDS.items()
        if classify(body, join=its_words) is Keyword.JOIN
    ]
    return spoken[0] if len(spoken) == 1 else django_settings.LANGUAGE_CODE


def _may_answer(number: str, now: datetime) -> bool:
    return inbox.record(Event(name=ANSWERED, key=f"{number}:{now:%Y-%m-%d}", occurred_at=now), now=now)
