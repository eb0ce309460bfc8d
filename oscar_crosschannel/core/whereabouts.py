"""Where a person may be, from all that is known: the clocks that count, and the places whose rules bind.

A number's area code, an address and a chosen time zone may each be wrong: numbers move with people, and
people move. So what agrees narrows, what contradicts counts as well, and no place is ever forgotten:
knowing more can change the clock, but never takes a law away.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from .phones import area_code, country_of, zones_of, zones_of_country
from .timing import clock, is_zone


class Source(StrEnum):
    """What tells where somebody is, the best first."""

    CHOSEN = "chosen"  #: the person said which clock is theirs
    STATE = "state"  #: the state or province of an address
    COUNTRY = "country"  #: the country of an address
    AREA_CODE = "area_code"  #: the first digits of the number
    PHONE_COUNTRY = "phone_country"  #: the country of a number that belongs to no part of it
    SHOP = "shop"  #: nothing: the shop's own clock, as a guess


class Confidence(StrEnum):
    """How well a person's clock is known."""

    CHOSEN = "chosen"  #: they said so; where phone or address disagree, their clocks count too
    ONE_CLOCK = "one_clock"  #: all that is known leaves one
    SEVERAL_CLOCKS = "several_clocks"  #: it leaves several
    CONTRADICTION = "contradiction"  #: phone and address disagree; the clocks of both count
    NOTHING = "nothing"  #: nothing is known


@dataclass(frozen=True, slots=True)
class Place:
    """A country by its ISO code and, if known, a state: its code ("FL"), or as people typed it."""

    country: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Clue:
    """What one source says."""

    source: Source
    zones: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Phone:
    """What a number tells of its owner's whereabouts. All empty: nothing."""

    country: str = ""
    zones: tuple[str, ...] = ()
    area_code: str = ""

    @classmethod
    def of(cls, e164: str) -> Phone:
        """Read a number."""
        return cls(country_of(e164), zones_of(e164), area_code(e164))

    @classmethod
    def known(cls, e164: str, *, country: str, zones: tuple[str, ...]) -> Phone:
        """A number whose country and zones were read before."""
        return cls(country, zones, area_code(e164))


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a person may be.

    `zones` are IANA names that exist, one for each different clock. Nothing is `sure` where two clocks
    remain possible without the person's own word, or the place is a guess.
    """

    zones: tuple[str, ...]
    places: tuple[Place, ...]
    confidence: Confidence
    clues: tuple[Clue, ...]

    @property
    def sure(self) -> bool:
        """Whether the person's clock is known."""
        return self.confidence in (Confidence.CHOSEN, Confidence.ONE_CLOCK)


def locate(
    *,
    zone: str = "",
    country: str = "",
    region: str = "",
    phone: Phone = Phone(),
    shop_zones: tuple[str, ...] = (),
) -> Whereabouts:
    """Where a person may be. Nothing given, or not understood, never raises.

    `zone` is the person's own choice; `country` and `region` are of their address, the region as people
    type it ("FL", "US-FL", "Florida"); without a country it is read as one of the phone's. `shop_zones`
    are taken where nothing else is known.
    """
    return _locate(zone, country.upper(), region.strip(), phone, shop_zones)


@lru_cache(maxsize=4096)
def _locate(zone: str, country: str, region: str, phone: Phone, shop_zones: tuple[str, ...]) -> Whereabouts:
    number = _clue_of_phone(phone)
    address = _clue_of_address(country or (phone.country if region else ""), region)
    zones, confidence = _agreed(number, address)
    chosen = Clue(Source.CHOSEN, _existing((zone,)))
    if chosen.zones:
        confidence = Confidence.CHOSEN
        zones = chosen.zones if not zones or _clocks(chosen.zones) & _clocks(zones) else chosen.zones + zones
    guess = Clue(Source.SHOP, () if zones else _existing(shop_zones))
    places = tuple(dict.fromkeys(address.places + number.places))
    return Whereabouts(
        zones=_one_of_each_clock(zones or guess.zones, places),
        places=places,
        confidence=confidence,
        clues=tuple(clue for clue in (chosen, address, number, guess) if clue.zones or clue.places),
    )


def state_of(country: str, region: str) -> str:
    """The code of a state ("FL") from what people write for it; empty where it is not known."""
    bare = region.casefold().strip().removeprefix(f"{country.casefold()}-")
    return _spellings().get((country, _letters(bare)), "")


def may_be_any_state(place: Place) -> bool:
    """Whether a region was written that is none of the country's states, as far as those are known."""
    known = any(country == place.country for country, _ in _states())
    return bool(place.state) and known and not state_of(place.country, place.state)


def state_name(country: str, state: str) -> str:
    """What a state is called, by its code or by what people write for it; that itself where it is not known."""
    known = _states().get((country, state_of(country, state)))
    return known.name if known else state


def _clue_of_phone(phone: Phone) -> Clue:
    country = phone.country.upper()
    zones = _existing(phone.zones)
    states = _states_by_area_code().get((country, phone.area_code), ())
    places = tuple(Place(country, state) for state in states) or ((Place(country),) if country else ())
    if zones or states:
        return Clue(Source.AREA_CODE, zones or _existing(zones_of_country(country)), places)
    return Clue(Source.PHONE_COUNTRY, _existing(zones_of_country(country)), places)


def _clue_of_address(country: str, region: str) -> Clue:
    state = state_of(country, region)
    if state:
        return Clue(Source.STATE, _existing(_states()[country, state].zones), (Place(country, state),))
    zones = _existing(zones_of_country(country))
    return Clue(Source.COUNTRY, zones, (Place(country, region),) if country else ())


def _agreed(number: Clue, address: Clue) -> tuple[tuple[str, ...], Confidence]:
    """The zones that both leave open, and how sure that is.

    The address narrows what the number says. The number narrows what the address says only if it is one
    of that very place: a number of New York tells nothing of where in Florida somebody lives.
    """
    zones = number.zones + address.zones
    if number.zones and address.zones:
        common = _clocks(number.zones) & _clocks(address.zones)
        if not common:
            return zones, Confidence.CONTRADICTION
        same_place = any(_lies_in(place, address.places[0]) for place in number.places)
        zones = tuple(z for z in number.zones if clock(z) in common) if same_place else address.zones
    match len(_clocks(zones)):
        case 0:
            return (), Confidence.NOTHING
        case 1:
            return zones, Confidence.ONE_CLOCK
        case _:
            return zones, Confidence.SEVERAL_CLOCKS


def _lies_in(place: Place, other: Place) -> bool:
    return place.country == other.country and other.state in ("", place.state)


def _one_of_each_clock(zones: Iterable[str], places: Iterable[Place]) -> tuple[str, ...]:
    """Of the names of one clock the one that the country puts first, for people to recognise."""
    usual = [zone for place in places for zone in zones_of_country(place.country)]
    rank = {zone: number for number, zone in reversed(list(enumerate(usual)))}
    best = sorted(zones, key=lambda zone: (rank.get(zone, len(usual)), zone))
    return tuple(sorted({clock(zone): zone for zone in reversed(best)}.values()))


def _clocks(zones: Iterable[str]) -> set[object]:
    return {clock(zone) for zone in zones}


def _existing(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if is_zone(name))


@dataclass(frozen=True, slots=True)
class _State:
    name: str
    spellings: tuple[str, ...]  #: other names, and abbreviations
    zones: tuple[str, ...]
    area_codes: tuple[str, ...]


@lru_cache(maxsize=1)
def _states() -> Mapping[tuple[str, str], _State]:
    """By country and code: `data/states.json`."""
    table = json.loads((files("oscar_crosschannel") / "data" / "states.json").read_text("utf-8"))
    return {
        (country, code): _State(
            row["name"],
            tuple(row.get("also", ())),
            tuple(row["zones"]),
            tuple(row.get("area_codes", "").split()),
        )
        for country, rows in table.items()
        for code, row in rows.items()
    }


@lru_cache(maxsize=1)
def _spellings() -> Mapping[tuple[str, str], str]:
    return {
        (country, _letters(spelling)): code
        for (country, code), state in _states().items()
        for spelling in (code, state.name, *state.spellings)
    }


def _letters(spelling: str) -> str:
    """Without case, accents, spaces and dots: "N. Y." is "NY", "Québec" is "Quebec"."""
    plain = unicodedata.normalize("NFKD", spelling)
    return "".join(character for character in plain if character.isalnum()).casefold()


@lru_cache(maxsize=1)
def _states_by_area_code() -> Mapping[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for (country, code), state in _states().items():
        for digits in state.area_codes:
            found[country, digits] = (*found.get((country, digits), ()), code)
    return found
