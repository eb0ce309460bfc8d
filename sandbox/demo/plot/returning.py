"""Clara, who has not ordered for three months: asked twice whether she means it, won back, and served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sandbox.shop.people import PASSWORD

from .. import merchant, storefront
from ..cast import Customer
from ..stage import Stage
from ..verdict import Received, Statement, bought_with, came, only, silence
from .basket import fill

SOLD_OUT = "Silver Bookmark"
#: When a customer counts as gone quiet, and when the code follows.
QUIET, CODE_AFTER = timedelta(days=90), timedelta(days=7)


def buys(stage: Stage, who: Customer) -> None:
    storefront.log_in(who.browser, who.email, PASSWORD)
    fill(who)
    storefront.finish_checkout(who.browser, who.address)
    stage.tell(who, "buys Rosehip Lane, agrees to nothing.", moment="Clara bought")


def agrees_to_both(stage: Stage, who: Customer) -> None:
    storefront.log_in(who.browser, who.email, PASSWORD)
    storefront.choose(who.browser, {"email-weekly_deals": True, "sms-weekly_deals": True})
    stage.tell(who, "ticks emails and texts in her account’s preferences.", moment="Clara asked")
    stage.answer(who, "JA")


def confirms_by_link(stage: Stage, who: Customer) -> None:
    page = who.browser.open(stage.last_mail(who).links[0])
    who.browser.submit(page, {})
    stage.tell(who, "opens the link of the email, presses “Yes, confirm”.", moment="Clara confirmed")


def asks_to_be_told(stage: Stage, who: Customer) -> None:
    storefront.ask_when_back(who.browser, SOLD_OUT)
    stage.tell(who, f"finds {SOLD_OUT} sold out: “Notify me”.", moment="Clara waits")


def restocks(stage: Stage, who: Customer) -> None:
    merchant.restock(who.browser, SOLD_OUT, 12)
    stage.tell(who, f"has twelve tins of {SOLD_OUT} again.", moment="Silver Bookmark is back")


def orders_with_her_code(stage: Stage, who: Customer) -> None:
    code, _ = stage.code_text(who)
    storefront.put_into_basket(who.browser, SOLD_OUT)
    storefront.enter_code(who.browser, code)
    thanks = storefront.finish_checkout(who.browser, who.address)
    stage.orders["Clara’s tin"] = storefront.order_number(thanks)
    stage.tell(who, "is back, and orders with the code.", moment="Clara ordered")


# What must be true


def both_are_confirmed(received: Received) -> Iterator[str]:
    clara = received.cast.clara
    received.moment("Clara texted JA")
    only(received.mails_of(clara, "Clara asked", "Clara confirmed"), "emails to Clara before she confirmed")
    early = [mail for mail in received.offers(clara) if mail.at < received.moment("Clara confirmed")]
    yield from silence(early, clara)


def she_is_won_back(received: Received) -> Iterator[str]:
    clara = received.cast.clara
    lapsed = received.moment("Clara bought") + QUIET
    hello = next(iter(received.offers(clara)), None)
    if hello is None:
        yield "Clara got no email."
    else:
        yield from came(hello, lapsed)
    code = only(received.codes(clara), "texts with a code to Clara")
    yield from came(code, lapsed + CODE_AFTER)
    yield from bought_with(received.order("Clara’s tin"), code)


def it_is_back(received: Received) -> Iterator[str]:
    clara = received.cast.clara
    told = [mail for mail in received.mails_of(clara, "Clara waits") if SOLD_OUT in mail.subject]
    yield from came(
        only(told, f"emails to Clara about {SOLD_OUT}"), received.moment("Silver Bookmark is back")
    )
    texts = [text for text in received.texts_of(clara, "Clara waits") if SOLD_OUT in text.body]
    yield from silence(texts, clara)


STATEMENTS: Sequence[Statement] = [
    (
        "Clara confirmed her email by a link and her number by a YES; nothing came before that.",
        both_are_confirmed,
    ),
    (
        "After 90 days without an order an email, a week later a code by text: she came back.",
        she_is_won_back,
    ),
    ("When what she waited for was back, she heard of it once, on one channel.", it_is_back),
]
