"""The people of the story: the six customers of the sandbox, and four who come by.

Numbers are from ranges for fiction, addresses from `example` domains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sandbox.shop.people import PEOPLE

from .browser import Browser
from .storefront import Address

HOME_OF_ADA = {
    "first_name": "Ada",
    "last_name": "Byron",
    "line1": "9 Alder Street",
    "line4": "Seattle",
    "state": "WA",
    "postcode": "98101",
    "country": "US",
    "phone_number": "+12065550142",
}
HOME_OF_GUS = {
    "first_name": "Gus",
    "last_name": "Lindqvist",
    "line1": "40 Lake Street",
    "line4": "Chicago",
    "state": "IL",
    "postcode": "60601",
    "country": "US",
    "phone_number": "+13125550147",
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Customer:
    """One person with one device; two persons are never equal."""

    name: str
    place: str
    zone: str
    email: str
    phone: str = ""  #: E.164
    agreed: str  #: to what, for the closing table
    basket: Sequence[tuple[str, int]]  #: titles and quantities
    browser: Browser
    address: Address = field(default_factory=dict)
    other_email: str = ""  #: the shop does not know that it is the same person

    def local(self, at: datetime) -> str:
        """An instant on this person's wall clock: "Tue 11:05"."""
        return f"{at.astimezone(ZoneInfo(self.zone)):%a %H:%M}"


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, in the order of the closing table."""

    ada: Customer
    alice: Customer
    ben: Customer
    clara: Customer
    dev: Customer
    elodie: Customer
    finn: Customer
    gus: Customer
    rosa: Customer
    una: Customer

    @property
    def everybody(self) -> list[Customer]:
        return [
            self.ada,
            self.alice,
            self.ben,
            self.clara,
            self.dev,
            self.elodie,
            self.finn,
            self.gus,
            self.rosa,
            self.una,
        ]

    def whose(self, address: str) -> Customer | None:
        """Who reads this mailbox, or has this phone."""
        for customer in self.everybody:
            if address in (customer.email, customer.phone, customer.other_email):
                return customer
        return None


def gather(home: str) -> Cast:
    """Everybody, in front of a browser that knows the shop at `home`."""
    return Cast(
        ada=Customer(
            name="Ada",
            place="Seattle",
            zone="America/Los_Angeles",
            email="ada@example.org",
            phone="+12065550142",
            agreed="email, texts",
            basket=[("Chamomile Inkwell", 1), ("Peppermint Hour", 1), ("Heron Cup", 2)],
            browser=Browser(home),
            address=HOME_OF_ADA,
        ),
        alice=_known(home, "Alice", agreed="email, texts", basket=[("The Reading Box", 1)]),
        ben=_known(home, "Ben", agreed="email", basket=[("Millrace Breakfast", 2)]),
        clara=_known(home, "Clara", agreed="email; texts: no YES", basket=[("Rosehip Lane", 1)]),
        dev=_known(home, "Dev", agreed="texts", basket=[("Copper Kettle Assam", 3)]),
        elodie=_known(home, "Élodie", agreed="has withdrawn both", basket=[("Heron Cup", 1)]),
        finn=_known(home, "Finn", agreed="nothing", basket=[("Gooseneck Kettle, 1 l", 1)]),
        gus=Customer(
            name="Gus",
            place="Chicago",
            zone="America/Chicago",
            email="gus@example.org",
            phone="+13125550147",
            agreed="email, texts",
            basket=[("Bamboo Whisk", 1), ("Moss Step Matcha", 1)],
            browser=Browser(home),
            address=HOME_OF_GUS,
        ),
        rosa=Customer(
            name="Rosa",
            place="Denver",
            zone="America/Denver",
            email="rosa@example.org",
            phone="+13035550119",
            agreed="email, texts",
            basket=[("Slow Roast No. 4", 1)],
            browser=Browser(home),
        ),
        una=Customer(
            name="Una",
            place="Boston",
            zone="America/New_York",
            email="una@example.org",
            agreed="email",
            basket=[("Letterbox Sampler", 1)],
            browser=Browser(home),
        ),
    )


def _known(home: str, first_name: str, *, agreed: str, basket: Sequence[tuple[str, int]]) -> Customer:
    """A customer of the sandbox, who was asked for consent before the story begins."""
    person = next(person for person in PEOPLE if person.first_name == first_name)
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
