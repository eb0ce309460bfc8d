"""What must be true at the end: judged by what mailboxes and phones received, and by Oscar's orders.

The statements stand with the threads of the plot that they are about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from oscar.core.loading import get_model

from oscar_crosschannel.testing.sms_counterpart import Text

from .cast import Cast, Customer
from .mailbox import Mail
from .stage import CODE, Stage

Order = get_model("order", "Order")

AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)
#: The story lets the engine work now and then, and a night's texts are spread over half an hour.
LATE = timedelta(minutes=40)
LATE_IN_THE_MORNING = timedelta(minutes=70)
AT_ONCE = timedelta(minutes=10)
#: What three processes may disagree by about the time.
SAME_TIME = timedelta(minutes=2)

#: Oscar takes a percentage off each line.
ROUNDING = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement, and what speaks against it."""

    sentence: str
    wrong: Sequence[str]


class Unknown(Exception):
    """What a statement is about has not happened."""


@dataclass(frozen=True, slots=True)
class Received:
    """What people got, and what they bought."""

    stage: Stage

    @property
    def cast(self) -> Cast:
        return self.stage.cast

    def mails(self, who: Customer) -> list[Mail]:
        """All but what Oscar writes by itself."""
        return [
            mail
            for mail in self.stage.told
            if isinstance(mail, Mail) and mail.to in who.emails and not self.stage.is_oscars(mail)
        ]

    def offers(self, who: Customer) -> list[Mail]:
        """Emails that advertise."""
        return [mail for mail in self.mails(who) if mail.is_marketing]

    def texts(self, who: Customer) -> list[Text]:
        return [text for text in self.stage.told if isinstance(text, Text) and text.to == who.phone]

    def codes(self, who: Customer) -> list[Text]:
        """Texts with a code."""
        return [text for text in self.texts(who) if CODE.search(text.body)]

    def mails_of(self, who: Customer, since: str, until: str = "") -> list[Mail]:
        """Emails from one moment of the story on, or between two."""
        begin, end = self.moment(since), self.moment(until) if until else None
        return [mail for mail in self.mails(who) if mail.at > begin and (end is None or mail.at < end)]

    def texts_of(self, who: Customer, since: str, until: str = "") -> list[Text]:
        """Texts from one moment of the story on, or between two."""
        begin, end = self.moment(since), self.moment(until) if until else None
        return [text for text in self.texts(who) if text.at > begin and (end is None or text.at < end)]

    def moment(self, name: str) -> datetime:
        """When something happened in the story."""
        if name not in self.stage.moments:
            raise Unknown(f"It never came to “{name}”.")
        return self.stage.moments[name]

    def order(self, name: str) -> Any:
        """An order by its name in the story."""
        if name not in self.stage.orders:
            raise Unknown(f"There is no order “{name}”.")
        return Order.objects.get(number=self.stage.orders[name])


Thing = TypeVar("Thing")

#: Yields what is wrong.
Check = Callable[[Received], Iterator[str]]
#: What the story claims, and how that is looked into.
Statement = tuple[str, Check]


def judge(stage: Stage, statements: Sequence[Statement]) -> list[Finding]:
    """Every statement, true or not."""
    received = Received(stage)
    return [Finding(sentence, _wrong(check, received)) for sentence, check in statements]


def _wrong(check: Check, received: Received) -> list[str]:
    try:
        return list(check(received))
    except Unknown as unknown:
        return [str(unknown)]


def only(things: Sequence[Thing], what: str) -> Thing:
    """The one thing of its kind."""
    if len(things) != 1:
        raise Unknown(f"There are {len(things)} {what}, not 1.")
    return things[0]


def came(arrival: Mail | Text, due: datetime, *, late: timedelta = LATE) -> Iterator[str]:
    """Whether something came when it was due, or not much later."""
    if arrival.at < due - SAME_TIME:
        yield f"It came {_length(due - arrival.at)} too early."
    if arrival.at > due + late:
        yield f"It came {_length(arrival.at - due)} too late."


def silence(things: Sequence[Mail | Text], who: Customer) -> Iterator[str]:
    """Whether there is nothing."""
    for thing in things:
        yield f"{who.name} got something on {who.local(thing.at)}."


def counted(things: Sequence[Mail | Text], wanted: int, who: Customer, what: str) -> Iterator[str]:
    """Whether somebody got exactly so much of a kind."""
    if len(things) != wanted:
        times = ", ".join(who.local(thing.at) for thing in things)
        yield f"{who.name} got {len(things)} {what}{times and f' ({times})'}, not {wanted}."


def bought_with(order: Any, text: Text) -> Iterator[str]:
    """Whether the code of a text took its ten per cent off an order."""
    code = CODE.findall(text.body)[0]
    discount = order.discounts.filter(voucher_code=code).first()
    if discount is None:
        yield f"Order {order.number} has no discount by {code}."
        return
    before = order.basket_total_incl_tax + discount.amount
    if abs(discount.amount - before / 10) > ROUNDING:
        yield f"The code took {discount.amount} off {before}."


def _length(span: timedelta) -> str:
    minutes = round(span / timedelta(minutes=1))
    return f"{minutes // 60} h {minutes % 60:02} min"
