"""The store matrix as a table: what the story showed in each store. Imports nothing, so that anybody may print it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

#: What the story shows of a store.
COLUMNS = ("email", "text", "code redeemed", "order stops", "refusal")
#: Whether the store is the kind that it claims to be, and its checks say what they should.
PROOF = "is what it says"

#: By column what was wrong; nothing when all is as it should be.
Results = Mapping[str, Sequence[str]]


def table(rows: Mapping[str, Results]) -> Iterator[str]:
    """The lines of the matrix, by the names of stores: `yes`, or a number that points to what is wrong below it."""
    columns = (PROOF, *COLUMNS)
    wrong: list[str] = []
    cells = [["store", *columns]]
    for name, results in rows.items():
        cells.append([name, *(_cell(name, column, results[column], wrong) for column in columns)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
    yield from wrong


def _cell(name: str, column: str, problems: Sequence[str], wrong: list[str]) -> str:
    if not problems:
        return "yes"
    wrong += [f"({len(wrong) + 1}) {name}, {column}: {'; '.join(problems)}"]
    return f"NO ({len(wrong)})"
