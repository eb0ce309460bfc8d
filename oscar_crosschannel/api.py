"""Public verbs for a store's own code. All are safe inside a request and inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from .core.events import Event
from .models import Contact, ScheduledEvent, Suppression
from .services import consents, contacts, enrolments, inbox, schedules
from .services.plans import load_plans
from .services.wordings import Wording


def publish(event: Event) -> None:
    """Tell the app that something happened; the next tick acts on it. One statement."""
    inbox.publish(event, now=timezone.now())


def contact_for(
    *, user_id: int | None = None, email: str = "", phone: str = "", **details: str
) -> Contact | None:
    """The contact of an account or an email address, made if there is none.

    `details`: name, language, country, region. `phone` becomes the contact's number unless
    another one is in use. None when neither account nor address is usable.
    """
    now = timezone.now()
    with transaction.atomic():
        contact = contacts.identify(user_id=user_id, email=email, now=now, **details)
        if contact is not None and phone:
            contacts.set_point(contact, "sms", phone, source="api", now=now, weak=True)
        return contact


def enrol(contact: Contact, flow: str, event: Event) -> None:
    """Put a contact into a flow by hand. Raises LookupError for a flow nobody registered."""
    planned = next((item for item in load_plans() if item.plan.key == flow), None)
    if planned is None:
        raise LookupError(f"No flow is registered as {flow!r}.")
    with transaction.atomic():
        contact = contacts.followed(contact)
        contacts.lock([contact.pk])
        enrolments.enrol(contact, planned, event, now=timezone.now())


def wording(kind: str, language: str, *, country: str = "", topics: Sequence[str] = ()) -> Wording:
    """The words to show beside a consent box of a front end of your own, and their `digest`. One statement.

    `kind` is the channel, or another box: "order_texts" for texts about orders, or a file of your own in
    `templates/oscar_crosschannel/consent`. With `topics` the words name exactly these.

    What the shopper answered goes back as an event, and is treated like an answer in Oscar's own forms:

        publish(Event(name="consent.answered", key=f"checkout:{basket.pk}", occurred_at=now, email=email,
            answers=(ConsentAnswer(channel="email", text=wording.digest, language=language, given=True,
                                   form="checkout", address=email),)))
    """
    return consents.wording(kind, language, country=country, topics=topics)


def grant(
    contact: Contact, channel: str, topics: Sequence[str], *, source: str, words: str, **proof: Any
) -> None:
    """Record that a contact agreed, with the words shown. Raises ValueError when proof is missing.

    `proof`: `address`, `language` of the words, `basis`, and fields of `ConsentEvent` (ip, page_url, at, …). A
    basis of "implied" needs `expires_at`, or the `occasion` ("purchase", "inquiry") in a country whose law
    says how long that lasts; "soft_opt_in" needs `way_out_offered=True`; a topic with a minimum age
    needs `born_on`.
    """
    with transaction.atomic():
        consents.grant(contact, channel, topics, source=source, words=words, now=timezone.now(), **proof)


def revoke(
    channel: str, address: str, *, topics: Sequence[str] | None = None, source: str = "api", **proof: Any
) -> None:
    """Record that a person withdrew; None means everything on the channel. Applies at once."""
    with transaction.atomic():
        consents.revoke(
            channel, address, topics=topics, source=source, mechanism="api", now=timezone.now(), **proof
        )


def suppress(channel: str, address: str, *, note: str, cause: str = Suppression.Cause.MANUAL) -> None:
    """Send nothing more to an address on a channel."""
    with transaction.atomic():
        consents.suppress(
            channel,
            address,
            cause=Suppression.Cause(cause),
            scope=Suppression.Scope.EVERYTHING,
            now=timezone.now(),
            note=note,
        )


def save_event(event: ScheduledEvent) -> bool:
    """Keep an event that people book, new or changed; whether those who booked are told something new.

    Raises ValidationError for what makes no sense, and when an event that is over or cancelled would move.
    `save` of the model itself tells nobody.
    """
    return schedules.save(event, now=timezone.now())


def cancel_event(event: ScheduledEvent) -> bool:
    """Call an event off for good and tell those who booked; False when it was over or cancelled before."""
    return schedules.cancel(event, now=timezone.now())
