"""Everything that is kept about one person, in one file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.module_loading import import_string

from ...services import exporting, persons
from .. import people


class Command(BaseCommand):
    help = "Writes everything that is kept about one person into one file, also about an erased address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        people.add_arguments(parser)
        parser.add_argument("--json", action="store_true", help="for machines; else a page for people")
        parser.add_argument("--output", type=Path, metavar="FILE", help="instead of the terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        contact, now, tell = people.chosen(options), timezone.now(), _tell()
        if contact is not None:
            report = exporting.collect(contact, now=now, tell=tell)
        else:
            report = exporting.collect_address(*persons.named(options["address"]), now=now, tell=tell)
        content = exporting.as_json(report) if options["json"] else exporting.as_html(report)
        if options["output"] is None:
            self.stdout.write(content)
        else:
            options["output"].write_text(content, encoding="utf-8")


def _tell() -> exporting.Tell:
    """The admin's words for what became of a message; a store without the admin gets the codes."""
    if not apps.is_installed("django.contrib.admin"):
        return exporting.codes
    tell: exporting.Tell = import_string("oscar_crosschannel.admin.stories.sentence")
    return tell
