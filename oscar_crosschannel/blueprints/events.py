"""Events and webinars: the invitation, the booking, the text shortly before, and what changes in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.utils.translation import gettext, gettext_lazy as _

from ..core.facts import EMAIL, SMS
from ..core.ics import Method
from ..core.plan import About, After, Before, Blueprint, Context, On, Run, send
from ..models import ScheduledEvent
from ..oscar import event_words, events
from ..oscar.events import Booking

#: The order behind a booking came to nothing.
_VOIDED = On("order.voided", same="order")


class AboutEvent(About):
    """An event that somebody booked. Of several bookings of one person, the first is the one they hear about."""

    glossary: ClassVar[Mapping[str, Any]] = {
        "title": _("What the event is called"),
        "starts": _("When it begins, written out, with the time zone"),
        "starts_short": _("The same, short enough for a text"),
        "starts_time": _("At what time of day it begins"),
        "ends": _("When it ends"),
        "was": _("When it was to begin before it was changed; empty if it was not"),
        "was_short": _("The same, short enough for a text"),
        "moved": _("Whether the start has changed"),
        "relocated": _("Whether the place has changed"),
        "place": _("Where it takes place; empty for what is only joined by a link"),
        "agenda": _("What happens there"),
        "seats": _("How many seats were booked"),
        "order_number": _("Number of the order that booked it"),
        "links.join": _("Leads to where one joins; missing if there is no such link"),
        "links.event": _("Leads to the page of the event in the shop"),
    }
    #: what an email asks the calendar to do
    calendar: ClassVar[Method | None] = None

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        return {
            run.message_id: event_words.context(event, run, _of_run(run, booked), calendar=self.calendar)
            for run, event, booked in _told(runs)
        }

    def example(self) -> Context:
        return event_words.example()

    def occasion(self, run: Run) -> str:
        return gettext("You booked an event, and this is about it.")

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """It is on, as far as they know it, and they have a seat."""
        return {
            run.message_id
            for run, event, booked in _told(runs)
            if booked and booked[0].id == run.subjects["booking"] and self.is_meant(event, run)
        }

    def is_meant(self, event: ScheduledEvent, run: Run) -> bool:
        return event.cancelled_at is None


class AboutStart(AboutEvent):
    """An event whose start a run counts from."""

    def is_meant(self, event: ScheduledEvent, run: Run) -> bool:
        return event.cancelled_at is None and event.starts_at == run.anchor


class EventInvitation(AboutEvent, Blueprint):
    """Invitations to events"""

    topic = events.INVITED
    start = On("event.announced")
    priority = 60

    invite = send(EMAIL, at=After(minutes=0), expires=After(days=7))

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Who has booked by now needs no invitation."""
        return {
            run.message_id for run, event, booked in _told(runs) if not booked and event.cancelled_at is None
        }

    def occasion(self, run: Run) -> str:
        return gettext("You asked for news of the shop, and were invited to an event.")


class EventBooking(AboutEvent, Blueprint):
    """Confirmation of a booked event, with its agenda"""

    topic = "order_updates"
    start = On("event.booked")
    stops = (On("event.cancelled", same="booking"), _VOIDED)
    priority = 5
    calendar = Method.REQUEST

    confirm = send(EMAIL, at=After(minutes=0))

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Each booking is confirmed, also a further one of the same person."""
        return {
            run.message_id
            for run, event, booked in _told(runs)
            if event.cancelled_at is None and _of_run(run, booked) is not None
        }


class EventReminder(AboutStart, Blueprint):
    """Text shortly before an event"""

    topic = "events"
    start = On("event.scheduled", anchor="starts_at")
    stops = (On("event.scheduled", same="booking"), On("event.cancelled", same="booking"), _VOIDED)
    priority = 10

    # on time or not at all
    soon = send(SMS, at=Before(minutes=10), expires=After(minutes=0), any_hour=True)

    def is_meant(self, event: ScheduledEvent, run: Run) -> bool:
        news_at = run.data.get("news_at")
        told_just_now = news_at and run.anchor - datetime.fromisoformat(news_at) < events.NEWS_REMINDS
        return super().is_meant(event, run) and not told_just_now


class EventChange(AboutEvent, Blueprint):
    """A booked event takes place at another time or elsewhere"""

    topic = "event_changes"
    start = On("event.changed")
    stops = (On("event.changed", same="booking"), On("event.cancelled", same="booking"), _VOIDED)
    priority = 1
    calendar = Method.REQUEST

    change = send(EMAIL, SMS, at=After(minutes=0))

    def is_meant(self, event: ScheduledEvent, run: Run) -> bool:
        return event.cancelled_at is None and event.sequence == run.data["sequence"]


class EventCancellation(AboutEvent, Blueprint):
    """A booked event is cancelled"""

    topic = "event_changes"
    start = On("event.cancelled")
    stops = (_VOIDED,)
    priority = 1
    calendar = Method.CANCEL

    cancel = send(EMAIL, SMS, at=After(minutes=0))

    def is_meant(self, event: ScheduledEvent, run: Run) -> bool:
        return event.cancelled_at is not None


def _told(runs: Sequence[Run]) -> Iterator[tuple[Run, ScheduledEvent, list[Booking]]]:
    """Each run with its event, and all that its person has booked of it."""
    found = events.live(runs)
    for run in runs:
        if run.message_id in found:
            yield run, *found[run.message_id]


def _of_run(run: Run, booked: Sequence[Booking]) -> Booking | None:
    """The booking that a run is about."""
    return next((booking for booking in booked if booking.id == run.subjects.get("booking")), None)
