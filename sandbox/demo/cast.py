"""The people of the story: six customers, two who pass by, and the merchant.

Numbers are from ranges for fiction, addresses from `example` domains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sandbox.shop.people import PEOPLE, Person

from .browser import Browser
from .storefront import Address

_KNOWN = {person.first_name: person for person in PEOPLE}

#: Who has an account when the story begins, with what they have agreed to by then. The others are new.
CUSTOMERS: Sequence[Person] = [
    _KNOWN["Alice"],
    replace(_KNOWN["Clara"], email_consent=None, sms_consent=None),
    _KNOWN["Dev"],
    _KNOWN["Finn"],
]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Customer:
    """One person with one device; two persons are never equal."""

    name: str
    place: str
    zone: str
    email: str
    phone: str = ""  #: E.164
    agreed: str = ""  #: to what, for the closing table
    basket: Sequence[tuple[str, int]] = ()  #: titles and quantities
    browser: Browser
    address: Address = field(default_factory=dict)
    other_email: str = ""  #: the shop does not know, or not yet, that it is the same person

    @property
    def emails(self) -> list[str]:
        """All addresses that this person reads."""
        return [email for email in (self.email, self.other_email) if email]

    def local(self, at: datetime) -> str:
        """An instant on this person's wall clock: "Tue 11:05"."""
        return f"{at.astimezone(ZoneInfo(self.zone)):%a %H:%M}"


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, in the order of the closing table."""

    ada: Customer
    ben: Customer
    clara: Customer
    dev: Customer
    elodie: Customer
    finn: Customer
    alice: Customer
    una: Customer
    mara: Customer  #: the merchant, who gets nothing

    @property
    def everybody(self) -> list[Customer]:
        """Those who may get something."""
        return [self.ada, self.ben, self.clara, self.dev, self.elodie, self.finn, self.alice, self.una]

    def whose(self, address: str) -> Customer | None:
        """Who reads this mailbox, or has this phone."""
        for customer in self.everybody:
            if address in (*customer.emails, customer.phone):
                return customer
        return None


def gather(home: str) -> Cast:
    """Everybody, in front of a browser that knows the shop at `home`."""
    return Cast(
        ada=_new(
            home,
            "Ada Byron",
            place="Seattle",
            zone="America/Los_Angeles",
            phone="+12065550142",
            agreed="email and texts, at the checkout",
            basket=[("Chamomile Inkwell", 1), ("Peppermint Hour", 1), ("Heron Cup", 1)],
            address={
                "line1": "9 Alder Street",
                "line4": "Seattle",
                "state": "WA",
                "postcode": "98101",
                "country": "US",
            },
        ),
        ben=_new(
            home,
            "Ben Whitfield",
            place="York",
            zone="Europe/London",
            phone="+447400123456",
            agreed="email; texts since they invited him",
            basket=[("Millrace Breakfast", 2)],
            address={
                "line1": "7 Cobbler's Row",
                "line4": "York",
                "state": "",
                "postcode": "YO1 7HH",
                "country": "GB",
            },
        ),
        clara=_customer(
            home, "Clara", agreed="email and texts, each confirmed", basket=[("Rosehip Lane", 1)]
        ),
        dev=_customer(home, "Dev", agreed="texts, until his STOP", basket=[("Copper Kettle Assam", 3)]),
        elodie=_new(
            home,
            "Élodie Garnier",
            place="Montréal",
            zone="America/Toronto",
            phone="+15145550123",
            language="fr",
            agreed="email and texts, with her account",
            basket=[("Amber Stair", 1)],
            address={
                "line1": "3055, rue des Érables",
                "line4": "Montréal",
                "state": "QC",
                "postcode": "H2K 3V5",
                "country": "CA",
            },
        ),
        finn=_customer(home, "Finn", agreed="nothing", basket=[("Gooseneck Kettle, 1 l", 1)]),
        alice=_customer(home, "Alice", agreed="email and texts", basket=[("The Reading Box", 1)]),
        una=_new(
            home,
            "Una Reyes",
            place="Boston",
            zone="America/New_York",
            phone="+16175550119",
            agreed="email, until one click; texts: no YES",
            basket=[("Letterbox Sampler", 1)],
        ),
        mara=Customer(
            name="Mara",
            place="the shop",
            zone="America/New_York",
            email="staff@quillbrook.example",
            browser=Browser(home),
        ),
    )


def _new(
    home: str,
    name: str,
    *,
    place: str,
    zone: str,
    phone: str,
    agreed: str,
    basket: Sequence[tuple[str, int]],
    address: Address | None = None,
    language: str = "en",
) -> Customer:
    """Somebody whom the shop has not seen before."""
    first_name, _, last_name = name.partition(" ")
    own = {"first_name": first_name, "last_name": last_name, "phone_number": phone}
    return Customer(
        name=first_name,
        place=place,
        zone=zone,
        email=f"{first_name.lower().replace('é', 'e')}@example.org",
        phone=phone,
        agreed=agreed,
        basket=basket,
        browser=Browser(home, language=language),
        address={**own, **(address or {})},
    )


def _customer(home: str, first_name: str, *, agreed: str, basket: Sequence[tuple[str, int]]) -> Customer:
    """Somebody with an account."""
    person = _KNOWN[first_name]
    return Customer(
        name=first_name,
        place=person.city,
        zone=person.zone,
        email=person.email,
        phone=person.phone,
        agreed=agreed,
        basket=basket,
        browser=Browser(home, language=person.language),
        address={
            "first_name": first_name,
            "last_name": person.last_name,
            "line1": person.line1,
            "line4": person.city,
            "state": person.state,
            "postcode": person.postcode,
            "country": person.country,
            "phone_number": person.phone,
        },
        other_email=f"{person.email.partition('@')[0]}.at.home@example.org",
    )
