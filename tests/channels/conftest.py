"""The people's side of the channels: a mail server, and Twilio's counterpart with its phones."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from oscar_crosschannel.testing.sms_counterpart import TWILIO_BACKEND, SmsCounterpart

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


class MailServer(Controller):
    """A real SMTP conversation on a loopback port, with scripted answers.

    `answers["RCPT"] = "550 5.1.1 No such user"` holds until it is deleted; an answer of "" is
    silence, and "hang up" closes the connection without a word.
    """

    def __init__(self) -> None:
        super().__init__(self, hostname="127.0.0.1", port=0)
        self.envelopes: list[Envelope] = []
        self.answers: dict[str, str] = {}
        self.connections = 0
        self.goodbyes = 0
        self._transports: list[asyncio.BaseTransport] = []

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
        self.connections = 0

    def hang_up_on_everyone(self) -> None:
        """Close the open connections, as servers do with idle ones."""
        done = threading.Event()

        def close() -> None:
            for transport in self._transports:
                transport.close()
            done.set()

        self.loop.call_soon_threadsafe(close)
        done.wait(5)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        self._transports.append(server.transport)
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self._answer("MAIL", server)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return await self._answer("RCPT", server)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await self._answer("DATA", server)
        if answer.startswith("2"):
            self.envelopes.append(envelope)
        return answer

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.goodbyes += 1
        return "221 2.0.0 Bye"

    async def _answer(self, command: str, server: SMTP) -> str:
        answer = self.answers.get(command, "250 2.0.0 OK")
        if not answer:
            await asyncio.Event().wait()
        if answer == "hang up":
            server.transport.close()
        return answer


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    """A mail server that the settings lead to."""
    server = MailServer()
    server.start()
    settings.CROSSCHANNEL_EMAIL_BACKEND = SMTP_BACKEND
    settings.EMAIL_HOST, settings.EMAIL_PORT = server.hostname, server.port
    yield server
    server.stop()


@pytest.fixture
def twilio(settings: Any) -> Iterator[SmsCounterpart]:
    """Twilio's counterpart, which the settings lead to."""
    with SmsCounterpart() as counterpart:
        settings.CROSSCHANNEL_SMS_BACKEND = TWILIO_BACKEND
        settings.CROSSCHANNEL_TWILIO = counterpart.settings()
        yield counterpart


@pytest.fixture
def closed_port() -> int:
    """A loopback port that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@dataclass
class MailProvider:
    """An email provider's HTTP API: remembers what it was asked to send, answers as scripted."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    #: Status, headers and body of every answer; `None` hangs up, "" is silence.
    answer: tuple[int, dict[str, str], str] | str | None = None
    over: threading.Event = field(default_factory=threading.Event)

    def accept(self) -> None:
        """Answer as Postmark does when all is well."""
        words = {"ErrorCode": 0, "Message": "OK", "MessageID": "pm-1", "To": "ada@example.org"}
        self.answer = (200, {}, json.dumps(words))


@pytest.fixture
def postmark(settings: Any) -> Iterator[MailProvider]:
    """A counterpart of Postmark's API that the settings lead to, through Anymail's real backend."""
    provider = MailProvider()
    provider.accept()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            provider.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if provider.answer == "":
                provider.over.wait()
            if not isinstance(provider.answer, tuple):
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers, body = provider.answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body.encode())), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        provider.url = f"http://127.0.0.1:{server.server_port}/"
        settings.CROSSCHANNEL_EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
        settings.ANYMAIL = {
            "POSTMARK_SERVER_TOKEN": "secret",
            "POSTMARK_API_URL": provider.url,
            "MAILERSEND_API_TOKEN": "secret",
            "MAILERSEND_API_URL": provider.url,
        }
        yield provider
        provider.over.set()
        server.shutdown()
        thread.join()
