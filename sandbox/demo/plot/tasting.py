"""A tasting that people join by a link: invitation, booking, another day, another link, and the text just before it.

And an evening for which one seat is given back, and which then does not take place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from oscar_crosschannel.testing.sms_counterpart import Text
from sandbox.shop.people import PASSWORD

from .. import merchant, storefront
from ..browser import Astray
from ..cast import Customer
from ..mailbox import Mail
from ..stage import LINK, Stage
from ..verdict import AN_HOUR, AT_ONCE, Received, Statement, came, only, silence

TITLE = "An Hour with Four Teas"
EVENING = "An Oolong Evening"
JOIN = "https://meet.quillbrook.example/four-teas"
JOIN_INSTEAD = "https://meet.quillbrook.example/four-more-cups"
AGENDA = "Four cups, side by side.\nQuestions, and which kettle for which tea."
_ZONE = "America/New_York"
_FIRST_PLAN = {"starts_at": "2026-03-19T17:00", "ends_at": "2026-03-19T18:00"}
_SECOND_PLAN = {"starts_at": "2026-03-20T17:00", "ends_at": "2026-03-20T18:00"}
_EVENING_PLAN = {"starts_at": "2026-03-22T17:00", "ends_at": "2026-03-22T19:00"}
#: When it takes place in the end.
STARTS = datetime(2026, 3, 20, 21, 0, tzinfo=UTC)
BEFORE = timedelta(minutes=10)


def plans_and_invites(stage: Stage, who: Customer) -> None:
    said = {"zone": _ZONE, "join_link": JOIN, "agenda": AGENDA}
    merchant.plan_event(who.browser, {"product": EVENING, **said, **_EVENING_PLAN})
    merchant.plan_event(who.browser, {"product": TITLE, **said, **_FIRST_PLAN})
    merchant.invite(who.browser, TITLE, "Spring tasting")
    stage.tell(who, "plans a tasting and an evening, invites to the tasting.", moment="invited")


def books(stage: Stage, who: Customer) -> None:
    page = who.browser.open(stage.link_of_mail(who, "Book your seat"))
    if TITLE not in page.words:
        raise Astray("the invitation leads elsewhere")
    who.browser.submit(page, {"quantity": "1"})
    storefront.put_into_basket(who.browser, EVENING)
    storefront.enter_checkout(who.browser, who.email)
    thanks = storefront.finish_checkout(who.browser, who.address)
    stage.orders[f"{who.name}’s seats"] = storefront.order_number(thanks)
    stage.tell(who, "follows the invitation, books it and the evening.", moment=f"{who.name} booked")


def books_without_being_invited(stage: Stage, who: Customer) -> None:
    storefront.log_in(who.browser, who.email, PASSWORD)
    for title in (TITLE, EVENING):
        storefront.put_into_basket(who.browser, title)
    thanks = storefront.finish_checkout(who.browser, who.address)
    stage.orders[f"{who.name}’s seats"] = storefront.order_number(thanks)
    stage.tell(who, "finds both in the shop, and books them.", moment=f"{who.name} booked")


def moves_it(stage: Stage, who: Customer) -> None:
    merchant.change_event(who.browser, TITLE, _SECOND_PLAN)
    stage.tell(who, "has to move the tasting by a day: Friday, 17:00.", moment="moved")


def gives_adas_seat_back(stage: Stage, who: Customer) -> None:
    merchant.ship(who.browser, stage.order("Ada’s seats"), (EVENING,), what="cancelled")
    stage.tell(who, "cancels Ada’s evening for her.", moment="Ada’s seat given back")


def changes_the_link(stage: Stage, who: Customer) -> None:
    merchant.change_event(who.browser, TITLE, {"join_link": JOIN_INSTEAD})
    stage.tell(who, "opens another room for the tasting: another link.", moment="link changed")


def calls_off_the_evening(stage: Stage, who: Customer) -> None:
    merchant.call_off(who.browser, EVENING, "Too few")
    stage.tell(who, "calls the evening off.", moment="called off")


def joins(stage: Stage, who: Customer) -> None:
    led_to = who.browser.destination(urljoin(stage.world.home, stage.linked_text(who)))
    if led_to != JOIN_INSTEAD:
        raise Astray(f"the text leads to {led_to}")
    stage.tell(who, "taps the link of the text, and is in.")


# What must be true


def those_who_agreed_are_invited(received: Received) -> Iterator[str]:
    cast = received.cast
    for who in (cast.ada, cast.ben, cast.clara, cast.elodie, cast.alice, cast.una):
        only(_about(received.offers(who)), f"invitations to {who.name}")
    for who in (cast.dev, cast.finn):
        if _about(received.offers(who)):
            yield f"{who.name} was invited."


def bookings_are_confirmed(received: Received) -> Iterator[str]:
    for who in (received.cast.ada, received.cast.finn):
        booked = received.moment(f"{who.name} booked")
        confirmed = _about(received.mails_of(who, "invited", "moved"), booked)
        mail = only(confirmed, f"confirmations to {who.name}")
        yield from came(mail, booked, late=AT_ONCE)
        yield from _says(mail, _entry(mail), at=STARTS - timedelta(days=1))


def the_change_goes_out_twice(received: Received) -> Iterator[str]:
    moved = received.moment("moved")
    for who in (received.cast.ada, received.cast.finn):
        before = only(_about(received.mails_of(who, f"{who.name} booked", "moved")), "confirmations")
        mails = [mail for mail in _about(received.mails_of(who, "moved")) if mail.at < moved + AN_HOUR]
        texts = [text for text in received.texts_of(who, "moved") if text.at < moved + AN_HOUR]
        after = only(mails, f"emails to {who.name} about the change")
        for news in (after, only(texts, f"texts to {who.name} about the change")):
            yield from came(news, moved, late=AT_ONCE)
        old, new = _entry(before), _entry(after)
        yield from _says(after, new, at=STARTS)
        if old is None or new is None or old["UID"] != new["UID"] or new["SEQUENCE"] <= old["SEQUENCE"]:
            yield f"{who.name}’s calendar would show it twice."


def the_new_link_can_wait_to_be_read(received: Received) -> Iterator[str]:
    changed = received.moment("link changed")
    for who in (received.cast.ada, received.cast.finn):
        mails = [
            mail for mail in _about(received.mails_of(who, "link changed")) if mail.at < changed + AN_HOUR
        ]
        texts = [text for text in received.texts_of(who, "link changed") if TITLE in text.body]
        mail = only(mails, f"emails to {who.name} about the link")
        yield from came(mail, changed, late=AT_ONCE)
        yield from _says(mail, _entry(mail), at=STARTS)
        yield from silence([text for text in texts if text.at < changed + AN_HOUR], who)


def a_seat_is_given_back(received: Received) -> Iterator[str]:
    ada = received.cast.ada
    mails = _about(received.mails_of(ada, "Ada’s seat given back"), title=EVENING)
    mail = only(mails, "emails to Ada about the evening since")
    yield from came(mail, received.moment("Ada’s seat given back"), late=AT_ONCE)
    yield from _leaves_the_calendar(mail)


def the_evening_is_called_off(received: Received) -> Iterator[str]:
    finn, called_off = received.cast.finn, received.moment("called off")
    mail = only(
        _about(received.mails_of(finn, "called off"), title=EVENING), "emails to Finn about the evening"
    )
    texts = [text for text in received.texts_of(finn, "called off") if EVENING in text.body]
    for news in (mail, only(texts, "texts to Finn about the evening")):
        yield from came(news, called_off, late=AT_ONCE)
    yield from _leaves_the_calendar(mail)


def they_are_reminded_in_time(received: Received) -> Iterator[str]:
    soon = STARTS - 2 * BEFORE, STARTS + AN_HOUR
    for who, wanted in ((received.cast.ada, Text), (received.cast.finn, Mail)):
        arrivals: list[Mail | Text] = [*received.mails(who), *received.texts(who)]
        reminders = [each for each in arrivals if soon[0] < each.at < soon[1]]
        reminder = only(reminders, f"reminders to {who.name}")
        yield from came(reminder, STARTS - BEFORE, late=BEFORE)
        if not isinstance(reminder, wanted):
            yield f"{who.name}’s came on the other channel."
        if not LINK.search(reminder.body if isinstance(reminder, Text) else reminder.text):
            yield f"{who.name}’s has no link."


def _about(mails: Sequence[Mail], since: datetime | None = None, *, title: str = TITLE) -> list[Mail]:
    return [mail for mail in mails if title in mail.subject and (since is None or mail.at >= since)]


def _entry(mail: Mail) -> Any:
    events = mail.calendar.walk("VEVENT") if mail.calendar is not None else []
    return events[0] if len(events) == 1 else None


def _says(mail: Mail, entry: Any, *, at: datetime) -> Iterator[str]:
    """Whether a calendar file puts the tasting where it belongs."""
    if entry is None:
        yield f"“{mail.subject}” brought no calendar file."
    elif entry["DTSTART"].dt.astimezone(UTC) != at:
        yield f"The calendar file of “{mail.subject}” says {entry['DTSTART'].dt}."


def _leaves_the_calendar(mail: Mail) -> Iterator[str]:
    if mail.calendar is None or mail.calendar["METHOD"] != "CANCEL":
        yield f"“{mail.subject}” takes nothing out of the calendar."


STATEMENTS: Sequence[Statement] = [
    ("Everybody who reads the deals by email was invited once, nobody else.", those_who_agreed_are_invited),
    ("Ada and Finn booked, and had it in their calendars.", bookings_are_confirmed),
    (
        "Its new day went to both by email and by text at once, and corrected their calendars.",
        the_change_goes_out_twice,
    ),
    ("The new link went to both by email alone, with a new entry.", the_new_link_can_wait_to_be_read),
    (
        "Ten minutes before it began Ada had the link by text; Finn, at 7:50 on a Saturday, by email.",
        they_are_reminded_in_time,
    ),
    ("Ada gave a seat back: one email took it out of her calendar.", a_seat_is_given_back),
    (
        "The evening was called off: Finn had it by email and by text, Ada no further word.",
        the_evening_is_called_off,
    ),
]
