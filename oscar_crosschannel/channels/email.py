"""Email through Django's framework: any backend, SMTP or one of Anymail's providers."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from email.encoders import encode_base64
from email.message import Message, MIMEPart
from email.mime.base import MIMEBase
from email.utils import parseaddr
from html import unescape
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import css_inline
import django
from anymail.exceptions import AnymailUnsupportedFeature
from anymail.message import AnymailStatus
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email
from django.utils.html import escape
from django.utils.translation import gettext as _

from ..conf import settings
from ..core import letters
from ..core.facts import EMAIL, Purpose
from ..core.outbound import (
    ChannelError,
    Content,
    Effect,
    File,
    Outbound,
    Receipt,
    Refused,
    SenderBroken,
)
from . import email_outcomes
from .base import Channel, Pace, without_address
from .email_connections import EmailConnections, discard

log = logging.getLogger(__name__)

#: Key of the attempt's uuid in the provider's metadata; tracking events bring it back.
METADATA_KEY = "crosschannel"
#: RFC 8058: exactly this.
ONE_CLICK = "List-Unsubscribe=One-Click"

_REFUSALS = frozenset({"invalid", "rejected", "failed"})
_TAG = re.compile(r"<[^>]*>")
_END_OF_BODY = re.compile(r"(?=</body\s*>)", re.IGNORECASE)
#: Mail programs fetch no style sheets, and neither may the worker. Media queries cannot be inlined.
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)


class EmailChannel(Channel):
    """Email, one message per recipient, through `CROSSCHANNEL_EMAIL_BACKEND` or the project's own backend."""

    key: ClassVar[str] = EMAIL
    parts: ClassVar[frozenset[str]] = frozenset({"subject", "text", "html"})

    def __init__(self) -> None:
        self._connections = EmailConnections()

    def compose(self, words: Mapping[str, str], *, purpose: Purpose, language: str) -> Content:
        """The email as it goes out: postal address added, styles inlined.

        `words` has the rendered "subject" and "text", "html" if there is any, and for marketing the
        "unsubscribe_url", which each body must show. Raises `Refused`.
        """
        subject = " ".join(words.get("subject", "").split())
        text, html = words.get("text", "").strip(), words.get("html", "").strip()
        if not subject or not text:
            raise Refused(_("An email needs a subject and a text."))
        if purpose is Purpose.MARKETING:
            _require_marketing_words(text, html, words.get("unsubscribe_url", ""))
        return Content(subject=subject, text=_with_address(text), html=_inlined(_with_address_html(html)))

    def send(self, outbound: Outbound) -> Receipt:
        try:
            return self._send(outbound)
        except ChannelError as error:
            raise without_address(error, outbound.recipient.address) from error.__cause__

    def pace(self) -> Pace | None:
        rate = settings.EMAIL_RATE
        return Pace(sender=self.key, per_second=rate) if rate else None

    def close(self) -> None:
        """Hang up: say good-bye to the provider before the process rests or ends."""
        self._connections.close()

    def _send(self, outbound: Outbound) -> Receipt:
        message = _message(outbound)
        connection = self._connections.take()
        try:
            count = _hand_over(connection, message)
        except Exception as error:
            discard(connection)
            if not _was_accepted(message):
                raise _refusal(message) or email_outcomes.of_sending(error) from error
            # A receiver of Anymail's post_send failed. That changes nothing: the message is out.
            log.warning("After the provider took attempt %s: %s", outbound.uuid, type(error).__name__)
        else:
            self._connections.give_back(connection)
            if count == 0:
                raise Refused("The email backend did not send the message.")
        if refusal := _refusal(message):
            raise refusal
        return Receipt(provider=_provider(connection), provider_id=_provider_id(message))


def _require_marketing_words(text: str, html: str, unsubscribe_url: str) -> None:
    if not settings.POSTAL_ADDRESS:
        raise Refused(_("Marketing email must show a postal address: set CROSSCHANNEL_POSTAL_ADDRESS."))
    if not settings.EMAIL_FROM_MARKETING:
        raise Refused(_("Marketing email needs its own sender: set CROSSCHANNEL_EMAIL_FROM_MARKETING."))
    bodies = [text, unescape(html)] if html else [text]
    if not unsubscribe_url or not all(unsubscribe_url in body for body in bodies):
        raise Refused(_("Marketing email must show the unsubscribe link, in the text and in the HTML."))


def _with_address(text: str) -> str:
    address = settings.POSTAL_ADDRESS
    return text if _squeezed(address) in _squeezed(text) else f"{text}\n\n{address}"


def _with_address_html(html: str) -> str:
    address = settings.POSTAL_ADDRESS
    if not html or _squeezed(address) in _squeezed(unescape(_TAG.sub(" ", html))):
        return html
    lines = "<br>".join(escape(line) for line in address.splitlines())
    start, *end = _END_OF_BODY.split(html, maxsplit=1)
    return "".join([start, f"<p>{lines}</p>", *end])


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _inlined(html: str) -> str:
    if not html:
        return ""
    try:
        return _INLINER.inline(html)
    except css_inline.InlineError as error:
        raise Refused(_("The styles of the HTML cannot be inlined: %(error)s") % {"error": error}) from error


def _message(outbound: Outbound) -> EmailMultiAlternatives:
    """One message to one recipient, in the form that every backend takes.

    Backends other than Anymail's ignore `metadata` and `tags`. No merge feature, no tracking
    option and no name beside the address: each of them fails on some provider.
    """
    address = outbound.recipient.address
    if not _is_address(address):
        raise Refused("The address is not an email address.", effect=Effect.UNUSABLE)
    content = outbound.content
    message = EmailMultiAlternatives(
        subject=content.subject,
        body=content.text,
        from_email=_sender(outbound.purpose),
        to=[address],
        reply_to=[outbound.reply_to] if outbound.reply_to else None,
        headers={**outbound.headers, **_list_headers(outbound)},
    )
    _refuse_line_breaks(message)
    if content.html:
        message.attach_alternative(content.html, "text/html")
    for file in content.files:
        message.attach(_part(file))
    extras: Any = message  # Anymail's attributes are no part of Django's type
    extras.metadata = {METADATA_KEY: str(outbound.uuid)}
    extras.tags = [outbound.topic]
    return message


def _part(file: File) -> Any:
    """The file with all that its type says, such as a calendar's method.

    By name and type alone Django would keep the parameters, but Anymail take them for a part of the type,
    which some providers refuse. Django 6 wants a part of Python's newer kind, and 5.2 one of the older.
    """
    part: Message = MIMEPart() if django.VERSION >= (6,) else MIMEBase("application", "octet-stream")
    del part["Content-Type"]
    part["Content-Type"] = f"{file.type}; charset=utf-8" if file.type.startswith("text/") else file.type
    part.set_payload(file.content)
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=file.name)
    return part


def _refuse_line_breaks(message: EmailMultiAlternatives) -> None:
    """Say before the call what backends say in the middle of it, each in its own way."""
    values = [message.subject, message.from_email, *message.extra_headers.values()]
    if any(breaks in value for value in values for breaks in "\r\n"):
        raise Refused("A header of an email cannot hold a line break.", alert=True)


def _sender(purpose: Purpose) -> str | None:
    """The From of `purpose`; `None` is the project's DEFAULT_FROM_EMAIL."""
    marketing = purpose is Purpose.MARKETING
    sender = settings.EMAIL_FROM_MARKETING if marketing else settings.EMAIL_FROM_TRANSACTIONAL
    if (marketing or sender) and not _is_address(parseaddr(sender)[1]):
        raise SenderBroken(
            f"CROSSCHANNEL_EMAIL_FROM_{'MARKETING' if marketing else 'TRANSACTIONAL'} is no address."
        )
    return sender or None


def _is_address(address: str) -> bool:
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True


def _list_headers(outbound: Outbound) -> dict[str, str]:
    """The way out that mail programs show (RFC 2369, RFC 8058, RFC 2919).

    What a person did not subscribe to has none. Marketing without one is refused.
    """
    url = outbound.unsubscribe_url
    if outbound.purpose is Purpose.MARKETING and not url:
        raise Refused("Marketing email without an unsubscribe address.")
    if not url or outbound.purpose not in {Purpose.MARKETING, Purpose.REQUESTED}:
        return {}
    parts = urlsplit(url)
    ways = [f"<{url}>"]
    token = parts.path.rstrip("/").rpartition("/")[2]
    inbound = settings.EMAIL_INBOUND
    if mailto := letters.tagged(inbound, token) if inbound else settings.EMAIL_UNSUBSCRIBE_MAILTO:
        ways.append(f"<mailto:{mailto}?subject={quote(f'unsubscribe {token}')}>")
    topic = re.sub(r"[^a-z0-9-]+", "-", outbound.topic.lower())
    return {
        "List-Unsubscribe": ", ".join(ways),
        "List-Unsubscribe-Post": ONE_CLICK,
        "List-ID": f"<{topic}.{parts.hostname}>",
    }


def _hand_over(connection: BaseEmailBackend, message: EmailMultiAlternatives) -> int | None:
    """Make the provider call; how many messages were sent, if the backend tells.

    A provider without metadata or tags (MailerSend, Postal) makes Anymail raise before its call;
    then the message goes without them.
    """
    try:
        return connection.send_messages([message])
    except AnymailUnsupportedFeature:
        extras: Any = message
        del extras.metadata, extras.tags
        return connection.send_messages([message])


def _statuses(message: EmailMultiAlternatives) -> set[str]:
    """Anymail's words on our recipient; none from other backends, and none before its call."""
    status: AnymailStatus | None = getattr(message, "anymail_status", None)
    return set(status.status or ()) if status else set()


def _was_accepted(message: EmailMultiAlternatives) -> bool:
    return bool(_statuses(message) - _REFUSALS)


def _refusal(message: EmailMultiAlternatives) -> Refused | None:
    """A provider may answer the call well and still refuse the recipient."""
    statuses = _statuses(message)
    if not statuses or statuses - _REFUSALS:
        return None
    failed = "failed" in statuses  # for a reason of the provider's own
    return Refused(
        f"The provider answered: {', '.join(sorted(statuses))}.",
        code=min(statuses),
        effect=Effect.NONE if failed else Effect.UNUSABLE,
        alert=failed,
    )


def _provider(connection: BaseEmailBackend) -> str:
    """Anymail's name of the provider, or the backend's module: "Postmark", "smtp"."""
    return str(getattr(connection, "esp_name", "") or type(connection).__module__.rpartition(".")[2])


def _provider_id(message: EmailMultiAlternatives) -> str:
    if not _statuses(message):
        return ""
    known: Any = message
    found = known.anymail_status.message_id
    ids = found if isinstance(found, set) else {found}
    return next((str(one) for one in ids if one is not None), "")  # 0 is an id
