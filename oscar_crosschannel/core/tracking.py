"""Which carrier has a parcel, and under which number: found in what staff wrote beside it.

Oscar has one field for it, free text: "UPS 1Z999AA10123456784", "DHL: 0034 0434 1610 9401 5902". A carrier
that is named there is believed, and so is a number of a form that is nobody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

#: A number of no known carrier: letters and digits, four digits in a row among them.
ANY_NUMBER = r"(?=[A-Z0-9-]*\d{4})[A-Z0-9][A-Z0-9-]{6,33}[A-Z0-9]"

#: The form on which the world's postal services agreed (UPU S10).
_POSTAL = re.compile(r"[A-Z]{2}\d{9}[A-Z]{2}")
#: So many groups a number is printed in at most.
_MOST_GROUPS = 8
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[ .](?=\d)")
#: Days, and numbers of phones in their international form: what else people note beside a parcel.
_NO_NUMBER = re.compile(
    r"(?<![\w./-])(?:\d{4}[./-]\d\d?[./-]\d\d?|\d\d?[./-]\d\d?[./-](?:\d{4}|\d\d))(?![\w/-]|\.\d)"
    r"|\+\d[\d ().-]{6,18}\d"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Who brings parcels, and where one follows them."""

    name: str
    number: str  #: regular expression of its numbers, in capitals
    url: str  #: of its page for one parcel, with `{number}`
    called: tuple[str, ...] = ()  #: further names
    unmistakable: bool = False  #: nobody else has numbers of that form

    def page(self, number: str) -> str:
        """Where a parcel is followed."""
        return self.url.replace("{number}", quote(number, safe=""))

    def is_named(self, notes: str) -> bool:
        """Whether one of its names is in `notes`, as a word of its own."""
        names = "|".join(re.escape(name) for name in (self.name, *self.called))
        return re.search(rf"(?<!\w)(?:{names})(?!\w)", notes, re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """How a parcel is followed; what is not known is empty."""

    number: str = ""
    carrier: str = ""
    url: str = ""


def find(notes: str, carriers: Iterable[Carrier], *, any_number: str = ANY_NUMBER) -> Tracking:
    """What `notes` say of a parcel's way. `any_number`: how a number looks whose carrier nobody knows."""
    known, notes = list(carriers), _NO_NUMBER.sub(" ; ", notes)
    named = [carrier for carrier in known if carrier.is_named(notes)]
    for carrier in (*named, *(carrier for carrier in known if carrier.unmistakable and not named)):
        if number := _first(carrier.number, notes) or _in_groups(carrier, notes):
            return Tracking(number=number, carrier=carrier.name, url=carrier.page(number))
    number = _first(any_number, notes)
    if not named:
        return Tracking(number=number)
    return Tracking(number=number, carrier=named[0].name, url=named[0].page(number) if number else "")


def faults(carrier: Carrier) -> Iterator[str]:
    """What is wrong with an entry of the table, in words for a developer."""
    if urlsplit(carrier.url).scheme != "https" or not urlsplit(carrier.url).hostname:
        yield f"{carrier.name}: {carrier.url!r} is no https address"
    if "{number}" not in carrier.url:
        yield f"{carrier.name}: {carrier.url!r} has no {{number}} in it"
    try:
        re.compile(carrier.number)
    except re.error as problem:
        yield f"{carrier.name}: {carrier.number!r} is no regular expression ({problem})"


def _first(pattern: str, notes: str) -> str:
    """The first number of this form, which no word is. Blanks between digits do not count: long ones have groups."""
    for written in (notes.upper(), _BETWEEN_DIGITS.sub("", notes.upper())):
        for found in re.finditer(rf"(?<![A-Z0-9])(?:{pattern})(?![A-Z0-9])", written):
            if _has_digit(found[0]):
                return found[0]
    return ""


def _in_groups(carrier: Carrier, notes: str) -> str:
    """The first number printed in groups that may begin or end with letters: "1Z 999 AA1 01 2345 6784".

    Only of a form that words and other numbers cannot take together, and in capitals, as on labels.
    """
    groups = notes.split()
    for first in range(len(groups)):
        for last in range(first + 1, min(first + _MOST_GROUPS, len(groups)) + 1):
            number = "".join(groups[first:last]).rstrip(".,;:)")
            is_safe = carrier.unmistakable or _POSTAL.fullmatch(number)
            if is_safe and re.fullmatch(carrier.number, number) and _has_digit(number):
                return number
    return ""


def _has_digit(number: str) -> bool:
    return any(character.isdecimal() for character in number)
