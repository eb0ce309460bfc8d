"""Bookings of events: confirmed, moved, called off, reminded of; by people of all sorts and by thousands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.blueprints.events import EventInvitation, EventReminder
from oscar_crosschannel.channels.sms_backends.locmem import outbox
from oscar_crosschannel.core.events import Event
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import (
    Contact,
    ContactPoint,
    Enrolment,
    InboxEvent,
    Message,
    ScheduledEvent,
)
from oscar_crosschannel.oscar import events
from oscar_crosschannel.services import consents, contacts, intake, links, schedules, setup
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.handover import run_of
from oscar_crosschannel.services.plans import load_plans
from tests.oscar.calendars import entry
from tests.oscar.conftest import make_user
from tests.stories.conftest import World

Order = get_model("order", "Order")
ShippingEventType = get_model("order", "ShippingEventType")
UserAddress = get_model("address", "UserAddress")
Basket = get_model("basket", "Basket")
Default = factories.Default

pytestmark = pytest.mark.django_db
ADA, PHONE = "ada@example.com", "+12065550123"
#: A Tuesday, 18:00 UTC: late morning in Seattle.
START = datetime(2026, 3, 10, 18, 0, tzinfo=UTC)
#: The Thursday after, ten in the morning in Seattle.
TEN = datetime(2026, 3, 12, 17, 0, tzinfo=UTC)
ROOM = "https://rooms.example.net/earl-grey"
HOUR = timedelta(hours=1)


@dataclass
class Town(World):
    """A shop whose orders are made without its pages."""

    country: Any = None

    def tick(self) -> None:
        tick(self.now)
        assert not InboxEvent.objects.exclude(error="").exists()

    def go_to(self, moment: datetime) -> None:
        self.settle()
        super().go_to(moment)

    def settle(self) -> None:
        """Until all news has been spread."""
        while InboxEvent.objects.filter(processed_at=None, not_before__lte=self.now).exists():
            self.tick()

    def book(self, email: str = ADA, *, user: Any = None, product: Any = None, seats: int = 1) -> Any:
        order = self.order(email, user=user, product=product, seats=seats)
        self.settle()
        return order

    def order(self, email: str, *, user: Any, product: Any, seats: int) -> Any:
        basket = Basket.objects.create(owner=user)
        basket.strategy = Default()
        basket.add_product(product or self.product, seats)
        address = factories.ShippingAddressFactory(phone_number=PHONE, country=self.country, state="WA")
        guest = {} if user else {"guest_email": email}
        return factories.create_order(basket=basket, user=user, shipping_address=address, **guest)

    def move(self, event: ScheduledEvent, **fields: Any) -> None:
        self.save(event, **fields)
        self.settle()

    def save(self, event: ScheduledEvent, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(event, name, value)
        if "starts_at" in fields:
            event.ends_at = event.starts_at + HOUR
        assert schedules.save(event, now=self.now)

    def texts(self, number: str = PHONE) -> list[str]:
        return [each.content.text for each in outbox if each.recipient.address == number]

    def reminders(self) -> list[str]:
        return [text for text in self.texts() if "begins at" in text]

    def changes(self) -> list[str]:
        return [text for text in self.texts() if "instead of" in text]


@pytest.fixture
def town(product: Any, country: Any) -> Iterator[Town]:
    setup.install()
    outbox.clear()
    with time_machine.travel(START, tick=False) as traveller:
        yield Town(traveller, None, product, country=country)  # type: ignore[arg-type]


def make_event(town: Town, starts_at: datetime = TEN, **fields: Any) -> ScheduledEvent:
    """A webinar held from London."""
    event = ScheduledEvent(
        starts_at=starts_at,
        ends_at=starts_at + HOUR,
        **{"product": town.product, "zone": "Europe/London", "join_link": ROOM, **fields},
    )
    assert schedules.save(event, now=town.now)
    return event


def letters(about: str, address: str = ADA) -> list[Any]:
    return [message for message in mail.outbox if address in message.to and about in message.subject]


def revision(calendar: Any) -> int:
    return int(calendar.vevent.sequence.value)


def report(order: Any, what: str, quantity: int | None = None) -> None:
    """A shipping event for so many pieces of an order with one line; None: for the order, as the admin makes it."""
    kind, _ = ShippingEventType.objects.get_or_create(name=what)
    event = order.shipping_events.create(event_type=kind)
    if quantity is not None:
        event.line_quantities.create(line=order.lines.get(), quantity=quantity)


# It works.


@pytest.mark.rule(51)
def test_moved_twice_is_told_on_both_channels_and_reminded_of_once(town: Town) -> None:
    event = make_event(town)
    town.book()
    (confirmed,) = letters("You are booked")

    town.wait(hours=4)
    town.move(event, starts_at=TEN + timedelta(hours=2))
    (letter,) = letters("New time: Earl Grey")
    assert "Thursday, March 12, 2026, noon PDT" in letter.body
    assert "(instead of Thursday, March 12, 2026, 10 a.m. PDT)" in letter.body
    (text,) = town.changes()
    assert "12 March, 12:00 PDT instead of 12 March, 10:00 PDT" in text
    moved = entry(letter)
    assert moved.method.value == "REQUEST"
    assert moved.vevent.uid.value == entry(confirmed).vevent.uid.value
    assert revision(moved) > revision(entry(confirmed))

    town.wait(hours=4)
    town.move(event, starts_at=TEN + timedelta(days=1))
    assert len(letters("New time")) == len(town.changes()) == 2
    assert revision(entry(letters("New time")[1])) > revision(moved)
    assert "instead of 12 March, 12:00 PDT" in town.changes()[1]

    town.go_to(TEN + timedelta(hours=23))
    assert not town.reminders(), "neither of the times it had before"
    town.wait(days=2)
    assert len(town.reminders()) == 1
    assert Message.objects.filter(flow__key="event_reminder", state=State.SENT).get().due_at == (
        TEN + timedelta(days=1) - timedelta(minutes=10)
    )


def test_who_was_reminded_already_is_reminded_of_the_new_time_too(town: Town) -> None:
    event = make_event(town)
    town.book()
    town.go_to(TEN - timedelta(minutes=5))
    assert len(town.reminders()) == 1

    town.move(event, starts_at=TEN + timedelta(hours=3))
    assert len(town.changes()) == 1
    town.go_to(TEN + timedelta(days=1))
    assert len(town.reminders()) == 2


def test_news_shortly_before_the_start_needs_no_reminder_beside(town: Town) -> None:
    event = make_event(town)
    town.book()
    town.go_to(TEN - timedelta(minutes=20))
    town.move(event, starts_at=TEN - timedelta(minutes=12))

    town.wait(days=1)
    (text,) = town.changes()
    assert "Join: http" in text
    assert not town.reminders()


def test_what_is_moved_half_an_hour_before_is_still_reminded_of(town: Town) -> None:
    event = make_event(town)
    town.book()
    town.go_to(TEN - timedelta(minutes=65))
    town.move(event, starts_at=TEN - timedelta(minutes=40))

    town.go_to(TEN - timedelta(minutes=50))
    (text,) = town.reminders()
    assert "Join: http" in text


def test_a_mistyped_time_corrected_at_once_is_one_message(town: Town) -> None:
    event = make_event(town)
    town.book()
    town.save(event, starts_at=TEN + timedelta(days=30))
    town.move(event, starts_at=TEN + HOUR)

    town.wait(hours=1)
    (letter,) = letters("New time")
    assert "(instead of Thursday, March 12, 2026, 10 a.m. PDT)" in letter.body, "what they had heard of"
    assert len(town.changes()) == 1


def test_a_change_taken_back_at_once_is_no_news(town: Town) -> None:
    event = make_event(town)
    town.book()
    town.save(event, starts_at=TEN + timedelta(days=30))
    town.move(event, starts_at=TEN)

    town.go_to(TEN)
    assert len(letters("Earl Grey")) == 1, "the confirmation"
    assert len(town.reminders()) == 1


def test_a_cancelled_event_leaves_the_calendar_and_reminds_of_nothing(town: Town) -> None:
    event = make_event(town)
    town.book()
    town.wait(hours=3)
    assert schedules.cancel(event, now=town.now)
    town.settle()

    (letter,) = letters("Cancelled: Earl Grey")
    gone = entry(letter)
    assert (gone.method.value, gone.vevent.status.value) == ("CANCEL", "CANCELLED")
    assert revision(gone) > revision(entry(letters("You are booked")[0]))
    assert len([text for text in town.texts() if "is cancelled" in text]) == 1
    town.go_to(TEN + timedelta(days=2))
    assert not town.reminders()
    assert not schedules.cancel(event, now=town.now)


def test_an_order_that_came_to_nothing_is_told_of_nothing(
    town: Town, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CROSSCHANNEL_NON_CONVERTING_STATUSES = ["Declined"]
    settings.OSCAR_INITIAL_ORDER_STATUS = "Pending"
    monkeypatch.setattr(
        Order, "pipeline", {"": ("Declined",), "Pending": ("Declined",), "Declined": ("Pending",)}
    )
    event = make_event(town)
    order = town.book()
    order.set_status("Declined")
    town.settle()
    assert Enrolment.objects.get(flow__key="event_reminder").state == Enrolment.State.ENDED
    assert town.shopper().client.get(links.join_path(order.lines.get().pk)).status_code == 410

    town.move(event, starts_at=TEN + HOUR)
    assert not letters("New time")
    order.set_status("Pending")
    town.go_to(TEN + 2 * HOUR)
    assert len(town.reminders()) == 1, "it was paid after all"


def test_each_end_of_a_booking_that_was_confirmed_is_told(
    town: Town, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payment that is declined, made after all and declined once more: calendars follow each word."""
    settings.CROSSCHANNEL_NON_CONVERTING_STATUSES = ["Declined"]
    settings.OSCAR_INITIAL_ORDER_STATUS = "Pending"
    monkeypatch.setattr(Order, "pipeline", {"Pending": ("Declined",), "Declined": ("Pending",)})
    make_event(town)
    order = town.book()
    for status in ("Declined", "Pending", "Declined"):
        town.wait(hours=1)
        order.set_status(status)
        town.settle()
    order.lines.get().set_status("Cancelled")
    town.wait(hours=1)

    told = [entry(letter) for letter in letters("Earl Grey")]
    assert [each.method.value for each in told] == ["REQUEST", "CANCEL", "REQUEST", "CANCEL"]
    assert revision(told[0]) < revision(told[1]) < revision(told[2]) < revision(told[3])


def test_two_words_of_one_end_are_one_message(town: Town) -> None:
    """A status of the order and one of its lines, a second apart."""
    make_event(town)
    order = town.book()
    town.wait(minutes=5)
    order.lines.get().set_status("Cancelled")
    for seconds in (1, 0):
        at = town.now - timedelta(seconds=seconds)
        voided = Event(name="order.voided", key="x", occurred_at=at, subjects={"order": order.pk})
        schedules.inbox.publish(*events.follow(voided), now=town.now)
    town.wait(hours=1)
    assert len(letters("Booking cancelled")) == 1


def test_who_books_anew_has_the_entry_again(town: Town) -> None:
    event = make_event(town)
    order = town.book()
    town.wait(hours=1)
    order.lines.get().set_status("Cancelled")
    town.wait(hours=1)
    town.book()
    town.wait(hours=1)
    town.move(event, starts_at=TEN + HOUR)

    told = [entry(letter) for letter in letters("Earl Grey")]
    assert [each.method.value for each in told] == ["REQUEST", "CANCEL", "REQUEST", "REQUEST"]
    assert len({each.vevent.uid.value for each in told}) == 1
    assert sorted(map(revision, told)) == list(map(revision, told))
    assert len(set(map(revision, told))) == 4


def test_a_booking_is_called_off_after_it_turned_out_whose_it_is(town: Town) -> None:
    make_event(town)
    user = make_user("ada@example.org")
    keep = contacts.identify(user_id=user.pk, email=user.email, now=town.now)
    order = town.book()
    user.email = ADA
    user.save()
    contacts.identify(user_id=user.pk, email=ADA, now=town.now)
    assert Contact.objects.exclude(merged_into=None).get().merged_into == keep
    town.wait(hours=1)
    order.lines.get().set_status("Cancelled")
    town.wait(hours=1)
    assert len(letters("Booking cancelled")) == 1


@pytest.mark.parametrize("quantity", [1, None])
def test_what_a_shipping_event_cancels_is_no_seat(town: Town, quantity: int | None) -> None:
    event = make_event(town)
    order = town.book(seats=2)
    town.book("bea@example.com", seats=3)
    town.wait(hours=1)
    report(order, "Cancelled", 1)
    town.wait(hours=1)
    assert (events.seats(event), events.people(event)) == (4, 2)
    assert not letters("Booking cancelled")

    report(order, "Cancelled", quantity)
    town.wait(hours=1)
    assert (events.seats(event), events.people(event)) == (3, 1)
    assert len(letters("Booking cancelled")) == 1
    assert not letters("Booking cancelled", "bea@example.com")
    assert [each.seats for each in events.of_event(event, after=0, most=9)] == [3]


def test_who_gave_no_number_reads_the_clock_of_their_default_address(town: Town, country: Any) -> None:
    make_event(town)
    australia = type(country).objects.create(
        iso_3166_1_a2="AU", printable_name="Australia", is_shipping_country=True
    )
    user = make_user("finn@example.com")
    where = {"last_name": "Finn", "line1": "1 Quay St", "line4": "Sydney"}
    UserAddress.objects.create(user=user, country=country, state="WA", **where, is_default_for_billing=True)
    UserAddress.objects.create(
        user=user, country=australia, state="NSW", **where, is_default_for_shipping=True
    )
    order = town.order("", user=user, product=None, seats=1)
    InboxEvent.objects.filter(name="order.placed").update(phone="", data={})
    town.settle()

    assert order.user == user
    (confirmed,) = letters("You are booked", "finn@example.com")
    assert "Friday, March 13, 2026, 4 a.m. AEDT" in confirmed.body


@pytest.mark.rule(32, 39)
def test_nobody_is_woken_who_never_agreed_to_any_hour(town: Town) -> None:
    """Ten in the morning in London is the small hours in Seattle."""
    early = datetime(2026, 3, 12, 10, 0, tzinfo=UTC)
    make_event(town, early)
    town.book()

    town.go_to(early)
    (letter,) = letters("It begins at")
    assert "It begins at 10 a.m." in letter.subject or "It begins at 3 a.m." in letter.subject
    assert "/cc/l/" in letter.body
    town.go_to(early + timedelta(days=1))
    assert not town.texts()
    assert len(letters("It begins at")) == 1


def test_two_bookings_of_one_person_are_confirmed_twice_and_reminded_of_once(town: Town) -> None:
    event = make_event(town)
    town.book()
    town.book()
    assert len(letters("You are booked")) == 2

    town.wait(hours=2)
    town.move(event, starts_at=TEN + HOUR)
    assert len(letters("New time")) == len(town.changes()) == 1
    town.go_to(TEN + timedelta(days=1))
    assert len(town.reminders()) == 1


def test_a_place_keeps_its_own_clock(town: Town) -> None:
    make_event(town, place="Town hall, York", join_link="")
    town.book()
    (confirmed,) = letters("You are booked")
    assert "Thursday, March 12, 2026, 5 p.m. GMT" in confirmed.body
    assert entry(confirmed).vevent.location.value == "Town hall, York"
    assert "/cc/j/" not in confirmed.body
    town.go_to(TEN)
    assert "begins at 5 p.m. GMT: Town hall, York." in town.reminders()[0]


@pytest.mark.rule(39)
def test_who_agreed_to_any_hour_is_texted_at_night(town: Town) -> None:
    early = datetime(2026, 3, 12, 10, 0, tzinfo=UTC)
    make_event(town, early)
    town.book()
    contact = Contact.objects.get()
    words = "Text me about this at any hour, Quillbrook: events"
    consents.grant(
        contact, "sms", ["events"], source="test", words=words, address=PHONE, language="en", now=town.now
    )

    town.go_to(early)
    assert len(town.reminders()) == 1
    assert not letters("It begins at"), "never both"
    assert outbox[-1].now - (early - timedelta(minutes=10)) < timedelta(minutes=1)


def test_a_customer_with_an_account_is_told_at_their_present_address(town: Town) -> None:
    event = make_event(town)
    user = make_user("old@example.com")
    town.book(user=user)
    user.email = "new@example.com"
    user.save()
    ContactPoint.objects.filter(channel="sms").update(current=False)

    town.move(event, starts_at=TEN + HOUR)
    assert len(letters("New time", "new@example.com")) == 1
    assert not town.changes(), "the number on an old order is not taken up again"


def test_a_variant_books_the_event_of_its_parent(town: Town) -> None:
    parent = factories.create_product(structure="parent", title="Tea fair")
    child = factories.create_product(
        structure="child", parent=parent, title="Two days", price=10, num_in_stock=5
    )
    event = make_event(town, product=parent)
    town.book(product=child, seats=3)

    assert events.seats(event) == 3
    (confirmed,) = letters("You are booked: Two days") or letters("You are booked: Tea fair")
    assert "your 3 seats are booked" in confirmed.body


def test_only_the_place_changes(town: Town) -> None:
    event = make_event(town, place="Town hall, York", join_link="")
    town.book()
    town.move(event, place="Corn exchange, York")

    (letter,) = letters("Changed: Earl Grey")
    assert "takes place elsewhere" in letter.body
    assert "instead of" not in letter.body
    assert "takes place elsewhere: Corn exchange, York" in town.texts()[0]
    town.go_to(TEN)
    assert len(town.reminders()) == 1


def test_a_place_that_is_given_up_is_said_so(town: Town) -> None:
    event = make_event(town, place="Town hall, York")
    town.book()
    town.move(event, place="")

    (letter,) = letters("Changed: Earl Grey")
    assert "now takes place online" in letter.body
    assert "now takes place online. Join: http" in town.texts()[0]


def test_a_first_link_has_not_changed(town: Town) -> None:
    event = make_event(town, place="Town hall, York", join_link="")
    town.book()
    town.move(event, join_link=ROOM)

    (letter,) = letters("Link to join: Earl Grey")
    (html,) = [part.content for part in letter.alternatives]
    for said in (letter.body, html):
        assert "can now be joined by a link" in said
        assert "has changed" not in said


def test_an_event_made_after_the_first_orders_is_confirmed_to_their_buyers_too(town: Town) -> None:
    town.book()
    town.wait(days=1)
    event = make_event(town)
    town.wait(minutes=1)
    assert schedules.cancel(event, now=town.now)
    town.wait(minutes=1)

    told = [entry(letter) for letter in letters("Earl Grey")]
    assert [each.method.value for each in told] == ["REQUEST", "CANCEL"]


def test_an_event_made_just_after_somebody_bought_is_confirmed_once(town: Town) -> None:
    """Nothing has been folded of the order when the event is made."""
    town.order(ADA, user=None, product=None, seats=1)
    town.now += timedelta(seconds=3)
    town.traveller.move_to(town.now, tick=False)
    make_event(town)
    town.go_to(TEN)
    assert len(letters("You are booked")) == 1
    assert len(town.reminders()) == 1


def test_who_bought_while_a_new_event_was_told_to_thousands_is_confirmed_once(town: Town) -> None:
    event = make_event(town)
    order = town.book()
    town.wait(minutes=1)
    rest = schedules.news(event, schedules.News.MADE, after=order.pk - 1, at=town.now)
    schedules.inbox.publish(rest, now=town.now)
    town.wait(minutes=1)
    assert len(letters("You are booked")) == 1


def test_a_better_agenda_is_no_news(town: Town) -> None:
    event = make_event(town)
    town.book()
    event.agenda = "Bergamot, and why"
    assert not schedules.save(event, now=town.now)
    town.wait(hours=1)
    assert len(letters("Earl Grey")) == 1


def test_of_another_link_an_email_tells_and_no_text(town: Town) -> None:
    event = make_event(town)
    town.book()
    town.wait(minutes=5)
    town.move(event, join_link="https://rooms.example.net/other")
    town.wait(hours=1)

    (letter,) = letters("Link changed: Earl Grey")
    assert "the link to join your event has changed" in letter.body
    changed = entry(letter)
    assert changed.method.value == "REQUEST"
    assert revision(changed) > revision(entry(letters("You are booked")[0]))
    assert not town.texts()
    assert "rooms.example.net" not in letter.body, "the shop's own link leads on"
    town.go_to(TEN)
    assert len(town.reminders()) == 1


@pytest.mark.parametrize("order", ["time first", "link first"])
def test_another_link_hides_no_other_time(town: Town, order: str) -> None:
    """Both are saved before anybody has been written to."""
    event = make_event(town)
    town.book()
    changes: list[dict[str, Any]] = [{"starts_at": TEN + HOUR}, {"join_link": "https://rooms.example.net/b"}]
    for fields in changes if order == "time first" else reversed(changes):
        town.save(event, **fields)
        intake.fold(load_plans(), clock=lambda: town.now, pause=nullcontext)
    town.wait(hours=1)

    assert len(letters("New time")) == len(town.changes()) == 1
    assert not letters("You are booked")[1:]


def test_a_cancelled_line_ends_the_booking_of_this_person_alone(town: Town) -> None:
    event = make_event(town)
    order = town.book()
    town.book("bea@example.com")
    assert (events.seats(event), events.people(event)) == (2, 2)
    town.wait(hours=1)
    order.lines.get().set_status("Cancelled")
    town.wait(hours=1)

    assert (events.seats(event), events.people(event)) == (1, 1)
    (letter,) = letters("Booking cancelled: Earl Grey")
    gone, told = entry(letter), entry(letters("You are booked")[0])
    assert (gone.method.value, gone.vevent.uid.value) == ("CANCEL", told.vevent.uid.value)
    assert revision(gone) > revision(told)
    assert not letters("Booking cancelled", "bea@example.com")
    assert town.shopper().client.get(links.join_path(order.lines.get().pk)).status_code == 410

    town.move(event, starts_at=TEN + HOUR)
    assert not letters("New time")
    assert letters("New time", "bea@example.com")
    town.go_to(TEN + 2 * HOUR)
    assert len(town.reminders()) == 1, "for the other"


def test_a_booking_keeps_its_identity_when_its_first_line_is_cancelled(town: Town) -> None:
    event = make_event(town)
    order = town.book()
    first = order.lines.get()
    second = order.lines.get()
    second.pk = None
    second.save()
    first.set_status("Cancelled")
    town.wait(hours=1)

    assert not letters("Booking cancelled")
    assert [(each.id, each.seats) for each in events.of_event(event, after=0, most=9)] == [(first.pk, 1)]
    town.go_to(TEN)
    assert len(town.reminders()) == 1


def test_who_was_never_told_of_a_booking_is_not_told_of_its_end(town: Town) -> None:
    """A payment that is declined at once."""
    make_event(town)
    order = town.order(ADA, user=None, product=None, seats=1)
    order.lines.get().set_status("Cancelled")
    town.settle()
    town.wait(hours=1)
    assert not letters("Earl Grey")


def test_nobody_is_invited_once_it_has_begun(town: Town) -> None:
    event = make_event(town)
    contact = contacts.identify(email=ADA, now=town.now)
    assert contact is not None
    consents.grant(
        contact,
        "email",
        [events.INVITED],
        source="test",
        words="Yes.",
        address=ADA,
        language="en",
        now=town.now,
    )
    schedules.announce(event, now=town.now)
    intake.fold(load_plans(), clock=lambda: town.now, pause=nullcontext)
    run = run_of(Message.objects.get(flow__key="event_invitation"), channel="email", now=TEN - HOUR)
    assert EventInvitation().still_wanted([run])
    assert not EventInvitation().still_wanted([replace(run, now=TEN)])


def test_the_link_to_join_leads_to_where_it_is_held_now(town: Town) -> None:
    event = make_event(town)
    order = town.book()
    path = links.join_path(order.lines.get().pk)
    town.move(event, join_link="https://rooms.example.net/other")

    client = Client()
    assert client.get(path)["Location"] == "https://rooms.example.net/other"
    schedules.cancel(event, now=town.now)
    assert client.get(path).status_code == 410
    assert client.get(links.join_path(order.pk + 1000)).status_code == 410
    assert client.get("/cc/j/nonsense/").status_code == 404


@pytest.mark.rule(1, 41)
def test_an_invitation_goes_to_who_agreed_and_has_not_booked(town: Town) -> None:
    event = make_event(town)
    for email in (ADA, "bea@example.com", "cleo@example.com", "dora@example.com"):
        contact = contacts.identify(email=email, now=town.now)
        assert contact is not None
        topic = "basket_reminders" if email.startswith("cleo") else events.INVITED
        consents.grant(
            contact, "email", [topic], source="test", words="Yes.", address=email, language="en", now=town.now
        )
    consents.revoke("email", "dora@example.com", topics=None, source="test", mechanism="test", now=town.now)
    town.book(ADA)

    schedules.announce(event, now=town.now)
    town.settle()
    (invited,) = [message for message in mail.outbox if "You are invited" in message.subject]
    assert invited.to == ["bea@example.com"]
    assert "List-Unsubscribe" in invited.extra_headers
    assert not invited.attachments
    schedules.announce(event, now=town.now)
    town.wait(days=2)
    assert len([message for message in mail.outbox if "You are invited" in message.subject]) == 1


# It refuses.


@pytest.mark.parametrize("end", ["over", "cancelled"])
def test_what_is_over_or_cancelled_moves_nobody(town: Town, end: str) -> None:
    event = make_event(town)
    town.book()
    if end == "over":
        town.go_to(TEN + 2 * HOUR)
    else:
        schedules.cancel(event, now=town.now)
    event.starts_at = TEN + timedelta(days=28)
    event.ends_at = event.starts_at + HOUR
    with pytest.raises(ValidationError):
        schedules.save(event, now=town.now)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"ends_at": TEN}, "ends_at"),
        ({"zone": "Europe/Atlantis"}, "zone"),
        ({"join_link": ""}, "place"),
        ({"join_link": "javascript:alert(1)"}, "join_link"),
        ({"starts_at": START - HOUR}, "starts_at"),
    ],
)
def test_an_event_that_nobody_could_attend_is_refused(town: Town, fields: Any, wrong: str) -> None:
    fields = {"starts_at": TEN, "ends_at": TEN + HOUR, "zone": "Europe/London", "join_link": ROOM, **fields}
    with pytest.raises(ValidationError) as refused:
        schedules.save(ScheduledEvent(product=town.product, **fields), now=town.now)
    assert list(refused.value.message_dict) == [wrong]
    assert not ScheduledEvent.objects.exists()


# It survives.


def test_thousands_are_told_a_chunk_at_a_time(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "CHUNK", 2)
    event = make_event(town)
    emails = [f"person{number}@example.com" for number in range(5)]
    for email in emails:
        town.book(email)
    town.save(event, starts_at=TEN + HOUR)
    assert InboxEvent.objects.filter(processed_at=None).count() == 1, "saving costs the same for any number"

    town.settle()
    assert [len(letters("New time", email)) for email in emails] == [1] * 5


def test_a_change_while_the_one_before_is_still_being_spread(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever had not heard of the first hears of both at once."""
    monkeypatch.setattr(events, "CHUNK", 1)
    event = make_event(town, place="Town hall, York")
    emails = ["ann@example.com", "ben@example.com"]
    for email in emails:
        town.book(email)
    town.save(event, starts_at=TEN + HOUR)
    first = InboxEvent.objects.get(name=schedules.NEWS, processed_at=None)
    told = events.follow(_event(first))
    assert [each.name for each in told] == ["event.changed", "event.scheduled", schedules.NEWS]
    schedules.inbox.publish(*told, now=town.now)
    InboxEvent.objects.filter(pk=first.pk).update(processed_at=town.now)
    town.save(event, place="Corn exchange, York")
    town.settle()

    (letter,) = letters("New time", "ben@example.com")
    assert "Corn exchange" in letter.body
    town.go_to(TEN + HOUR)
    assert len(town.reminders()) == 2, "both of the new time"


def test_a_change_that_is_taken_back_while_it_is_spread_is_told_to_who_heard_of_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "CHUNK", 1)
    event = make_event(town, place="Town hall, York")
    for email in ("ann@example.com", "ben@example.com"):
        town.book(email)
    town.save(event, starts_at=TEN + HOUR)
    first = InboxEvent.objects.get(name=schedules.NEWS, processed_at=None)
    schedules.inbox.publish(*events.follow(_event(first)), now=town.now)
    InboxEvent.objects.filter(pk=first.pk).update(processed_at=town.now)
    town.save(event, starts_at=TEN)
    town.settle()
    town.go_to(TEN)

    assert len(town.reminders()) == 2, "both of the time at which it begins"


def test_an_order_costs_no_statement_more_for_being_a_booking(town: Town) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            town.order(ADA, user=None, product=None, seats=1)
        return len(queries)

    statements()
    before = statements()
    make_event(town)
    assert statements() == before


def _event(row: InboxEvent) -> Any:
    return schedules.inbox.as_event(row)


def test_a_chunk_of_reminders_asks_as_much_as_one(town: Town) -> None:
    make_event(town)
    for number in range(4):
        town.book(f"person{number}@example.com")
    waiting = Message.objects.filter(flow__key="event_reminder").select_related("contact", "enrolment")
    runs = [run_of(message, channel="sms", now=town.now) for message in waiting]

    def statements(some: list[Any]) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert EventReminder().still_wanted(some) == {run.message_id for run in some}
            assert len(EventReminder().context(some)) == len(some)
        return len(queries)

    assert statements(runs[:1]) == statements(runs)


def test_nobody_is_reminded_of_the_old_time_while_the_news_is_on_its_way(town: Town) -> None:
    event = make_event(town)
    town.book()
    run = run_of(Message.objects.get(flow__key="event_reminder"), channel="sms", now=town.now)
    assert EventReminder().still_wanted([run])
    town.save(event, starts_at=TEN + HOUR)
    assert not EventReminder().still_wanted([run])
