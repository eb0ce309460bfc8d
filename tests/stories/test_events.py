"""Events that people book, from the order to the start, as the customer, the calendar and the phone see it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from oscar_crosschannel.models import ScheduledEvent
from oscar_crosschannel.services import schedules
from tests.oscar.calendars import entry
from tests.stories.conftest import World

pytestmark = pytest.mark.slow
ADA, PHONE = "ada@example.com", "+12065550123"
INBOUND = "https://testserver/cc/twilio/inbound/"
#: A Thursday, ten in the morning in Seattle.
TEN = datetime(2026, 3, 12, 17, 0, tzinfo=UTC)
ROOM = "https://rooms.example.net/earl-grey"


def make_event(world: World, starts_at: datetime = TEN, **fields: Any) -> ScheduledEvent:
    """A webinar held from London."""
    event = ScheduledEvent(
        product=world.product,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=1),
        **{"zone": "Europe/London", "join_link": ROOM, "agenda": "Bergamot, and why", **fields},
    )
    schedules.save(event, now=world.now)
    return event


def move(world: World, event: ScheduledEvent, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(event, name, value)
    if "starts_at" in fields:
        event.ends_at = event.starts_at + timedelta(hours=1)
    assert schedules.save(event, now=world.now)
    world.tick()
    world.tick()


def letters(about: str, address: str = ADA) -> list[Any]:
    return [message for message in mail.outbox if address in message.to and about in message.subject]


def reminders(world: World, phone: str = PHONE) -> list[str]:
    return [text for text in world.texts(phone) if "begins at" in text]


def book(world: World, email: str = ADA) -> None:
    shopper = world.shopper()
    shopper.add(world.product)
    shopper.buy(email)
    world.tick()
    world.tick()


def test_a_guest_books_gets_the_entry_and_is_texted_ten_minutes_before(world: World) -> None:
    event = make_event(world)
    book(world)

    (confirmed,) = letters("You are booked: Earl Grey")
    assert "Thursday, March 12, 2026, 10 a.m. PDT" in confirmed.body, "on the clock of the phone's owner"
    assert "Bergamot, and why" in confirmed.body
    held = entry(confirmed)
    assert held.method.value == "REQUEST"
    assert held.vevent.uid.value == str(event.uid)
    assert held.vevent.dtstart.value == TEN
    assert held.vevent.attendee.value == f"mailto:{ADA}"

    world.go_to(TEN - timedelta(minutes=11))
    assert not reminders(world)
    world.wait(minutes=1)
    (text,) = reminders(world)
    assert "Earl Grey begins at 10 a.m. PDT" in text
    link = re.search(r"https://testserver(/cc/l/\S+)", text)
    assert link
    counted = world.shopper().client.get(link[1])
    assert (
        world.shopper().client.get(counted["Location"].removeprefix("https://testserver"))["Location"] == ROOM
    )
    world.wait(days=3)
    assert len(reminders(world)) == 1
    assert len(letters("Earl Grey")) == 1


@pytest.mark.rule(19, 22)
def test_who_said_stop_gets_the_change_by_email_alone(world: World) -> None:
    event = make_event(world)
    book(world)
    world.phones.inbound(PHONE, "STOP", INBOUND)
    world.tick()
    before = len(world.texts(PHONE))

    move(world, event, starts_at=TEN + timedelta(hours=1))
    assert len(letters("New time")) == 1
    world.go_to(TEN + timedelta(days=1))
    assert len(world.texts(PHONE)) == before, "no change, no reminder"
