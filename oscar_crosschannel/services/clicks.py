"""Clicks on the links of messages: judged, kept, and taken as an answer when a person made them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max

from ..conf import shop
from ..core import clicks
from ..core.events import Event
from ..core.facts import EMAIL, Purpose
from ..models import Click, DeliveryEvent, Enrolment, InboxEvent, Message
from . import contacts, enrolments, inbox
from .plans import Plans

#: A click waits this long in the inbox, so that a scanner's other clicks are seen with it.
SETTLE = timedelta(seconds=5)
#: Somebody opened a product from an email.
PRODUCT_CLICKED = "product.clicked"


def fold_click(event: Event, plans: Plans, *, now: datetime) -> None:
    """Judge one click; the first human one of a run answers its intent."""
    message = Message.objects.select_related("enrolment").filter(pk=event.data["message"]).first()
    if message is None:
        return
    signs = clicks.suspicions(
        method=event.data["method"],
        user_agent=event.data["user_agent"],
        at=event.occurred_at,
        sent_at=_arrived_at(message),
        other_links_at=_other_links(message, event),
        trapped=dict(enumerate(message.links)).get(event.data["link"]) == clicks.TRAP,
    )
    verdict = clicks.verdict(signs)
    Click.objects.create(
        message=message, link=event.data["link"], at=event.occurred_at, verdict=verdict, suspicions=signs
    )
    if verdict != Click.Verdict.HUMAN:
        return
    if message.enrolment is not None:
        _answer(message.enrolment, plans, event.occurred_at)
    if message.channel == EMAIL and message.purpose == Purpose.MARKETING:
        _tell_of_product(message, event, now)


def _answer(enrolment: Enrolment, plans: Plans, at: datetime) -> None:
    contacts.lock([enrolment.contact_id])
    enrolment.refresh_from_db()
    planned = plans.get(enrolment.flow_id)
    if planned is None or not planned.plan.clicks_answer:
        return
    if enrolment.clicked_at is not None or enrolment.state != Enrolment.State.ACTIVE:
        return
    enrolment.clicked_at = at
    enrolments.reanchor(enrolment, planned, max(at, enrolment.anchor_at))


def _tell_of_product(message: Message, event: Event, now: datetime) -> None:
    """A person went from an email to a product: what they do next may be asked after."""
    link = event.data["link"]
    product = shop().product_at(message.links[link]) if link < len(message.links) else None
    if product is not None:
        clicked = Event(
            name=PRODUCT_CLICKED,
            key=f"message:{message.pk}:product:{product}",
            occurred_at=event.occurred_at,
            subjects={contacts.CONTACT: message.contact_id, "product": product},
        )
        inbox.publish(clicked, now=now)


def _arrived_at(message: Message) -> datetime | None:
    """When the mailbox took the message if its provider said so, else when it was handed over.

    Of emails only: scanners read those as they arrive, and a text's receipt may lag behind its reader.
    """
    reports = DeliveryEvent.objects.filter(
        attempt__message=message.pk, attempt__channel=EMAIL, kind="delivered"
    )
    known = [message.attempted_at, reports.aggregate(last=Max("at"))["last"]]
    return max((at for at in known if at is not None), default=None)


def _other_links(message: Message, event: Event) -> list[datetime]:
    waiting = InboxEvent.objects.filter(name="link.clicked", processed_at=None, data__message=message.pk)
    return [
        *(row.occurred_at for row in waiting if row.data["link"] != event.data["link"]),
        *message.clicks.exclude(link=event.data["link"]).values_list("at", flat=True),
    ]
