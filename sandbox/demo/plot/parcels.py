"""What becomes of orders: a text for each parcel, an email to whom no text may go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import merchant
from ..browser import Astray
from ..cast import Customer
from ..stage import Stage
from ..verdict import AT_ONCE, Received, Statement, came, only, silence

#: As carriers write them; nobody's.
FIRST, LAST, DEVS = "1Z999AA10123456784", "1Z999AA10123456793", "1Z999AA10123456801"
#: What Ada's parcels hold.
TEAS, CUP = ("Chamomile Inkwell", "Peppermint Hour"), ("Heron Cup",)


def sends_the_teas(stage: Stage, who: Customer) -> None:
    merchant.ship(who.browser, stage.order("Ada’s basket"), TEAS, what="shipped", reference=f"UPS {FIRST}")
    stage.tell(who, "sends two of Ada’s three things; the cup is still fired.", moment="teas sent")


def sends_the_cup(stage: Stage, who: Customer) -> None:
    merchant.ship(who.browser, stage.order("Ada’s basket"), CUP, what="shipped", reference=f"UPS {LAST}")
    stage.tell(who, "sends Ada’s cup.", moment="cup sent")


def hears_of_the_delivery(stage: Stage, who: Customer) -> None:
    merchant.ship(who.browser, stage.order("Ada’s basket"), TEAS + CUP, what="delivered")
    stage.tell(who, "hears from the carrier that Ada’s parcels are there.", moment="all delivered")


def sends_devs_tea(stage: Stage, who: Customer) -> None:
    tea = (stage.cast.dev.basket[0][0],)
    merchant.ship(who.browser, stage.order("Dev’s basket"), tea, what="shipped", reference=f"UPS {DEVS}")
    stage.tell(who, "sends Dev’s tea.", moment="Dev’s tea sent")


def follows_the_parcel(stage: Stage, who: Customer) -> None:
    carrier = who.browser.destination(stage.linked_text(who))
    if FIRST not in carrier:
        raise Astray(f"the text leads to {carrier}")
    stage.tell(who, "taps the link: her parcel, on the carrier’s page.")


# What must be true


def each_parcel_is_told_once(received: Received) -> Iterator[str]:
    ada = received.cast.ada
    number = received.order("Ada’s basket").number
    texts = [text for text in received.texts(ada) if number in text.body]
    told = [("teas sent", "2 of 3"), ("cup sent", "1 of 3"), ("all delivered", "delivered")]
    if len(texts) != len(told):
        yield f"Ada got {len(texts)} texts about her order, not {len(told)}."
    for text, (moment, words) in zip(texts, told, strict=False):
        yield from came(text, received.moment(moment), late=AT_ONCE)
        if words not in text.body:
            yield f"The text “{text.body}” does not say “{words}”."
    mails = [mail for mail in received.mails(ada) if number in mail.subject]
    yield from silence(mails, ada)


def dev_reads_it(received: Received) -> Iterator[str]:
    dev, number = received.cast.dev, received.order("Dev’s basket").number
    mails = [mail for mail in received.mails(dev) if number in mail.subject]
    yield from came(
        only(mails, "emails to Dev about his order"), received.moment("Dev’s tea sent"), late=AT_ONCE
    )


STATEMENTS: Sequence[Statement] = [
    (
        "Ada’s order came in two parcels: a text for each, one at the end, and no email.",
        each_parcel_is_told_once,
    ),
    ("Dev, who had stopped texts, read of his parcel in an email.", dev_reads_it),
]
