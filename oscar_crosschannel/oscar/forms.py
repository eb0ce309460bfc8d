"""The consent boxes in Oscar's forms: what they show, and what a posted form answered.

Names in the form: `cc_email` and `cc_sms` (boxes), `cc_phone` (number for texts), `cc_topic` (those of the
named topics that somebody wants), `cc_primary` (the channel they prefer), `cc_born` (date of birth, where a
topic asks for an age) and `cc_shown`, which says in which language and which words were shown per
channel. Without `cc_shown` nothing was asked; with it an empty box is an answer too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Any, TypedDict

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.timezone import localdate
from django.utils.translation import get_language

from ..core.events import ConsentAnswer
from ..core.facts import EMAIL, SMS
from ..core.lapse import age_on
from ..services import wordings
from ..services.wordings import NamedTopic, Vocabulary
from . import identity

CHANNELS = (EMAIL, SMS)
FIELDS: Mapping[str, str] = {EMAIL: "cc_email", SMS: "cc_sms"}
PHONE_FIELD = "cc_phone"
TOPIC_FIELD = "cc_topic"
PRIMARY_FIELD = "cc_primary"
BORN_FIELD = "cc_born"
SHOWN_FIELD = "cc_shown"

#: Our own entry in the session; Oscar empties its own before it says that an order is complete.
SESSION_KEY = "crosschannel"
#: A form that names more topics than these was not made by us.
_MOST_TOPICS = 100


@dataclass(frozen=True, slots=True)
class Box:
    """One box as a template shows it."""

    channel: str
    field: str
    words: str
    digest: str
    is_ticked: bool  #: only by the shopper, in a form that came back with an error


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose below the boxes."""

    value: str
    name: str
    is_ticked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that one form asks. Without boxes it asks nothing."""

    boxes: Sequence[Box] = ()
    shown: str = ""  #: the value of `cc_shown`: `<language> <channel>:<digest of the words> …`
    topics: Sequence[Option] = ()  #: those that the boxes name; none if it is one only
    primary: Sequence[Option] = ()  #: the channels, if there are several
    #: names of the topics that ask for an age, and the greatest of these ages
    aged: Sequence[str] = ()
    least_age: int = 0
    phone: str = ""
    born_on: str = ""


class Circumstances(TypedDict):
    """What surrounds an answer, as its proof."""

    page_url: str
    ip: str
    user_agent: str
    session: str


def open_question(request: HttpRequest, *, country: str = "") -> Question:
    """What to ask: on the channels on which this person has not answered yet.

    One statement, in a savepoint of its own; none where this session was asked already.
    """
    asked = _asked(request)
    if asked.issuperset(CHANNELS):
        return Question()
    user_id = request.user.pk if request.user.is_authenticated else None
    place = country or identity.of_visitor(request).country
    with transaction.atomic():  # if it fails, the shop's own transaction goes on
        vocabulary = wordings.read(language(), country=place, user_id=user_id)
    decided = asked | vocabulary.decided
    return question(request, vocabulary, [channel for channel in CHANNELS if channel not in decided])


def question(request: HttpRequest, vocabulary: Vocabulary, channels: Sequence[str]) -> Question:
    """The boxes of these channels, with what can be chosen below them. Asks no database."""
    if not channels:
        return Question()
    words = {channel: vocabulary.wording(channel) for channel in channels}
    named = {topic for wording in words.values() for topic in wording.topics}
    topics = {key: topic for key, topic in vocabulary.topics.items() if key in named}
    aged = {topic.name: topic.minimum_age for topic in topics.values() if topic.minimum_age}
    chosen, primary = request.POST.getlist(TOPIC_FIELD), request.POST.get(PRIMARY_FIELD)
    return Question(
        boxes=[
            Box(channel, FIELDS[channel], wording.words, wording.digest, FIELDS[channel] in request.POST)
            for channel, wording in words.items()
        ],
        shown=" ".join(
            [vocabulary.language, *(f"{channel}:{wording.digest}" for channel, wording in words.items())]
        ),
        topics=_topics(topics, chosen) if len(topics) > 1 else (),
        primary=[Option(channel, channel, channel == primary) for channel in channels]
        if len(channels) > 1
        else (),
        aged=sorted(aged),
        least_age=max(aged.values(), default=0),
        phone=typed_phone(request),
        born_on=posted(request, BORN_FIELD)[:10],
    )


def typed_phone(request: HttpRequest) -> str:
    """The number for texts that was posted."""
    return posted(request, PHONE_FIELD)[:40]


def posted(request: HttpRequest, field: str) -> str:
    """What was typed, without the NUL that PostgreSQL refuses."""
    return request.POST.get(field, "").replace("\x00", "").strip()


def read_answers(
    request: HttpRequest, *, form: str, email: str, phone: str = ""
) -> tuple[ConsentAnswer, ...]:
    """What a posted form answered; nothing when no box was shown.

    `phone` is taken where no number was typed. A ticked box for texts without any is no answer: there is
    nothing to agree for.
    """
    spoken, shown = _shown(posted(request, SHOWN_FIELD))
    typed = {EMAIL: email, SMS: typed_phone(request) or phone}
    topics = tuple(key.replace("\x00", "")[:50] for key in request.POST.getlist(TOPIC_FIELD)[:_MOST_TOPICS])
    answers = [
        ConsentAnswer(
            channel=channel,
            text=digest,
            language=spoken,
            given=FIELDS[channel] in request.POST,
            form=form,
            address=typed[channel],
            topics=topics,
            is_primary=request.POST.get(PRIMARY_FIELD) == channel,
            proven_age=_proven_age(request),
            **circumstances(request),
        )
        for channel, digest in shown.items()
    ]
    return tuple(answer for answer in answers if answer.address or not answer.given)


def remember_asked(request: HttpRequest, answers: Sequence[ConsentAnswer], *, email: str) -> None:
    """Do not ask this person again in this session."""
    if answers:
        asked = _asked(request, email=email) | {answer.channel for answer in answers}
        store(request, asked={"email": email, "channels": sorted(asked)})


def stash(request: HttpRequest, answers: Sequence[ConsentAnswer], *, email: str) -> None:
    """Keep answers until the order is complete, which may be after a detour to a payment page.

    No answers leave earlier ones alone: a returning payment posts no boxes.
    """
    if answers:
        store(request, stash={"email": email, "answers": [asdict(answer) for answer in answers]})


def take_stashed(request: HttpRequest, *, order_number: str) -> tuple[str, tuple[ConsentAnswer, ...]]:
    """The answers kept for this order, once, and the email of whoever gave them."""
    kept = stored(request).get("stash")
    if not kept:
        return "", ()
    store(request, stash={})
    answers = (ConsentAnswer(**answer) for answer in kept["answers"])
    return kept["email"], tuple(replace(answer, order_number=order_number) for answer in answers)


def language() -> str:
    """The language of the page."""
    return get_language() or settings.LANGUAGE_CODE


def circumstances(request: HttpRequest) -> Circumstances:
    """The proof around whatever this request answers."""
    session_key = request.session.session_key or ""
    return {
        # without the query, which may hold an address
        "page_url": request.build_absolute_uri(request.path)[:500],
        "ip": request.META.get("REMOTE_ADDR", ""),
        "user_agent": request.headers.get("User-Agent", "")[:300],
        "session": sha256(session_key.encode()).hexdigest() if session_key else "",
    }


def stored(request: HttpRequest) -> Mapping[str, Any]:
    """Our entry in the session."""
    entries: Mapping[str, Any] = request.session.get(SESSION_KEY) or {}
    return entries


def store(request: HttpRequest, **entries: Collection[Any]) -> None:
    """Add to our entry in the session."""
    request.session[SESSION_KEY] = {**stored(request), **entries}


def _topics(topics: Mapping[str, NamedTopic], chosen: Collection[str]) -> list[Option]:
    return [Option(key, topic.name, key in chosen) for key, topic in topics.items()]


def _shown(marker: str) -> tuple[str, dict[str, str]]:
    spoken, *parts = marker.split(" ")
    pairs = [part.partition(":") for part in parts]
    return spoken[:12], {channel: digest[:64] for channel, _, digest in pairs if channel in CHANNELS}


def _proven_age(request: HttpRequest) -> int | None:
    """The age that the date of birth proves; the date itself is kept nowhere."""
    try:
        return age_on(date.fromisoformat(posted(request, BORN_FIELD)), localdate())
    except ValueError:
        return None


def _asked(request: HttpRequest, *, email: str | None = None) -> set[str]:
    """Channels this session has asked about; an answer counts for the address it was given under."""
    asked = stored(request).get("asked") or {}
    if email is None:
        email = request.user.email if request.user.is_authenticated else identity.guest_email(request)
    return set(asked["channels"]) if asked and asked["email"] == email else set()
