"""Files of consents as spreadsheets write them: which letters, which separator, and what each row says.

Only the shape is judged here; what a row may do depends on what is known of its address.
The module `csv` is enough: the columns are fixed, and a row of the file is no row of a table.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from enum import StrEnum

#: The columns, in the order of the template, with an example of each.
COLUMNS: Mapping[str, str] = {
    "address": "ann@example.com",
    "channel": "email",
    "email": "",
    "action": "grant",
    "topics": "weekly_deals basket_reminders",
    "agreed_at": "2026-03-10T14:00",
    "source": "Trade fair 2026",
    "how": "paper form",
    "words": "Yes, send me offers and basket reminders by email.",
    "words_version": "",
    "language": "en",
    "basis": "express",
    "occasion": "",
    "expires_on": "",
    "way_out": "",
    "country": "US",
    "page": "",
    "ip": "",
    "born_on": "",
}
#: Columns a spreadsheet would rewrite: numbers lose their plus, dates their order.
_REWRITTEN = {"address", "agreed_at", "expires_on", "born_on"}
SEPARATORS = ",;\t"


class FileProblem(StrEnum):
    """Why a file cannot be read at all."""

    EMPTY = "empty"
    NO_ADDRESS = "no_address"  #: no column is called so
    TWICE = "twice"  #: two columns have one name
    BROKEN = "broken"  #: a field without an end


class UnreadableFile(ValueError):
    """`problem` says why."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


class RowProblem(StrEnum):
    """Why a row is not taken, or without proof. Stored; never rename one."""

    TOO_LONG = "too_long"  #: more cells than the head has columns
    NO_ADDRESS = "no_address"
    BAD_EMAIL = "bad_email"
    BAD_PHONE = "bad_phone"
    NO_PREFIX = "no_prefix"  #: a number without "+", and no country
    SHORTENED = "shortened"  #: a spreadsheet has made 4.1E+10 of it
    NO_MOBILE = "no_mobile"  #: a number, but none that can be texted
    BAD_OWNER = "bad_owner"  #: whose number it is, is no email
    UNKNOWN_CHANNEL = "unknown_channel"
    UNKNOWN_ACTION = "unknown_action"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_VERSION = "unknown_version"
    OTHER_TOPICS = "other_topics"  #: the version of the words names others
    BAD_BASIS = "bad_basis"
    BAD_TIME = "bad_time"
    FUTURE = "future"
    BAD_DATE = "bad_date"
    STOPPED = "stopped"  #: who lives at the address said stop
    BLOCKED = "blocked"  #: it is on the suppression list
    # kept, but as unproven
    NO_PROOF = "no_proof"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells by column, stripped."""

    line: int  #: of the file, as editors count
    cells: Mapping[str, str]
    overlong: bool = False

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    @property
    def topics(self) -> list[str]:
        return [key for key in re.split(r"[\s,;|]+", self["topics"]) if key]

    @property
    def address(self) -> str:
        return self["address"]

    @property
    def channel(self) -> str:
        """As the row says, else what the address looks like."""
        return self["channel"].lower() or ("email" if "@" in self.address else "sms")


@dataclass(frozen=True, slots=True)
class ConsentFile:
    """A file of consents; reading it takes no more memory than one row."""

    content: bytes = field(repr=False)
    encoding: str
    separator: str
    columns: Sequence[str]
    head: int  #: line of the names of the columns

    @property
    def ignored(self) -> list[str]:
        """Columns that nobody knows."""
        return [name for name in self.columns if name and name not in COLUMNS]

    def rows(self) -> Iterator[Row]:
        """All rows that say anything. Raises UnreadableFile where the file breaks off inside a field."""
        before = self.head
        for line, cells in _lines(self.content, self.encoding, self.separator):
            if line > self.head and any(cells):
                named = dict(zip(self.columns, cells, strict=False))
                yield Row(before + 1, named, overlong=any(cells[len(self.columns) :]))
            before = line


def read(content: bytes) -> ConsentFile:
    """What kind of file it is. Raises UnreadableFile."""
    encoding = _encoding(content)
    separator = _separator(content, encoding)
    for line, cells in _lines(content, encoding, separator):
        if not any(cells) or (line == 1 and cells[0].lower().startswith("sep=")):
            continue
        columns = [re.sub(r"[\s-]+", "_", cell.lower()) for cell in cells]
        named = [name for name in columns if name]
        if len(set(named)) < len(named):
            raise UnreadableFile(FileProblem.TWICE)
        if "address" not in columns:
            raise UnreadableFile(FileProblem.NO_ADDRESS)
        return ConsentFile(content, encoding, separator, columns, line)
    raise UnreadableFile(FileProblem.EMPTY)


def template(separator: str) -> bytes:
    """A file to fill in, with one example, as spreadsheets open it: with all its letters, its numbers unharmed."""
    example = [f'="{value}"' if name in _REWRITTEN and value else value for name, value in COLUMNS.items()]
    return written([list(COLUMNS), example], separator)


def written(rows: Iterable[Sequence[str]], separator: str) -> bytes:
    """Rows as spreadsheets open them."""
    return b"".join(pieces(rows, separator))


def pieces(rows: Iterable[Sequence[str]], separator: str) -> Iterator[bytes]:
    """`written`, row by row."""
    yield codecs.BOM_UTF8
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator)
    for row in rows:
        writer.writerow(row)
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; the apostrophe is taken off when it is read again."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "'")) else cell


def instant(text: str, zone: tzinfo) -> datetime:
    """An ISO date or time, on the shop's clock unless it names an offset. Raises ValueError."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        at = datetime.combine(date.fromisoformat(text), time(), zone)
    else:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=zone)
    return at.astimezone(UTC)


def _encoding(content: bytes) -> str:
    """UTF-8 if it can be, UTF-16 if it says so, else what Windows wrote before."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for start in range(0, len(content), 1 << 16):
            decoder.decode(content[start : start + (1 << 16)])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _separator(content: bytes, encoding: str) -> str:
    """The one that parts the names of the columns; those have none inside."""
    with _text(content, encoding) as text:
        for line in text:
            if line.lower().startswith("sep=") and len(line.rstrip("\r\n")) == 5:
                return line[4]
            if line.strip():
                return max(SEPARATORS, key=line.count)
    return SEPARATORS[0]


def _lines(content: bytes, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The last line of each row, and its cells."""
    with _text(content, encoding) as text:
        reader = csv.reader(text, delimiter=separator, strict=True)
        try:
            for cells in reader:
                yield reader.line_num, [_cell(cell) for cell in cells]
        except csv.Error:
            raise UnreadableFile(FileProblem.BROKEN) from None


def _text(content: bytes, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding=encoding, errors="replace", newline="")


def _cell(cell: str) -> str:
    """What was meant: spreadsheets are kept from rewriting a cell by ="…" or by an apostrophe before it."""
    cell = cell.replace("\x00", "").strip()
    if (quoted := re.fullmatch(r'="(.*)"', cell)) is not None:
        return quoted[1].strip()
    return cell.removeprefix("'").strip()
