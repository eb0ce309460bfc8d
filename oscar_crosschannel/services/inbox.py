"""Taking events: one statement, so that a shopper's request pays almost nothing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from django.db import IntegrityError, transaction

from ..core.events import ConsentAnswer, Event
from ..models import InboxEvent

_CHANGES = [
    "occurred_at",
    "not_before",
    "user_id",
    "email",
    "phone",
    "subjects",
    "data",
    "answers",
    "processed_at",
    "tries",
    "error",
    "left",
]


def publish(*events: Event, now: datetime) -> None:
    """Take events; a newer entry under the same (name, key) replaces the old and is worked off again."""
    InboxEvent.objects.bulk_create(
        # in one order everywhere: two statements with the same rows must not wait for each other
        [_row(event, now) for event in sorted(events, key=lambda each: (each.name, each.key))],
        update_conflicts=True,
        unique_fields=["name", "key"],
        update_fields=_CHANGES,
    )


def record(event: Event, *, now: datetime, settled: bool = False) -> bool:
    """Take an event once; False when this (name, key) is already known (a doubled webhook).

    `settled`: the caller draws all consequences itself, and the fold none.
    """
    row = _row(event, now)
    row.processed_at = now if settled else None
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def as_event(row: InboxEvent) -> Event:
    """The value behind a row."""
    return Event(
        name=row.name,
        key=row.key,
        occurred_at=row.occurred_at,
        user_id=row.user_id,
        email=row.email,
        phone=row.phone,
        subjects=row.subjects,
        data=row.data,
        answers=tuple(ConsentAnswer(**answer) for answer in row.answers),
        not_before=row.not_before,
    )


def _row(event: Event, now: datetime) -> InboxEvent:
    return InboxEvent(
        name=event.name,
        key=event.key,
        occurred_at=event.occurred_at,
        not_before=event.not_before or now,
        user_id=event.user_id,
        email=event.email[:254],
        phone=event.phone[:40],
        subjects=dict(event.subjects),
        data=dict(event.data),
        answers=[asdict(answer) for answer in event.answers],
    )
