"""What becomes of orders: a text for each parcel, an email to whom no text may go; and Oscar's own thanks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import merchant
from ..browser import Astray
from ..cast import Customer
from ..stage import Stage
from ..verdict import AT_ONCE, Received, Statement, came, only, silence
from .welcome import REVIEWED

#: As carriers write them; nobody's.
FIRST, LAST, DEVS = "1Z999AA10123456784", "1Z999AA10123456793", "1Z999AA10123456801"
#: What Ada's parcels hold.
TEAS, CUP = ("Chamomile Inkwell", "Peppermint Hour"), ("Heron Cup",)


def breaks_the_cup(stage: Stage, who: Customer) -> None:
    merchant.ship(who.browser, stage.order("Ada’s basket"), CUP, what="delayed")
    stage.tell(who, "breaks Ada’s cup; another is fired, and comes later.", moment="cup late")


def sends_the_teas(stage: Stage, who: Customer) -> None:
    merchant.ship(who.browser, stage.order("Ada’s basket"), TEAS, what="shipped", reference=f"UPS {FIRST}")
    stage.tell(who, "sends two of Ada’s three things; the cup is still fired.", moment="teas sent")


def sends_the_cup(stage: Stage, who: Customer) -> None:
    merchant.ship(who.browser, stage.order("Ada’s basket"), CUP, what="shipped", reference=f"UPS {LAST}")
    stage.tell(who, "sends Ada’s cup.", moment="cup sent")


def hears_of_the_delivery(stage: Stage, who: Customer) -> None:
    merchant.ship(who.browser, stage.order("Ada’s basket"), TEAS + CUP, what="delivered")
    stage.tell(who, "hears from the carrier that Ada’s parcels are there.", moment="all delivered")


def finds_no_oolong(stage: Stage, who: Customer) -> None:
    merchant.ship(who.browser, stage.order("Ben’s oolong"), (REVIEWED,), what="cancelled")
    stage.tell(who, "has no oolong left, and cancels what Ben ordered.", moment="oolong cancelled")


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
    told = [
        ("cup late", "come later"),
        ("teas sent", "2 of 3"),
        ("cup sent", "1 of 3"),
        ("all delivered", "delivered"),
    ]
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


def ben_waits_for_nothing(received: Received) -> Iterator[str]:
    ben, number = received.cast.ben, received.order("Ben’s oolong").number
    texts = [text for text in received.texts_of(ben, "oolong cancelled") if number in text.body]
    mails = [mail for mail in received.mails_of(ben, "oolong cancelled") if number in mail.subject]
    yield from silence(mails, ben)
    yield from came(
        only(texts, "texts to Ben about his oolong"), received.moment("oolong cancelled"), late=AT_ONCE
    )


def oscar_says_thanks(received: Received) -> Iterator[str]:
    cast = received.cast
    for who, name, moment in (
        (cast.ben, "Ben’s basket", "Ben ordered"),
        (cast.ben, "Ben’s oolong", "Ben ordered again"),
        (cast.finn, "Finn’s seats", "Finn booked"),
        (cast.elodie, "Élodie’s first", "Élodie ordered"),
        (cast.clara, "Clara’s tin", "Clara ordered"),
    ):
        words = f"thank you, we have your order {received.order(name).number}"
        thanks = only([text for text in received.texts(who) if words in text.body], f"thanks to {who.name}")
        yield from came(thanks, received.moment(moment), late=AT_ONCE)


STATEMENTS: Sequence[Statement] = [
    (
        "Ada’s order came in two parcels, one of them late: a text for each turn, and no email.",
        each_parcel_is_told_once,
    ),
    ("What Ben ordered did not come, and a text told him so.", ben_waits_for_nothing),
    ("Oscar’s own words of thanks went out as texts, once for each order of an account.", oscar_says_thanks),
    ("Dev, who had stopped texts, read of his parcel in an email.", dev_reads_it),
]
