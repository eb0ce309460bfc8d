"""`python -m tests.browser.serve`: the shop on a free port, which it prints. Ends with its input."""

from __future__ import annotations

import ssl
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.test import Client

from oscar_crosschannel.testing.sms_counterpart import post_through
from tests.browser.servers import CERTIFICATE


class _Server(ThreadedWSGIServer):
    """Over TLS, as a shop has to be."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(settings.HOME / CERTIFICATE)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that opens a connection ahead of need and closes it again is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """What is asked for is the tests' to see; tracebacks still go to stderr."""


def main() -> None:
    from sandbox.wsgi import application  # noqa: PLC0415 - starts Django

    server = _Server(("127.0.0.1", 0), _Handler)
    server.set_app(StaticFilesHandler(application))
    with _phones():
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()  # returns when whoever started this lets go, or dies


def _phones() -> AbstractContextManager[Any]:
    """Everybody's phone, as `serve_shop` has it; the stock shop has none."""
    if not apps.is_installed("oscar_crosschannel"):
        return nullcontext()
    from sandbox.shop.outbox import phones  # noqa: PLC0415 - needs models

    return phones.run(settings.HOME / "phones.json", post=post_through(Client()))


if __name__ == "__main__":
    main()
