"""The form that signs people up, on any page of the shop: what it shows, and what was filled in.

Its fields are those of the consent boxes, and `cc_address` for an email address. Whoever is not signed
in may type any address, so its owner is asked, and nobody learns whether it was known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from django.http import HttpRequest
from django.urls import reverse

from ..core.events import ConsentAnswer, Event
from ..core.facts import EMAIL, SMS
from ..services import contacts, inbox, wordings
from ..services.sign_ups import SIGNED_UP
from . import forms, identity
from .forms import Question

ADDRESS_FIELD = "cc_address"
#: One session may sign up so often in an hour; what is more gets the same answer and does nothing.
MOST, WITHIN = 5, timedelta(hours=1)


class Trouble(StrEnum):
    """What is wrong with a form, by the field to look at."""

    NOTHING_TICKED = "nothing_ticked"
    NO_EMAIL = "no_email"
    NO_PHONE = "no_phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """The form as it is shown."""

    question: Question
    action: str  #: where the form goes
    asks_email: bool  #: an account has one
    email: str = ""
    known: str = ""  #: a number, masked, that is taken where none is typed
    troubles: Sequence[Trouble] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What somebody filled in, and what is wrong with it."""

    who: identity.Identity
    answers: Sequence[ConsentAnswer]
    troubles: Sequence[Trouble] = field(default=())

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where the owner may now be asked, by channel."""
        return {answer.channel: answer.address for answer in self.answers}


def blank(request: HttpRequest, troubles: Sequence[Trouble] = ()) -> SignUp:
    """The form, with what was typed if it comes back. One statement.

    Raises NoReverseMatch in a store that does not mount our addresses.
    """
    action = reverse("oscar_crosschannel:sign_up")
    place = identity.of_visitor(request).country
    vocabulary = wordings.read(forms.language(), country=place)
    return SignUp(
        question=forms.question(request, vocabulary, forms.CHANNELS),
        action=action,
        asks_email=not request.user.is_authenticated,
        email=forms.posted(request, ADDRESS_FIELD)[:254],
        troubles=troubles,
    )


def read(request: HttpRequest) -> Filled:
    """What was posted. Asks no database."""
    signed_in = request.user.is_authenticated
    who = identity.of_visitor(request)
    if not signed_in:
        # of a guest in the checkout nothing is taken along: somebody else's address may be typed here
        typed = forms.posted(request, ADDRESS_FIELD)[:254]
        who = identity.Identity(email=typed, language=who.language, country=who.country)
    given = [
        replace(answer, must_be_confirmed=not signed_in)
        for answer in forms.read_answers(request, form="sign_up", email=who.email)
        if answer.given
    ]
    return Filled(who=who, answers=given, troubles=tuple(_troubles(request, who, given)))


def take(request: HttpRequest, filled: Filled, *, now: datetime) -> None:
    """Hand it on; the next tick asks the owners. One statement, or none for who overdoes it."""
    recent = [
        moment
        for moment in forms.stored(request).get("sign_ups", ())
        if datetime.fromisoformat(moment) > now - WITHIN
    ]
    if len(recent) >= MOST:
        return
    forms.store(request, sign_ups=[*recent, now.isoformat()])
    addresses = filled.addresses
    who = replace(filled.who, email=filled.who.email if EMAIL in addresses or filled.who.user_id else "")
    event: Event = who.event(SIGNED_UP, uuid4().hex, at=now, answers=tuple(filled.answers))
    inbox.publish(replace(event, phone=addresses.get(SMS, "")), now=now)


def _troubles(
    request: HttpRequest, who: identity.Identity, given: Sequence[ConsentAnswer]
) -> Sequence[Trouble]:
    troubles = []
    if not any(field in request.POST for field in forms.FIELDS.values()):
        troubles.append(Trouble.NOTHING_TICKED)
    if forms.FIELDS[EMAIL] in request.POST and contacts.normalise(EMAIL, who.email) is None:
        troubles.append(Trouble.NO_EMAIL)
    phone = forms.typed_phone(request)
    if forms.FIELDS[SMS] in request.POST and contacts.normalise(SMS, phone, region=who.country) is None:
        troubles.append(Trouble.NO_PHONE)
    return troubles
