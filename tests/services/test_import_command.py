"""Consents from elsewhere, without the admin: looked at first, taken when asked to."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from oscar_crosschannel.models import ConsentEvent, ConsentImport, Contact, InboxEvent
from oscar_crosschannel.services import consents, importing
from tests.factories import NOON
from tests.services.shoppers import ANN, guest, permitted
from tests.services.test_importing import PROVEN, TEXTED, changed, counts, sheet, work_off

pytestmark = pytest.mark.django_db

UNTOLD = {name: cell for name, cell in PROVEN.items() if name != "topics"}


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def said(file: Path, *rows: dict[str, str], **options: Any) -> str:
    """What the command says of a file with these rows."""
    if rows:
        file.write_bytes(sheet(*rows))
    out = StringIO()
    call_command("crosschannel_import", str(file), stdout=out, **options)
    return out.getvalue()


# it works


def test_without_commit_it_tells_what_would_become_of_the_rows_and_writes_nothing(file: Path) -> None:
    rows = [PROVEN, TEXTED, *(changed(PROVEN, address=f"no {number}") for number in range(12))]
    told = said(file, *rows, changed(PROVEN, address="b@b.example", how=""))
    assert told.splitlines() == [
        "2 granted",
        "1 unproven",
        "    it could not be proven, so it permits nothing; missing: how (line 16)",
        "12 refused",
        "    nobody knows the country of this number: write it with “+”, or fill the column country (lines 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 2 more)",
        "Nothing was done. To import it, add --commit.",
    ]
    assert not ConsentEvent.objects.exists()
    assert not ConsentImport.objects.exists()
    assert not Contact.objects.exists()


@pytest.mark.rule(7)
def test_with_commit_the_engine_takes_it_as_it_takes_what_the_admin_confirms(file: Path) -> None:
    told = said(file, PROVEN, {"address": "b@b.example", "action": "stop"}, commit=True, by="root")
    row = ConsentImport.objects.get()
    assert f"Import {row.pk}: the engine takes 100 rows every 3 seconds" in told
    assert (row.file_name, row.by, row.confirmed_at) == ("list.csv", "root", NOON)
    assert not ConsentEvent.objects.exists()
    work_off(NOON)
    row.refresh_from_db()
    assert counts(row) == {"granted": 1, "revoked": 1}
    assert ConsentEvent.objects.get(action="grant").actor == "root"
    assert permitted(guest(), "email") == {"weekly_deals"}


@pytest.mark.rule(7)
def test_the_topics_of_the_command_are_those_of_agreements_that_name_none(file: Path) -> None:
    rows = [UNTOLD, changed(PROVEN, address="b@b.example"), {"address": "c@c.example", "action": "stop"}]
    said(file, *rows, topic=["basket_reminders", "events"], commit=True)
    work_off(NOON)
    topics = set(ConsentEvent.objects.values_list("address", "action", "topic"))
    assert topics == {
        (ANN, "grant", "basket_reminders"),
        (ANN, "grant", "events"),
        ("b@b.example", "grant", "weekly_deals"),
        ("c@c.example", "revoke", ""),  # a stop that names nothing is one to everything
    }


def test_the_same_file_again_is_told_and_changes_nothing(file: Path) -> None:
    said(file, PROVEN, commit=True)
    work_off(NOON)
    before = list(ConsentEvent.objects.values())
    told = said(file, commit=True)
    assert told.startswith("1 unchanged\n")
    assert "The same file was imported before, at 2026-03-10 12:00 UTC." in told
    work_off(NOON)
    assert list(ConsentEvent.objects.values()) == before


def test_columns_that_nobody_knows_are_named(file: Path) -> None:
    assert "left out: shoe_size" in said(file, PROVEN | {"Shoe size": "7"})


# it refuses


@pytest.mark.rule(7)
@pytest.mark.parametrize("commit", [False, True])
@pytest.mark.parametrize("row", [changed(PROVEN, how=""), changed(PROVEN, address="ann@"), UNTOLD])
def test_a_file_of_which_nothing_can_be_used_is_an_error(
    row: dict[str, str], commit: bool, file: Path
) -> None:
    with pytest.raises(CommandError, match="Nothing in this file can be used"):
        said(file, row, commit=commit)
    assert not ConsentImport.objects.exists()
    assert not InboxEvent.objects.exists()


@pytest.mark.rule(7, 30)
def test_who_said_stop_here_is_left_alone(file: Path) -> None:
    consents.grant(guest(), "email", ["weekly_deals"], source="fair", words="Yes.", address=ANN, now=NOON)
    consents.revoke("email", ANN, topics=None, source="page", mechanism="link", now=NOON)
    with pytest.raises(CommandError, match="Nothing in this file"):
        said(file, PROVEN, commit=True)


def test_what_is_no_such_file_is_said_in_words(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match=r"list\.csv cannot be read: No such file"):
        said(file)
    file.write_bytes(b"name;age\nAnn;7\n")
    with pytest.raises(CommandError, match="No column is called “address”"):
        said(file)
    monkeypatch.setattr(importing, "LARGEST", 3)
    with pytest.raises(CommandError, match="too large"):
        said(file)


def test_a_topic_that_does_not_exist_is_named_with_those_that_do(file: Path) -> None:
    with pytest.raises(CommandError, match=r"no topic weekly_deal\. There are: .*weekly_deals"):
        said(file, PROVEN, topic=["weekly_deal"])
