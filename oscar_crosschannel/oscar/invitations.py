"""The page behind an invitation to texts: what it shows, and what was filled in.

A link proves that somebody reads a mailbox, or got its mail forwarded. So it is trusted no more than the
sign-up form is trusted by whoever types that address: the number itself is asked, and of an account's new
number its mailbox before.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.http import HttpRequest

from ..core import phones
from ..core.consent import Unasked
from ..core.facts import SMS
from ..models import Contact
from ..services import consents, contacts, wordings
from . import forms
from .sign_ups import SignUp, Trouble

#: How the ledger names the page.
SOURCE = "invitation"


def form(request: HttpRequest, contact: Contact, troubles: tuple[Trouble, ...] = ()) -> SignUp:
    """The box for texts and the number, with what was typed if it comes back. Two statements.

    The number we know is written out for its owner alone: links are forwarded.
    """
    vocabulary = wordings.read(forms.language(), country=contact.country)
    question = forms.question(request, vocabulary, [SMS])
    known = _known(contact)
    if known and _is_signed_in(request, contact):
        question, known = replace(question, phone=question.phone or known), ""
    return SignUp(
        question=question,
        action=request.path,
        asks_email=False,
        known=phones.mask(known) if known else "",
        troubles=troubles,
    )


def take(
    request: HttpRequest, contact: Contact, *, message_id: int, now: datetime
) -> tuple[Trouble, ...] | Unasked | None:
    """Ask the owner of the number that was given; what is wrong with the form, or why nobody is asked."""
    if forms.FIELDS[SMS] not in request.POST:
        return (Trouble.NOTHING_TICKED,)
    known = _known(contact)
    answers = forms.read_answers(request, form=SOURCE, email="", phone=known)
    given = next((answer for answer in answers if answer.channel == SMS), None)
    number = contacts.normalise(SMS, given.address, region=contact.country) if given else None
    if given is None or number is None:
        return (Trouble.NO_PHONE,)
    signed_in = _is_signed_in(request, contact)
    answer = replace(
        given,
        address=number,
        must_be_confirmed=not signed_in,
        message_id=message_id,
        page_url=given.page_url.replace(_token(request), "…"),  # it would let readers of the ledger in
    )
    # a number that is theirs already is no stranger's: it is asked at once
    return consents.take_answer(contact, answer, signed_in=signed_in or number == known, at=now, now=now)


def _known(contact: Contact) -> str:
    return contacts.addresses_in_use([contact.pk], SMS).get(contact.pk, "")


def _token(request: HttpRequest) -> str:
    return request.path.rstrip("/").rpartition("/")[2]


def _is_signed_in(request: HttpRequest, contact: Contact) -> bool:
    return contact.user_id is not None and request.user.pk == contact.user_id
