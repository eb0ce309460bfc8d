"""Carrier and number of a parcel, as people write them into one free field."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.tracking import Carrier, Tracking, faults, find

TABLE = json.loads((files("oscar_crosschannel") / "data" / "carriers.json").read_text("utf-8"))
CARRIERS = [Carrier(**{**row, "called": tuple(row.get("called", ()))}) for row in TABLE["carriers"].values()]

# It works.


@pytest.mark.parametrize(
    ("notes", "carrier", "number"),
    [
        ("UPS 1Z999AA10123456784", "UPS", "1Z999AA10123456784"),
        ("1z999aa10123456784", "UPS", "1Z999AA10123456784"),
        ("usps: 9400 1000 0000 0000 0000 00", "USPS", "9400100000000000000000"),
        ("9400100000000000000000", "USPS", "9400100000000000000000"),
        ("FedEx 123456789012, left dock 3", "FedEx", "123456789012"),
        ("DHL 0034 0434 1610 9401 5902", "DHL", "00340434161094015902"),
        ("00340434161094015902", "DHL Paket", "00340434161094015902"),
        ("dpd 05222857416783", "DPD", "05222857416783"),
        ("GLS: 12345678901", "GLS", "12345678901"),
        ("RB123456785GB", "Royal Mail", "RB123456785GB"),
        ("Parcelforce PB1234567890", "Royal Mail", "PB1234567890"),
        ("AusPost 33ABC1234567", "Australia Post", "33ABC1234567"),
        ("Postes Canada 1234567890123456", "Canada Post", "1234567890123456"),
        ("Evri H00AAA0123456789", "Evri", "H00AAA0123456789"),
        ("Colissimo 6A12345678901", "La Poste", "6A12345678901"),
        ("GLS tracking 12345678901", "GLS", "12345678901"),
        ("GLS Paket YVZ12ABC", "GLS", "YVZ12ABC"),
        ("Evri collected by Alice H00AAA0123456789", "Evri", "H00AAA0123456789"),
        ("UPS 1Z 999 AA1 01 2345 6784, dock 3", "UPS", "1Z999AA10123456784"),
        ("two boxes: 1Z 999 AA1 01 2345 6784.", "UPS", "1Z999AA10123456784"),
        ("RB 123 456 785 GB", "Royal Mail", "RB123456785GB"),
        ("LX 123 456 789 CA by Canada Post", "Canada Post", "LX123456789CA"),
        ("UPS H1234567890", "UPS", "H1234567890"),
        ("with GLS, UPS did not come: 12345678901", "GLS", "12345678901"),
        ("FedEx 1234 5678 9012 on 11/23/2026", "FedEx", "123456789012"),
        ("23.11.2026 GLS 12345678901", "GLS", "12345678901"),
        ("order 100023, DHL Express waybill 1234567890", "DHL", "1234567890"),
    ],
)
def test_a_parcel_is_followed_at_its_carrier(notes: str, carrier: str, number: str) -> None:
    found = find(notes, CARRIERS)
    assert (found.carrier, found.number) == (carrier, number)
    assert found.url.startswith("https://")
    assert number in found.url


def test_a_number_of_nobody_in_particular_is_shown_without_a_page() -> None:
    assert find("ref. ABCD-1234-X9", CARRIERS) == Tracking(number="ABCD-1234-X9")


def test_what_a_person_wrote_is_quoted_in_the_address() -> None:
    odd = Carrier(name="Odd", number=r"\d+/\d+", url="https://odd.example/{number}")
    assert find("Odd 12/34", [odd]).url == "https://odd.example/12%2F34"


# It refuses.


@pytest.mark.parametrize(
    "notes",
    [
        "",
        "handed to the courier",
        "order 100023 packed by Jo",
        "2026-11-23",
        "left on 23.11.2026 at 14:05",
        "call +1 206 555 0123 first",
        "UPSTAIRS",
    ],
)
def test_notes_without_a_number_say_nothing(notes: str) -> None:
    assert find(notes, CARRIERS) == Tracking()


@pytest.mark.parametrize(
    ("notes", "carrier"),
    [("by UPS today", "UPS"), ("GLS tracking follows", "GLS"), ("DHL 23.11.2026", "DHL")],
)
def test_a_carrier_without_a_number_has_no_page(notes: str, carrier: str) -> None:
    assert find(notes, CARRIERS) == Tracking(carrier=carrier)


@given(
    words=st.lists(
        st.one_of(st.sampled_from([carrier.name for carrier in CARRIERS]), st.text(max_size=24)), max_size=6
    )
)
def test_no_word_is_taken_for_a_number(words: list[str]) -> None:
    number = find(" ".join(words), CARRIERS).number
    assert not number or re.search(r"\d", number)


@given(notes=st.text(st.sampled_from("ABCXYZabc .,:-/\n"), max_size=60))
def test_notes_without_a_digit_have_no_number(notes: str) -> None:
    assert all(not find(f"{carrier.name} {notes}", CARRIERS).number for carrier in CARRIERS)


@pytest.mark.rule(49)
def test_the_shipped_table_leads_only_to_pages_of_carriers_by_https() -> None:
    assert [fault for carrier in CARRIERS for fault in faults(carrier)] == []
    assert TABLE["as_of"]


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://post.example/{number}"},
        {"url": "javascript:alert({number})"},
        {"url": "https://post.example/"},
        {"number": "["},
    ],
)
def test_an_entry_that_leads_nowhere_good_is_found(changes: dict[str, str]) -> None:
    right = {"name": "Post", "number": r"\d{9}", "url": "https://post.example/{number}"}
    assert not list(faults(Carrier(**right)))  # type: ignore[arg-type]
    assert list(faults(Carrier(**right | changes)))  # type: ignore[arg-type]
