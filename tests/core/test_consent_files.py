"""Files of consents: what spreadsheets write is read, what they rewrite is noticed."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from oscar_crosschannel.core import consent_files
from oscar_crosschannel.core.consent_files import COLUMNS, FileProblem, UnreadableFile

BERLIN = ZoneInfo("Europe/Berlin")
WORDS = "Ja, bitte: Angebote für „Käthe“"


def addresses(content: bytes) -> list[str]:
    return [row.address for row in consent_files.read(content).rows()]


# it works


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_whatever_a_spreadsheet_writes_is_read(encoding: str, separator: str, newline: str) -> None:
    rows = [["Address", "Agreed at", "words"], ["ann@example.com", "2026-03-10", f'"{WORDS}"']]
    text = newline.join(separator.join(row) for row in rows)
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    file = consent_files.read(mark + text.encode(encoding))
    (row,) = file.rows()
    assert (row["address"], row["agreed_at"], row["words"]) == ("ann@example.com", "2026-03-10", WORDS)
    assert row.line == 2
    assert file.ignored == []


def test_a_line_that_tells_spreadsheets_the_separator_is_no_row() -> None:
    assert addresses(b"sep=;\naddress;how\na,b@example.com;x\n") == ["a,b@example.com"]


def test_lines_are_counted_as_editors_do() -> None:
    content = b'address,words\n\na@example.com,"two\nlines"\n\nb@example.com,\n'
    assert [row.line for row in consent_files.read(content).rows()] == [3, 6]


def test_columns_that_nobody_knows_are_told() -> None:
    assert consent_files.read(b"Address,favourite colour\n").ignored == ["favourite_colour"]


def test_a_row_says_its_channel_or_looks_like_it() -> None:
    rows = list(
        consent_files.read(b"address,channel\na@b.example,\n+12065550123,\n+12065550123,SMS\n").rows()
    )
    assert [row.channel for row in rows] == ["email", "sms", "sms"]


def test_topics_are_parted_by_anything_but_letters() -> None:
    (row,) = consent_files.read(b'address,topics\na@b.example,"one, two|three four"\n').rows()
    assert row.topics == ["one", "two", "three", "four"]


def test_a_cell_comes_back_from_a_spreadsheet_as_it_was_meant() -> None:
    content = b'address\n="+12065550123"\n\'+12065550123\n'
    assert addresses(content) == ["+12065550123", "+12065550123"]


@pytest.mark.parametrize("separator", [",", ";"])
def test_the_template_is_read_back_and_harms_no_number(separator: str) -> None:
    content = consent_files.template(separator)
    assert content.startswith(b"\xef\xbb\xbf")
    assert b'"=""2026-03-10T14:00"""' in content  # a bare date would be rewritten in the country's own order
    (row,) = consent_files.read(content).rows()
    assert {name: row[name] for name in COLUMNS} == dict(COLUMNS)


def test_times_are_on_the_shops_clock_unless_they_say_so() -> None:
    assert consent_files.instant("2026-03-10", BERLIN) == datetime(2026, 3, 9, 23, tzinfo=UTC)
    assert consent_files.instant("2026-07-10 14:00", BERLIN) == datetime(2026, 7, 10, 12, tzinfo=UTC)
    assert consent_files.instant("2026-07-10T14:00Z", BERLIN) == datetime(2026, 7, 10, 14, tzinfo=UTC)


# it refuses


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", FileProblem.EMPTY),
        (b"\n\n", FileProblem.EMPTY),
        (b"mail,how\na@example.com,x\n", FileProblem.NO_ADDRESS),
        (b"address,how,Address\n", FileProblem.TWICE),
    ],
)
def test_a_file_without_sense_is_refused(content: bytes, problem: FileProblem) -> None:
    with pytest.raises(UnreadableFile) as refused:
        consent_files.read(content)
    assert refused.value.problem is problem


def test_a_quote_without_an_end_swallows_no_rows() -> None:
    file = consent_files.read(b'address,words\na@example.com,"never closed\nb@example.com,x\n')
    with pytest.raises(UnreadableFile) as refused:
        list(file.rows())
    assert refused.value.problem is FileProblem.BROKEN


def test_cells_beyond_the_head_are_noticed() -> None:
    (row,) = consent_files.read(b"address,how\na@example.com,x,y\n").rows()
    assert row.overlong


@pytest.mark.parametrize("text", ["10.03.2026", "03/10/2026", "yesterday", "2026-13-01", "46091"])
def test_a_date_whose_order_is_anybodys_guess_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        consent_files.instant(text, BERLIN)


@pytest.mark.parametrize("formula", ["=1+1", "+1206", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_we_write_is_a_formula(formula: str) -> None:
    assert consent_files.harmless(formula) == f"'{formula}"
    assert consent_files.harmless("ann@example.com") == "ann@example.com"
    content = consent_files.written([["address"], [consent_files.harmless(formula)]], ",")
    assert addresses(content) == [formula.strip()]


# it survives


def test_a_file_that_is_none_at_all_raises_nothing_unforeseen() -> None:
    for content in (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, b"PK\x03\x04", b"\xff\xfe", b"\x81\x8d"):
        with pytest.raises(UnreadableFile):
            list(consent_files.read(content).rows())


def test_a_hundred_thousand_rows_are_read_in_little_memory() -> None:
    content = b"address,how\n" + b"".join(b"person%06d@example.com,paper\n" % n for n in range(100_000))
    file = consent_files.read(content)
    tracemalloc.start()
    assert sum(1 for _ in file.rows()) == 100_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * len(content)
