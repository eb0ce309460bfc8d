"""Connections to the email provider that outlive one message.

A TLS handshake and a login cost more than a message does, so a connection is kept for the next
one. Kept connections are proven alive before they are used: a server that hung up in between would
otherwise make a message's outcome unknown that was certainly not sent.
"""

from __future__ import annotations

import smtplib
from collections import deque
from dataclasses import dataclass
from time import monotonic
from weakref import finalize

from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend

from ..conf import settings
from . import email_outcomes

#: Seconds. Providers hang up on idle connections; none of them this soon.
IDLE_LIMIT = 10.0
#: Seconds to wait for an SMTP server where `EMAIL_TIMEOUT` is not set: Django would wait for ever.
SMTP_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class _Idle:
    connection: BaseEmailBackend
    since: float


class EmailConnections:
    """A stack of open connections, used by several threads at once: each takes its own."""

    def __init__(self) -> None:
        self._idle: deque[_Idle] = deque()  # append and pop are atomic
        finalize(self, _close_all, self._idle)  # says good-bye at the latest when the process ends

    def take(self) -> BaseEmailBackend:
        """An open connection. Raises `NotSent` or `SenderBroken`."""
        while idle := _pop(self._idle):
            if monotonic() - idle.since < IDLE_LIMIT and _is_alive(idle.connection):
                return idle.connection
            discard(idle.connection)
        return _opened()

    def give_back(self, connection: BaseEmailBackend) -> None:
        """Keep `connection` for the next message; not after an error, when its state is unknown."""
        self._idle.append(_Idle(connection, monotonic()))

    def close(self) -> None:
        """Close what is idle."""
        _close_all(self._idle)


def patient(backend: str | None = None) -> BaseEmailBackend:
    """A connection of a backend, or of the project's own, which is not open yet, and waits for no server for ever."""
    connection = get_connection(backend)
    if isinstance(connection, SmtpBackend) and connection.timeout is None:
        connection.timeout = SMTP_TIMEOUT
    return connection


def discard(connection: BaseEmailBackend) -> None:
    """Close `connection`, whatever state it is in."""
    try:
        connection.close()
    except Exception:  # noqa: BLE001 - the message is done with; a failed good-bye changes nothing
        return


def _pop(idle: deque[_Idle]) -> _Idle | None:
    try:
        return idle.pop()
    except IndexError:
        return None


def _close_all(idle: deque[_Idle]) -> None:
    while top := _pop(idle):
        discard(top.connection)


def _opened() -> BaseEmailBackend:
    connection = None
    try:
        connection = patient(settings.EMAIL_BACKEND)
        connection.open()
    except Exception as error:
        if connection is not None:
            discard(connection)
        raise email_outcomes.of_opening(error) from error
    return connection


def _is_alive(connection: BaseEmailBackend) -> bool:
    session = getattr(connection, "connection", None)
    if not isinstance(session, smtplib.SMTP):
        return True  # HTTP sessions look after their own
    try:
        return session.noop()[0] == 250
    except OSError:
        return False
