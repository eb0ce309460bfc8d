"""The kill table: what these tests counted, printed at the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields

#: Under which tests record their rows.
NAME = "kill table"
#: pytest's `record_property`.
Recorder = Callable[[str, object], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One group of messages, in numbers."""

    where: str
    intended: int
    sent: int  #: what mailboxes and phones received
    doubled: int
    lost: int  #: nobody got it, and the ledger neither doubts it nor says that it was given up
    unknown: int  #: in doubt after the kill
    reconciled: int  #: those of them of which the truth came out


def tell(record: Recorder, row: Row) -> None:
    """Let the run's summary show this row."""
    record(NAME, list(astuple(row)))


def lines(rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """The table, of rows as they were recorded."""
    shown = [[field.name for field in fields(Row)], *rows]
    width = max(len(str(row[0])) for row in shown)
    for where, *numbers in shown:
        yield f"{where:<{width}}" + "".join(f"{number:>11}" for number in numbers)
