"""“Text me when it ships”, or before an event begins: the box on the page that thanks for an order, and what it
answered.

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
from . import events, forms, identity

#: What it is about; the second, of orders that book an event.
ORDERS, EVENTS = "order_updates", "events"
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
    topics: tuple[str, ...]  #: what was not answered before
    action: str  #: where the form goes
    words: str
    shown: str  #: the value of `cc_shown`
    number: str  #: of the order, masked; empty: none that can be texted
    ships: bool  #: something is sent to an address
    typed: str = ""  #: in a form that came back
    trouble: Trouble | None = None

    @property
    def is_about_event(self) -> bool:
        return EVENTS in self.topics

    @property
    def is_about_both(self) -> bool:
        """Whether there is something to ship, too, of which nobody was asked yet."""
        return self.is_about_event and self.ships and ORDERS in self.topics

    @property
    def is_for_another(self) -> bool:
        """Whether a press adds nothing for the number of the order: texts about orders come there anyway."""
        return bool(self.number) and not self.is_about_event


def offer(request: HttpRequest, order: Any) -> Offer | None:
    """The box, or None where all of this was answered before. Three statements, and two more of an event."""
    if order.pk in forms.stored(request).get("order_texts", ()):
        return None
    who = identity.of_order(order, request.user)
    topics = tuple(
        topic
        for topic in _topics(order)
        if not consents.has_answered(SMS, topic, user_id=who.user_id, address=who.phone)
    )
    return _offer(request, order, who, topics) if topics else None


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
        topics=chosen(request),
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


def chosen(request: HttpRequest) -> tuple[str, ...]:
    """What the posted box was about; empty: what its words name, which is orders unless the merchant's say else."""
    return tuple(topic for topic in (ORDERS, EVENTS) if topic in request.POST.getlist(forms.TOPIC_FIELD))


def shown_again(request: HttpRequest, order: Any, trouble: Trouble | None = None) -> Offer:
    """The box on a page of its own; with what was typed, if that was not taken."""
    return _offer(request, order, identity.of_order(order), _topics(order), trouble)


def _key(order: Any) -> str:
    """How the keys of an order's answers begin."""
    return f"order-texts:{order.pk}:"


def _topics(order: Any) -> tuple[str, ...]:
    """What texts about an order may be about. One statement."""
    return (ORDERS, EVENTS) if any(booking.seats for booking in events.of_order(order.pk)) else (ORDERS,)


def _offer(
    request: HttpRequest,
    order: Any,
    who: identity.Identity,
    topics: tuple[str, ...],
    trouble: Trouble | None = None,
) -> Offer:
    # without topics the words name those of the merchant's own version
    named = topics if EVENTS in topics else ()
    words = wordings.wording(wordings.ORDER_TEXTS, forms.language(), country=who.country, topics=named)
    number = contacts.normalise(SMS, who.phone, region=who.country) if who.phone else None
    return Offer(
        order_number=str(order.number),
        topics=named,
        action=links.order_texts_path(order.pk),
        words=words.words,
        shown=f"{forms.language()} {words.digest}",
        number=phones.mask(number) if number else "",
        ships=order.shipping_address_id is not None,
        typed=forms.typed_phone(request),
        trouble=trouble,
    )
