"""What can be said of an event that somebody booked: times on the right clock, and its entry for calendars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings as django_settings
from django.db.models import Q
from django.urls import NoReverseMatch
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext
from oscar.core.loading import get_model

from ..conf import settings
from ..core.ics import Entry, Method, calendar_file
from ..core.outbound import File
from ..core.plan import Context, Run
from ..core.whereabouts import Source, locate
from ..models import ScheduledEvent
from ..services import links
from .events import Booking

UserAddress = get_model("address", "UserAddress")

#: Revisions of calendar entries count the seconds since. What calendars hold has 32 bits: enough until 2088.
_FIRST_REVISION = datetime(2020, 1, 1, tzinfo=UTC)


def zones(runs: Sequence[Run]) -> dict[int, str]:
    """By message id: whose clock a person is told times on; empty where nobody knows. One statement, or none.

    Where nothing else tells the clock, it is that of the account's default address: of its country if that has only
    one, else the one of most people in its state. It decides how a time is written, never when anything is sent.
    """
    unknown = {run.user_id for run in runs if run.user_id and not run.zone}
    defaults = UserAddress.objects.filter(
        Q(is_default_for_shipping=True) | Q(is_default_for_billing=True), user_id__in=unknown
    )
    places = defaults.order_by("is_default_for_shipping").values_list("user_id", "country_id", "state")
    at_home = {user_id: _usual_zone(country, state or "") for user_id, country, state in places}
    return {run.message_id: run.zone or at_home.get(run.user_id, "") for run in runs}


def context(
    event: ScheduledEvent, run: Run, booking: Booking | None, *, zone: str, calendar: Method | None = None
) -> Context:
    """What a message may say, in the language of the run; an email takes the `calendar` entry along.

    `zone`: the person's own, empty if nobody knows it.
    """
    with translation.override(run.language):
        title = str(event.product.get_title())
        clock = _clock(event, zone)
        values = {
            "title": title,
            **_times(event.starts_at, event.ends_at, clock),
            **_changes(event, run.data.get("was"), clock),
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
            "relinked": True,
            "place": "",
            "agenda": gettext("Three teas from the hills of Darjeeling, and time for questions."),
            "seats": 1,
            "order_number": "100042",
        },
        links={"join": "/", "event": "/"},
    )


def _usual_zone(country: str, state: str) -> str:
    """The zone that most people of a place live by; empty for a country that has several."""
    where = locate(country=country, region=state)
    address = where.clues[0] if where.clues else None
    if address is None or not (where.sure or address.source is Source.STATE):
        return ""
    return address.zones[0]  # a state's are listed with the one of most people first


def _clock(event: ScheduledEvent, zone: str) -> ZoneInfo:
    """A place goes by its own clock; what is joined from anywhere by that of the person, if it is known."""
    if not event.place and zone:
        try:
            return ZoneInfo(zone)
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
        return {"was": "", "was_short": "", "moved": False, "relocated": False, "relinked": False}
    starts_at, ends_at = (datetime.fromisoformat(was[name]) for name in ("starts_at", "ends_at"))
    before = _times(starts_at, ends_at, zone)
    return {
        "was": before["starts"],
        "was_short": before["starts_short"],
        "moved": starts_at != event.starts_at,
        "relocated": was["place"] != event.place,
        "relinked": bool(was["join_link"]) and was["join_link"] != event.join_link,
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
    settled = max(event.changed_at, run.anchor)
    entry = Entry(
        uid=str(event.uid),
        # a person books, cancels and books anew, and the event changes in between: calendars take what comes last
        sequence=int((settled - _FIRST_REVISION).total_seconds()),
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
    return calendar_file(entry, method=method, now=settled)
