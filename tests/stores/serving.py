"""The inside of a store's process: its web server, its engine, and one clock for both.

    DJANGO_SETTINGS_MODULE=… SANDBOX_BASE_URL=http://127.0.0.1:… python -m tests.stores.serving

It serves the address that SANDBOX_BASE_URL names and obeys lines of JSON on its input, each
`[verb, {arguments}]`, answering each with one line. `tests.stores.project.Store` is the other end.
Needs of a project nothing but that Oscar and the app are installed in it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from datetime import datetime
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import django
import time_machine
from django.apps import apps
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler, get_internal_wsgi_application
from django.db import close_old_connections
from django.test.utils import override_settings


class WithoutMigrations(dict[str, None]):
    """For MIGRATION_MODULES: tables come from the models, in a tenth of the time."""

    def __contains__(self, label: object) -> bool:
        return True

    def __getitem__(self, label: str) -> None:
        return None


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Errors have their traceback in the log; the rest is noise."""


class StoreProcess:
    """What can be asked of a store. Every public method is a verb; answers are JSON."""

    def __init__(self, address: str) -> None:
        self._clock = time_machine.travel(datetime.now().timestamp(), tick=True)
        self._traveller = self._clock.start()
        parts = urlsplit(address)
        self._server = ThreadedWSGIServer((parts.hostname, parts.port), _Quiet)
        self._server.set_app(get_internal_wsgi_application())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def make_tables(self) -> None:
        """The tables of the models as they are, without migrations."""
        with override_settings(MIGRATION_MODULES=WithoutMigrations()):
            call_command("migrate", run_syncdb=True, verbosity=0)

    def stock(self) -> dict[str, str]:
        """Something to buy, a country to ship to, an offer; says where the product's page is."""
        from tests.stores import stocking  # noqa: PLC0415 - needs the models of the store

        return {"product": stocking.stock()}

    def work(self, now: str) -> None:
        """Let it be `now` (ISO, with a zone), and run one pass of the engine, as cron does."""
        self._traveller.move_to(datetime.fromisoformat(now).timestamp())
        call_command("crosschannel_run", once=True, verbosity=0)

    def rows(self, model: str) -> list[Mapping[str, Any]]:
        """Every row of a model ("order.Order"), oldest first, with all columns that this store's version has."""
        return list(apps.get_model(model).objects.order_by("pk").values())

    def codes(self) -> dict[str, list[str]]:
        """By the number of an order, the codes that took something off its price."""
        return {
            order.number: [code for code in order.discounts.values_list("voucher_code", flat=True) if code]
            for order in apps.get_model("order", "Order").objects.order_by("pk")
        }

    def command(self, arguments: list[str]) -> str:
        """What a management command prints. One that ends with a code raises SystemExit, told as an error."""
        said = StringIO()
        call_command(*arguments, stdout=said, stderr=said, no_color=True)
        return said.getvalue()

    def obey(self, line: str) -> dict[str, Any]:
        """One request, answered."""
        verb, arguments = json.loads(line)
        method: Callable[..., Any] = getattr(self, verb)
        try:
            with redirect_stdout(sys.stderr):
                return {"answer": method(**arguments)}
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told to whoever asked
            return {"error": f"{type(error).__name__}: {error}"}
        finally:
            close_old_connections()


def main() -> None:
    """Serve until the input ends."""
    answers = sys.stdout
    django.setup()
    process = StoreProcess(os.environ["SANDBOX_BASE_URL"])
    print(json.dumps({"answer": "open"}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(process.obey(line), default=str), file=answers, flush=True)


if __name__ == "__main__":
    main()
