"""Events and webinars: the invitation, the booking, the word shortly before, and what changes in between."""

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
from ..services import schedules

#: The order behind a booking came to nothing; the booking was cancelled; the event is.
_VOIDED, _UNBOOKED, _CANCELLED = (
    On("order.voided", same="order"),
    On("event.unbooked", same="booking"),
    On("event.cancelled", same="booking"),
)
_ENDS = (_VOIDED, _UNBOOKED, _CANCELLED)


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
        "relinked": _("Whether it had another link to join before"),
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
        zones = event_words.zones(runs)
        return {
            run.message_id: event_words.context(
                event, run, _of_run(run, booked), zone=zones[run.message_id], calendar=self.calendar
            )
            for run, event, booked in _known(runs)
        }

    def example(self) -> Context:
        return event_words.example()

    def occasion(self, run: Run) -> str:
        return gettext("You booked an event, and this is about it.")

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """It is on, as far as they know, and they have a seat."""
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


class AboutChange(AboutEvent):
    """An event that is no more as those who booked knew it."""

    #: what must still be so
    told: ClassVar[Sequence[str]] = ()

    def is_meant(self, event: ScheduledEvent, run: Run) -> bool:
        now_says = schedules.spoken(event)
        return event.is_on(run.now) and all(run.data[name] == now_says[name] for name in self.told)


class EventInvitation(AboutEvent, Blueprint):
    """Invitations to events"""

    topic = events.INVITED
    start = On("event.announced")
    priority = 60

    invite = send(EMAIL, at=After(minutes=0), expires=After(days=7))

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Nobody is invited who has booked by now, or once it has begun."""
        return {
            run.message_id
            for run, event, booked in _told(runs)
            if not booked and event.cancelled_at is None and run.now < event.starts_at
        }

    def occasion(self, run: Run) -> str:
        return gettext("You were invited to an event.")


class EventBooking(AboutEvent, Blueprint):
    """Confirmation of a booked event, with its agenda"""

    key = events.CONFIRMATION
    topic = "order_updates"
    start = On("event.booked")
    stops = (On("event.booked", same="booking"), *_ENDS)
    priority = 5
    calendar = Method.REQUEST

    confirm = send(EMAIL, at=After(minutes=0))

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Each booking is confirmed once, also a further one of the same person."""
        confirmed = events.confirmed(runs)
        return {
            run.message_id
            for run, event, booked in _told(runs)
            if event.is_on(run.now)
            and _of_run(run, booked) is not None
            and run.subjects["booking"] not in confirmed
        }


class EventReminder(AboutStart, Blueprint):
    """Reminder shortly before an event"""

    topic = "events"
    start = On("event.scheduled", anchor="starts_at")
    stops = (On("event.scheduled", same="booking"), *_ENDS)
    priority = 10

    # on time or not at all; by email where no text may ring
    soon = send(SMS, EMAIL, at=Before(minutes=10), expires=After(minutes=0), any_hour=True)

    def is_meant(self, event: ScheduledEvent, run: Run) -> bool:
        news_at = run.data.get("news_at")
        told_just_now = news_at and run.anchor - datetime.fromisoformat(news_at) <= events.NEWS_REMINDS
        return super().is_meant(event, run) and not told_just_now


class EventChange(AboutChange, Blueprint):
    """A booked event takes place at another time or elsewhere"""

    topic = "event_changes"
    start = On("event.changed")
    stops = (On("event.changed", same="booking"), *_ENDS)
    priority = 1
    calendar = Method.REQUEST
    told = ScheduledEvent.URGENT

    change = send(EMAIL, SMS, at=After(minutes=0))


class EventLink(AboutChange, Blueprint):
    """Another link to join a booked event"""

    topic = "order_updates"
    start = On("event.relinked")
    stops = (On("event.relinked", same="booking"), On("event.changed", same="booking"), *_ENDS)
    priority = 5
    calendar = Method.REQUEST
    told = ("join_link",)

    link = send(EMAIL, at=After(minutes=0))


class EventCancellation(AboutEvent, Blueprint):
    """A booked event is cancelled"""

    topic = "event_changes"
    start = On("event.cancelled")
    stops = (_VOIDED, _UNBOOKED)
    priority = 1
    calendar = Method.CANCEL

    cancel = send(EMAIL, SMS, at=After(minutes=0))

    def is_meant(self, event: ScheduledEvent, run: Run) -> bool:
        return event.cancelled_at is not None


class EventUnbooked(AboutEvent, Blueprint):
    """A booking of an event is cancelled"""

    key = events.END
    topic = "order_updates"
    start = On("event.unbooked")
    stops = (On("event.booked", same="booking"), _UNBOOKED, _CANCELLED)
    priority = 5
    calendar = Method.CANCEL

    gone = send(EMAIL, at=After(minutes=0))

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Their calendar has an entry, and they have no other seat."""
        confirmed = events.confirmed(runs)
        return {
            run.message_id
            for run, event, booked in _told(runs)
            if not booked and event.is_on(run.now) and run.subjects["booking"] in confirmed
        }


def _known(runs: Sequence[Run]) -> Iterator[tuple[Run, ScheduledEvent, list[Booking]]]:
    """Each run with its event, and all that its person has ever booked of it."""
    found = events.live(runs)
    for run in runs:
        if run.message_id in found:
            yield run, *found[run.message_id]


def _told(runs: Sequence[Run]) -> Iterator[tuple[Run, ScheduledEvent, list[Booking]]]:
    """Each run with its event, and what its person has booked of it now."""
    for run, event, booked in _known(runs):
        yield run, event, [booking for booking in booked if booking.seats]


def _of_run(run: Run, booked: Sequence[Booking]) -> Booking | None:
    """The booking that a run is about."""
    return next((booking for booking in booked if booking.id == run.subjects.get("booking")), None)
