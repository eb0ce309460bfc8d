"""“Text me when it ships”: the box on the page that thanks for an order, and what it answered.

The order's own page is shown to nobody but the buyer, so its box speaks for them; a number that has said
stop before is asked all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.http import HttpRequest
from oscar.core.loading import get_model

from ..core import phones
from ..core.events import ConsentAnswer
from ..core.facts import SMS
from ..services import consents, contacts, inbox, links, wordings
from . import forms, identity

#: The topic it is about.
TOPIC = "order_updates"

Order = get_model("order", "Order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The box as it is shown."""

    order_number: str
    action: str  #: where the form goes
    words: str
    shown: str  #: the value of `cc_shown`
    number: str  #: of the order, masked; empty: none that can be texted
    typed: str = ""  #: in a form that came back
    is_wrong: bool = False  #: what was typed cannot be texted


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


def take(request: HttpRequest, order: Any, *, now: datetime) -> str | None:
    """Hand on what was posted. Returns the number that will be texted, masked; None if it cannot be."""
    who = identity.of_order(order, language=forms.language())
    number = contacts.normalise(SMS, forms.typed_phone(request) or who.phone, region=who.country)
    if number is None:
        return None
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
    event = who.event("consent.answered", f"order-texts:{order.pk}:{uuid4().hex}", at=now, answers=(answer,))
    inbox.publish(event, now=now)
    forms.store(request, order_texts=[*forms.stored(request).get("order_texts", ()), order.pk])
    return phones.mask(number)


def shown_again(request: HttpRequest, order: Any) -> Offer:
    """The box on a page of its own; with what was typed, if that cannot be texted."""
    return _offer(request, order, identity.of_order(order), is_wrong=request.method == "POST")


def _offer(request: HttpRequest, order: Any, who: identity.Identity, *, is_wrong: bool = False) -> Offer:
    words = wordings.wording(wordings.ORDER_TEXTS, forms.language(), country=who.country)
    number = contacts.normalise(SMS, who.phone, region=who.country) if who.phone else None
    return Offer(
        order_number=str(order.number),
        action=links.order_texts_path(order.pk),
        words=words.words,
        shown=f"{forms.language()} {words.digest}",
        number=phones.mask(number) if number else "",
        typed=forms.typed_phone(request),
        is_wrong=is_wrong,
    )
