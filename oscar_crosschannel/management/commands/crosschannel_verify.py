"""Whether the ledger of consents is what was written."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ...services import evidence

#: Altered entries that are named.
SHOWN = 20


class Command(BaseCommand):
    help = "Examines every seal of the ledger of consents; ends with an error if one is broken."

    def handle(self, *args: Any, **options: Any) -> None:
        found = evidence.examine(now=timezone.now())
        if found.wrong:
            named = ", ".join(map(str, found.altered[:SHOWN]))
            raise CommandError(
                f"{found.wrong} of {found.rows} entries are not as they were written, or follow one that is gone: {named}"
            )
        since = f"unbroken since {found.since:%Y-%m-%d %H:%M} UTC" if found.since else "empty"
        self.stdout.write(f"{found.rows} entries: {since}.")
