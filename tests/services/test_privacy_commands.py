"""What an operator does without the admin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from oscar_crosschannel.models import ConsentEvent, Erasure, InboxEvent
from oscar_crosschannel.services import consents, contacts, evidence
from tests.factories import NOON
from tests.services.shoppers import ANN, PHONE, guest
from tests.services.test_erasing import full_life

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def said(*command: str, **options: Any) -> str:
    out = StringIO()
    call_command(*command, stdout=out, **options)
    return out.getvalue()


# it works


@pytest.mark.rule(15)
def test_everything_about_an_address_is_written_to_a_file(tmp_path: Path) -> None:
    full_life()
    file = tmp_path / "ann.html"
    said("crosschannel_export", "Ann@Example.com", "--output", str(file))
    assert "Everything kept about ann@example.com" in file.read_text("utf-8")
    content = json.loads(said("crosschannel_export", ANN, "--json"))
    assert content["person"][0]["name"] == "Annabel"
    assert any(entry["outcome"].startswith("sent: by") for entry in content["messages"])


@pytest.mark.rule(15)
def test_an_erased_address_is_still_found_by_its_digest() -> None:
    full_life()
    told = said("crosschannel_erase", ANN, "--yes", "--by", "root")
    assert "2 addresses" in told
    assert Erasure.objects.get().by == "root"
    content = json.loads(said("crosschannel_export", ANN, "--json"))
    assert content["person"] == []
    assert content["ledger"]
    with pytest.raises(CommandError, match="Nobody uses"):
        said("crosschannel_erase", ANN, "--yes")


@pytest.mark.rule(15)
def test_an_address_known_by_nothing_but_its_stop_can_be_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    consents.revoke("sms", PHONE, topics=None, source="keyword", mechanism="keyword", now=NOON)
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "")
    with pytest.raises(CommandError, match=r"Nothing was done\."):
        said("crosschannel_erase", PHONE)
    assert "this address, which nobody uses (0 inbox, 1 ledger)" in asked[0]
    assert said("crosschannel_erase", PHONE, "--yes") == "0 inbox, 1 ledger\n"
    assert not ConsentEvent.objects.filter(address=PHONE).exists()
    with pytest.raises(CommandError, match="Nobody uses"):
        said("crosschannel_erase", PHONE, "--yes")


def test_an_erasure_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    full_life()
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "")
    with pytest.raises(CommandError, match=r"Nothing was done\."):
        said("crosschannel_erase", ANN)
    assert "2 addresses" in asked[0]
    assert not Erasure.objects.exists()


def test_old_rows_are_thrown_away() -> None:
    InboxEvent.objects.create(name="x", key="1", occurred_at=NOON, not_before=NOON, processed_at=NOON)
    with time_machine.travel(NOON.replace(year=2027), tick=False):
        assert "1 events" in said("crosschannel_prune")


@pytest.mark.rule(6)
def test_the_whole_ledger_is_examined() -> None:
    assert said("crosschannel_verify") == "0 entries: empty.\n"
    full_life()
    assert "unbroken since 2026-03-10 12:00 UTC" in said("crosschannel_verify")
    changed = ConsentEvent.objects.latest("pk")
    evidence._writable().filter(pk=changed.pk).update(actor="nobody")
    with pytest.raises(CommandError, match=rf"1 of \d+ entries .*: {changed.pk}"):
        said("crosschannel_verify")


# it refuses


def test_of_several_at_one_number_one_must_be_named() -> None:
    ann, bob = guest(), guest("bob@example.com")
    for contact in (ann, bob):
        contacts.set_point(contact, "sms", PHONE, source="order", now=NOON)
    for command in ("crosschannel_export", "crosschannel_erase"):
        with pytest.raises(CommandError, match=f"2 contacts use this address: {ann.pk}, {bob.pk}"):
            said(command, PHONE)
    content = json.loads(said("crosschannel_export", "--json", contact=bob.pk))
    assert content["about"] == "bob@example.com"


def test_nobody_is_no_one() -> None:
    with pytest.raises(CommandError, match="Say whom"):
        said("crosschannel_export")
    with pytest.raises(CommandError, match="There is no contact 987"):
        said("crosschannel_erase", contact=987)
