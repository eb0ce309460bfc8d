"""`python -m sandbox.demo`: exit code 0 only if the story is true."""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentParser
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory

import django

from oscar_crosschannel.testing.sms_counterpart import SmsCounterpart

from .mailbox import Mailbox
from .world import environment

INTRODUCTION = """
Two weeks of a shop that emails and texts its customers: every journey that ships, in one
timeline. A real storefront over HTTP, the engine in another process, an SMTP server and a
counterpart of Twilio. Only the clock is moved.
"""


def main() -> int:
    """Prepare the surroundings, then Django, then play."""
    parser = ArgumentParser(prog="python -m sandbox.demo", description=INTRODUCTION)
    parser.add_argument("--settings", default="sandbox.demo.settings", help="of the shop (%(default)s)")
    os.environ["DJANGO_SETTINGS_MODULE"] = parser.parse_args().settings
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace", line_buffering=True)
    print(INTRODUCTION)
    with (
        TemporaryDirectory(prefix="quillbrook-", ignore_cleanup_errors=True) as home,
        Mailbox() as mailbox,
        SmsCounterpart(carrier_managed=False) as phones,
    ):
        os.environ.update(environment(Path(home), mailbox, phones))
        os.environ.pop("SANDBOX_DATABASE_URL", None)  # the demo is about the embedded default
        django.setup()
        # What it imports needs models, which need what was just set up.
        return int(import_module("sandbox.demo.performance").perform(mailbox, phones))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes are ended, too
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
