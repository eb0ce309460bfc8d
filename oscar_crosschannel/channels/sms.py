"""Text messages: what every one must carry, what none may carry, and the call to the provider."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import ClassVar
from uuid import UUID

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from ..conf import settings
from ..core.facts import SMS, Purpose
from ..core.outbound import (
    ChannelError,
    Content,
    Effect,
    NotSent,
    Outbound,
    Receipt,
    Refused,
    SenderBroken,
    TooLong,
    UnknownOutcome,
)
from ..core.sms import public_shortener, segments, smart_encode
from .base import Channel, Found, Pace, without_address
from .sms_backends.base import SmsBackend

log = logging.getLogger(__name__)

#: Characters a provider takes in one message (Twilio: error 21617 beyond).
LONGEST_TEXT = 1600

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
#: In capitals, as the carriers' own examples: "non-stop sale" is no instruction.
_STOP = re.compile(r"(?<![\w-])STOP(?![\w-])")
_STOP_SHORT_CODE = re.compile(r"(?<![\w-])STOP\W+(?:\w+\W+)?\d{4,6}(?!\d)")


class SmsChannel(Channel):
    """SMS through the backend that `CROSSCHANNEL_SMS_BACKEND` names, or the one given."""

    key: ClassVar[str] = SMS
    parts: ClassVar[frozenset[str]] = frozenset({"text"})

    def __init__(self, backend: SmsBackend | None = None) -> None:
        self._given = backend

    def compose(self, words: Mapping[str, str], *, purpose: Purpose, language: str) -> Content:
        """The text as it goes out: branded, plain where that saves money, within its limits.

        `words` has the rendered "text". Marketing must say how to stop: by the word STOP in
        capitals, or, where people cannot reply, by the "unsubscribe_url" of `words` or a
        short code; if it does not, and `words` has a "one_way", the link is added. Raises `TooLong` over the limits, `Refused` for the rest, and `SenderBroken`
        if the backend's setting leads nowhere.
        """
        text = _branded(words.get("text", "").replace("\r\n", "\n").strip())
        if purpose is Purpose.MARKETING:
            way_out = words.get("unsubscribe_url", "")
            if words.get("one_way") and way_out:
                text = _with_link_out(text, way_out)
            _require_marketing_words(
                text, way_out, self._backend().takes_replies() and not words.get("one_way")
            )
        if host := public_shortener(text):
            raise Refused(_("Carriers filter links of public shorteners (%(host)s).") % {"host": host})
        if settings.SMS_SMART_ENCODING:
            text = smart_encode(text)
        _require_room(text, purpose)
        return Content(text=text)

    def send(self, outbound: Outbound) -> Receipt:
        address = outbound.recipient.address
        if not _E164.fullmatch(address):
            raise Refused("The address is not an E.164 number.", effect=Effect.UNUSABLE)
        if outbound.valid_until and (outbound.valid_until - outbound.now).total_seconds() < 1:
            raise NotSent("The time in which the message may arrive is over.")
        backend = self._backend()
        try:
            return backend.send(outbound)
        except ChannelError as error:
            raise without_address(error, address) from error.__cause__
        except Exception as error:  # whatever it is, the call may have been made
            log.warning("The SMS backend failed on attempt %s: %s", outbound.uuid, type(error).__name__)
            raise UnknownOutcome(f"The backend failed: {type(error).__name__}") from error

    def pace(self) -> Pace | None:
        try:
            sender = self._backend().sender()
        except SenderBroken:  # the call itself will say so
            return None
        rate = settings.SMS_RATE
        return Pace(sender=f"sms:{sender}"[:80], per_second=rate) if sender and rate else None

    def units(self, content: Content) -> int:
        """Carriers and Twilio count segments, not messages."""
        return segments(content.text).count

    def reaches_people(self) -> bool:
        try:
            return self._backend().reaches_people()
        except SenderBroken:  # one was chosen: texts wait until it is mended
            return True

    def look_up(self, uuid: UUID, provider_id: str, address: str, since: datetime) -> Found | None:
        try:
            return self._backend().look_up(uuid, provider_id, address, since)
        except ChannelError:
            return None

    def _backend(self) -> SmsBackend:
        return self._given or _named(settings.SMS_BACKEND)


@cache
def _named(path: str) -> SmsBackend:
    try:
        backend = import_string(path)()
    except Exception as error:  # a store's own may raise anything
        raise SenderBroken(f"CROSSCHANNEL_SMS_BACKEND: {type(error).__name__}: {error}") from error
    if not isinstance(backend, SmsBackend):
        raise SenderBroken(f"CROSSCHANNEL_SMS_BACKEND: {path} is no SmsBackend.")
    return backend


def _branded(text: str) -> str:
    """`text` with the shop's name before it, unless the name is in it (a link does not count)."""
    brand = settings.BRAND
    if not text:
        raise Refused(_("The text is empty."))
    if not brand or brand.casefold() in _LINK.sub("", text).casefold():
        return text
    return f"{brand}: {text}"


def _with_link_out(text: str, way_out: str) -> str:
    """For who cannot reply; the words were written for those who can."""
    if way_out in text or _STOP_SHORT_CODE.search(text):
        return text
    return _("%(text)s Stop: %(link)s") % {"text": text, "link": way_out}


def _require_marketing_words(text: str, unsubscribe_url: str, takes_replies: bool) -> None:
    if not settings.BRAND:
        raise Refused(_("A marketing text must name its sender: set CROSSCHANNEL_BRAND."))
    linked = bool(unsubscribe_url) and unsubscribe_url in text
    if takes_replies and not (linked or _STOP.search(text)):
        raise Refused(_("A marketing text must say how to stop, such as “Reply STOP to opt out”."))
    if not takes_replies and not (linked or _STOP_SHORT_CODE.search(text)):
        raise Refused(
            _("Nobody can reply to this sender: the text needs the unsubscribe link or a STOP short code.")
        )


def _require_room(text: str, purpose: Purpose) -> None:
    if len(text) > LONGEST_TEXT:
        raise TooLong(
            _("The text has %(length)d characters; the most is %(most)d.")
            % {"length": len(text), "most": LONGEST_TEXT}
        )
    found = segments(text)
    if purpose is Purpose.MARKETING and found.count > settings.SMS_MAX_SEGMENTS:
        raise TooLong(
            _("The text takes %(count)d segments in %(encoding)s; marketing may take %(most)d.")
            % {"count": found.count, "encoding": found.encoding, "most": settings.SMS_MAX_SEGMENTS}
        )
