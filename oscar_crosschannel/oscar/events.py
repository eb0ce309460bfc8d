"""Products that are events: who has booked them, and what follows for these people from what happens.

A booking is what one order holds of an event: the lines of its product, or of variants of that product. It
is known by the id of the first of these lines, and ends when all of them are cancelled, by a status or by
shipping events, or the order came to nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Exists, F, Min, OuterRef, Q, QuerySet, Subquery, Sum, TextField, When
from django.db.models.functions import Cast, Coalesce, Lower
from oscar.core.loading import get_model

from ..conf import settings
from ..core.events import Event
from ..core.facts import EMAIL, Answer
from ..core.lifecycle import State
from ..core.plan import Run
from ..models import Consent, Message, ScheduledEvent
from ..services import contacts, schedules
from ..services.schedules import News
from . import parcels

Line = get_model("order", "Line")
ShippingEvent = get_model("order", "ShippingEvent")
ShippingEventQuantity = get_model("order", "ShippingEventQuantity")

#: Orders, or people, that one transaction of the fold tells something.
CHUNK = 100
#: Who agreed to emails about this is invited to events.
INVITED = "weekly_deals"
#: The flows that confirm bookings, and tell that one has ended.
CONFIRMATION, END = "event_booking", "event_unbooked"
_PERHAPS_READ = (State.SENDING, State.SENT, State.UNKNOWN)
#: Who hears so shortly before the start that it has moved, and how to join, needs no reminder in the same breath:
#: as long before as the reminder goes.
NEWS_REMINDS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What one order holds of one event."""

    id: int
    event_id: int
    order_id: int
    order_number: str
    user_id: int | None
    email: str  #: as a guest typed it, in lower case; empty for an account
    seats: int  #: none when it has ended

    def is_of(self, run: Run, email: str) -> bool:
        """Whether the person of this run booked it, who has this email."""
        if self.id == run.subjects.get("booking"):
            return True
        return self.user_id == run.user_id if self.user_id else bool(email) and self.email == email


# ---------------------------------------------------------------------------------------- who has booked


def of_order(order_id: int) -> list[Booking]:
    """What an order has booked, ended or not. One statement."""
    return [_booking(row) for row in _rows(_lines().filter(order_id=order_id))]


def of_event(event: ScheduledEvent, *, after: int, most: int) -> list[Booking]:
    """Bookings of an event that have not ended, by the id of their order, from the first beyond `after` on. One statement."""
    further = _rows(_of_one(event).filter(order_id__gt=after)).filter(seats__gt=0)
    return [_booking(row) for row in further[:most]]


def of_people(
    event_ids: Collection[int],
    *,
    users: Collection[int],
    emails: Collection[str],
    ids: Collection[int] = (),
) -> list[Booking]:
    """Bookings of these events by these accounts and guests, and those with these ids, ended or not. One statement."""
    products = ScheduledEvent.objects.filter(pk__in=event_ids).values("product_id")
    known = Line.objects.filter(pk__in=ids).values("order_id")
    theirs = Q(order__user_id__in=users) | Q(guest__in=emails) | Q(order_id__in=known)
    return [_booking(row) for row in _rows(_lines().filter(_is_of(products), theirs))]


def seats(event: ScheduledEvent) -> int:
    """How many are booked."""
    return _of_one(event).filter(_counts()).aggregate(seats=Sum("held"))["seats"] or 0


def people(event: ScheduledEvent) -> int:
    """How many people have booked."""
    who = Coalesce(Cast("order__user_id", TextField()), "guest", output_field=TextField())
    number: int = _of_one(event).filter(_counts()).annotate(who=who).values("who").distinct().count()
    return number


def find(booking_id: int) -> tuple[Booking, ScheduledEvent] | None:
    """A booking that has not ended, and its event. Three statements."""
    order_id = Line.objects.filter(pk=booking_id).values_list("order_id", flat=True).first()
    for booking in of_order(order_id) if order_id is not None else ():
        if (
            booking.id == booking_id
            and booking.seats
            and (event := load([booking.event_id]).get(booking.event_id))
        ):
            return booking, event
    return None


def load(event_ids: Collection[int]) -> dict[int, ScheduledEvent]:
    """Events by id, with their products. One statement."""
    rows = ScheduledEvent.objects.select_related("product__parent").filter(pk__in=event_ids)
    return {event.pk: event for event in rows}


def _lines() -> QuerySet[Any]:
    """All that was bought and may be of an event: that of the product, else that of its parent."""
    of_product = ScheduledEvent.objects.filter(product=OuterRef("product")).values("pk")
    of_parent = ScheduledEvent.objects.filter(product=OuterRef("product__parent")).values("pk")
    lines: QuerySet[Any] = Line.objects.annotate(
        held=_held(),
        event=Coalesce(Subquery(of_product), Subquery(of_parent)),
        guest=Lower("order__guest_email"),
        order_status=Lower("order__status"),
        line_status=Lower("status"),
    )
    return lines


def _held() -> Case:
    """The seats of a line that no shipping event has cancelled. One that names no lines is about the whole order."""
    names = _cancelled(settings.SHIPPING_EVENTS)
    of_order = ShippingEvent.objects.annotate(
        type_code=Lower("event_type__code"), type_name=Lower("event_type__name")
    ).filter(Q(type_code__in=names) | Q(type_name__in=names), order=OuterRef("order"))
    of_line = ShippingEventQuantity.objects.annotate(
        type_code=Lower("event__event_type__code"), type_name=Lower("event__event_type__name")
    ).filter(Q(type_code__in=names) | Q(type_name__in=names), line=OuterRef("pk"))
    gone = of_line.order_by().values("line").annotate(count=Sum("quantity")).values("count")
    return Case(
        When(Exists(of_order.filter(line_quantities=None)), then=0),
        default=F("quantity") - Coalesce(Subquery(gone), 0),
    )


def _counts() -> Q:
    """Lines that are not cancelled, of orders that are not."""
    names = _cancelled(settings.SHIPPING_STATUSES)
    void = Q(order__status__in=settings.NON_CONVERTING_STATUSES) | Q(order_status__in=names)
    return Q(held__gt=0) & ~(void | Q(line_status__in=names))


def _cancelled(kinds: Mapping[str, str]) -> set[str]:
    return {name.casefold() for name, kind in kinds.items() if kind == parcels.CANCELLED}


def _of_one(event: ScheduledEvent) -> QuerySet[Any]:
    lines: QuerySet[Any] = _lines().filter(_is_of([event.product_id]), event=event.pk)
    return lines


def _is_of(products: Any) -> Q:
    return Q(product_id__in=products) | Q(product__parent_id__in=products)


def _rows(lines: QuerySet[Any]) -> QuerySet[Any]:
    """One row for each booking, in the order of their orders."""
    which = lines.filter(event__isnull=False).order_by("order_id", "event")
    rows = which.values("event", "order_id", "order__number", "order__user_id", "guest")
    bookings: QuerySet[Any] = rows.annotate(first=Min("pk"), seats=Sum("held", filter=_counts()))
    return bookings


def _booking(row: dict[str, Any]) -> Booking:
    user_id = row["order__user_id"]
    return Booking(
        id=row["first"],
        event_id=row["event"],
        order_id=row["order_id"],
        order_number=row["order__number"],
        user_id=user_id,
        email="" if user_id else row["guest"] or "",
        seats=row["seats"] or 0,
    )


# ------------------------------------------------------------------------------------- who is still meant


def live(runs: Sequence[Run]) -> dict[int, tuple[ScheduledEvent, list[Booking]]]:
    """By message id: the event of each run, and what its person has booked of it, ended or not, the first first.

    Runs whose event is gone are left out. Three statements, however many runs.
    """
    events = load({run.data["event"] for run in runs})
    emails = contacts.addresses_in_use({run.contact_id for run in runs}, EMAIL)
    booked = of_people(
        events,
        users={run.user_id for run in runs if run.user_id},
        emails=set(emails.values()),
        ids={run.subjects["booking"] for run in runs if "booking" in run.subjects},
    )
    found = {}
    for run in runs:
        if (event := events.get(run.data["event"])) is not None:
            email = emails.get(run.contact_id, "")
            theirs = [each for each in booked if each.event_id == event.pk and each.is_of(run, email)]
            found[run.message_id] = (event, sorted(theirs, key=lambda booking: booking.id))
    return found


def confirmed(runs: Sequence[Run]) -> set[int]:
    """The ids of those runs' bookings whose confirmation was not followed by word of their end: calendars have an
    entry of them. One statement.
    """
    ids = {run.subjects["booking"] for run in runs}
    # what was sent to somebody who turned out to be another stays with the contact of then; the run has moved on
    sent = Message.objects.filter(
        enrolment__contact_id__in={run.contact_id for run in runs},
        flow__key__in=(CONFIRMATION, END),
        state__in=_PERHAPS_READ,
    ).order_by("attempted_at", "pk")
    last = dict(sent.values_list("enrolment__subjects__booking", "flow__key"))
    return {booking for booking in ids if last.get(booking) == CONFIRMATION}


def agreed() -> QuerySet[Consent]:
    """Who may be invited to events: their answers."""
    return Consent.objects.filter(
        topic=INVITED,
        answer=Answer.GRANTED,
        point__channel=EMAIL,
        point__current=True,
        point__contact__merged_into=None,
    )


# ---------------------------------------------------------------------------------------- what follows


def follow(event: Event) -> Sequence[Event]:
    """What an order, or news of an event, means to those who booked."""
    if event.name == "order.placed" and "order" in event.subjects:
        return list(_of_order_placed(event))
    if event.name == "order.voided" or (
        event.name == parcels.MOVED and event.data["kind"] == parcels.CANCELLED
    ):
        return list(_of_order_cancelled(event))
    if event.name == schedules.NEWS:
        return list(_spread(event))
    return ()


def _of_order_placed(placed: Event) -> Iterator[Event]:
    for booking, event in _still_on(placed):
        if booking.seats:
            yield from _booked(booking, event, at=placed.occurred_at)


def _of_order_cancelled(cancelled: Event) -> Iterator[Event]:
    """Several statuses and events may say so; only the first that ends what was confirmed is told."""
    for booking, event in _still_on(cancelled):
        if not booking.seats:
            # what was paid after all may come to nothing once more
            key = f"@{cancelled.occurred_at:%Y%m%dT%H%M%S}"
            yield _happening("event.unbooked", key, booking, event, at=cancelled.occurred_at)


def _still_on(ordered: Event) -> Iterator[tuple[Booking, ScheduledEvent]]:
    """What an order holds of events that are to come, or under way."""
    booked = of_order(ordered.subjects["order"])
    events = load({booking.event_id for booking in booked}) if booked else {}
    for booking in booked:
        if (event := events[booking.event_id]).is_on(ordered.occurred_at):
            yield booking, event


def _spread(news: Event) -> Iterator[Event]:
    """Tell a chunk of people, and leave the rest to the next one. What was overtaken by newer news is told no more."""
    what, event = news.data["what"], load([news.data["event"]]).get(news.data["event"])
    if event is None or _is_overtaken(event, news):
        return
    tell = _invitations if what == News.ANNOUNCED else _to_bookers
    told = list(tell(event, news))
    for _, happenings in told:
        yield from happenings
    if told:
        last, _ = told[-1]
        carried = ("was", "is_partly_told", "is_urgent") if what == News.CHANGED else ()
        further = {name: news.data[name] for name in carried}
        yield schedules.news(event, what, after=last, at=news.occurred_at, **further)


def _is_overtaken(event: ScheduledEvent, news: Event) -> bool:
    """Whether newer news says all that is to be said, to everybody."""
    if news.data["what"] == News.CANCELLED:
        return False
    is_old = news.data["what"] == News.CHANGED and event.sequence != news.data["sequence"]
    return is_old or event.cancelled_at is not None


def _to_bookers(event: ScheduledEvent, news: Event) -> Iterator[tuple[int, list[Event]]]:
    """By order: what its booking is told."""
    at, was = news.occurred_at, news.data.get("was", {})
    is_partly_told = news.data.get("is_partly_told", False)
    if was == schedules.spoken(event) and not is_partly_told:
        return  # it was changed back before anybody heard of it
    for booking in of_event(event, after=news.data["after"], most=CHUNK):
        told: list[Event] = []
        match news.data["what"]:
            case News.CANCELLED:
                told.append(_happening("event.cancelled", "", booking, event, at=at))
            case News.CHANGED:
                key = f":{event.sequence}"
                name = "event.changed" if news.data["is_urgent"] else "event.relinked"
                told.append(_happening(name, key, booking, event, at=at, was=was))
                if is_partly_told or was["starts_at"] != schedules.spoken(event)["starts_at"]:
                    told += _scheduled(booking, event, at=at, news_at=at.isoformat())
            case News.MADE:
                told += _booked(booking, event, at=at)
        yield booking.order_id, told


def _booked(booking: Booking, event: ScheduledEvent, *, at: datetime) -> Iterator[Event]:
    """A seat is theirs: it is confirmed, and they are reminded."""
    # an order that came to nothing may be paid after all: then it is booked once more
    yield _happening("event.booked", f"@{at:%Y%m%dT%H%M%S}", booking, event, at=at)
    yield from _scheduled(booking, event, at=at)


def _scheduled(booking: Booking, event: ScheduledEvent, *, at: datetime, **data: Any) -> Iterator[Event]:
    """It is known when it begins. A key for each time it is settled: the run of the time before ends."""
    if event.starts_at > at:
        key = f":{event.sequence}@{at:%Y%m%dT%H%M%S}"
        yield _happening("event.scheduled", key, booking, event, at=at, **data)


def _happening(
    name: str, key: str, booking: Booking, event: ScheduledEvent, *, at: datetime, **data: Any
) -> Event:
    """Something that happens to whoever booked. Their name and number are not told again: by now they may be others."""
    return Event(
        name=name,
        key=f"booking:{booking.id}{key}",
        occurred_at=at,
        user_id=booking.user_id,
        email=booking.email,
        subjects={"order": booking.order_id, "booking": booking.id},
        data={"event": event.pk, "sequence": event.sequence, **schedules.spoken(event), **data},
    )


def _invitations(event: ScheduledEvent, news: Event) -> Iterator[tuple[int, list[Event]]]:
    """By contact: an invitation. Whoever has booked is left out when it would go."""
    further = agreed().filter(point__contact_id__gt=news.data["after"]).order_by("point__contact_id")
    for contact_id in further.values_list("point__contact_id", flat=True)[:CHUNK]:
        invitation = Event(
            name="event.announced",
            key=f"event:{event.pk}:contact:{contact_id}",
            occurred_at=news.occurred_at,
            subjects={contacts.CONTACT: contact_id},
            data={"event": event.pk, "sequence": event.sequence},
        )
        yield contact_id, [invitation]
