"""Phone numbers: one way to write them, whether a text can reach them, and where they may be.

Also how an address is written where people other than its owner may read it.
"""

from __future__ import annotations

import importlib.resources
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType
from phonenumbers.timezone import time_zones_for_number


class PhoneProblem(StrEnum):
    """Why something is no number that a text can reach."""

    INVALID = "invalid"  #: no number, or none that is in use
    LANDLINE = "landline"
    TOLL_FREE = "toll_free"
    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    VOIP = "voip"
    PERSONAL_NUMBER = "personal_number"
    PAGER = "pager"
    COMPANY = "company"  #: a company's universal access number
    VOICEMAIL = "voicemail"


class InvalidPhone(ValueError):
    """This cannot be texted. `problem` says why; the message carries no part of the number."""

    def __init__(self, problem: PhoneProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


#: North America gives mobiles and landlines the same area codes, so its numbers are all "or".
_TEXTABLE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
_PROBLEMS = {
    PhoneNumberType.FIXED_LINE: PhoneProblem.LANDLINE,
    PhoneNumberType.TOLL_FREE: PhoneProblem.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: PhoneProblem.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST: PhoneProblem.SHARED_COST,
    PhoneNumberType.VOIP: PhoneProblem.VOIP,
    PhoneNumberType.PERSONAL_NUMBER: PhoneProblem.PERSONAL_NUMBER,
    PhoneNumberType.PAGER: PhoneProblem.PAGER,
    PhoneNumberType.UAN: PhoneProblem.COMPANY,
    PhoneNumberType.VOICEMAIL: PhoneProblem.VOICEMAIL,
}
#: Numbers that belong to a place; the others are rung from anywhere.
_PLACED = {*_TEXTABLE, PhoneNumberType.FIXED_LINE}
#: Twilio's magic numbers. The library calls them personal numbers, and valid.
_TEST_NUMBERS = "+1500555"

#: North American area codes on a border between zones, for which the library knows one side only.
_SPLIT_AREA_CODES = {
    code: tuple(zones.split())
    for codes, zones in {
        "208 986": "America/Boise America/Los_Angeles",
        "219 574 812 930": "America/Chicago America/Indiana/Indianapolis",
        "250 236 672 778": "America/Edmonton America/Vancouver",
        "270 364 606": "America/Chicago America/Kentucky/Louisville",
        "306 474 639": "America/Edmonton America/Regina",
        "308 402 531 605 620 701 785": "America/Chicago America/Denver",
        "334 706 762": "America/Chicago America/New_York",
        "367 418 581": "America/Halifax America/Toronto",
        "423 448 850 931": "America/Chicago America/New_York",
        "432 915": "America/Chicago America/Denver",
        "458 541": "America/Boise America/Los_Angeles",
        "709 879": "America/Goose_Bay America/St_Johns",
        "775": "America/Denver America/Los_Angeles",
        "807": "America/Toronto America/Winnipeg",
        "867": "America/Iqaluit America/Rankin_Inlet America/Whitehorse America/Yellowknife",
        "906": "America/Detroit America/Menominee",
        "907": "America/Adak America/Anchorage America/Juneau",
        "928": "America/Denver America/Phoenix",
    }.items()
    for code in codes.split()
}


def parse(raw: str, region: str = "", *, test_numbers: bool = False) -> str:
    """`raw` as E.164 ("+12125550123"), or `InvalidPhone`.

    `region` is the ISO code of the country that a number without "+" belongs to. `test_numbers` also
    accepts Twilio's magic numbers, which no person has.
    """
    try:
        number = phonenumbers.parse(raw, region.upper() or None)
    except phonenumbers.NumberParseException:
        raise InvalidPhone(PhoneProblem.INVALID) from None
    # An extension is dialled after the call is answered, which a text cannot do.
    if number.extension or not phonenumbers.is_valid_number(number):
        raise InvalidPhone(PhoneProblem.INVALID)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    kind = phonenumbers.number_type(number)
    if kind in _TEXTABLE or (test_numbers and e164.startswith(_TEST_NUMBERS)):
        return e164
    raise InvalidPhone(_PROBLEMS.get(kind, PhoneProblem.INVALID))


def country_of(e164: str) -> str:
    """The ISO code of a number's country; empty when it has none."""
    number = _read(e164)
    region = phonenumbers.region_code_for_number(number) if number else None
    return region if region and region.isalpha() else ""


def zones_of(e164: str) -> tuple[str, ...]:
    """The IANA zones a number may be in; empty for one that belongs to no place, or is none."""
    number = _read(e164)
    if number is None or phonenumbers.number_type(number) not in _PLACED:
        return ()
    if number.country_code == 1 and (split := _SPLIT_AREA_CODES.get(str(number.national_number)[:3])):
        return split
    return tuple(zone for zone in time_zones_for_number(number) if zone != "Etc/Unknown")


def area_code(e164: str) -> str:
    """The area code of a North American number, which tells its state; empty for any other number."""
    return e164[2:5] if e164.startswith("+1") and e164[1:].isdecimal() and len(e164) == 12 else ""


def zones_of_country(code: str) -> tuple[str, ...]:
    """The IANA zones of a country by its ISO code; empty for an unknown one."""
    return _country_zones().get(code.upper(), ())


@lru_cache(maxsize=1)
def every_zone() -> tuple[str, ...]:
    """Every IANA zone that belongs to a country, by name: what people may choose from."""
    return tuple(sorted({zone for zones in _country_zones().values() for zone in zones}))


def mask(address: str) -> str:
    """An address for logs: enough to recognise it, too little to use it (+1••••••0123, a•••@example.com)."""
    local, at, domain = address.rpartition("@")
    if at:
        return f"{local[:1]}•••@{domain}"
    number = _read(address)
    if number is None or len(str(number.national_number)) < 8:
        return "•••"  # four shown digits would be half of it
    return f"+{number.country_code}••••••{address[-4:]}"


def _read(e164: str) -> PhoneNumber | None:
    if not (e164.startswith("+") and e164[1:].isdecimal()):
        return None
    try:
        return phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return None


@lru_cache(maxsize=1)
def _country_zones() -> dict[str, tuple[str, ...]]:
    table = importlib.resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    zones: dict[str, tuple[str, ...]] = {}
    for line in table.splitlines():
        if not line.startswith("#"):
            code, _, zone = line.split("\t")[:3]
            zones[code] = (*zones.get(code, ()), zone)
    return zones
