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


def both_channels_ring(received: Received) -> Iterator[str]:
    finn, changed = received.cast.finn, received.moment("password changed")
    yield from came(
        only(received.mails_of(finn, "password changed"), "emails to Finn"), changed, late=AT_ONCE
    )
    yield from came(only(received.texts_of(finn, "password changed"), "texts to Finn"), changed, late=AT_ONCE)


def finn_has_not_agreed(received: Received) -> Iterator[str]:
    finn = received.cast.finn
    received.moment("Finn left")
    yield from silence([*received.offers(finn), *received.codes(finn)], finn)


STATEMENTS: Sequence[Statement] = [
    ("Finn agreed to nothing, and nobody advertised to him.", finn_has_not_agreed),
    ("His password changed: he was told at once, by email and by text.", both_channels_ring),
]
