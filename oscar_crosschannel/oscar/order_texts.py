"""“Text me when it ships”: the box on the page that thanks for an order, and what it answered.

The order's own page is shown to nobody but the buyer, so its box speaks for them; a number that has said
stop before is asked all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from django.http import HttpRequest
from oscar.core.loading import get_model

from ..core import phones
from ..core.events import ConsentAnswer
from ..core.facts import SMS
from ..services import asking, consents, contacts, inbox, links, wordings
from . import forms, identity

#: The topic it is about.
TOPIC = "order_updates"
#: Name of the event in the inbox.
ANSWERED = "consent.answered"

Order = get_model("order", "Order")


class Trouble(StrEnum):
    """Why what was typed was not taken."""

    NO_PHONE = "no_phone"  #: it cannot be texted
    MANY_NUMBERS = "many_numbers"  #: others were given before


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The box as it is shown."""

    order_number: str
    action: str  #: where the form goes
    words: str
    shown: str  #: the value of `cc_shown`
    number: str  #: of the order, masked; empty: none that can be texted
    typed: str = ""  #: in a form that came back
    trouble: Trouble | None = None


def offer(request: HttpRequest, order: Any) -> Offer | None:
    """The box, or None where this was answered before. Two statements."""
    who = identity.of_order(order, request.user)
    if order.pk in forms.stored(request).get("order_texts", ()) or consents.has_answered(
        SMS, TOPIC, user_id=who.user_id, address=who.phone
    ):
        return None
    return _offer(request, order, who)


def find(order_id: int) -> Any:
    """The order behind a link; None when it is gone."""
    return Order.objects.filter(pk=order_id).first()


def take(request: HttpRequest, order: Any, *, now: datetime) -> str | Trouble:
    """Hand on what was posted. Returns the number that will be texted, masked, or why none will be."""
    who = identity.of_order(order, language=forms.language())
    number = contacts.normalise(SMS, forms.typed_phone(request) or who.phone, region=who.country)
    if number is None:
        return Trouble.NO_PHONE
    # an honest buyer is told here; the fold, under their contact's lock, keeps the limit against others
    if asking.will_have_given_many(
        number, user_id=who.user_id, email=who.email, waiting=(ANSWERED, _key(order)), now=now
    ):
        return Trouble.MANY_NUMBERS
    spoken, _, digest = forms.posted(request, forms.SHOWN_FIELD).partition(" ")
    answer = ConsentAnswer(
        channel=SMS,
        kind=wordings.ORDER_TEXTS,
        text=digest[:64],
        language=spoken[:12],
        given=True,
        form="thank_you",
        mechanism="button",
        address=number,
        order_number=str(order.number),
        **forms.circumstances(request),
    )
    event = who.event(ANSWERED, f"{_key(order)}{uuid4().hex}", at=now, answers=(answer,))
    inbox.publish(event, now=now)
    forms.store(request, order_texts=[*forms.stored(request).get("order_texts", ()), order.pk])
    return phones.mask(number)


def shown_again(request: HttpRequest, order: Any, trouble: Trouble | None = None) -> Offer:
    """The box on a page of its own; with what was typed, if that was not taken."""
    return _offer(request, order, identity.of_order(order), trouble)


def _key(order: Any) -> str:
    """How the keys of an order's answers begin."""
    return f"order-texts:{order.pk}:"


def _offer(request: HttpRequest, order: Any, who: identity.Identity, trouble: Trouble | None = None) -> Offer:
    words = wordings.wording(wordings.ORDER_TEXTS, forms.language(), country=who.country)
    number = contacts.normalise(SMS, who.phone, region=who.country) if who.phone else None
    return Offer(
        order_number=str(order.number),
        action=links.order_texts_path(order.pk),
        words=words.words,
        shown=f"{forms.language()} {words.digest}",
        number=phones.mask(number) if number else "",
        typed=forms.typed_phone(request),
        trouble=trouble,
    )
