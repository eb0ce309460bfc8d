"""What can be said of an event that somebody booked: times on the right clock, and its entry for calendars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings as django_settings
from django.urls import NoReverseMatch
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext

from ..conf import settings
from ..core.ics import Entry, Method, calendar_file
from ..core.outbound import File
from ..core.plan import Context, Run
from ..models import ScheduledEvent
from ..services import links
from .events import Booking


def context(
    event: ScheduledEvent, run: Run, booking: Booking | None, *, calendar: Method | None = None
) -> Context:
    """What a message may say, in the language of the run; an email takes the `calendar` entry along."""
    with translation.override(run.language):
        title = str(event.product.get_title())
        zone = _clock(event, run)
        values = {
            "title": title,
            **_times(event.starts_at, event.ends_at, zone),
            **_changes(event, run.data.get("was"), zone),
            "place": event.place,
            "agenda": event.agenda,
            "seats": booking.seats if booking else 0,
            "order_number": booking.order_number if booking else "",
        }
        paths = dict(_paths(event, booking))
    files: tuple[File, ...] = ()
    if calendar is not None and run.email:
        files = (_entry(event, run, title, paths.get("join", ""), calendar),)
    return Context(values=values, links=paths, files=files)


def example() -> Context:
    """The same, made up in the active language."""
    starts_at = datetime(2027, 5, 11, 17, 0, tzinfo=ZoneInfo("Europe/London"))
    made_up = _times(starts_at, starts_at + timedelta(hours=1), starts_at.tzinfo)
    earlier = _times(starts_at - timedelta(hours=2), starts_at - timedelta(hours=1), starts_at.tzinfo)
    return Context(
        values={
            "title": gettext("Tea tasting"),
            **made_up,
            "was": earlier["starts"],
            "was_short": earlier["starts_short"],
            "moved": True,
            "relocated": False,
            "place": "",
            "agenda": gettext("Three teas from the hills of Darjeeling, and time for questions."),
            "seats": 1,
            "order_number": "100042",
        },
        links={"join": "/", "event": "/"},
    )


def _clock(event: ScheduledEvent, run: Run) -> ZoneInfo:
    """A place goes by its own clock; what is joined from anywhere by that of the person, if it is known."""
    if not event.place and run.zone:
        try:
            return ZoneInfo(run.zone)
        except (ZoneInfoNotFoundError, ValueError):
            pass
    return event.clock


def _times(starts_at: datetime, ends_at: datetime, zone: Any) -> dict[str, str]:
    """Written out with the name of the zone, so that nobody who reads them elsewhere comes at another hour."""
    starts, ends = starts_at.astimezone(zone), ends_at.astimezone(zone)
    is_one_day = starts.date() == ends.date()
    return {
        "starts": f"{date_format(starts, 'l')}, {date_format(starts, 'DATETIME_FORMAT')} {_zone(starts)}",
        "starts_short": f"{date_format(starts, gettext('j F, H:i'))} {_zone(starts)}",
        "starts_time": f"{date_format(starts, 'TIME_FORMAT')} {_zone(starts)}",
        "ends": f"{date_format(ends, 'TIME_FORMAT' if is_one_day else 'DATETIME_FORMAT')} {_zone(ends)}",
    }


def _zone(local: datetime) -> str:
    """Its name, such as CEST; zones without one have their distance from UTC instead."""
    name = local.tzname() or ""
    return name if name.isalpha() else f"UTC{name}"


def _changes(event: ScheduledEvent, was: Mapping[str, str] | None, zone: Any) -> dict[str, Any]:
    """What is different from before; all empty for news that is none of a change."""
    if was is None:
        return {"was": "", "was_short": "", "moved": False, "relocated": False}
    starts_at, ends_at = (datetime.fromisoformat(was[name]) for name in ("starts_at", "ends_at"))
    before = _times(starts_at, ends_at, zone)
    return {
        "was": before["starts"],
        "was_short": before["starts_short"],
        "moved": starts_at != event.starts_at,
        "relocated": was["place"] != event.place,
    }


def _paths(event: ScheduledEvent, booking: Booking | None) -> Any:
    if booking is not None and booking.seats and event.join_link:
        yield "join", links.join_path(booking.id)
    try:
        page = str(event.product.get_absolute_url())
    except NoReverseMatch:  # a shop without Oscar's pages
        return
    if page.startswith("/"):
        yield "event", page


def _entry(event: ScheduledEvent, run: Run, title: str, join: str, method: Method) -> File:
    url = links.absolute(join) if join else ""
    name, address = parseaddr(settings.EMAIL_FROM_TRANSACTIONAL or django_settings.DEFAULT_FROM_EMAIL)
    entry = Entry(
        uid=str(event.uid),
        # who is no longer expected, at an event that takes place, has an entry as high as the event's
        sequence=event.sequence + (method is Method.CANCEL and event.cancelled_at is None),
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        title=title,
        description="\n\n".join(filter(None, [event.agenda, url])),
        location=event.place or url,
        url=url,
        organizer=address,
        organizer_name=settings.BRAND or name,
        attendee=run.email,
    )
    return calendar_file(entry, method=method, now=max(event.changed_at, run.anchor))
