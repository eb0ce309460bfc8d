from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from sandbox.shop import seed


class Command(BaseCommand):
    help = "Fill the sandbox with its catalogue, offers and people. Running it again changes nothing."

    def handle(self, *_args: Any, verbosity: int, **_options: Any) -> None:
        seed.seed()
        if verbosity:
            self.stdout.write("The shop is stocked.")
