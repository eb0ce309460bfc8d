"""Baskets that are left behind: Ada's from the first click to the order, and why others get less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from sandbox.shop.people import PASSWORD

from .. import storefront
from ..browser import PHONE, SCANNER, Astray, Browser
from ..cast import Customer
from ..stage import Stage, expect
from ..verdict import (
    A_DAY,
    AN_HOUR,
    AT_ONCE,
    LATE_IN_THE_MORNING,
    Received,
    Statement,
    bought_with,
    came,
    counted,
    only,
    silence,
)

BOTH = {"cc_email": True, "cc_sms": True}
#: What people take when they come again.
LATER = "Mill Towel"


# They leave


def leaves_as_a_guest(stage: Stage, who: Customer) -> None:
    fill(who)
    storefront.enter_checkout(who.browser, who.email, {**BOTH, "cc_phone": who.phone})
    stage.tell(who, "fills a basket, ticks both boxes at checkout, leaves.", moment=f"{who.name} left")


def answers_yes(stage: Stage, who: Customer) -> None:
    stage.text(who, "YES")


def leaves_as_a_customer(stage: Stage, who: Customer) -> None:
    storefront.log_in(who.browser, who.email, PASSWORD)
    fill(who)
    stage.tell(who, "logs in, fills a basket, leaves.", moment=f"{who.name} left")


def comes_again_and_leaves(stage: Stage, who: Customer) -> None:
    storefront.put_into_basket(who.browser, LATER)
    if who is stage.cast.una:
        storefront.enter_checkout(who.browser, who.email)
    stage.tell(who, "comes again, and leaves another basket.", moment=f"{who.name} left again")


# What they do then


def has_a_mailbox_that_scans(stage: Stage, who: Customer) -> None:
    scanner = Browser(stage.world.home, agent=SCANNER)
    links = stage.last_mail(who).links
    for link in links:
        scanner.look(link)
        scanner.open(link)
    stage.tell(who, f"has a mailbox that scans: all {len(links)} links are opened.")


def clicks_and_does_not_buy(stage: Stage, who: Customer) -> None:
    page = who.browser.open(stage.last_mail(who).links[0])
    expect(page.words, who.basket[0][0])
    stage.tell(who, "clicks in the email, looks, does not buy.", moment=f"{who.name} clicked")


def comes_back_on_another_device(stage: Stage, who: Customer) -> None:
    code, link = stage.code_text(who)
    phone = Browser(stage.world.home, agent=PHONE)
    page = phone.open(link)
    for title, _ in who.basket:
        expect(page.words, title)
    if code in phone.open("/basket/").words:
        raise Astray("opening the link alone has already changed the basket")
    basket = phone.submit(page, {})
    for wanted in (code, *(title for title, _ in who.basket)):
        expect(basket.words, wanted)
    stage.tell(who, "opens its link on her phone: her basket, and the code.")
    storefront.enter_checkout(phone, who.email)
    thanks = storefront.finish_checkout(phone, who.address)
    stage.orders["Ada’s basket"] = storefront.order_number(thanks)
    phone.submit(thanks, {"cc_phone": ""})
    stage.tell(who, "orders with it, and presses “Text me when it ships”.", moment=f"{who.name} ordered")


def sleeps(stage: Stage, who: Customer) -> None:
    stage.tell(who, "sleeps. His text is due, and waits for the morning.")


def says_stop(stage: Stage, who: Customer) -> None:
    stage.text(who, "STOP")


def orders_all_the_same(stage: Stage, who: Customer) -> None:
    thanks = storefront.finish_checkout(who.browser, who.address)
    stage.orders["Dev’s basket"] = storefront.order_number(thanks)
    stage.tell(who, "orders his tea all the same.", moment=f"{who.name} ordered")


def presses_unsubscribe(stage: Stage, who: Customer) -> None:
    url = stage.last_mail(who).unsubscribe_url
    Browser(stage.world.home).post(url, {"List-Unsubscribe": "One-Click"})
    stage.tell(who, "presses “Unsubscribe” in her mailbox: one click.", moment=f"{who.name} unsubscribed")


def orders_as_a_stranger(stage: Stage, who: Customer) -> None:
    kitchen = Browser(stage.world.home)
    storefront.put_into_basket(kitchen, *who.basket[0])
    storefront.enter_checkout(kitchen, who.other_email)
    thanks = storefront.finish_checkout(kitchen, who.address)
    stage.orders["Alice’s box"] = storefront.order_number(thanks)
    stage.tell(
        who,
        "orders elsewhere as a guest: only her phone is the same.",
        moment=f"{who.name} ordered",
    )


def fill(who: Customer) -> None:
    for title, quantity in who.basket:
        storefront.put_into_basket(who.browser, title, quantity)


# What must be true


def ada_is_asked_by_email(received: Received) -> Iterator[str]:
    ada = received.cast.ada
    mail = only(received.mails_of(ada, "Ada left", "Ada ordered"), "emails to Ada before her order")
    yield from came(mail, received.moment("Ada left") + AN_HOUR)
    for title, _ in ada.basket:
        if title not in mail.text:
            yield f"The email does not name “{title}”."


def the_text_follows_her_own_click(received: Received) -> Iterator[str]:
    text = only(received.codes(received.cast.ada), "texts with a code to Ada")
    yield from came(text, received.moment("Ada clicked") + A_DAY)


def her_order_has_the_code(received: Received) -> Iterator[str]:
    text = only(received.codes(received.cast.ada), "texts with a code to Ada")
    yield from bought_with(received.order("Ada’s basket"), text)


def her_basket_is_not_spoken_of_again(received: Received) -> Iterator[str]:
    ada = received.cast.ada
    offers = [mail for mail in received.mails_of(ada, "Ada ordered") if mail.is_marketing]
    yield from counted(offers, 1, ada, "emails that advertise after her order (the invitation)")
    first, _ = ada.basket[0]
    yield from silence([mail for mail in offers if first in mail.text], ada)


def alice_is_known_by_her_phone(received: Received) -> Iterator[str]:
    alice = received.cast.alice
    received.order("Alice’s box")
    reminders = received.mails_of(alice, "Alice left", "Alice ordered")
    yield from counted(reminders, 1, alice, "emails before her order")
    yield from silence(received.texts_of(alice, "Alice ordered"), alice)


def dev_may_sleep(received: Received) -> Iterator[str]:
    dev = received.cast.dev
    text = only(received.codes(dev), "texts with a code to Dev")
    fell_due = received.moment("Dev left").astimezone(ZoneInfo(dev.zone)) + A_DAY
    morning = fell_due.replace(hour=9, minute=0) + timedelta(days=1)
    yield from came(text, morning, late=LATE_IN_THE_MORNING)


def dev_has_said_stop(received: Received) -> Iterator[str]:
    dev, stopped = received.cast.dev, received.moment("Dev texted STOP")
    received.moment("Dev left again")
    after = [text for text in received.texts(dev) if text.at >= stopped]
    yield from came(only(after, "texts to Dev after his STOP"), stopped, late=AT_ONCE)
    yield from silence(received.offers(dev), dev)


def una_has_unsubscribed(received: Received) -> Iterator[str]:
    una = received.cast.una
    only(received.mails_of(una, "Una left", "Una unsubscribed"), "emails to Una before her click")
    yield from silence(received.mails_of(una, "Una left again"), una)
    yield from silence(received.codes(una), una)
    yield from counted(received.texts(una), 1, una, "texts (the question)")


STATEMENTS: Sequence[Statement] = [
    ("Ada left, and after an hour one email named everything in her basket.", ada_is_asked_by_email),
    (
        "A scanner opened all its links and changed nothing: the text came a day after her own click.",
        the_text_follows_her_own_click,
    ),
    ("On another device she ordered with its exclusive code: 10 % off.", her_order_has_the_code),
    ("After that nobody spoke of her basket any more.", her_basket_is_not_spoken_of_again),
    ("Alice ordered as a stranger with her phone number: no code any more.", alice_is_known_by_her_phone),
    ("Dev’s text fell due at night and came in the morning.", dev_may_sleep),
    ("Dev’s STOP was answered once, at once, and was the last word by text.", dev_has_said_stop),
    ("Una never said YES and got no text; one click ended her reminders.", una_has_unsubscribed),
]
