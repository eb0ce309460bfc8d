"""The consent boxes in Oscar's forms: what they show, and what a posted form answered.

Names in the form: `cc_email` and `cc_sms` (boxes), `cc_phone` (number for texts) and `cc_shown`,
which says in which language and which words were shown per channel. Without `cc_shown` nothing
was asked; with it an empty box is an answer too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from ..core.events import ConsentAnswer
from ..core.facts import EMAIL, SMS
from ..services import consents
from . import identity

CHANNELS = (EMAIL, SMS)
FIELDS: Mapping[str, str] = {EMAIL: "cc_email", SMS: "cc_sms"}
PHONE_FIELD = "cc_phone"
SHOWN_FIELD = "cc_shown"

#: Our own entry in the session; Oscar empties its own before it says that an order is complete.
SESSION_KEY = "crosschannel"


@dataclass(frozen=True, slots=True)
class Box:
    """One box as a template shows it."""

    channel: str
    field: str
    words: str
    digest: str
    is_ticked: bool  #: only by the shopper, in a form that came back with an error


def open_boxes(request: HttpRequest) -> list[Box]:
    """The boxes to show: those this person has not answered yet. For an account one query."""
    decided = _asked(request)
    if request.user.is_authenticated:
        decided |= consents.has_decided(request.user.pk)
    return [_box(channel, request) for channel in CHANNELS if channel not in decided]


def typed_phone(request: HttpRequest) -> str:
    """The number for texts in a form that came back with an error."""
    return request.POST.get(PHONE_FIELD, "").strip()[:40]


def shown_marker(boxes: Iterable[Box]) -> str:
    """The value of `cc_shown`: `<language> <channel>:<digest of the words> …`."""
    return " ".join([_language(), *(f"{box.channel}:{box.digest}" for box in boxes)])


def read_answers(request: HttpRequest, *, form: str, email: str) -> tuple[ConsentAnswer, ...]:
    """What a posted form answered; nothing when no box was shown.

    A ticked box for texts without a number is no answer: there is nothing to agree for.
    """
    language, shown = _shown(request.POST.get(SHOWN_FIELD, ""))
    typed = {EMAIL: email, SMS: typed_phone(request)}
    answers = [
        ConsentAnswer(
            channel=channel,
            text=digest,
            language=language,
            given=FIELDS[channel] in request.POST,
            form=form,
            address=typed[channel],
            **_circumstances(request),
        )
        for channel, digest in shown.items()
    ]
    return tuple(answer for answer in answers if answer.address or not answer.given)


def remember_asked(request: HttpRequest, answers: Sequence[ConsentAnswer], *, email: str) -> None:
    """Do not ask this person again in this session."""
    if answers:
        asked = _asked(request, email=email) | {answer.channel for answer in answers}
        _store(request, asked={"email": email, "channels": sorted(asked)})


def stash(request: HttpRequest, answers: Sequence[ConsentAnswer], *, email: str) -> None:
    """Keep answers until the order is complete, which may be after a detour to a payment page.

    No answers leave earlier ones alone: a returning payment posts no boxes.
    """
    if answers:
        _store(request, stash={"email": email, "answers": [asdict(answer) for answer in answers]})


def take_stashed(request: HttpRequest, *, order_number: str) -> tuple[str, tuple[ConsentAnswer, ...]]:
    """The answers kept for this order, once, and the email of whoever gave them."""
    kept = _stored(request).get("stash")
    if not kept:
        return "", ()
    _store(request, stash={})
    answers = (ConsentAnswer(**answer) for answer in kept["answers"])
    return kept["email"], tuple(replace(answer, order_number=order_number) for answer in answers)


def _box(channel: str, request: HttpRequest) -> Box:
    wording, field = consents.wording(channel, _language()), FIELDS[channel]
    return Box(channel, field, wording.words, wording.digest, is_ticked=field in request.POST)


def _language() -> str:
    return get_language() or settings.LANGUAGE_CODE


def _shown(marker: str) -> tuple[str, dict[str, str]]:
    language, *parts = marker.split(" ")
    pairs = [part.partition(":") for part in parts]
    return language[:12], {channel: digest[:64] for channel, _, digest in pairs if channel in CHANNELS}


def _circumstances(request: HttpRequest) -> dict[str, str]:
    session_key = request.session.session_key or ""
    return {
        # without the query, which may hold an address
        "page_url": request.build_absolute_uri(request.path)[:500],
        "ip": request.META.get("REMOTE_ADDR", ""),
        "user_agent": request.headers.get("User-Agent", "")[:300],
        "session": sha256(session_key.encode()).hexdigest() if session_key else "",
    }


def _asked(request: HttpRequest, *, email: str | None = None) -> set[str]:
    """Channels this session has asked about; an answer counts for the address it was given under."""
    asked = _stored(request).get("asked") or {}
    if email is None:
        email = request.user.email if request.user.is_authenticated else identity.guest_email(request)
    return set(asked["channels"]) if asked and asked["email"] == email else set()


def _stored(request: HttpRequest) -> Mapping[str, Any]:
    stored: Mapping[str, Any] = request.session.get(SESSION_KEY) or {}
    return stored


def _store(request: HttpRequest, **entries: Collection[Any]) -> None:
    request.session[SESSION_KEY] = {**_stored(request), **entries}
