"""Calendar entries, as another program's parser reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import vobject
from hypothesis import given, strategies as st

from oscar_crosschannel.core.ics import Entry, Method, calendar_file
from tests.core.values import NOON

ENTRY: dict[str, Any] = {
    "uid": "0b1c6a9e-8f4e-4a64-9a10-6a2a61d3a001",
    "sequence": 3,
    "starts_at": datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("Europe/London")) + timedelta(hours=1),
    "ends_at": datetime(2026, 3, 29, 4, 0, tzinfo=ZoneInfo("Europe/London")),
    "title": "Tea tasting",
    "organizer": "shop@example.com",
    "organizer_name": 'Quill & "Brook"; Ltd',
    "attendee": "ada@example.org",
}


def written(method: Method = Method.REQUEST, **changes: Any) -> bytes:
    return calendar_file(Entry(**{**ENTRY, **changes}), method=method, now=NOON).content


def read(content: bytes) -> Any:
    return vobject.readOne(content.decode())


def test_a_calendar_reads_what_was_said() -> None:
    calendar = read(
        written(description="First, tea.\nThen; more.", location="York", url="https://shop.example/cc/j/x/")
    )
    event = calendar.vevent

    assert calendar.method.value == "REQUEST"
    assert event.uid.value == ENTRY["uid"]
    assert event.sequence.value == "3"
    assert event.status.value == "CONFIRMED"
    assert event.dtstart.value == ENTRY["starts_at"].astimezone(UTC)
    assert event.dtend.value == ENTRY["ends_at"].astimezone(UTC)
    assert event.dtstamp.value == NOON
    assert event.description.value == "First, tea.\nThen; more."
    assert event.url.value == "https://shop.example/cc/j/x/"
    assert event.attendee.value == "mailto:ada@example.org"
    assert (event.attendee.params["PARTSTAT"], event.attendee.params["RSVP"]) == (["ACCEPTED"], ["FALSE"])
    assert event.organizer.value == "mailto:shop@example.com"


def test_a_cancelled_entry_says_so_twice() -> None:
    calendar = read(written(Method.CANCEL))
    assert (calendar.method.value, calendar.vevent.status.value) == ("CANCEL", "CANCELLED")
    kind = calendar_file(Entry(**ENTRY), method=Method.CANCEL, now=NOON).type
    assert kind == "text/calendar; method=CANCEL"


def test_the_same_entry_is_the_same_bytes() -> None:
    assert written() == written()


@given(title=st.text(min_size=1, max_size=300), description=st.text(max_size=500))
def test_whatever_a_merchant_writes_stays_one_value(title: str, description: str) -> None:
    content = written(title=title, description=description)
    lines = content.split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    names = [line.split(b":")[0].split(b";")[0] for line in lines if not line.startswith(b" ")]
    assert names.count(b"SUMMARY") <= 1
    assert names.count(b"BEGIN") == names.count(b"END") == 2
    assert set(names) <= {
        b"BEGIN", b"END", b"VERSION", b"PRODID", b"CALSCALE", b"METHOD", b"UID", b"SEQUENCE", b"DTSTAMP",
        b"DTSTART", b"DTEND", b"STATUS", b"SUMMARY", b"DESCRIPTION", b"ORGANIZER", b"ATTENDEE", b"",
    }  # fmt: skip


@pytest.mark.parametrize("title", ["Tee; Kuchen, Brot", "Back\\slash", "日本茶の会 " * 20, "Thé 🍵"])
def test_titles_come_back_as_they_were(title: str) -> None:
    assert read(written(title=title)).vevent.summary.value == title
