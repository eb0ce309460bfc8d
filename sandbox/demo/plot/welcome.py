"""Élodie signs up: a code by text at once, the shop's story by email, a word before the code ends.

What the email of day 4 quotes, Alice wrote the day before: she had asked to be asked for reviews.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sandbox.shop.people import PASSWORD

from .. import merchant, storefront
from ..cast import Customer
from ..stage import Stage
from ..verdict import A_DAY, AT_ONCE, Received, Statement, bought_with, came, counted, only
from .basket import BOTH, fill

#: What Alice bought two weeks before, and what she writes of it.
REVIEWED = "Lantern Street Oolong"
HEADLINE, PRAISE = "Lasts to the end of the street", "Creamy, patient, and still good at the fourth pouring."


def registers(stage: Stage, who: Customer) -> None:
    storefront.register(who.browser, who.email, PASSWORD, boxes={**BOTH, "cc_phone": who.phone})
    stage.tell(who, "opens an account and ticks both boxes.", moment=f"{who.name} registered")
    stage.answer(who, "OUI")


def orders_with_the_first_code(stage: Stage, who: Customer) -> None:
    code, _ = stage.code_text(who)
    fill(who)
    storefront.enter_code(who.browser, code)
    thanks = storefront.finish_checkout(who.browser, who.address)
    stage.orders["Élodie’s first"] = storefront.order_number(thanks)
    stage.tell(who, "orders with the code of her first day.", moment=f"{who.name} ordered")


# Reviews


def buys_oolong(stage: Stage, who: Customer) -> None:
    storefront.log_in(who.browser, who.email, PASSWORD)
    storefront.put_into_basket(who.browser, REVIEWED)
    storefront.finish_checkout(who.browser, who.address)
    stage.tell(who, f"buys {REVIEWED}.", moment="Alice bought oolong")


def asks_to_be_asked(stage: Stage, who: Customer) -> None:
    storefront.log_in(who.browser, who.email, PASSWORD)
    storefront.choose(who.browser, {"email-reviews": True})
    stage.tell(who, "asks for review requests, in her account’s preferences.")


def writes_a_review(stage: Stage, who: Customer) -> None:
    address = stage.link_of_mail(who, "Write a review")
    storefront.log_in(who.browser, who.email, PASSWORD)
    storefront.review(who.browser, address, title=HEADLINE, body=PRAISE, stars=5)
    stage.tell(who, f"writes: “{HEADLINE}”, five stars.")


def approves_the_review(stage: Stage, who: Customer) -> None:
    merchant.approve_review(who.browser, HEADLINE)
    stage.tell(who, "approves Alice’s review in the dashboard.")


# What must be true


def a_code_at_once(received: Received) -> Iterator[str]:
    elodie, yes = received.cast.elodie, received.moment("Élodie texted OUI")
    first = next(iter(received.codes(elodie)), None)
    if first is None:
        yield "Élodie got no code."
    else:
        yield from came(first, yes, late=AT_ONCE)


def two_emails(received: Received) -> Iterator[str]:
    elodie, registered = received.cast.elodie, received.moment("Élodie registered")
    series = received.offers(elodie)[:2]
    yield from counted(series, 2, elodie, "emails")
    for mail, days in zip(series, (1, 3), strict=False):
        yield from came(mail, registered + days * A_DAY)
    if series and PRAISE not in series[-1].text:
        yield "The email of the third day does not quote Alice."


def it_expires_soon(received: Received) -> Iterator[str]:
    elodie = received.cast.elodie
    codes = received.codes(elodie)
    yield from counted(codes, 2, elodie, "texts with a code")
    if len(codes) == 2:
        yield from came(codes[1], received.moment("Élodie registered") + timedelta(days=7))
        yield from bought_with(received.order("Élodie’s first"), codes[1])


def alice_is_asked_once(received: Received) -> Iterator[str]:
    alice = received.cast.alice
    asked = [mail for mail in received.offers(alice) if REVIEWED in mail.text]
    due = received.moment("Alice bought oolong") + timedelta(days=14)
    yield from came(only(asked, "emails to Alice about what she bought"), due)


STATEMENTS: Sequence[Statement] = [
    ("Élodie said YES, and had her first code by text at once.", a_code_at_once),
    ("A day later she read about the shop, on the third day what Alice says of it.", two_emails),
    ("On the seventh day a text said that the code ends; she ordered with it.", it_expires_soon),
    ("Alice, who had asked for it, was asked for one review, two weeks after buying.", alice_is_asked_once),
]
