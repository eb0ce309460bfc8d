"""What an act can use, and what it leaves behind for the verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oscar_crosschannel.testing.sms_counterpart import Text

from .browser import Astray
from .cast import Cast, Customer
from .mailbox import Mail
from .telling import Teller
from .world import World

#: The exclusive codes of the sandbox.
CODE = re.compile(r"\bTEA[A-Z2-7]{12}\b")
LINK = re.compile(r"https?://\S+")

#: A text waits for its turn, a segment a second: so often somebody looks again, and so long apart.
_LOOKS, _APART = 60, timedelta(seconds=5)


@dataclass
class Stage:
    """One performance."""

    world: World
    cast: Cast
    teller: Teller
    #: When something happened, by words such as "Ada clicked".
    moments: dict[str, datetime] = field(default_factory=dict)
    #: Numbers of orders, by words such as "Ada’s basket".
    orders: dict[str, str] = field(default_factory=dict)
    #: Acts that could not be played, and why.
    astray: list[str] = field(default_factory=list)
    #: When the present act began, and how many texts had reached its person by then.
    began: datetime = field(init=False)
    rung: int = 0
    #: Everything that arrived, in the order in which it was told.
    told: list[Mail | Text] = field(default_factory=list)
    #: The times of the whole timeline, in its order.
    times: list[datetime] = field(default_factory=list)

    def play(self, who: Customer, act: Act) -> None:
        """An act that cannot be played is told and judged; the others go on."""
        self.show(self.world.arrivals())
        self.began, self.rung = self.world.now(), len(self.world.phones.phone(who.phone))
        try:
            act(self, who)
        except Astray as reason:
            self.astray.append(f"{who.name} could not play “{act.__name__.replace('_', ' ')}”: {reason}.")
            self.teller.astray(self.world.now(), who, f"{reason}.")

    def tell(self, who: Customer, words: str, *, moment: str = "") -> None:
        """Say what somebody did since `began`; `moment` gives its beginning a name for the verdict."""
        began, self.began = self.began, self.world.now()
        self.times.append(began)
        self.teller.act(began, who, words)
        if moment:
            self.moments[moment] = began
        self.show(self.world.arrivals())

    def text(self, who: Customer, words: str) -> None:
        """Somebody texts the shop."""
        now = self.world.now()
        self.times.append(now)
        self.moments[f"{who.name} texted {words}"] = now
        self.teller.typed(now, who, words)
        self.world.answer(who.phone, words)

    def answer(self, who: Customer, words: str) -> None:
        """Somebody waits for the question whether the box was meant, and answers it."""
        self.wait_for_text(who)
        self.text(who, words)

    def wait_for_text(self, who: Customer) -> None:
        """Let time pass until somebody's phone has rung since the act began."""
        for _ in range(_LOOKS):
            self.show(self.world.settle())
            if len(self.world.phones.phone(who.phone)) > self.rung:
                return
            self.show(self.world.move_to(self.world.now() + _APART))
        raise Astray(f"{who.name} was not asked by text")

    def settle(self) -> None:
        """Let the engine react."""
        self.show(self.world.settle())

    def wait(self, until: datetime) -> None:
        """Let time pass, and the engine do what is due then."""
        self.show(self.world.move_to(until))
        self.teller.passing(f"   {self.world.now():%A %d %B, %H:%M} UTC")

    def show(self, arrivals: Iterable[Mail | Text]) -> None:
        """Tell what has arrived."""
        for arrival in arrivals:
            self.told.append(arrival)
            self.times.append(arrival.at)
            who = self.cast.whose(arrival.to)
            if who is not None and not (isinstance(arrival, Mail) and self.is_oscars(arrival)):
                self.teller.arrived(arrival, who)

    def is_oscars(self, mail: Mail) -> bool:
        """Whether Oscar wrote it, as it does without the app: every email of the app links to the app."""
        return f"{self.world.home}/cc/" not in mail.text

    def last_mail(self, who: Customer) -> Mail:
        """The last one that somebody got from the app."""
        theirs = [
            mail for mail in self.world.mailbox.mails if mail.to == who.email and not self.is_oscars(mail)
        ]
        if not theirs:
            raise Astray(f"{who.name} has got no email to act upon")
        return theirs[-1]

    def link_of_mail(self, who: Customer, text: str) -> str:
        """Where the link with this text in somebody's last email leads."""
        try:
            return self.last_mail(who).link(text)
        except LookupError:
            raise Astray(f"the last email has no link “{text}”") from None

    def code_text(self, who: Customer) -> tuple[str, str]:
        """Code and link of the last offer on somebody's phone."""
        for text in reversed(self.world.phones.phone(who.phone)):
            code, link = CODE.search(text.body), LINK.search(text.body)
            if code and link:
                return code[0], link[0]
        raise Astray(f"{who.name} has got no text with a code to act upon")

    def order(self, name: str) -> str:
        """Number of an order, by its name in the story."""
        if name not in self.orders:
            raise Astray(f"there is no order “{name}”")
        return self.orders[name]

    def linked_text(self, who: Customer) -> str:
        """The link of the last text on somebody's phone that has one."""
        for text in reversed(self.world.phones.phone(who.phone)):
            if link := LINK.search(text.body):
                return link[0]
        raise Astray(f"{who.name} has got no text with a link")


#: What one person does at a time.
Act = Callable[[Stage, Customer], None]


def expect(words: str, wanted: str) -> None:
    """Raises Astray unless a page shows something."""
    if wanted not in words:
        raise Astray(f"the page does not show “{wanted}”")
