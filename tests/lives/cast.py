"""Who lives: a few people, their addresses, and where they may be, written down by hand.

Nothing here asks the app. What it works out from numbers and addresses is compared with this.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

#: Ann has an account; Bob and Cy are guests, until one of them makes an account or turns out to be Ann.
ANN, BOB, CY = "ann@example.com", "bob@example.com", "cy@example.com"
EVERYBODY = (ANN, BOB, CY)

SEATTLE, PANHANDLE, PARIS = "+12065550123", "+18505550123", "+33612345678"
PHONES = (SEATTLE, PANHANDLE, PARIS)

#: Where a phone may ring. The western part of area code 850 keeps Chicago's time.
_RINGS_IN = {
    SEATTLE: ("America/Los_Angeles",),
    PANHANDLE: ("America/New_York", "America/Chicago"),
    PARIS: ("Europe/Paris",),
}
_COUNTRY = {SEATTLE: "US", PANHANDLE: "US", PARIS: "FR"}


@dataclass(frozen=True)
class Address:
    """Where somebody says they live; empty: they never said."""

    country: str = ""
    region: str = ""


NOWHERE = Address()
WASHINGTON, FLORIDA, FRANCE = Address("US", "WA"), Address("US", "FL"), Address("FR")
ADDRESSES = (WASHINGTON, FLORIDA, FRANCE)
_LIVES_IN = {
    NOWHERE: (),
    WASHINGTON: ("America/Los_Angeles",),
    FLORIDA: ("America/New_York", "America/Chicago"),
    FRANCE: ("Europe/Paris",),
}
#: What people choose as their time zone; empty: no choice.
CHOSEN_ZONES = ("", "America/New_York", "America/Chicago", "Europe/Paris")

#: Nights in which clocks change, a public holiday in France (14 July), and a week without anything.
BEGINNINGS = tuple(
    datetime(2026, month, day, hour, tzinfo=UTC)
    for month, day, hour in ((3, 6, 18), (3, 27, 9), (7, 11, 12), (10, 23, 20), (10, 30, 16), (6, 8, 0))
)

#: From a Saturday evening in France over a Sunday and a holiday, with an hour for a clock that changes.
LONGEST_CLOSED = timedelta(hours=64)
#: Too little time for a text to arrive.
_LAST = timedelta(minutes=5)

_HOLIDAYS_IN_FRANCE = {
    date(2026, month, day)
    for month, day in (
        (4, 6),
        (5, 1),
        (5, 8),
        (5, 14),
        (5, 25),
        (7, 14),
        (8, 15),
        (11, 1),
        (11, 11),
        (12, 25),
    )
}


def closed_because(phone: str, at: datetime, *, home: Address, zone: str) -> str:
    """Why nobody may be texted marketing at that instant; empty: it is a fair hour everywhere they may be."""
    zones = _zones(phone, home, zone)
    sure = bool(zone) or len(zones) == 1
    countries = {_COUNTRY[phone], home.country}
    return next(
        (
            f"{local:%a %H:%M} in {name}"
            for name in zones
            if not _is_fair(local := at.astimezone(ZoneInfo(name)), countries, sure=sure)
        ),
        "",
    )


def opening(phone: str, at: datetime, *, home: Address, zone: str) -> datetime:
    """The next instant from `at` on that is a fair hour, and not its end; the latest one may be, if none is near."""
    if not any(closed_because(phone, at + each, home=home, zone=zone) for each in (timedelta(0), _LAST)):
        return at
    whole = at.replace(minute=0, second=0, microsecond=0)
    coming = (whole + hours * timedelta(hours=1) for hours in range(1, LONGEST_CLOSED // timedelta(hours=1)))
    fair = (hour for hour in coming if not closed_because(phone, hour, home=home, zone=zone))
    return next(fair, at + LONGEST_CLOSED)


def _zones(phone: str, home: Address, chosen: str) -> set[str]:
    """Where they may be: at home if the number may ring there; if the two contradict each other, at both places."""
    rings, lives = set(_RINGS_IN[phone]), set(_LIVES_IN[home])
    possible = (rings & lives or rings | lives) if lives else rings
    if not chosen:
        return possible
    return {chosen} if chosen in possible else {chosen, *possible}


def _is_fair(local: datetime, countries: set[str], *, sure: bool) -> bool:
    """The shop's own hours, which lie inside the law of every place these people live in."""
    sunday = local.weekday() == 6
    if "FR" in countries and (sunday or local.date() in _HOLIDAYS_IN_FRANCE):
        return False
    opens = time(12) if sunday else time(9) if sure else time(10)
    return opens <= local.time() < time(20)
