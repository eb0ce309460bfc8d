"""Workers that can be killed: `python -m tests.services.worker FILE` reads commands, one a line.

Each line is a JSON object of settings; it forks a worker that ticks without end, and prints its
process id. What is "sent" is a line in FILE: address, a tab, the text's first line. A part of a tick that raised is
such a line too. One write per line, so that a kill leaves a whole line or none.
"""
# ruff: noqa: PLC0415 -- Django is set up once, before the first fork, and only then may anything of it be imported

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django


def main(ledger: Path) -> None:
    django.setup()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            work(ledger, json.loads(line))
        print(pid, flush=True)


def work(ledger: Path, options: Mapping[str, Any]) -> None:
    from django.conf import settings

    from oscar_crosschannel.channels.base import Channel
    from oscar_crosschannel.core.outbound import Outbound, Receipt
    from oscar_crosschannel.services.dispatch import tick
    from tests.services import stage

    class Ledger(stage.Letters):
        def send(self, outbound: Outbound) -> Receipt:
            words = outbound.content.text.splitlines()[0]
            os.write(file, f"{outbound.recipient.address}\t{words}\n".encode())
            time.sleep(options["call"])
            return Receipt(provider="ledger")

    def the_ledger() -> Channel:
        return Ledger()

    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    stage.letters = the_ledger
    settings.CROSSCHANNEL_CHANNELS = stage.CHANNELS
    settings.CROSSCHANNEL_LEASE = timedelta(seconds=options["lease"])
    settings.CROSSCHANNEL_JUDGE_BATCH = options["batch"]
    while True:
        for part in tick(datetime.now(UTC)).failed:
            os.write(file, f"failed\t{part}\n".encode())
        time.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
