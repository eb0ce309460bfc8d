"""Consents from elsewhere, judged as the admin judges them."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.module_loading import import_string

from ...core import consent_files
from ...core.consent_files import COLUMNS, UnreadableFile
from ...models import Topic
from ...services import importing
from ...services.import_judging import Judged, Taking

#: What makes a file worth taking.
_OF_USE = (Taking.GRANTED, Taking.REVOKED, Taking.UNCHANGED)
#: Of the lines with one fault, so many are named.
_MOST_LINES = 10

#: What would become of the rows: for each way of taking them the lines of the file, by why.
Found = Mapping[Taking, Mapping[str, Sequence[int]]]


class Command(BaseCommand):
    help = (
        "Imports consents and stops from a CSV file. Without --commit it tells what would become of the rows, and "
        "writes nothing. They are judged as on the admin's page: one that lacks its proof is kept as unproven and "
        "permits nothing; who said stop here, or was erased, stays so. Ends with an error if nothing in the file "
        f"can be used. The columns, of which only the first must be there: {', '.join(COLUMNS)}."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="its first line names the columns")
        parser.add_argument(
            "--topic",
            action="append",
            default=[],
            metavar="KEY",
            help="what agreements are about that name no topics themselves; may be given several times",
        )
        parser.add_argument(
            "--commit", action="store_true", help="have the engine take the file with its next ticks"
        )
        parser.add_argument("--by", default="command line", help="who does it; kept with every row")

    def handle(self, *args: Any, **options: Any) -> None:
        content, topics, now = _content(options["file"]), _existing(options["topic"]), timezone.now()
        try:
            file = consent_files.read(content)
            found = _found(importing.preview(file, now=now, topics=topics))
        except UnreadableFile as unreadable:
            raise CommandError(_in_words(unreadable)) from None
        if file.ignored:
            self.stdout.write(f"Nobody knows these columns, which are left out: {', '.join(file.ignored)}")
        self._tell(found)
        if not any(found.get(taking) for taking in _OF_USE):
            raise CommandError("Nothing in this file can be used. Nothing was done.")
        if not options["commit"]:
            self.stdout.write("Nothing was done. To import it, add --commit.")
            return
        row = importing.keep(content, name=options["file"].name, by=options["by"], now=now, topics=topics)
        if (before := importing.earlier(row)) is not None:
            self.stdout.write(
                f"The same file was imported before, at {before.confirmed_at:%Y-%m-%d %H:%M} UTC."
            )
        importing.confirm(row.pk, now=now)
        pace = f"{importing.BATCH} rows every {importing.PAUSE.total_seconds():.0f} seconds"
        self.stdout.write(f"Import {row.pk}: the engine takes {pace}, as soon as it runs.")

    def _tell(self, found: Found) -> None:
        for taking in Taking:
            if reasons := found.get(taking):
                self.stdout.write(f"{sum(map(len, reasons.values()))} {taking}")
                for why, lines in reasons.items():
                    if why:
                        self.stdout.write(f"    {why} ({_named(lines)})")


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > importing.LARGEST:
        raise CommandError(f"{path} is too large: divide it into files of {importing.LARGEST >> 20} MB.")
    return content


def _existing(topics: Sequence[str]) -> Sequence[str]:
    known = set(Topic.objects.values_list("key", flat=True))
    if unknown := set(topics) - known:
        raise CommandError(
            f"There is no topic {', '.join(sorted(unknown))}. There are: {', '.join(sorted(known))}."
        )
    return topics


def _found(judged: Iterable[Judged]) -> Found:
    why, found = _why(), defaultdict[Taking, dict[str, list[int]]](lambda: defaultdict(list))
    for each in judged:
        found[each.taking][why(each)].append(each.row.line)
    return found


def _named(lines: Sequence[int]) -> str:
    numbers = ", ".join(map(str, lines[:_MOST_LINES]))
    more = f" and {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""
    return f"{'line' if len(lines) == 1 else 'lines'} {numbers}{more}"


def _why() -> Callable[[Judged], str]:
    """The admin's words for what is wrong with a row; a store without the admin gets the codes."""
    if not apps.is_installed("django.contrib.admin"):
        return lambda judged: ": ".join(filter(None, [judged.problem or "", ", ".join(judged.missing)]))
    why: Callable[[Judged], str] = import_string("oscar_crosschannel.admin.privacy.why")
    return why


def _in_words(unreadable: UnreadableFile) -> str:
    if not apps.is_installed("django.contrib.admin"):
        return unreadable.problem
    return str(import_string("oscar_crosschannel.admin.privacy.FILE_PROBLEMS")[unreadable.problem])
