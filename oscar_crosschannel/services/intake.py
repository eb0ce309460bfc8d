"""The fold: what happened becomes contacts, consents, stops and starts.

One short transaction per event, in the order of arrival. An event that fails is tried again
with growing pauses and, at last, set aside with its error: nothing is lost, and nothing blocks
what came after it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import islice

from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from ..conf import shop
from ..core.events import Event
from ..core.facts import EMAIL, SMS
from ..core.rulings import Reason
from ..models import Contact, InboxEvent, Watermark
from . import (
    clicks,
    consents,
    contacts,
    delivery,
    enrolments,
    erasing,
    failures,
    importing,
    inbox,
    resumption,
    sign_ups,
    waking,
)
from .plans import Plans

logger = logging.getLogger(__name__)

#: Events worked off per tick, and tries before one is set aside.
MOST, TRIES = 2000, 5
#: A sweep looks back so far behind its watermark: rows of slow transactions appear late.
OVERLAP = timedelta(minutes=2)
#: How far the first sweep of all looks back; older baskets could not be written to any more.
FIRST_LOOK = timedelta(hours=48)
SWEEP_BATCH = 200
#: Name of the watermark.
SWEEP = "sweep"

Handler = Callable[..., None]
HANDLERS: dict[str, Handler] = {
    "link.clicked": clicks.fold_click,
    "sms.status": delivery.fold_sms_status,
    "email.tracking": delivery.fold_email_event,
    sign_ups.SIGNED_UP: sign_ups.fold,
    consents.REQUEST_OVER: consents.fold_expiry,
    erasing.ACCOUNT_DELETED: erasing.fold_account_deleted,
    importing.BATCH_DUE: importing.fold_batch,
    waking.STRETCH_DUE: waking.fold_stretch,
}

#: An order came to nothing. `data["placed_at"]`: when it was placed (ISO, with a zone).
ORDER_VOIDED = "order.voided"

#: Why an event ends runs, in words a merchant knows.
STOP_REASONS = {
    "order.placed": Reason.PURCHASED,
    "event.scheduled": Reason.REPLACED,
    "event.changed": Reason.REPLACED,
}


def begin_sweeping(now: datetime) -> None:
    """Leave a mark where the first sweep of all begins."""
    Watermark.objects.get_or_create(name=SWEEP, defaults={"at": now - FIRST_LOOK})


def sweep(since: datetime, *, now: datetime) -> bool:
    """Search the shop for what nobody signalled since the last sweep; whether there was anything."""
    found = False
    events = iter(shop().sweep(min(since, now) - OVERLAP, now))
    while batch := list(islice(events, SWEEP_BATCH)):
        inbox.publish(*batch, now=now)
        found = True
    Watermark.objects.filter(name=SWEEP, at__lt=now).update(at=now)
    return found


def waiting(now: datetime) -> QuerySet[InboxEvent]:
    """What is to be worked off."""
    return InboxEvent.objects.filter(processed_at=None, not_before__lte=now)


def fold(
    plans: Plans, *, clock: Callable[[], datetime], pause: Callable[[], AbstractContextManager[None]]
) -> int:
    """Work off what waits in the inbox; returns how many events."""
    done = 0
    while done < MOST:
        with pause():
            if not _fold_next(plans, clock()):
                break
        done += 1
    return done


def _fold_next(plans: Plans, now: datetime) -> bool:
    row: InboxEvent | None = None
    try:
        with transaction.atomic():
            row = (
                waiting(now)
                .select_for_update(skip_locked=True, of=("self",), no_key=True)
                .order_by("not_before", "id")
                .first()
            )
            if row is None:
                return False
            problems = _handle(inbox.as_event(row), plans, now)
            InboxEvent.objects.filter(pk=row.pk).update(processed_at=now, error=problems)
    except Exception as error:
        if row is None:
            raise
        _set_back(row, error, now)
    return True


def _set_back(row: InboxEvent, error: Exception, now: datetime) -> None:
    # the error's words may hold an address; the row keeps them, the log does not
    logger.error("folding event %s #%d failed: %s", row.name, row.pk, type(error).__name__)
    tries = row.tries + 1
    InboxEvent.objects.filter(pk=row.pk, occurred_at=row.occurred_at).update(
        tries=tries,
        error=f"{type(error).__name__}: {error}"[:2000],
        not_before=now + timedelta(minutes=2**tries),
        processed_at=now if tries >= TRIES else None,
    )


def _handle(event: Event, plans: Plans, now: datetime) -> str:
    """Draw all consequences; returns what went wrong with single flows, in words for staff."""
    if (handler := HANDLERS.get(event.name)) is not None:
        handler(event, plans, now=now)
        return ""
    # everybody it may touch, locked in one order before anything is written
    owners = _owners(event)
    people = {contact.pk for contact in [*owners, *_named(event)]}
    locked = {contact.pk: contact for contact in contacts.lock(people)}
    contact = _whose(event, [locked[owner.pk] for owner in owners], now)
    if contact is not None:
        people.add(contact.pk)
        for answer in event.answers:
            consents.take_answer(
                contact, answer, signed_in=event.user_id is not None, at=event.occurred_at, now=now
            )
    if event.name == ORDER_VOIDED:
        since = datetime.fromisoformat(event.data["placed_at"])
        resumption.resume(people, plans, since=since, at=event.occurred_at)
    _stop(event, people, plans, now)
    problems = _start(event, contact, plans, now) if contact is not None else ""
    return "; ".join(filter(None, [problems, _follow(event, now)]))


def _owners(event: Event) -> list[Contact]:
    """The contacts that the shop's rows behind an event belong to."""
    found = [contacts.owner_of(kind, object_id) for kind, object_id in event.subjects.items()]
    return [contact for contact in found if contact is not None]


def _named(event: Event) -> list[Contact]:
    """The contacts that an event names by account or address.

    A phone only ever stops: it never says who somebody is, merges or grants.
    """
    found = list(Contact.objects.filter(user_id=event.user_id)) if event.user_id is not None else []
    for channel, address in ((EMAIL, event.email), (SMS, event.phone)):
        if address:
            found += contacts.find_by_address(channel, address)
    return found


def _whose(event: Event, owners: Sequence[Contact], now: datetime) -> Contact | None:
    """The contact an event is about, with what the event tells of them."""
    if event.user_id is None and not event.email:
        # a merge may have come before the lock
        return contacts.followed(owners[0]) if owners else None
    details = {key: event.data.get(key, "") for key in ("name", "language", "country", "region")}
    contact = contacts.identify(user_id=event.user_id, email=event.email, now=now, **details)
    if contact is None:
        return None
    # a guest who types an account's email may not hang a phone on the account
    if event.phone and (event.user_id is not None or contact.user_id is None):
        contacts.set_point(contact, SMS, event.phone, source=event.name, now=now, weak=True)
    if event.user_id is None:
        for kind, object_id in event.subjects.items():
            contacts.remember(kind, object_id, contact)
    return contact


def _stop(event: Event, people: set[int], plans: Plans, now: datetime) -> None:
    stopped = plans.stopped_by(event.name)
    if stopped and people:
        reason = STOP_REASONS.get(event.name, Reason.NOT_WANTED)
        # as of the event: what the person did after it may start anew
        enrolments.stop_on(event, people, stopped, reason=reason, now=now)


def _start(event: Event, contact: Contact, plans: Plans, now: datetime) -> str:
    """Start what the event starts. A flow that fails must not undo another one's stop."""
    problems = []
    contacts.lock([contact.pk])
    for planned in plans.started_by(event.name):
        if not planned.plan.enabled:
            continue
        try:
            with transaction.atomic():
                enrolments.enrol(contact, planned, event, now=now)
        except DatabaseError:
            raise  # the event is tried again
        except Exception as error:
            failures.log(logger, error, "starting flow %s failed", planned.plan.key)
            problems.append(f"{planned.plan.key}: {type(error).__name__}: {error}")
    return "; ".join(problems)


def _follow(event: Event, now: datetime) -> str:
    """Take what else the event means to the shop. An error there must not undo a stop."""
    try:
        with transaction.atomic():  # what the shop wrote goes with what it did not get to say
            inbox.publish(*shop().follows(event), now=now)
    except DatabaseError:
        raise  # the event is tried again
    except Exception as error:
        failures.log(logger, error, "asking what follows from %s failed", event.name)
        return f"{type(error).__name__}: {error}"
    return ""
