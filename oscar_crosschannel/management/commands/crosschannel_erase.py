"""Forget a person."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ...services import erasing, persons
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
            self._erase_address(options)
            return
        _ask(options, f"contact {contact.pk}", erasing.foreseen(contact))
        erasure = erasing.erase(
            contact, cause="request", by=options["by"], now=timezone.now(), statistics=options["statistics"]
        )
        self.stdout.write("They were erased before." if erasure is None else _told(erasure.counts))

    def _erase_address(self, options: dict[str, Any]) -> None:
        """Nobody uses it, but an import or a stop may have left rows that name it."""
        channel, address = persons.named(options["address"])
        foreseen = erasing.foreseen_at(channel, address)
        if not any(foreseen.values()):
            raise CommandError("Nobody uses this address.")
        _ask(options, "this address, which nobody uses", foreseen)
        counts = erasing.erase_address(
            channel, address, cause="request", by=options["by"], now=timezone.now()
        )
        if counts is None:
            raise CommandError(
                "Nothing was done: somebody uses this address by now, or erased it a moment ago."
            )
        self.stdout.write(_told(counts))


def _ask(options: dict[str, Any], what: str, foreseen: Mapping[str, int]) -> None:
    if not options["yes"] and input(f"Erase {what} ({_told(foreseen)}) for good? [y/N] ").lower() != "y":
        raise CommandError("Nothing was done.")


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())
