"""Events that people book: kept here, and whoever booked is told what has changed.

A change is one row in the inbox. The fold spreads it over the bookings, a hundred at a time, so that saving
an event costs the same whether three people or thirty thousand have booked it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from ..core.events import Event
from ..models import InboxEvent, ScheduledEvent
from . import inbox

#: Name in the inbox of what has happened to an event, before it is spread. `data`: event (its id), what (a
#: `News`), sequence (the event's), was (what it said before), is_urgent (whether it cannot wait for people to read
#: their mail), after (id of the last order that was told).
NEWS = "schedule.news"


class News(StrEnum):
    """What can happen to an event."""

    MADE = "made"
    CHANGED = "changed"
    CANCELLED = "cancelled"
    ANNOUNCED = "announced"


def save(event: ScheduledEvent, *, now: datetime) -> bool:
    """Keep a new or changed event; whether that is news to those who booked, and they will be told.

    Raises ValidationError for what makes no sense, and for a change of when or where of an event that is
    over or cancelled: who came to it must not be told that it moves.
    """
    with transaction.atomic():
        before = _stored(event)
        check(event, before, now=now)
        is_news = before is None or is_other(before, event, ScheduledEvent.TOLD)
        if before is None:
            event.sequence, event.changed_at = 0, now
        else:
            event.uid, event.cancelled_at = before.uid, before.cancelled_at
            event.sequence = before.sequence + is_news
            event.changed_at = now if is_news else before.changed_at
        event.save()
        if before is None:
            _publish(event, News.MADE, now=now)
        elif is_news:
            _publish(event, News.CHANGED, now=now, **_difference(before, event))
    return is_news


def check(event: ScheduledEvent, before: ScheduledEvent | None, *, now: datetime) -> None:
    """Raise ValidationError if `save` would; `before` is the stored row, None for a new event."""
    event.full_clean(exclude=["changed_at"])
    if before is not None and is_other(before, event, ScheduledEvent.TOLD):
        _require_on(before, now)
    if event.starts_at <= now and (before is None or before.starts_at != event.starts_at):
        raise ValidationError({"starts_at": _("That is in the past already.")})


def cancel(event: ScheduledEvent, *, now: datetime) -> bool:
    """Call an event off for good, and tell those who booked; False when there was nothing left to call off."""
    with transaction.atomic():
        before = _stored(event)
        if before is None or not before.is_on(now):
            return False
        event.sequence, event.changed_at, event.cancelled_at = before.sequence + 1, now, now
        event.save(update_fields=["sequence", "changed_at", "cancelled_at"])
        _publish(event, News.CANCELLED, now=now)
    return True


def announce(event: ScheduledEvent, *, now: datetime) -> None:
    """Invite whoever agreed to hear of such things and has not booked. Nobody is invited twice."""
    _publish(event, News.ANNOUNCED, now=now)


def spoken(event: ScheduledEvent) -> dict[str, str]:
    """What is `TOLD` of an event as JSON."""
    return {
        "starts_at": event.starts_at.astimezone(UTC).isoformat(),
        "ends_at": event.ends_at.astimezone(UTC).isoformat(),
        "place": event.place,
        "join_link": event.join_link,
    }


def news(event: ScheduledEvent, what: str, *, after: int = 0, at: datetime, **data: Any) -> Event:
    """An entry of the inbox; `after`: only for orders with a higher id."""
    return Event(
        name=NEWS,
        key=f"event:{event.pk}:{what}:{event.sequence}:{after}" if after else _key(event, what),
        occurred_at=at,
        data={"event": event.pk, "what": what, "sequence": event.sequence, "after": after, **data},
    )


def _key(event: ScheduledEvent, what: str) -> str:
    return f"event:{event.pk}:{what}"


def _stored(event: ScheduledEvent) -> ScheduledEvent | None:
    return ScheduledEvent.objects.select_for_update(of=("self",), no_key=True).filter(pk=event.pk).first()


def is_other(before: ScheduledEvent, event: ScheduledEvent, names: Sequence[str]) -> bool:
    """Whether it says something else by one of these names."""
    return any(getattr(before, name) != getattr(event, name) for name in names)


def _require_on(before: ScheduledEvent, now: datetime) -> None:
    if before.cancelled_at is not None:
        raise ValidationError(_("It is cancelled, and those who booked were told so. Make a new event."))
    if before.is_over(now):
        raise ValidationError(
            _("It is over. For another date, make another product with an event of its own.")
        )


def _publish(event: ScheduledEvent, what: News, *, now: datetime, **data: Any) -> None:
    inbox.publish(news(event, what, at=now, **data), now=now)


def _difference(before: ScheduledEvent, event: ScheduledEvent) -> dict[str, Any]:
    """What is new to those who booked: while an earlier change is not spread to all of them, since before that;
    and whether some have heard of that change already.

    So whoever mistypes and saves again at once sends one message, which speaks of times people have heard of.
    """
    now_says = spoken(event)
    rows = InboxEvent.objects.select_for_update(of=("self",), no_key=True)
    waiting = rows.filter(name=NEWS, key__startswith=_key(before, News.CHANGED), processed_at=None)
    row = waiting.order_by("pk").first()
    was = spoken(before) if row is None else row.data["was"]
    is_partly_told = row is not None and bool(row.data["after"] or row.data["is_partly_told"])
    is_urgent = any(was[name] != now_says[name] for name in ScheduledEvent.URGENT)
    if row is not None and is_partly_told:
        is_urgent = is_urgent or row.data["is_urgent"]
    return {"was": was, "is_partly_told": is_partly_told, "is_urgent": is_urgent}
