"""Finn, who agreed to nothing: he hears what concerns him, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.shop.people import PASSWORD

from .. import storefront
from ..cast import Customer
from ..stage import Stage
from ..verdict import AT_ONCE, Received, Statement, came, only, silence


def changes_his_password(stage: Stage, who: Customer) -> None:
    storefront.change_password(who.browser, PASSWORD, "kookaburra-at-dawn")
    stage.tell(who, "changes the password of his account.", moment="password changed")


def changes_his_address(stage: Stage, who: Customer) -> None:
    storefront.change_address(who.browser, who.other_email)
    stage.tell(who, "gives his account another email address.", moment="address changed")


# What must be true


def both_channels_ring(received: Received) -> Iterator[str]:
    finn, span = received.cast.finn, ("password changed", "address changed")
    mail = only(received.mails_of(finn, *span), "emails to Finn")
    text = only(received.texts_of(finn, *span), "texts to Finn")
    for alert in (mail, text):
        yield from came(alert, received.moment("password changed"), late=AT_ONCE)


def both_addresses_hear_of_it(received: Received) -> Iterator[str]:
    finn, changed = received.cast.finn, received.moment("address changed")
    mails = received.mails_of(finn, "address changed")
    for address in finn.emails:
        alert = only([mail for mail in mails if mail.to == address], f"emails to {address}")
        yield from came(alert, changed, late=AT_ONCE)
    yield from came(only(received.texts_of(finn, "address changed"), "texts to Finn"), changed, late=AT_ONCE)


def finn_has_not_agreed(received: Received) -> Iterator[str]:
    finn = received.cast.finn
    received.moment("Finn left")
    yield from silence([*received.offers(finn), *received.codes(finn)], finn)


STATEMENTS: Sequence[Statement] = [
    ("Finn agreed to nothing, and nobody advertised to him.", finn_has_not_agreed),
    ("His password changed: he was told at once, by email and by text.", both_channels_ring),
    ("His email address changed: the old one heard of it as well as the new one.", both_addresses_hear_of_it),
]
