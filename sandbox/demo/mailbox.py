"""A real SMTP server that keeps what it gets: everybody's mailbox."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from email.utils import mktime_tz, parsedate_tz
from types import TracebackType
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from bs4 import BeautifulSoup
from icalendar import Calendar

#: The lists that advertise, as `List-ID` names them.
ADVERTISING = frozenset({"basket-reminders", "weekly-deals", "reviews"})


@dataclass(frozen=True, slots=True)
class Mail:
    """One email as it arrived."""

    at: datetime
    to: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"]).strip()

    @property
    def text(self) -> str:
        """The part for readers without HTML."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()) if part else ""

    @property
    def html(self) -> str:
        """The part that most people see."""
        part = self.message.get_body(("html",))
        return str(part.get_content()) if part else ""

    @property
    def dated(self) -> datetime:
        """What the sender says of the time."""
        parts = parsedate_tz(str(self.message["Date"]))
        return datetime.fromtimestamp(mktime_tz(parts) if parts else 0, UTC)

    @property
    def links(self) -> list[str]:
        """Where the HTML part leads, each address once, in order."""
        anchors = BeautifulSoup(self.html, "html.parser").select("a[href]")
        return list(dict.fromkeys(str(anchor["href"]) for anchor in anchors))

    def link(self, text: str) -> str:
        """Where the link with this text leads. Raises LookupError."""
        anchors = BeautifulSoup(self.html, "html.parser").select("a[href]")
        for anchor in anchors:
            if anchor.get_text(strip=True) == text:
                return str(anchor["href"])
        raise LookupError(text)

    @property
    def calendar(self) -> Calendar | None:
        """The calendar file that came along."""
        for part in self.message.walk():
            if part.get_content_type() == "text/calendar":
                return Calendar.from_ical(str(part.get_content()))
        return None

    @property
    def is_marketing(self) -> bool:
        """Whether it advertises, by the list that it says it is of; what concerns an order has none."""
        topic, _, _ = str(self.message["List-ID"] or "").strip("<>").partition(".")
        return topic in ADVERTISING

    @property
    def unsubscribe_url(self) -> str:
        """Where the mailbox's own unsubscribe button posts to (RFC 8058); empty if nowhere."""
        if self.message["List-Unsubscribe-Post"] != "List-Unsubscribe=One-Click":
            return ""
        targets = str(self.message["List-Unsubscribe"]).split(",")
        return next((target.strip(" <>") for target in targets if "http" in target), "")


class Mailbox:
    """The server. A context manager; `mails` grows while it runs, oldest first."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self._controller = _Controller(self, hostname="127.0.0.1", port=0)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        return self._controller.port

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take one message; the name is aiosmtpd's."""
        message = message_from_bytes(envelope.original_content or b"", EmailMessage, policy=modern)
        now = datetime.now(UTC)
        self.mails.extend(Mail(now, address, message) for address in envelope.rcpt_tos)
        return "250 OK"


class _Controller(Controller):
    """Takes a free port."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]
