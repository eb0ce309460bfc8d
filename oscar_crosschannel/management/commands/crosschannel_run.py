"""The engine without a broker: a loop, or one pass for cron."""

from __future__ import annotations

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings as django_settings
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.module_loading import import_string

from ... import signals
from ...conf import settings
from ...services import dispatch, failures, retention

logger = logging.getLogger(__name__)

#: Seconds after which the loop asks again whether a day has passed since old rows were thrown away.
ASK_TO_PRUNE = 3600.0


class Command(BaseCommand):
    help = "Runs the cross-channel engine: decides, sends and records what is due."

    _asks_to_prune_at = 0.0  #: on the monotonic clock

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one pass, then exit (for cron)")
        parser.add_argument("--now", metavar="ISO", help="move a development clock there first (DEBUG only)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["now"]:
            self._move_clock(options["now"])
        stopping = threading.Event()
        if not options["once"]:
            self._stop_politely(stopping)
        while True:
            began = time.monotonic()
            self._pass_or_go_on(options)
            # from tick to tick: one that stays for texts which wait for their turn is followed at once
            rest = settings.TICK_SECONDS - (time.monotonic() - began)
            if options["once"] or stopping.wait(max(0, rest)):
                return

    def _move_clock(self, text: str) -> None:
        """Time travel for stores that are being built; the project brings the clock."""
        if not django_settings.DEBUG or not settings.DEVELOPMENT_CLOCK:
            raise CommandError("--now works with DEBUG=True and CROSSCHANNEL_DEVELOPMENT_CLOCK only.")
        moment = parse_datetime(text)
        if moment is None or moment.tzinfo is None:
            raise CommandError(f"{text!r} is no ISO time with a zone, like 2026-03-10T12:00:00+00:00.")
        import_string(settings.DEVELOPMENT_CLOCK)(moment)

    def _pass_or_go_on(self, options: dict[str, Any]) -> None:
        """In the loop a pass that fails, because the database restarts, is followed by the next one."""
        try:
            self._pass(options["verbosity"])
        except Exception as error:
            if options["once"]:
                raise
            failures.log(logger, error, "a pass of the engine failed; the next one follows")

    def _pass(self, verbosity: int) -> None:
        close_old_connections()
        signals.tick_started.send(sender=None)
        report = dispatch.tick(timezone.now())
        if verbosity > 1 or (verbosity and report.judged):
            outcomes = ", ".join(f"{kind} {count}" for kind, count in sorted(report.outcomes.items()))
            self.stdout.write(f"folded {report.folded}, judged {report.judged}: {outcomes or 'nothing sent'}")
        if time.monotonic() >= self._asks_to_prune_at:
            self._asks_to_prune_at = time.monotonic() + ASK_TO_PRUNE
            retention.prune_daily(timezone.now())

    def _stop_politely(self, stopping: threading.Event) -> None:
        """A signal lets the running pass end; nothing is left half-sent."""

        def stop(signum: int, frame: FrameType | None) -> None:
            stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
