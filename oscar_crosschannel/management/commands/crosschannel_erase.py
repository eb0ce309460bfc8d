"""Forget a person."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ...services import erasing
from .. import people


class Command(BaseCommand):
    help = "Erases a person: what is left of them keeps them from being written to, and says nothing else."

    def add_arguments(self, parser: ArgumentParser) -> None:
        people.add_arguments(parser)
        parser.add_argument(
            "--statistics", action="store_true", help="keep runs, messages and clicks to be counted"
        )
        parser.add_argument("--by", default="command line", help="who does it; kept in the history")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        contact = people.chosen(options)
        if contact is None:
            raise CommandError("Nobody uses this address.")
        told = ", ".join(f"{count} {kind}" for kind, count in erasing.foreseen(contact).items())
        if (
            not options["yes"]
            and input(f"Erase contact {contact.pk} ({told}) for good? [y/N] ").lower() != "y"
        ):
            raise CommandError("Nothing was done.")
        erasure = erasing.erase(
            contact, cause="request", by=options["by"], now=timezone.now(), statistics=options["statistics"]
        )
        if erasure is None:
            self.stdout.write("They were erased before.")
        else:
            self.stdout.write(", ".join(f"{count} {kind}" for kind, count in erasure.counts.items()))
