"""Absolute, signed addresses of this app's pages. Built from the configured base, never from a request."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse

from ..conf import settings
from ..core import tokens


def click_url(message_id: int, link: int) -> str:
    """The counted link `link` of a message; short enough for SMS."""
    return absolute(reverse("oscar_crosschannel:click", args=[_token(tokens.CLICK, message_id, link)]))


def unsubscribe_url(message_id: int) -> str:
    """Page and RFC 8058 one-click address of a message; never expires."""
    return absolute(reverse("oscar_crosschannel:unsubscribe", args=[_token(tokens.UNSUBSCRIBE, message_id)]))


def inert_click_url(message_id: int, link: int, *, key: bytes) -> str:
    """As `click_url`, but signed with a key that nothing here accepts: for examples."""
    token = tokens.make(tokens.CLICK, message_id, link, keys=[key])
    return absolute(reverse("oscar_crosschannel:click", args=[token]))


def inert_unsubscribe_url(message_id: int, *, key: bytes) -> str:
    """As `unsubscribe_url`, but signed with a key that nothing here accepts: for examples."""
    token = tokens.make(tokens.UNSUBSCRIBE, message_id, keys=[key])
    return absolute(reverse("oscar_crosschannel:unsubscribe", args=[token]))


def recover_path(message_id: int) -> str:
    """Path of the page that restores the basket a message is about."""
    return reverse("oscar_crosschannel:recover", args=[_token(tokens.RECOVER, message_id)])


def confirm_path(request_id: int) -> str:
    """Path of the page that confirms a request for consent."""
    return reverse("oscar_crosschannel:confirm", args=[_token(tokens.CONFIRM, request_id)])


def status_url(attempt: UUID) -> str:
    """Where a provider reports on an attempt."""
    return absolute(reverse("oscar_crosschannel:twilio_status", args=[attempt]))


def absolute(path: str) -> str:
    """`path` on the shop's public address; what is absolute already stays."""
    return path if path.startswith(("https://", "http://")) else f"{settings.BASE_URL}{path}"


def _token(purpose: str, number: int, link: int = 0) -> str:
    return tokens.make(purpose, number, link, keys=settings.link_keys())
