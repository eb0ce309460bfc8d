"""Where a person may be: what agrees narrows, what contradicts counts as well, no place is forgotten."""

from __future__ import annotations

import json
from importlib.resources import files

import phonenumbers
import pytest
from hypothesis import given, strategies as st
from phonenumbers import geocoder

from oscar_crosschannel.core.phones import zones_of
from oscar_crosschannel.core.timing import clock
from oscar_crosschannel.core.whereabouts import (
    Confidence,
    Phone,
    Place,
    Source,
    Whereabouts,
    locate,
    state_of,
)

EASTERN, CENTRAL, PACIFIC = "America/New_York", "America/Chicago", "America/Los_Angeles"
NEW_YORK, MIAMI, PENSACOLA, OAKLAND = "+12125550123", "+13055550123", "+18505550123", "+15105550123"
FLORIDA = {"country": "US", "region": "FL"}


def of(phone: str = "", **known: str) -> Whereabouts:
    return locate(phone=Phone.of(phone), **known)


# It works


@pytest.mark.rule(35)
@pytest.mark.parametrize(
    ("phone", "address", "zones", "confidence"),
    [
        # the number alone
        (NEW_YORK, {}, (EASTERN,), Confidence.ONE_CLOCK),
        (PENSACOLA, {}, (CENTRAL, EASTERN), Confidence.SEVERAL_CLOCKS),
        # the address alone
        ("", {"country": "US", "region": "New York"}, (EASTERN,), Confidence.ONE_CLOCK),
        ("", FLORIDA, (CENTRAL, EASTERN), Confidence.SEVERAL_CLOCKS),
        # a number of the state where they live narrows it further
        (MIAMI, FLORIDA, (EASTERN,), Confidence.ONE_CLOCK),
        (PENSACOLA, FLORIDA, (CENTRAL, EASTERN), Confidence.SEVERAL_CLOCKS),
        # a number of another state tells nothing of where in the state they live
        (NEW_YORK, FLORIDA, (CENTRAL, EASTERN), Confidence.SEVERAL_CLOCKS),
        (PENSACOLA, {"country": "US", "region": "NY"}, (EASTERN,), Confidence.ONE_CLOCK),
        # one that cannot be right counts as well
        (OAKLAND, {"country": "US", "region": "NY"}, (PACIFIC, EASTERN), Confidence.CONTRADICTION),
        (NEW_YORK, {"country": "FR"}, (EASTERN, "Europe/Paris"), Confidence.CONTRADICTION),
        # the country alone is narrowed by a number of it
        (NEW_YORK, {"country": "US"}, (EASTERN,), Confidence.ONE_CLOCK),
        # and a state without a country belongs to the number's
        (MIAMI, {"region": "Florida"}, (EASTERN,), Confidence.ONE_CLOCK),
    ],
)
def test_number_and_address_together(
    phone: str, address: dict[str, str], zones: tuple[str, ...], confidence: Confidence
) -> None:
    where = of(phone, **address)
    assert set(where.zones) == set(zones)
    assert where.confidence is confidence


def test_a_number_of_one_country_tells_nothing_of_where_in_another_somebody_lives() -> None:
    where = of(NEW_YORK, country="CA")
    assert {"America/Toronto", "America/Vancouver", "America/St_Johns"} <= set(where.zones)
    assert where.places == (Place("CA"), Place("US", "NY"))


@pytest.mark.rule(35)
def test_the_places_of_both_count_whatever_the_other_says() -> None:
    assert of(NEW_YORK, **FLORIDA).places == (Place("US", "FL"), Place("US", "NY"))
    assert of(MIAMI, country="US", region="NY").places == (Place("US", "NY"), Place("US", "FL"))
    assert of(MIAMI, country="FR").places == (Place("FR"), Place("US", "FL"))
    assert of(MIAMI, zone="Europe/Paris").places == (Place("US", "FL"),)


def test_a_chosen_zone_among_the_possible_ones_settles_the_question() -> None:
    where = of(PENSACOLA, zone=CENTRAL)
    assert (where.zones, where.confidence) == ((CENTRAL,), Confidence.CHOSEN)
    assert of(PENSACOLA, zone="America/Detroit").zones == ("America/Detroit",), "Eastern by another name"


def test_a_chosen_zone_that_the_number_contradicts_counts_beside_it() -> None:
    where = of(NEW_YORK, zone="Europe/Paris")
    assert (where.zones, where.confidence) == ((EASTERN, "Europe/Paris"), Confidence.CHOSEN)


def test_every_source_is_named_with_what_it_says() -> None:
    clues = {clue.source: clue for clue in of(PENSACOLA, zone=CENTRAL, **FLORIDA).clues}
    assert list(clues) == [Source.CHOSEN, Source.STATE, Source.AREA_CODE]
    assert clues[Source.CHOSEN].zones == (CENTRAL,)
    assert clues[Source.AREA_CODE].places == (Place("US", "FL"),)
    tollfree = locate(phone=Phone(country="US"), country="DE")
    assert [clue.source for clue in tollfree.clues] == [Source.COUNTRY, Source.PHONE_COUNTRY]
    nothing = locate(shop_zones=("Europe/Berlin",))
    assert [clue.source for clue in nothing.clues] == [Source.SHOP]


def test_of_several_names_of_one_clock_the_countrys_first_is_shown() -> None:
    assert of("+447400123456").zones == ("Europe/London",)
    assert locate(country="DE").zones == ("Europe/Berlin",)  # Büsingen has the same
    assert of("+19075550123").zones == ("America/Adak", "America/Anchorage")


@pytest.mark.parametrize("typed", ["FL", "fl", "US-FL", "Florida", "  florida "])
def test_a_state_is_known_by_code_and_by_name(typed: str) -> None:
    assert Place("US", "FL") in of(country="us", region=typed).places


@pytest.mark.rule(31, 35)
@pytest.mark.parametrize(
    ("country", "typed", "state"),
    [
        ("US", "La.", "LA"),
        ("US", "Pa.", "PA"),
        ("US", "Ala.", "AL"),
        ("US", "Miss.", "MS"),
        ("US", "Fla.", "FL"),
        ("US", "N.Y.", "NY"),
        ("US", "n. y.", "NY"),
        ("US", "D.C.", "DC"),
        ("US", "Washington, D.C.", "DC"),
        ("US", "W. Va.", "WV"),
        ("US", "Calif", "CA"),
        ("CA", "Québec", "QC"),
        ("CA", "P.E.I.", "PE"),
        ("AU", "N.S.W.", "NSW"),
    ],
)
def test_a_state_is_known_by_what_people_have_always_called_it(country: str, typed: str, state: str) -> None:
    assert Place(country, state) in of(country=country, region=typed).places


def test_no_two_states_are_called_the_same() -> None:
    table = json.loads((files("oscar_crosschannel") / "data" / "states.json").read_text("utf-8"))
    for country, states in table.items():
        for code, row in states.items():
            for spelling in (code, row["name"], *row.get("also", ())):
                assert state_of(country, spelling) == code, spelling


def test_provinces_and_territories_are_known_too() -> None:
    assert locate(country="CA", region="Newfoundland and Labrador").zones == (
        "America/Goose_Bay", "America/St_Johns",
    )  # fmt: skip
    assert locate(country="AU", region="Queensland").zones == ("Australia/Brisbane",)
    assert locate(country="US", region="PR").zones == ("America/Puerto_Rico",)
    assert of("+17875550123", country="US", region="PR").confidence is Confidence.ONE_CLOCK


@pytest.mark.slow
@pytest.mark.rule(35)
def test_the_table_of_area_codes_says_what_the_library_of_numbers_says() -> None:
    """A new area code in a new version of the library belongs into `data/states.json`."""
    spelt = {"Washington State": "WA", "Washington D.C.": "DC", "British Colombia": "BC"}
    checked = 0
    for code in range(200, 1000):
        number = phonenumbers.PhoneNumber(country_code=1, national_number=code * 10**7 + 2_345_678)
        country = phonenumbers.region_code_for_number(number) or ""
        told = geocoder.description_for_number(number, "en")
        if country not in ("US", "CA") or told in ("", "Canada"):
            continue
        phone = Phone.of(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
        states = {place.state for place in locate(phone=phone).places}
        parts = {told} if told in spelt else {part.rpartition(", ")[2] for part in told.split("/")}
        assert {spelt.get(part) or state_of(country, part) for part in parts} == states, (code, told)
        for state in states:
            home = locate(country=country, region=state)
            assert {clock(zone) for zone in phone.zones} & {clock(zone) for zone in home.zones}, code
        checked += 1
    assert checked > 400


# It refuses


@pytest.mark.rule(36)
@pytest.mark.parametrize("phone", ["+18005550123", "+15005550006", "+19005550123", "nonsense", "", "+"])
def test_a_number_that_belongs_nowhere_tells_at_most_a_country(phone: str) -> None:
    where = of(phone, country="US")
    assert set(where.zones) == set(locate(country="US").zones)
    assert where.places == (Place("US"),)
    assert not where.sure


@pytest.mark.rule(31)
def test_a_guess_is_never_sure() -> None:
    where = locate(shop_zones=("Europe/Berlin",))
    assert (where.zones, where.places, where.confidence, where.sure) == (
        ("Europe/Berlin",), (), Confidence.NOTHING, False,
    )  # fmt: skip


@pytest.mark.rule(36)
@pytest.mark.parametrize(
    "name", ["Etc/Unknown", "", "garbage", "America", "../../etc/passwd", "Ünïcode/Zöne", "\x00"]
)
def test_names_that_are_no_zone_are_left_out(name: str) -> None:
    assert locate(zone=name, shop_zones=(name,)).zones == ()
    phone = Phone(country="JP", zones=("Asia/Tokyo", name))
    assert locate(zone=name, phone=phone).zones == ("Asia/Tokyo",)


@pytest.mark.parametrize("region", ["Atlantis", "XX", "", "AA"])
def test_a_state_that_nobody_knows_leaves_the_whole_country(region: str) -> None:
    assert set(locate(country="US", region=region).zones) == set(locate(country="US").zones)


# It survives

numbers = st.sampled_from(
    [NEW_YORK, MIAMI, PENSACOLA, OAKLAND, "+18675550123", "+33612345678", "+61412345678", "+18005550123", ""]
)
addresses = st.sampled_from(
    [
        {},
        FLORIDA,
        *({"country": "US", "region": state} for state in ("NY", "Texas", "Atlantis", "")),
        {"country": "CA", "region": "NU"},
        {"country": "AU", "region": "WA"},
        *({"country": country} for country in ("FR", "DE", "IN", "ZZ")),
        {"region": "FL"},
    ]
)
choices = st.sampled_from(["", EASTERN, PACIFIC, "Asia/Kolkata", "Etc/Unknown"])


@pytest.mark.rule(35)
@given(numbers, addresses, choices)
def test_knowing_more_never_takes_a_place_away(phone: str, address: dict[str, str], zone: str) -> None:
    places = set(of(phone, zone=zone, **address).places)
    assert set(of(phone).places) <= places
    assert {place for place in locate(**address).places if "country" in address} <= places


@pytest.mark.rule(31)
@given(numbers, addresses, choices)
def test_no_clock_is_made_up_and_one_that_all_allow_is_never_lost(
    phone: str, address: dict[str, str], zone: str
) -> None:
    where = of(phone, zone=zone, **address)
    said = [{clock(each) for each in clue.zones} for clue in where.clues if clue.zones]
    clocks = {clock(each) for each in where.zones}
    assert clocks <= set().union(*said)
    assert set.intersection(*said) <= clocks if said else not clocks
    assert len(clocks) == len(where.zones)


@given(st.text(), st.text(max_size=3), st.text(), st.text())
def test_whatever_people_type_never_raises(phone: str, country: str, region: str, zone: str) -> None:
    where = locate(phone=Phone.of(phone), country=country, region=region, zone=zone)
    assert where.sure or len(where.zones) != 1 or where.confidence is not Confidence.ONE_CLOCK
    zones_of(phone)
