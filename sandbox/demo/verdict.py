"""What must be true at the end: judged by what mailboxes and phones received, and by Oscar's orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from oscar.core.loading import get_model

from oscar_crosschannel.testing.sms_counterpart import Text

from .cast import Cast, Customer
from .mailbox import Mail
from .story import CODE, Stage

Order = get_model("order", "Order")

AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)
#: The story lets the engine work every half hour, and a night's texts are spread over half an hour.
LATE = timedelta(minutes=40)
LATE_IN_THE_MORNING = timedelta(minutes=70)
#: What three processes may disagree by about the time.
SAME_TIME = timedelta(minutes=2)

#: Oscar takes a percentage off each line.
ROUNDING = Decimal("0.05")

#: When the law of any customer here lets nobody be texted for marketing.
NIGHT_ENDS, NIGHT_BEGINS = time(8), time(21)


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
        theirs = {who.email, who.other_email}
        return [mail for mail in self.stage.told if isinstance(mail, Mail) and mail.to in theirs]

    def reminders(self, who: Customer) -> list[Mail]:
        """Marketing only: not Oscar's own mail about an order or account."""
        return [mail for mail in self.mails(who) if mail.is_marketing]

    def texts(self, who: Customer) -> list[Text]:
        return [text for text in self.stage.told if isinstance(text, Text) and text.to == who.phone]

    def codes(self, who: Customer) -> list[Text]:
        """Marketing only: not questions about consent, and answers."""
        return [text for text in self.texts(who) if CODE.search(text.body)]

    def moment(self, name: str) -> datetime:
        """When something happened in the story."""
        if name not in self.stage.moments:
            raise Unknown(f"It never came to “{name}”.")
        return self.stage.moments[name]

    def one_reminder(self, who: Customer) -> Mail:
        return _only(self.reminders(who), f"emails to {who.name}")

    def one_code(self, who: Customer) -> Text:
        return _only(self.codes(who), f"texts with a code to {who.name}")

    def order_of(self, email: str) -> Any:
        return _only(list(Order.objects.filter(guest_email=email)), f"orders of {email}")


Thing = TypeVar("Thing")

#: Yields what is wrong.
Check = Callable[[Received], Iterator[str]]


def judge(stage: Stage) -> list[Finding]:
    """Every statement, true or not."""
    received = Received(stage)
    return [Finding(sentence, _wrong(check, received)) for sentence, check in STATEMENTS]


def _wrong(check: Check, received: Received) -> list[str]:
    try:
        return list(check(received))
    except Unknown as unknown:
        return [str(unknown)]


def everything_was_played(received: Received) -> Iterator[str]:
    yield from received.stage.astray


def ada_is_asked_by_email(received: Received) -> Iterator[str]:
    ada = received.cast.ada
    mail = received.one_reminder(ada)
    yield from _came(mail, received.moment("Ada left") + AN_HOUR)
    for title, _ in ada.basket:
        if title not in mail.text:
            yield f"The email does not name “{title}”."


def the_text_follows_her_own_click(received: Received) -> Iterator[str]:
    text = received.one_code(received.cast.ada)
    yield from _came(text, received.moment("Ada clicked") + A_DAY)


def her_order_has_the_code(received: Received) -> Iterator[str]:
    code = CODE.findall(received.one_code(received.cast.ada).body)[0]
    order = received.order_of(received.cast.ada.email)
    discount = order.discounts.filter(voucher_code=code).first()
    if discount is None:
        yield f"Order {order.number} has no discount by {code}."
    elif abs(discount.amount - (order.total_incl_tax + discount.amount) / 10) > ROUNDING:
        yield f"The code took {discount.amount} off, and {order.total_incl_tax} was left to pay."


def ada_is_left_alone_then(received: Received) -> Iterator[str]:
    yield from _silence(received, received.cast.ada, "Ada bought")
    yield from _got(received, received.cast.ada, reminders=1, codes=1, texts=3)


def gus_is_never_asked(received: Received) -> Iterator[str]:
    received.order_of(received.cast.gus.email)
    yield from _got(received, received.cast.gus, texts=2)


def alice_is_known_by_her_phone(received: Received) -> Iterator[str]:
    received.order_of(received.cast.alice.other_email)
    yield from _silence(received, received.cast.alice, "Alice bought")
    yield from _got(received, received.cast.alice, reminders=1)


def ben_gets_emails_only(received: Received) -> Iterator[str]:
    ben = received.cast.ben
    yield from _got(received, ben, reminders=2)
    for mail, left in zip(received.reminders(ben), ("Ben left", "Ben left again"), strict=False):
        yield from _came(mail, received.moment(left) + AN_HOUR)


def clara_is_asked_once(received: Received) -> Iterator[str]:
    yield from _got(received, received.cast.clara, reminders=1, texts=1)


def dev_may_sleep(received: Received) -> Iterator[str]:
    dev = received.cast.dev
    yield from _got(received, dev, codes=1, texts=1)
    fell_due = received.moment("Dev left").astimezone(ZoneInfo(dev.zone)) + A_DAY
    morning = fell_due.replace(hour=9, minute=0) + timedelta(days=1)
    yield from _came(received.one_code(dev), morning, late=LATE_IN_THE_MORNING)


def elodie_has_withdrawn(received: Received) -> Iterator[str]:
    yield from _got(received, received.cast.elodie)


def finn_has_not_agreed(received: Received) -> Iterator[str]:
    yield from _got(received, received.cast.finn)


def rosa_has_said_stop(received: Received) -> Iterator[str]:
    rosa, stopped = received.cast.rosa, received.moment("Rosa texted STOP")
    yield from _got(received, rosa, reminders=1, texts=3)
    after = [text for text in received.texts(rosa) if text.at >= stopped]
    yield from _came(_only(after, "texts to Rosa after her STOP"), stopped)


def una_has_unsubscribed(received: Received) -> Iterator[str]:
    received.moment("Una left again")
    yield from _silence(received, received.cast.una, "Una unsubscribed")
    yield from _got(received, received.cast.una, reminders=1)


def nobody_is_woken(received: Received) -> Iterator[str]:
    for who in received.cast.everybody:
        for text in received.codes(who):
            local = text.at.astimezone(ZoneInfo(who.zone)).time()
            if not NIGHT_ENDS <= local < NIGHT_BEGINS:
                yield f"{who.name} got a text at {who.local(text.at)}."


def every_message_has_a_way_out(received: Received) -> Iterator[str]:
    home = received.stage.world.home
    for who in received.cast.everybody:
        for mail in received.reminders(who):
            if not mail.unsubscribe_url.startswith(home) or mail.unsubscribe_url not in mail.text:
                yield f"{who.name}’s email “{mail.subject}” offers no unsubscribing by one click, and by a link."
            if settings.CROSSCHANNEL_POSTAL_ADDRESS not in mail.text:
                yield f"{who.name}’s email “{mail.subject}” has no postal address."
        for text in received.codes(who):
            if not (settings.CROSSCHANNEL_BRAND in text.body and "STOP" in text.body and home in text.body):
                yield f"{who.name}’s text lacks the brand, STOP or a link to the shop."


def nothing_goes_astray(received: Received) -> Iterator[str]:
    for arrival in received.stage.told:
        if received.cast.whose(arrival.to) is None:
            yield f"{arrival.to} is nobody’s, and got something."
    if (orders := Order.objects.count()) != 3:
        yield f"There are {orders} orders, not 3."


def time_runs_forwards(received: Received) -> Iterator[str]:
    if any(later < earlier for earlier, later in pairwise(received.stage.times)):
        yield "The timeline goes back."
    for mail in received.stage.told:
        if isinstance(mail, Mail) and abs(mail.dated - mail.at) > SAME_TIME:
            yield f"The email “{mail.subject}” is dated {mail.dated} and arrived at {mail.at}."
    cast = received.cast
    buyers = [(cast.ada, cast.ada.email), (cast.gus, cast.gus.email), (cast.alice, cast.alice.other_email)]
    for who, email in buyers:
        placed = received.order_of(email).date_placed
        if abs(placed - received.moment(f"{who.name} bought")) > SAME_TIME:
            yield f"{who.name}’s order is dated {placed}."


#: What the story claims, in its order.
STATEMENTS: Sequence[tuple[str, Check]] = [
    ("Everything could be done in the shop’s own pages.", everything_was_played),
    ("Ada left, and after an hour one email named everything in her basket.", ada_is_asked_by_email),
    (
        "A scanner opened every link of it and changed nothing: a text came 24 hours after Ada’s own click.",
        the_text_follows_her_own_click,
    ),
    (
        "On another device she ordered with the code of that text, and it took 10 % off.",
        her_order_has_the_code,
    ),
    ("After that she was left alone for a week.", ada_is_left_alone_then),
    ("Gus bought within the hour, and was not reminded.", gus_is_never_asked),
    ("Alice bought as a stranger with her phone number: no code any more.", alice_is_known_by_her_phone),
    (
        "Ben, who agreed to email only, got an email for each of two baskets, and never a text.",
        ben_gets_emails_only,
    ),
    ("Clara did not answer YES: one email, and no text but the question.", clara_is_asked_once),
    ("Dev’s text fell due at night and waited for the morning; he got no email.", dev_may_sleep),
    ("Élodie had withdrawn her consents, and heard nothing.", elodie_has_withdrawn),
    ("Finn had agreed to nothing, and heard nothing.", finn_has_not_agreed),
    ("Rosa’s STOP was answered once, at once, and was the last word.", rosa_has_said_stop),
    ("Una unsubscribed with one click; for her next basket she got no email.", una_has_unsubscribed),
    ("No offer reached a phone before 8:00 or after 21:00 where it is.", nobody_is_woken),
    ("Every offer named the shop and a way out.", every_message_has_a_way_out),
    ("Nobody else got anything, and there are three orders.", nothing_goes_astray),
    ("Time ran forwards, and one clock ruled the shop, the engine and the mail.", time_runs_forwards),
]


def _only(things: Sequence[Thing], what: str) -> Thing:
    if len(things) != 1:
        raise Unknown(f"There are {len(things)} {what}, not 1.")
    return things[0]


def _came(arrival: Mail | Text, due: datetime, *, late: timedelta = LATE) -> Iterator[str]:
    """Whether something came when it was due, or not much later."""
    if arrival.at < due - SAME_TIME:
        yield f"It came {_length(due - arrival.at)} too early."
    if arrival.at > due + late:
        yield f"It came {_length(arrival.at - due)} too late."


def _silence(received: Received, who: Customer, since: str) -> Iterator[str]:
    moment = received.moment(since)
    arrivals: list[Mail | Text] = [*received.reminders(who), *received.texts(who)]
    for arrival in arrivals:
        if arrival.at > moment:
            yield f"{who.name} got something on {who.local(arrival.at)}."


def _got(
    received: Received, who: Customer, *, reminders: int = 0, codes: int = 0, texts: int = 0
) -> Iterator[str]:
    """Whether somebody got exactly so much; `texts` counts codes, too."""
    counts: list[tuple[str, Sequence[Mail | Text], int]] = [
        ("emails", received.reminders(who), reminders),
        ("texts with a code", received.codes(who), codes),
        ("texts", received.texts(who), texts),
    ]
    for what, things, wanted in counts:
        if len(things) != wanted:
            times = ", ".join(who.local(thing.at) for thing in things)
            yield f"{who.name} got {len(things)} {what}{times and f' ({times})'}, not {wanted}."


def _length(span: timedelta) -> str:
    minutes = round(span / timedelta(minutes=1))
    return f"{minutes // 60} h {minutes % 60:02} min"
