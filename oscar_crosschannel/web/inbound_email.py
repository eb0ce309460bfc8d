"""Email that customers send, as Anymail hands it over from the provider's inbound webhook.

The receiver stores, and lets an opt-out take effect in the same transaction. No letter, however
broken, makes it fail; if the database does, so does the answer, and the provider calls again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import getaddresses
from hashlib import sha256
from html import unescape
from typing import Any

from anymail.inbound import AnymailInboundMessage
from anymail.signals import AnymailInboundEvent, inbound
from django.utils import timezone
from django.utils.html import strip_tags

from ..core import letters
from ..services import email_replies
from ..services.email_replies import Letter

_MESSAGE_ID = re.compile(r"<([^<>\s]{1,200})>")
_END_OF_LINE = re.compile(r"(?i)<(?:br|/p|/div|/li)\b[^>]*>")
_QUOTED_HTML = re.compile(r"(?i)<blockquote|class=\"?gmail_quote")
#: What machines put into the head of their answers, besides Auto-Submitted (RFC 3834).
_OF_MACHINES = ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "X-Failed-Recipients")
_OF_MASSES = frozenset({"bulk", "junk", "list", "auto_reply"})


def connect() -> None:
    """Listen to Anymail. Called once, when the apps are ready."""
    inbound.connect(take_event, dispatch_uid="oscar_crosschannel.inbound_email", weak=False)


def take_event(sender: object, event: AnymailInboundEvent, esp_name: str, **kwargs: object) -> None:
    """Take one email."""
    message: AnymailInboundMessage | None = event.message
    if message is None:  # the provider tells of a failure of its own
        return
    now = timezone.now()
    text = _text(message)
    letter = Letter(
        key=_key(esp_name, event, message),
        sender=next(_addresses(message, "From"), ""),
        recipients=[message.envelope_recipient or "", *_addresses(message, "To", "Cc", "Delivered-To")],
        subject=_header(message, "Subject")[:200],
        text=_plain(letters.new_words(text)),
        below=_plain(letters.words_below(text)),
        answers_to=_MESSAGE_ID.findall(f"{_header(message, 'In-Reply-To')} {_header(message, 'References')}")[
            :50
        ],
        is_automatic=_is_automatic(message),
        at=min(event.timestamp or now, now),
    )
    email_replies.take_inbound(letter, now=now)


def _is_automatic(message: AnymailInboundMessage) -> bool:
    """Whether a machine wrote it: out of office, a report on delivery, a list."""
    submitted = _header(message, "Auto-Submitted").partition(";")[0].strip().lower()
    return (
        submitted not in ("", "no")
        or _header(message, "Precedence").strip().lower() in _OF_MASSES
        or any(_header(message, name) for name in _OF_MACHINES)
        or message.envelope_sender in ("", "<>")
        or message.get_content_type() == "multipart/report"
    )


def _text(message: AnymailInboundMessage) -> str:
    """The words, of the provider's own parser if it has one; from HTML where there is no text."""
    try:
        text = message.stripped_text or message.text
        html = "" if text else message.html or ""
    except (LookupError, ValueError):  # an encoding that nobody knows, a body that is none
        return ""
    if text:
        return str(text)
    own = _QUOTED_HTML.split(html, maxsplit=1)[0]
    return unescape(strip_tags(_END_OF_LINE.sub("\n", own)))


def _addresses(message: AnymailInboundMessage, *names: str) -> Iterator[str]:
    for _, address in getaddresses([_header(message, name) for name in names]):
        if "@" in address:
            yield address.strip()


def _header(message: AnymailInboundMessage, name: str) -> str:
    """A header's value; empty if there is none, or it is so broken that Python's parser gives up."""
    try:
        return _plain(str(message[name] or ""))
    except Exception:  # noqa: BLE001 - IndexError, AttributeError, ValueError: whatever the garbage leads to
        return ""


def _key(esp_name: str, event: AnymailInboundEvent, message: AnymailInboundMessage) -> str:
    """The same for every delivery of one email to one recipient."""
    own_id = event.event_id or _header(message, "Message-ID")
    parts: list[Any] = [esp_name, own_id, message.envelope_recipient]
    if not own_id:
        parts += [_header(message, name) for name in ("From", "Date", "Subject")]
        parts.append(_text(message))
    return sha256("\n".join(str(part or "") for part in parts).encode(errors="replace")).hexdigest()


def _plain(text: str) -> str:
    """Storable: PostgreSQL takes no NUL, and no half of a surrogate pair."""
    return text.replace("\x00", "").encode(errors="replace").decode()
