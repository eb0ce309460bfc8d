"""Ben: from email alone to texts, and a code for what he looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.shop.people import PASSWORD

from .. import merchant, storefront
from ..cast import Customer
from ..stage import Stage, expect
from ..verdict import A_DAY, Received, Statement, bought_with, came, only, silence
from .basket import fill
from .welcome import REVIEWED

#: Days after somebody agreed to emails, as the merchant tunes it; it ships with 14.
INVITED_AFTER = 2


def registers_and_leaves(stage: Stage, who: Customer) -> None:
    storefront.register(who.browser, who.email, PASSWORD, boxes={"cc_email": True})
    stage.moments["Ben registered"] = stage.world.now()
    fill(who)
    stage.tell(who, "opens an account, ticks “email” only, leaves a basket.", moment="Ben left")


def comes_back_and_orders(stage: Stage, who: Customer) -> None:
    thanks = storefront.finish_checkout(who.browser, who.address)
    stage.orders["Ben’s basket"] = storefront.order_number(thanks)
    stage.tell(who, "comes back and orders.", moment="Ben ordered")


def invites_sooner(stage: Stage, who: Customer) -> None:
    merchant.change_delay(who.browser, "Invitation to texts", "invite", days=INVITED_AFTER)
    stage.tell(who, f"edits a flow: invitation to texts after {INVITED_AFTER} days, not 14.")


def joins_by_text(stage: Stage, who: Customer) -> None:
    page = who.browser.open(stage.link_of_mail(who, "Sign up for texts"))
    who.browser.submit(page, {"cc_sms": True, "cc_phone": who.phone})
    stage.tell(who, "follows the link, ticks the box, presses “Sign up”.", moment="Ben signed up for texts")
    stage.answer(who, "YES")


def looks_at_a_product(stage: Stage, who: Customer) -> None:
    page = who.browser.open(stage.link_of_mail(who, REVIEWED))
    expect(page.words, REVIEWED)
    stage.tell(who, f"clicks on {REVIEWED} in it, does not buy.", moment="Ben clicked")


def orders_what_he_looked_at(stage: Stage, who: Customer) -> None:
    code, link = stage.code_text(who)
    expect(who.browser.open(link).words, REVIEWED)
    storefront.put_into_basket(who.browser, REVIEWED)
    storefront.enter_code(who.browser, code)
    thanks = storefront.finish_checkout(who.browser, who.address)
    stage.orders["Ben’s oolong"] = storefront.order_number(thanks)
    stage.tell(who, "follows the link of the text and orders with the code.", moment="Ben ordered again")


# What must be true


def ben_is_not_reminded(received: Received) -> Iterator[str]:
    received.order("Ben’s basket")
    for mail in received.offers(received.cast.ben):
        if mail.at < received.moment("Ben registered") + A_DAY * 0.9:
            yield f"Ben got “{mail.subject}” on his first day."


def the_invitation_asks(received: Received) -> Iterator[str]:
    ben, signed_up = received.cast.ben, received.moment("Ben signed up for texts")
    asked = [mail for mail in received.offers(ben) if mail.at < signed_up]
    if not asked:
        yield "Ben got no invitation."
    else:
        yield from came(asked[-1], received.moment("Ben registered") + INVITED_AFTER * A_DAY)
    offered = [text for text in received.codes(ben) if text.at < received.moment("Ben texted YES")]
    yield from silence(offered, ben)


def a_code_follows_the_click(received: Received) -> Iterator[str]:
    code = only(received.codes(received.cast.ben), "texts with a code to Ben")
    yield from came(code, received.moment("Ben clicked") + A_DAY)
    yield from bought_with(received.order("Ben’s oolong"), code)


STATEMENTS: Sequence[Statement] = [
    ("Ben ordered within the hour, and was not reminded of his basket.", ben_is_not_reminded),
    (
        "He was invited to texts by email, when the merchant wanted; none came before his YES.",
        the_invitation_asks,
    ),
    (
        "A day after he clicked on a product a code came by text, and he ordered with it.",
        a_code_follows_the_click,
    ),
]
