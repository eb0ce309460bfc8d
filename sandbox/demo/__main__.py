"""`python -m sandbox.demo`: exit code 0 only if the story is true."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import django

from oscar_crosschannel.testing.sms_counterpart import SmsCounterpart

from .mailbox import Mailbox
from .world import environment


def main() -> int:
    """Prepare the surroundings, then Django, then play."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.demo.settings")
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
    sys.exit(main())
