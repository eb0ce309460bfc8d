"""Calendar entries as files that go along with an email (RFC 5545, RFC 5546)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from icalendar import Calendar, Event as CalendarEvent, vCalAddress, vText, vUri

from .outbound import File

_MADE_BY = "-//django-oscar-crosschannel//EN"


class Method(StrEnum):
    """What the calendar is to do with an entry it gets."""

    REQUEST = "REQUEST"  #: add it, or change the one with the same uid and a lower sequence
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event in one person's calendar. Texts are plain; instants have a zone."""

    uid: str  #: the same for ever
    sequence: int  #: rises with every change of when or where
    starts_at: datetime
    ends_at: datetime
    title: str
    description: str = ""
    location: str = ""  #: a place, or an address on the web
    url: str = ""
    organizer: str  #: email address of the shop
    organizer_name: str = ""
    attendee: str  #: email address of the person, who has booked and so needs not answer


def calendar_file(entry: Entry, *, method: Method, now: datetime) -> File:
    """The entry as a file. `now`: when what it says was settled; the later of two with one sequence counts."""
    calendar = Calendar()
    calendar.add("prodid", _MADE_BY)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method.value)
    calendar.add_component(_component(entry, method, now))
    # without a charset: what makes the email's part adds the one it writes in
    return File(name="event.ics", content=calendar.to_ical(), type=f"text/calendar; method={method.value}")


def _component(entry: Entry, method: Method, now: datetime) -> CalendarEvent:
    event = CalendarEvent()
    event.add("uid", entry.uid)
    event.add("sequence", entry.sequence)
    event.add("dtstamp", now.astimezone(UTC))
    # in UTC an entry needs no rules of a zone, and calendars show it on their owner's clock
    event.add("dtstart", entry.starts_at.astimezone(UTC))
    event.add("dtend", entry.ends_at.astimezone(UTC))
    event.add("status", "CANCELLED" if method is Method.CANCEL else "CONFIRMED")
    texts = {"summary": entry.title, "description": entry.description, "location": entry.location}
    for name, text in texts.items():
        if text:
            event.add(name, text)
    if entry.url:
        event.add("url", vUri(entry.url))
    event.add("organizer", _person(entry.organizer, entry.organizer_name))
    event.add("attendee", _person(entry.attendee, ROLE="REQ-PARTICIPANT", PARTSTAT="ACCEPTED", RSVP="FALSE"))
    return event


def _person(address: str, name: str = "", **parameters: str) -> vCalAddress:
    person = vCalAddress(f"mailto:{address}")
    for key, value in {**({"CN": name} if name else {}), **parameters}.items():
        person.params[key] = vText(value)
    return person
