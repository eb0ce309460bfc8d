"""The story of a left basket, played in any store over HTTP and told in columns of a table.

    with Mailbox() as mailbox, SmsCounterpart(...) as phones, open_store(...) as store:
        store.prepare()
        results = play(World(store, mailbox, phones), Pages(store.home, store.product))

Ada, a guest, leaves a basket, gets the email and the text, and orders with its code on another device.
Bea registers, gets the email, and orders; so no text for her. Cal sees the same boxes as Ada and leaves
them empty. What is true of them is read in mailboxes, on phones, and in Oscar's orders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from oscar_crosschannel.testing.sms_counterpart import SmsCounterpart
from sandbox.demo import storefront
from sandbox.demo.browser import PHONE, Astray, Browser, Page
from sandbox.demo.mailbox import Mail, Mailbox

from .project import Store
from .table import COLUMNS, Results

#: A Tuesday, late morning in Seattle: nobody's quiet hours.
BEGIN = datetime(2026, 3, 10, 18, 0, tzinfo=UTC)
TITLE = "Earl Grey"
PASSWORD = "unhurried-tea"
CODE = re.compile(r"\bTEA[A-Z2-7]{12}\b")
_LINK = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a mailbox and a phone."""

    name: str
    email: str
    phone: str


ADA = Person("Ada", "ada@example.org", "+12065550142")
BEA = Person("Bea", "bea@example.org", "+12065550147")
CAL = Person("Cal", "cal@example.org", "+12065550119")
DEE = Person("Dee", "dee@example.org", "+12065550123")


class Storefront(Protocol):
    """What a shopper does in a store. Raises Astray where the store does not offer it."""

    def leaves_as_guest(self, who: Person, *, agrees: bool) -> None:
        """Fills a basket, says who they are, is asked for consent, and leaves."""

    def registers_and_leaves(self, who: Person, *, agrees: bool) -> None:
        """Opens an account, is asked for consent, fills a basket, and leaves."""

    def orders(self, who: Person) -> None:
        """Buys what is in the basket, on the device where it was filled."""

    def restores_elsewhere(self, who: Person, link: str, code: str) -> None:
        """Follows a link on another device, has the basket back with the code in it, and buys as a guest."""


class Pages:
    """Oscar's own pages."""

    def __init__(self, home: str, product: str) -> None:
        self._home = home
        self._product = product
        self._browsers: dict[Person, Browser] = {}

    def leaves_as_guest(self, who: Person, *, agrees: bool) -> None:
        self._fill(who)
        gateway = self._browser(who).open("/checkout/")
        fields = {"username": who.email, "options": "anonymous"}
        self._browser(who).submit(gateway, {**fields, **consent(gateway, who, agrees=agrees)})

    def registers_and_leaves(self, who: Person, *, agrees: bool) -> None:
        page = self._browser(who).open("/accounts/register/")
        fields = {"email": who.email, "password1": PASSWORD, "password2": PASSWORD}
        boxes = consent(page, who, agrees=agrees)
        self._browser(who).submit(page, {**fields, **boxes}, press="registration_submit")
        self._fill(who)

    def orders(self, who: Person) -> None:
        self._browser(who).open("/checkout/")
        self._finish(self._browser(who), who)

    def restores_elsewhere(self, who: Person, link: str, code: str) -> None:
        phone = Browser(self._home, agent=PHONE)
        page = phone.open(link)
        _expect(page, TITLE)
        if TITLE in phone.open("/basket/").words:
            raise Astray("opening the link alone has filled the basket")
        basket = phone.submit(page, {})
        _expect(basket, TITLE)
        _expect(basket, code)
        storefront.enter_checkout(phone, who.email)
        self._finish(phone, who)

    def _finish(self, browser: Browser, who: Person) -> None:
        storefront.finish_checkout(browser, address_of(who))

    def _fill(self, who: Person) -> None:
        browser = self._browser(who)
        browser.submit(browser.open(self._product), {"quantity": "1"})

    def _browser(self, who: Person) -> Browser:
        return self._browsers.setdefault(who, Browser(self._home))


@dataclass
class World:
    """A store, and who hears of it. Time passes only by `wait_until`."""

    store: Store
    mailbox: Mailbox
    phones: SmsCounterpart
    webhook: str = "/cc/twilio/inbound/"

    def wait_until(self, elapsed: timedelta) -> None:
        """Let it be so long after the beginning, and let the engine work."""
        self.store.work(BEGIN + elapsed)

    def say_yes(self, who: Person) -> None:
        """Answer the question whether the number is theirs."""
        if not self.texts(who):
            raise Astray(f"{who.name} was not asked to confirm the number")
        reply = self.phones.inbound(who.phone, "YES", f"{self.store.home}{self.webhook}")
        if reply.status != 200:
            raise Astray(f"the webhook for texts answered with {reply.status}")

    def reminders(self, who: Person) -> list[Mail]:
        """This app's emails in somebody's mailbox; Oscar's own have no way to unsubscribe."""
        return [mail for mail in self.mailbox.mails if mail.to == who.email and mail.is_marketing]

    def texts(self, who: Person) -> list[str]:
        """Everything on somebody's phone."""
        return [text.body for text in self.phones.phone(who.phone)]

    def offers(self, who: Person) -> list[str]:
        """Texts with a code."""
        return [text for text in self.texts(who) if CODE.search(text)]

    def received(self) -> dict[str, list[int]]:
        """How many reminders, offers and texts everybody has."""
        return {
            who.name: [len(self.reminders(who)), len(self.offers(who)), len(self.texts(who))]
            for who in (ADA, BEA, CAL)
        }


def play(world: World, front: Storefront) -> Results:
    """The whole story. A store that does not let somebody play is told in every column."""
    results: dict[str, list[str]] = {column: [] for column in COLUMNS}
    try:
        for column, problem in _scenes(world, front):
            results[column].append(problem)
    except Astray as reason:
        for problems in results.values():
            problems.append(f"the story broke off: {reason}")
    return results


def consent(page: Page, who: Person, *, agrees: bool) -> dict[str, str | bool]:
    """The consent boxes of a page as somebody fills them in. Astray if they are not there, or ticked already."""
    form = page.form("cc_email", "cc_sms", "cc_phone")
    if any(
        field.has_attr("checked") for field in page.fields(form) if field["name"] in ("cc_email", "cc_sms")
    ):
        raise Astray(f"a consent box on {page.path} is ticked by the shop")
    return {"cc_email": True, "cc_sms": True, "cc_phone": who.phone} if agrees else {}


def address_of(who: Person) -> dict[str, str]:
    """Where somebody lives, as the fields of Oscar's form."""
    return {
        "first_name": who.name,
        "last_name": "Byron",
        "line1": "9 Alder Street",
        "line4": "Seattle",
        "state": "WA",
        "postcode": "98101",
        "country": "US",
        "phone_number": who.phone,
    }


def link_and_code(text: str) -> tuple[str, str]:
    """What a text offers."""
    link, code = _LINK.search(text), CODE.search(text)
    if link is None or code is None:
        raise Astray(f"the text has no link, or no code: {text}")
    return link[0], code[0]


def _scenes(world: World, front: Storefront) -> Iterator[tuple[str, str]]:
    """Act by act; yields what is wrong, and in which column."""
    world.wait_until(timedelta(0))
    front.leaves_as_guest(ADA, agrees=True)
    front.registers_and_leaves(BEA, agrees=True)
    front.leaves_as_guest(CAL, agrees=False)
    # a sender may take one text a second, and the pass that finds two of them need not stay for the second
    for minutes in (1, 2):
        world.wait_until(timedelta(minutes=minutes))
    world.say_yes(ADA)
    world.say_yes(BEA)

    world.wait_until(timedelta(minutes=50))
    yield from _unless(not world.reminders(ADA), "email", "Ada got it before an hour had passed")
    world.wait_until(timedelta(minutes=65))
    for who in (ADA, BEA):
        mails = world.reminders(who)
        yield from _unless(len(mails) == 1, "email", f"{who.name} got {len(mails)} after an hour")
        yield from _unless(all(TITLE in mail.text for mail in mails), "email", f"not of {TITLE}")

    world.wait_until(timedelta(hours=5))
    front.orders(BEA)
    yield from _unless(len(world.store.orders()) == 1, "order stops", "Bea has no order")
    world.wait_until(timedelta(hours=5, minutes=1))

    world.wait_until(timedelta(hours=24, minutes=10))
    yield from _unless(not world.offers(BEA), "order stops", "Bea got a code after her order")
    offers = world.offers(ADA)
    if len(offers) != 1 or "STOP" not in offers[0]:
        yield "text", f"Ada got {len(offers)} after a day"
        raise Astray("without the text there is no code to redeem")

    world.wait_until(timedelta(hours=26))
    link, code = link_and_code(offers[0])
    front.restores_elsewhere(ADA, link, code)
    orders = world.store.orders()
    redeemed = [(order["guest_email"], order["codes"]) for order in orders[1:]] == [(ADA.email, [code])]
    yield from _unless(redeemed, "code redeemed", f"the orders have {[order['codes'] for order in orders]}")

    before = world.received()
    for days in (1.2, 2.1, 3, 10):
        world.wait_until(timedelta(days=days))
    after = world.received()
    yield from _unless(after == before, "order stops", f"{before} became {after}")
    yield from _unless(after[CAL.name] == [0, 0, 0], "refusal", f"Cal got {after[CAL.name]}")


def _unless(true: bool, column: str, problem: str) -> Iterator[tuple[str, str]]:
    if not true:
        yield column, problem


def _expect(page: Page, wanted: str) -> None:
    if wanted not in page.words:
        raise Astray(f"{page.path} does not show “{wanted}”")
