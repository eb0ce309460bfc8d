"""Who does what, and when. Everybody leaves a basket at the same moment; what follows differs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from oscar_crosschannel.testing.sms_counterpart import Text
from sandbox.shop.people import PASSWORD

from . import storefront
from .browser import PHONE, SCANNER, Astray, Browser
from .cast import Cast, Customer
from .mailbox import Mail
from .telling import Teller
from .world import World

#: A Tuesday: 10:00 in Seattle, 17:00 in York, 22:30 in Kolkata, 4:00 the next morning in Sydney.
BEGIN = datetime(2026, 3, 10, 17, 0, tzinfo=UTC)
END = timedelta(days=10)

#: When something should fall due: then the engine works every minute, as in a real shop.
DUE = [timedelta(hours=1), timedelta(hours=28), timedelta(days=8, hours=1)]
#: Else every half hour, and after two days every four hours, so that the demo ends soon.
TICKS = sorted(
    {timedelta(minutes=30) * half_hours for half_hours in range(1, 97)}
    | {timedelta(hours=4) * more for more in range(12, 60)}
    | {due + timedelta(minutes=minute) for due in DUE for minute in range(1, 6)}
)

#: How often somebody looks whether a text has come that is on its way.
PATIENCE = 200

#: What people take when they come again.
LATER = "Mill Towel"

#: The exclusive codes of the sandbox.
CODE = re.compile(r"\bTEA[A-Z2-7]{12}\b")

_LINK = re.compile(r"https?://\S+")
_BOTH = {"cc_email": True, "cc_sms": True}


@dataclass
class Stage:
    """What an act can use, and what it leaves behind for the verdict."""

    world: World
    cast: Cast
    teller: Teller
    #: When something happened, by words such as "Ada clicked".
    moments: dict[str, datetime] = field(default_factory=dict)
    #: Acts that could not be played, and why.
    astray: list[str] = field(default_factory=list)
    #: When the present act began.
    began: datetime = BEGIN
    #: Everything that arrived, in the order in which it was told.
    told: list[Mail | Text] = field(default_factory=list)
    #: The times of the whole timeline, in its order.
    times: list[datetime] = field(default_factory=list)

    def tell(self, who: Customer, words: str, *, moment: str = "") -> None:
        """Say what somebody did since `began`; `moment` gives its end a name for the verdict."""
        self.times.append(self.began)
        self.teller.act(self.began, who, words)
        self.began = self.world.now()
        if moment:
            self.moments[moment] = self.began
        self.show(self.world.arrivals())

    def text(self, who: Customer, words: str) -> None:
        """Somebody texts the shop."""
        now = self.world.now()
        self.times.append(now)
        self.moments[f"{who.name} texted {words}"] = now
        self.teller.typed(now, who, words)
        self.world.answer(who.phone, words)

    def settle(self) -> None:
        """Let the engine react."""
        self.show(self.world.settle())

    def wait_for_text(self, who: Customer) -> None:
        """Let the engine work until somebody's phone has rung: a number that sends one segment a second
        has to make some wait for their turn.
        """
        for _ in range(PATIENCE):
            self.settle()
            if self.world.phones.phone(who.phone):
                return
            time.sleep(0.1)
        raise Astray(f"{who.name} was not asked by text")

    def show(self, arrivals: Iterable[Mail | Text]) -> None:
        """Tell what has arrived."""
        for arrival in arrivals:
            self.told.append(arrival)
            self.times.append(arrival.at)
            if (who := self.cast.whose(arrival.to)) is not None:
                self.teller.arrived(arrival, who)

    def marketing_mail(self, who: Customer) -> Mail:
        """The last one that somebody got."""
        mails = [mail for mail in self.world.mailbox.mails if mail.to == who.email and mail.is_marketing]
        if not mails:
            raise Astray(f"{who.name} has got no email to act upon")
        return mails[-1]

    def code_text(self, who: Customer) -> tuple[str, str]:
        """Code and link of the last offer on somebody's phone."""
        for text in reversed(self.world.phones.phone(who.phone)):
            code, link = CODE.search(text.body), _LINK.search(text.body)
            if code and link:
                return code[0], link[0]
        raise Astray(f"{who.name} has got no text with a code to act upon")


#: What one person does at a time.
Play = Callable[[Stage, Customer], None]


@dataclass(frozen=True, slots=True)
class Scene:
    """Acts under one heading: how long after the beginning, who (a field of `Cast`), what."""

    title: str
    acts: Sequence[tuple[timedelta, str, Play]]
    until: timedelta  #: the scene goes on so long, whatever happens


def play(stage: Stage) -> None:
    """The whole story."""
    for scene in SCENES:
        stage.teller.heading(scene.title)
        stage.settle()
        for after, name, act in scene.acts:
            _wait(stage, after)
            _play(stage, getattr(stage.cast, name), act)
            stage.settle()
        _wait(stage, scene.until)


def _play(stage: Stage, who: Customer, act: Play) -> None:
    """An act that cannot be played is told and judged; the others go on."""
    stage.show(stage.world.arrivals())
    stage.began = stage.world.now()
    try:
        act(stage, who)
    except Astray as reason:
        stage.astray.append(f"{who.name} could not play “{act.__name__.replace('_', ' ')}”: {reason}.")
        stage.teller.astray(stage.world.now(), who, f"{reason}.")


def _wait(stage: Stage, until: timedelta) -> None:
    """Let time pass in steps, at each of which the engine gets to work."""
    passed = stage.world.now() - BEGIN
    for elapsed in [tick for tick in TICKS if passed < tick < until] + [until]:
        stage.show(stage.world.move_to(BEGIN + elapsed))
        stage.teller.passing(f"   {stage.world.now():%A %d %B, %H:%M} UTC")


# They leave


def leaves_as_a_guest(stage: Stage, who: Customer) -> None:
    _fill(who)
    storefront.enter_checkout(who.browser, who.email, {**_BOTH, "cc_phone": who.phone})
    stage.tell(
        who,
        f"puts {_listed(who)} into the basket, goes to the checkout as a guest, ticks both boxes, and leaves.",
        moment=f"{who.name} left",
    )
    stage.wait_for_text(who)
    stage.text(who, "YES")


def leaves_as_a_customer(stage: Stage, who: Customer) -> None:
    storefront.log_in(who.browser, who.email, PASSWORD)
    _fill(who)
    stage.tell(who, f"logs in, puts {_listed(who)} into the basket, and leaves.", moment=f"{who.name} left")


def registers_and_leaves(stage: Stage, who: Customer) -> None:
    storefront.register(who.browser, who.email, PASSWORD, boxes={"cc_email": True})
    _fill(who)
    stage.tell(
        who,
        f"registers, ticks the box for email, puts {_listed(who)} into the basket, and leaves.",
        moment=f"{who.name} left",
    )


def leaves_again(stage: Stage, who: Customer) -> None:
    storefront.put_into_basket(who.browser, LATER)
    stage.tell(who, f"adds 1 × {LATER} to the basket, and leaves again.", moment=f"{who.name} left again")


# What they do then


def orders(stage: Stage, who: Customer) -> None:
    storefront.finish_checkout(who.browser, who.address)
    stage.tell(who, "comes back and buys.", moment=f"{who.name} bought")


def has_a_mailbox_that_scans(stage: Stage, who: Customer) -> None:
    scanner = Browser(stage.world.home, agent=SCANNER)
    links = stage.marketing_mail(who).links
    for link in links:
        scanner.look(link)
        scanner.open(link)
    stage.tell(
        who,
        f"has not seen it yet; her mailbox’s scanner opens every link in it ({len(links)}), by HEAD and by GET.",
    )


def clicks_and_does_not_buy(stage: Stage, who: Customer) -> None:
    page = who.browser.open(stage.marketing_mail(who).links[0])
    _expect(page.words, who.basket[0][0])
    stage.tell(
        who, "clicks in the email, looks at what she left, and does not buy.", moment=f"{who.name} clicked"
    )


def comes_back_on_another_device(stage: Stage, who: Customer) -> None:
    code, link = stage.code_text(who)
    phone = Browser(stage.world.home, agent=PHONE)
    page = phone.open(link)
    for title, _ in who.basket:
        _expect(page.words, title)
    if code in phone.open("/basket/").words:
        raise Astray("opening the link alone has already changed the basket")
    basket = phone.submit(page, {})
    for wanted in (code, *(title for title, _ in who.basket)):
        _expect(basket.words, wanted)
    stage.tell(
        who, "opens the link of the text on another device, which only shows her basket; presses “Restore”."
    )
    storefront.enter_checkout(phone, who.email)
    storefront.finish_checkout(phone, who.address)
    stage.tell(who, "buys, with the code.", moment=f"{who.name} bought")


def sleeps(stage: Stage, who: Customer) -> None:
    stage.tell(who, "sleeps; his text is due since half past ten at night, and has to wait for the morning.")


def unsubscribes(stage: Stage, who: Customer) -> None:
    url = stage.marketing_mail(who).unsubscribe_url
    Browser(stage.world.home).post(url, {"List-Unsubscribe": "One-Click"})
    stage.tell(
        who, "presses “Unsubscribe” in her mail program (one click).", moment=f"{who.name} unsubscribed"
    )


def says_stop(stage: Stage, who: Customer) -> None:
    stage.text(who, "STOP")


def orders_without_logging_in(stage: Stage, who: Customer) -> None:
    kitchen = Browser(stage.world.home)
    storefront.put_into_basket(kitchen, *who.basket[0])
    storefront.enter_checkout(kitchen, who.other_email)
    storefront.finish_checkout(kitchen, who.address)
    stage.tell(
        who,
        "buys on another computer as a guest, with another email; only her phone number is the same.",
        moment=f"{who.name} bought",
    )


def _fill(who: Customer) -> None:
    for title, quantity in who.basket:
        storefront.put_into_basket(who.browser, title, quantity)


def _listed(who: Customer) -> str:
    things = [f"{quantity} × {title}" for title, quantity in who.basket]
    return " and ".join(filter(None, [", ".join(things[:-1]), things[-1]]))


def _expect(words: str, wanted: str) -> None:
    if wanted not in words:
        raise Astray(f"the page does not show “{wanted}”")


def _h(hours: float) -> timedelta:
    return timedelta(hours=hours)


SCENES = [
    Scene(
        "Clara had ticked the box for texts earlier that day, and is asked whether she meant it", [], _h(0)
    ),
    Scene(
        "Ten people fill their baskets, and leave",
        [
            (_h(0), "ada", leaves_as_a_guest),
            (_h(0), "gus", leaves_as_a_guest),
            (_h(0), "rosa", leaves_as_a_guest),
            (_h(0), "una", registers_and_leaves),
            (_h(0), "alice", leaves_as_a_customer),
            (_h(0), "ben", leaves_as_a_customer),
            (_h(0), "clara", leaves_as_a_customer),
            (_h(0), "dev", leaves_as_a_customer),
            (_h(0), "elodie", leaves_as_a_customer),
            (_h(0), "finn", leaves_as_a_customer),
        ],
        _h(0),
    ),
    Scene("Half an hour later", [(_h(0.5), "gus", orders)], _h(0.5)),
    Scene(
        "An hour without a sound: the email",
        [
            (_h(1.25), "ada", has_a_mailbox_that_scans),
            (_h(1.5), "una", unsubscribes),
            (_h(3), "rosa", says_stop),
            (_h(4), "ada", clicks_and_does_not_buy),
            (_h(5), "alice", orders_without_logging_in),
        ],
        _h(24),
    ),
    Scene(
        "A day without an order: the text with a code, by day",
        [(_h(24.5), "dev", sleeps), (_h(31), "ada", comes_back_on_another_device)],
        _h(48),
    ),
    Scene(
        "A week later",
        [(_h(8 * 24), "ben", leaves_again), (_h(8 * 24), "una", leaves_again)],
        END,
    ),
]
