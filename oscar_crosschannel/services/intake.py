"""The fold: what happened becomes contacts, consents, stops and starts.

One short transaction per event, in the order of arrival. An event that fails is tried again
with growing pauses and, at last, set aside with its error: nothing is lost, and nothing blocks
what came after it. Where a flow cannot start, or the shop cannot say what follows, the rest of
the event is done, and only that is tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet

from ..conf import shop
from ..core.events import OLD, Event
from ..core.facts import EMAIL, SMS
from ..core.rulings import Reason
from ..models import Contact, InboxEvent, Watermark
from . import (
    clicks,
    conditions,
    consents,
    contacts,
    delivery,
    enrolments,
    erasing,
    failures,
    following,
    importing,
    inbox,
    resumption,
    sign_ups,
    waking,
)
from .plans import PlannedFlow, Plans

logger = logging.getLogger(__name__)

#: Events worked off per tick, and tries before one is set aside.
MOST, TRIES = 2000, 5
#: A sweep looks back so far behind its watermark: rows of slow transactions appear late.
OVERLAP = timedelta(minutes=2)
#: How far the first sweep of all looks back; older baskets could not be written to any more.
FIRST_LOOK = timedelta(hours=48)
SWEEP_BATCH = 200
#: Name of the watermark; that of a search which is behind has its own name after it.
SWEEP, BEHIND = "sweep", "sweep-"

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
    following.FOLLOW_DUE: following.fold_stretch,
}

#: An order came to nothing. `data["placed_at"]`: when it was placed (ISO, with a zone).
ORDER_VOIDED = "order.voided"

#: What is left of an event beside the flows that it starts: what the shop says that follows. No flow is called so.
_FOLLOWS = "what follows"

#: Why an event ends runs, in words a merchant knows.
STOP_REASONS = {
    "order.placed": Reason.PURCHASED,
    "event.scheduled": Reason.REPLACED,
    "event.changed": Reason.REPLACED,
    "event.relinked": Reason.REPLACED,
}


def begin_sweeping(now: datetime) -> None:
    """Leave a mark where the first sweep of all begins."""
    Watermark.objects.get_or_create(name=SWEEP, defaults={"at": now - FIRST_LOOK})


class SweepError(Exception):
    """Some searches of the shop failed, and will look again from where they were; the others are done."""


def behind() -> QuerySet[Watermark]:
    """Since when each search has failed that did so the last time."""
    return Watermark.objects.filter(name__startswith=BEHIND)


def sweep(since: datetime, *, now: datetime, is_behind: bool = False) -> bool:
    """Search the shop for what nobody signalled since the last sweep; whether there was anything.

    `is_behind`: whether there are searches `behind`. Raises SweepError when all are done and any has failed.
    """
    late = dict(behind().values_list("name", "at")) if is_behind else {}
    found, failed = False, []
    searches = shop().sweeps()
    if gone := late.keys() - {f"{BEHIND}{name}" for name in searches}:  # the store has them no more
        Watermark.objects.filter(name__in=gone).delete()
    for name, look in searches.items():
        mark = f"{BEHIND}{name}"
        begins = late.get(mark, since)
        try:
            found |= _take_all(look(min(begins, now) - OVERLAP, now), now)
        except Exception as error:
            failures.log(logger, error, "searching the shop for %s failed", name)
            failed.append(name)
            Watermark.objects.get_or_create(name=mark, defaults={"at": begins})
        else:
            if mark in late:
                Watermark.objects.filter(name=mark).delete()
    Watermark.objects.filter(name=SWEEP, at__lt=now).update(at=now)
    if failed:
        raise SweepError(", ".join(failed))
    return found


def _take_all(events: Iterable[Event], now: datetime) -> bool:
    found, rest = False, iter(events)
    while batch := list(islice(rest, SWEEP_BATCH)):
        inbox.publish(*batch, now=now)
        found = True
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
            rest = _handle(row, plans, now)
            if rest.errors:
                _set_back(row, rest.told(), now, left=rest.as_json())
            else:
                InboxEvent.objects.filter(pk=row.pk).update(processed_at=now, error="", left=None)
    except Exception as error:
        if row is None:
            raise
        failures.log(logger, error, "folding event %s #%d failed", row.name, row.pk)
        # the error's words may hold an address; the row keeps them, the log does not
        _set_back(row, _words(error), now, left=row.left)
    return True


def try_again(event_ids: Collection[int], *, now: datetime) -> int:
    """Take up again what was set aside, as often as the first time; returns how many. Done parts stay done."""
    aside = InboxEvent.objects.filter(pk__in=event_ids, processed_at__isnull=False).exclude(error="")
    return aside.update(tries=0, not_before=now, processed_at=None)


def _set_back(row: InboxEvent, told: str, now: datetime, *, left: Any) -> None:
    """Have an event tried again later; not what was published anew meanwhile, or taken by another worker."""
    tries = row.tries + 1
    as_it_was = InboxEvent.objects.filter(occurred_at=row.occurred_at, tries=row.tries, processed_at=None)
    as_it_was.filter(pk=row.pk).update(
        tries=tries,
        error=told[:2000],
        left=left,
        not_before=now + timedelta(minutes=2**tries),
        processed_at=now if tries >= TRIES else None,
    )


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@dataclass(slots=True)
class _Rest:
    """What of an event is to be done beside its stops, and what of that could not be."""

    contact: Contact | None
    todo: Collection[str]  #: keys of flows to start, and `_FOLLOWS`
    is_late: bool = False  #: an earlier try failed, and the world went on
    errors: dict[str, str] = field(default_factory=dict)  #: by the key of a flow, or `_FOLLOWS`

    def told(self) -> str:
        """In words for staff."""
        return "; ".join(f"{part}: {words}" for part, words in self.errors.items())

    def as_json(self) -> dict[str, Any]:
        """For the column `left`."""
        return {"contact": self.contact and self.contact.pk, "parts": list(self.errors)}


def _handle(row: InboxEvent, plans: Plans, now: datetime) -> _Rest:
    """Draw all consequences that were not drawn yet."""
    event = inbox.as_event(row)
    if (handler := HANDLERS.get(event.name)) is not None:
        handler(event, plans, now=now)
        return _Rest(None, ())
    rest = _everything(event, plans, now) if row.left is None else _left_over(row.left)
    rest.is_late = row.tries > 0 or row.left is not None
    if rest.contact is not None:
        _start(event, rest.contact, plans, rest, now)
    if _FOLLOWS in rest.todo:
        _follow(event, rest, now)
    return rest


def _everything(event: Event, plans: Plans, now: datetime) -> _Rest:
    contact = _take(event, plans, now)
    return _Rest(contact, [*(planned.plan.key for planned in plans.started_by(event.name)), _FOLLOWS])


def _left_over(left: Mapping[str, Any]) -> _Rest:
    """What an earlier try could not do; the contact may have been merged since."""
    contact = Contact.objects.filter(pk=left["contact"]).first()
    return _Rest(contacts.followed(contact) if contact is not None else None, left["parts"])


def _take(event: Event, plans: Plans, now: datetime) -> Contact | None:
    """Who it is about, what they said, and what it ends."""
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
    return contact


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
    is_old = bool(event.data.get(OLD))
    contact = contacts.identify(
        user_id=event.user_id, email=event.email, now=now, **({} if is_old else details)
    )
    if contact is None:
        return None
    # a guest who types an account's email may not hang a phone on the account
    phone = event.phone if event.user_id is not None or contact.user_id is None else ""
    if is_old:
        contacts.complete(contact, phone, source=event.name, now=now, **details)
    elif phone:
        contacts.set_point(contact, SMS, phone, source=event.name, now=now, weak=True)
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


def _start(event: Event, contact: Contact, plans: Plans, rest: _Rest, now: datetime) -> None:
    """Start what the event starts. A flow that fails must not undo another one's stop."""
    contacts.lock([contact.pk])
    for planned in plans.started_by(event.name):
        if planned.plan.enabled and planned.plan.key in rest.todo:
            with _apart(planned.plan.key, rest, "starting flow %s failed", planned.plan.key):
                if not (rest.is_late and _was_stopped(contact, planned, event)):
                    enrolments.enrol(contact, planned, event, now=now)


def _was_stopped(contact: Contact, planned: PlannedFlow, event: Event) -> bool:
    """Whether what ends this flow has happened to the person since the event, and found no run to end."""
    person = conditions.people_of({contact.pk: contact.user_id})[contact.pk]
    theirs = Q(phone__in=person.phones)
    for email in person.emails:
        theirs |= Q(email__iexact=email)
    if person.user_id is not None:
        theirs |= Q(user_id=person.user_id)
    stops = Q(pk__in=[])
    for stop in planned.plan.stops:
        same = {f"subjects__{stop.same}": event.subjects.get(stop.same)} if stop.same else {}
        stops |= Q(name=stop.event, **same)
    # by when they were worked off, for which there is an index
    since = InboxEvent.objects.filter(processed_at__gte=event.occurred_at, occurred_at__gte=event.occurred_at)
    return since.filter(theirs, stops).exists()


def _follow(event: Event, rest: _Rest, now: datetime) -> None:
    """Take what else the event means to the shop; what the shop wrote goes with what it did not get to say."""
    with _apart(_FOLLOWS, rest, "asking what follows from %s failed", event.name):
        inbox.publish(*shop().follows(event), now=now)


@contextmanager
def _apart(part: str, rest: _Rest, doing: str, *values: object) -> Iterator[None]:
    """What fails in here is left for another try, and undoes nothing else."""
    try:
        with transaction.atomic():
            yield
    except (OperationalError, InterfaceError):
        raise  # of the whole database, or of its locks: all of the event is tried again
    except Exception as error:
        failures.log(logger, error, doing, *values)
        rest.errors[part] = _words(error)
