"""Absolute, signed addresses of this app's pages. Built from the configured base, never from a request."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse

from ..conf import settings
from ..core import letters, tokens


def click_url(message_id: int, link: int, *, key: bytes | None = None) -> str:
    """The counted link `link` of a message; short enough for SMS.

    `key`, here and below: signed with another key than the shop's, so that it leads nowhere; for examples.
    """
    return absolute(
        reverse("oscar_crosschannel:click", args=[_token(tokens.CLICK, message_id, link, key=key)])
    )


def unsubscribe_url(message_id: int, *, key: bytes | None = None) -> str:
    """Page and RFC 8058 one-click address of a message; never expires."""
    return absolute(unsubscribe_path(message_id, key=key))


def preferences_url(message_id: int, *, key: bytes | None = None) -> str:
    """Page on which the person a message went to chooses what they get; never expires."""
    return absolute(preferences_path(message_id, key=key))


def number_url(point_id: int) -> str:
    """The same page for who has a number, by the id of its point: the way there from an answer to a text."""
    return absolute(reverse("oscar_crosschannel:preferences", args=[_token(tokens.NUMBER, point_id)]))


def why_url(message_id: int, *, key: bytes | None = None) -> str:
    """Page that says why somebody got a message; never expires."""
    return absolute(why_path(message_id, key=key))


def unsubscribe_path(message_id: int, *, key: bytes | None = None) -> str:
    """Path of `unsubscribe_url`, for links between our pages."""
    token = _token(tokens.UNSUBSCRIBE, message_id, key=key)
    return reverse("oscar_crosschannel:unsubscribe", args=[token])


def preferences_path(message_id: int, *, key: bytes | None = None) -> str:
    """Path of `preferences_url`, for links between our pages."""
    token = _token(tokens.PREFERENCES, message_id, key=key)
    return reverse("oscar_crosschannel:preferences", args=[token])


def why_path(message_id: int, *, key: bytes | None = None) -> str:
    """Path of `why_url`, for links between our pages."""
    return reverse("oscar_crosschannel:why", args=[_token(tokens.WHY, message_id, key=key)])


def reply_address(message_id: int) -> str:
    """Mailbox for answers to a message, which they prove to answer; empty: the sender's own will do."""
    inbound = settings.EMAIL_INBOUND
    return letters.tagged(inbound, _token(tokens.REPLY, message_id)) if inbound else ""


def recover_path(message_id: int) -> str:
    """Path of the page that restores the basket a message is about."""
    return reverse("oscar_crosschannel:recover", args=[_token(tokens.RECOVER, message_id)])


def confirm_path(request_id: int) -> str:
    """Path of the page that confirms a request for consent."""
    return reverse("oscar_crosschannel:confirm", args=[_token(tokens.CONFIRM, request_id)])


def order_texts_path(order_id: int) -> str:
    """Path of the page that takes a number for texts about an order."""
    return reverse("oscar_crosschannel:order_texts", args=[_token(tokens.ORDER_TEXTS, order_id)])


def join_texts_path(message_id: int, *, key: bytes | None = None) -> str:
    """Path of the page on which whoever got a message signs up for texts; never expires."""
    return reverse("oscar_crosschannel:join_texts", args=[_token(tokens.JOIN_TEXTS, message_id, key=key)])


def join_path(booking_id: int) -> str:
    """Path that leads on to the place on the web where an event is held."""
    return reverse("oscar_crosschannel:join", args=[_token(tokens.JOIN, booking_id)])


def parcel_path(shipping_event_id: int) -> str:
    """Path that leads to where a parcel is followed."""
    return reverse("oscar_crosschannel:parcel", args=[_token(tokens.PARCEL, shipping_event_id)])


def status_url(attempt: UUID) -> str:
    """Where a provider reports on an attempt."""
    return absolute(reverse("oscar_crosschannel:twilio_status", args=[attempt]))


def absolute(path: str) -> str:
    """`path` on the shop's public address; what is absolute already stays."""
    return path if path.startswith(("https://", "http://")) else f"{settings.BASE_URL}{path}"


def _token(purpose: str, number: int, link: int = 0, *, key: bytes | None = None) -> str:
    return tokens.make(purpose, number, link, keys=settings.link_keys() if key is None else [key])
