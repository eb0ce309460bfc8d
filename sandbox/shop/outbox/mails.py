"""Emails as Django's file backend wrote them, so that no mail server is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from email.utils import getaddresses, mktime_tz, parseaddr, parsedate_tz
from functools import lru_cache
from pathlib import Path

from django.conf import settings

#: What the backend writes below every message.
_END = b"\n" + b"-" * 79 + b"\n"


@dataclass(frozen=True, slots=True)
class Mail:
    """One email in somebody's inbox."""

    id: str
    message: EmailMessage

    @property
    def at(self) -> datetime:
        """When it was sent, by its own Date."""
        parts = parsedate_tz(str(self.message["Date"]))
        return datetime.fromtimestamp(mktime_tz(parts) if parts else 0, UTC)

    @property
    def to(self) -> tuple[str, ...]:
        """Addresses, in lower case."""
        return tuple(address.lower() for _, address in getaddresses(self.message.get_all("To", [])))

    @property
    def sender(self) -> str:
        """The name that an inbox shows."""
        name, address = parseaddr(str(self.message["From"]))
        return name or address

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        return self._body("html")

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self.message.items()]

    @property
    def one_click(self) -> str:
        """Where the mail program's own unsubscribe button posts to (RFC 8058); empty: it has none."""
        if self.message["List-Unsubscribe-Post"] != "List-Unsubscribe=One-Click":
            return ""
        targets = str(self.message["List-Unsubscribe"]).split(",")
        return next((target.strip(" <>") for target in targets if "http" in target), "")

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part else ""


def everything() -> list[Mail]:
    """All emails, oldest first."""
    files = sorted(_folder().glob("*.log"), key=lambda path: path.stat().st_mtime_ns)
    mails = [mail for path in files for mail in _read(path, path.stat().st_size)]
    return sorted(mails, key=lambda mail: mail.at)


def find(mail_id: str) -> Mail | None:
    """The email with this id."""
    return next((mail for mail in everything() if mail.id == mail_id), None)


def forget() -> None:
    """Empty the files. They stay, because the engine may have one open for its next email."""
    for path in _folder().glob("*.log"):
        path.write_bytes(b"")
    _read.cache_clear()  # a file that grew again to its old size would pass for what it was


@lru_cache(maxsize=512)
def _read(path: Path, _size: int) -> tuple[Mail, ...]:
    """What one file holds; a file only grows, so its size says whether that has changed."""
    raw = [part for part in path.read_bytes().split(_END) if part.strip()]
    return tuple(
        Mail(f"{path.stem}-{number}", message_from_bytes(part, EmailMessage, policy=modern))
        for number, part in enumerate(raw)
    )


def _folder() -> Path:
    return Path(getattr(settings, "EMAIL_FILE_PATH", None) or settings.HOME / "outbox")
