"""Phone numbers: written one way, textable or not, and somewhere."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.phones import (
    InvalidPhone,
    PhoneProblem,
    country_of,
    mask,
    parse,
    zones_of,
    zones_of_country,
)

# It works


@pytest.mark.rule(85)
@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [
        ("(212) 555-0123", "US", "+12125550123"),
        ("+1 212.555.0123", "", "+12125550123"),
        ("212 555 0123", "us", "+12125550123"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+33 6 12 34 56 78", "US", "+33612345678"),
        ("0151 12345678", "DE", "+4915112345678"),
        ("٢١٢٥٥٥٠١٢٣", "US", "+12125550123"),
    ],
)
def test_a_number_is_written_one_way(raw: str, region: str, e164: str) -> None:
    assert parse(raw, region) == e164
    assert parse(e164) == e164


@pytest.mark.rule(85)
def test_an_american_number_may_be_a_mobile_and_is_taken() -> None:
    assert parse("+18505550123") == "+18505550123"


@pytest.mark.rule(85)
def test_the_test_switch_takes_magic_numbers() -> None:
    assert parse("+15005550006", test_numbers=True) == "+15005550006"


@pytest.mark.rule(35)
@pytest.mark.parametrize(
    ("e164", "zones"),
    [
        ("+12125550123", {"America/New_York"}),
        ("+18505550123", {"America/New_York", "America/Chicago"}),
        ("+13345550123", {"America/New_York", "America/Chicago"}),
        (
            "+18675550123",
            {"America/Iqaluit", "America/Rankin_Inlet", "America/Whitehorse", "America/Yellowknife"},
        ),
        ("+19285550123", {"America/Phoenix", "America/Denver"}),
        ("+19075550123", {"America/Anchorage", "America/Adak", "America/Juneau"}),
        ("+33612345678", {"Europe/Paris"}),
        ("+34612345678", {"Europe/Madrid", "Atlantic/Canary"}),
    ],
)
def test_a_number_tells_the_zones_it_may_be_in(e164: str, zones: set[str]) -> None:
    assert set(zones_of(e164)) == zones


def test_a_number_tells_its_country() -> None:
    assert country_of("+12125550123") == "US"
    assert country_of("+16135550123") == "CA"
    assert country_of("+17875550123") == "PR"
    assert country_of("+33612345678") == "FR"


def test_a_country_has_its_zones() -> None:
    assert zones_of_country("FR") == ("Europe/Paris",)
    assert zones_of_country("jp") == ("Asia/Tokyo",)
    assert {"America/New_York", "America/Adak", "Pacific/Honolulu"} <= set(zones_of_country("US"))


@pytest.mark.rule(73)
@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("+12125550123", "+1••••••0123"),
        ("+33612345678", "+33••••••5678"),
        ("alice@example.com", "a•••@example.com"),
        ("@example.com", "•••@example.com"),
        ("a@b@example.com", "a•••@example.com"),
        ("+29012345", "•••"),
        ("12125550123", "•••"),
        ("what a customer typed", "•••"),
        ("", "•••"),
    ],
)
def test_an_address_in_a_log_can_be_recognised_and_not_used(address: str, masked: str) -> None:
    assert mask(address) == masked


# It refuses


@pytest.mark.rule(85)
@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("+33123456789", PhoneProblem.LANDLINE),
        ("+442079460958", PhoneProblem.LANDLINE),
        ("+18005550123", PhoneProblem.TOLL_FREE),
        ("+19005550123", PhoneProblem.PREMIUM_RATE),
        ("+491803123456", PhoneProblem.SHARED_COST),
        ("+445612345678", PhoneProblem.VOIP),
        ("+443001234567", PhoneProblem.COMPANY),
        ("+447012345678", PhoneProblem.PERSONAL_NUMBER),
        ("+15005550006", PhoneProblem.PERSONAL_NUMBER),
        ("+447700900123", PhoneProblem.INVALID),
        ("+1212555", PhoneProblem.INVALID),
        ("+12125550123 ext. 5", PhoneProblem.INVALID),
        ("212 555 0123", PhoneProblem.INVALID),
        ("hello", PhoneProblem.INVALID),
        ("", PhoneProblem.INVALID),
        ("1" * 300, PhoneProblem.INVALID),
    ],
)
def test_what_a_text_cannot_reach_is_refused_with_the_reason(raw: str, problem: PhoneProblem) -> None:
    with pytest.raises(InvalidPhone) as refusal:
        parse(raw)
    assert refusal.value.problem is problem


@pytest.mark.rule(85)
def test_the_test_switch_takes_no_other_personal_number() -> None:
    with pytest.raises(InvalidPhone):
        parse("+447012345678", test_numbers=True)


@pytest.mark.rule(73)
def test_a_refusal_does_not_repeat_the_number() -> None:
    with pytest.raises(InvalidPhone) as refusal:
        parse("+33123456789")
    assert "3456" not in str(refusal.value)


@pytest.mark.rule(36)
@pytest.mark.parametrize(
    "e164", ["+18005550123", "+19005550123", "+15005550006", "+1212", "2125550123", "", "+"]
)
def test_a_number_that_is_nowhere_has_no_zone(e164: str) -> None:
    assert zones_of(e164) == ()


@pytest.mark.parametrize("code", ["", "ZZ", "USA", "\x00"])
def test_an_unknown_country_has_no_zone(code: str) -> None:
    assert zones_of_country(code) == ()


# It survives


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("+0123456789()- "))), st.text(max_size=3))
def test_whatever_people_type_is_a_number_or_refused(raw: str, region: str) -> None:
    try:
        e164 = parse(raw, region)
    except InvalidPhone:
        return
    assert parse(e164) == e164


@given(st.text() | st.from_regex(r"\+[0-9]{0,17}", fullmatch=True))
def test_looking_at_anything_never_raises_and_never_shows_a_whole_number(text: str) -> None:
    country_of(text)
    assert "Etc/Unknown" not in zones_of(text)
    digits = "".join(filter(str.isdigit, mask(text).rpartition("@")[0] if "@" in text else mask(text)))
    assert len(digits) <= 7  # a country code and four digits
