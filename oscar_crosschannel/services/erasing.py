"""Forgetting a person, and remembering only what keeps them from being written to again.

What goes: name, addresses, places, baskets, links, what was heard of them, why each message was or was not
sent, and what still waited for them. What stays says nothing to anybody who has only this database: when
which topic was sent to which keyed digest, and the ledger of consents without whatever names the person,
because it is evidence (GDPR 17(3)(e)). Orders and vouchers belong to the shop.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import CharField, F, Model, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce, Concat

from ..conf import settings
from ..core.events import Event
from ..core.facts import Answer
from ..core.lifecycle import OPEN
from ..core.rulings import Reason
from ..models import (
    Attempt,
    Belonging,
    Click,
    Consent,
    ConsentEvent,
    Contact,
    ContactPoint,
    DeliveryEvent,
    Enrolment,
    Erasure,
    Message,
    OrdinaryReply,
    Suppression,
    UnreadReply,
)
from . import contacts, enrolments, evidence, persons, recall, suppressions
from .persons import Address, Person
from .plans import Plans

#: The account behind a contact was deleted. `data`: contact (its id), mode (of ON_ACCOUNT_DELETION).
ACCOUNT_DELETED = "account.deleted"
#: What `ON_ACCOUNT_DELETION` may say.
ERASE, ANONYMISE, KEEP = "erase", "anonymise", "keep"

_NOBODY: dict[str, Any] = {
    "user": None, "guest_key": None, "name": "", "language": "", "language_chosen": False, "zone": "",
    "country": "", "region": "", "primary_channel": "", "paused_until": None, "fewer": False,
}  # fmt: skip
#: What stands for a key or an intent that names a row of the shop.
_ERASED = Concat(Value("erased:"), Cast("pk", CharField()))


@transaction.atomic
def erase(
    contact: Contact,
    *,
    cause: str,
    by: str,
    now: datetime,
    statistics: bool = False,
    account: int | None = None,
) -> Erasure | None:
    """Erase the person behind a contact; None when they were erased before.

    Every address of theirs is suppressed by its digest, so that neither a flow nor an import revives it: only
    the person does, by agreeing anew. With `statistics`, runs, messages and clicks stay to be counted, without
    anything that says whose they were; else only what was sent stays. `account`: the id of an account that
    was deleted meanwhile.
    """
    person = persons.of_contact(contact, account=account)
    contacts.lock({*person.ids, *_users_of(person)})
    person = persons.of_contact(contact, account=account)
    if not person.points and person.erasures().exists():
        return None
    _stop(person, now)
    _unname_history(person)  # before rows go, or lose what leads to them: entries are found by their ids
    counts = {"inbox": _empty_inbox(person, now), "ledger": _seal_ledger(person, cause=cause, by=by, now=now)}
    counts["addresses"] = len(person.points)
    ContactPoint.objects.filter(pk__in=[point.pk for point in person.points]).delete()
    counts |= _anonymise(person) if statistics else _anonymise(person) | _delete(person)
    Belonging.objects.filter(contact__in=person.ids).delete()
    Contact.objects.filter(pk__in=person.ids).update(**_NOBODY)
    return Erasure.objects.create(contact_id=person.ids[0], at=now, cause=cause, by=by[:150], counts=counts)


@transaction.atomic
def erase_address(
    channel: str, address: str, *, cause: str, by: str, now: datetime
) -> Mapping[str, int] | None:
    """Erase what is kept about an address that no contact uses: unproven imports, a stop, what was heard of it.

    Returns how many rows of each kind; None when there is nothing, or a contact uses it: `erase` them instead.
    There is nobody whom an `Erasure` could name, so the last row of the ledger says that it was done, and why.
    """
    person = persons.of_address(channel, address)
    if contacts.find_by_address(channel, address) or not any(foreseen_at(channel, address).values()):
        return None
    for known in person.alone:
        _suppress(*known, now)
    _empty_notes(person)
    _unname_history(person)
    counts = {
        "inbox": _empty_inbox(person, now),
        "ledger": evidence.pseudonymise(_named_in_ledger(person), digest=contacts.digest),
    }
    _withdraw(None, person.alone, cause=cause, by=by, now=now)
    return counts


def fold_account_deleted(event: Event, plans: Plans, *, now: datetime) -> None:
    """Draw the consequence of a deleted account that the shop has chosen."""
    contact = Contact.objects.filter(pk=event.data["contact"]).first()
    if contact is None:
        return
    if event.data["mode"] == KEEP:
        contacts.become_guest(contact, now=now)
    else:
        erase(
            contact,
            cause="account",
            by="customer",
            now=now,
            statistics=event.data["mode"] == ANONYMISE,
            account=event.user_id,
        )


def foreseen(contact: Contact) -> Mapping[str, int]:
    """How much an erasure would touch, for the person who is asked to confirm it."""
    person = persons.of_contact(contact)
    return {
        "addresses": len(person.points),
        "shared": len(person.shared),
        "open": person.messages().filter(state__in=OPEN).count(),
        "sent": person.messages().filter(attempted_at__isnull=False).count(),
        "ledger": person.ledger().count(),
    }


def foreseen_at(channel: str, address: str) -> Mapping[str, int]:
    """`foreseen` for an address that no contact uses."""
    person = persons.of_address(channel, address)
    return {"inbox": person.inbox().count(), "ledger": _named_in_ledger(person).count()}


def _named_in_ledger(person: Person) -> QuerySet[ConsentEvent]:
    """Of an address that no contact uses, what was not erased before."""
    return person.ledger().filter(address__in=[address for _, address in person.alone])


def _users_of(person: Person) -> list[int]:
    """Everybody whose lock a suppression of these addresses takes."""
    return [
        user.pk for point in person.points for user in contacts.find_by_address(point.channel, point.address)
    ]


def _stop(person: Person, now: datetime) -> None:
    flow_ids = set(Enrolment.objects.filter(contact__in=person.ids).values_list("flow_id", flat=True))
    enrolments.stop(person.ids, flow_ids, reason=Reason.ERASED, now=now)
    recall.recall_contacts(person.ids, reason=Reason.ERASED, now=now)
    for point in person.points:
        if not _is_relied_on_by_others(person, point):
            _suppress(point.channel, point.address, now)
    _empty_notes(person)


def _suppress(channel: str, address: str, now: datetime) -> None:
    suppressions.suppress(
        channel, address, cause=Suppression.Cause.ERASED, scope=Suppression.Scope.MARKETING, now=now
    )


def _empty_notes(person: Person) -> None:
    """The block stays; what staff wrote beside it may quote the person."""
    person.suppressions().order_by().update(note="")


def _is_relied_on_by_others(person: Person, point: ContactPoint) -> bool:
    """Whether another customer agreed to be reached there; their wish is not this person's to withdraw."""
    others = Consent.objects.filter(
        point__channel=point.channel, point__address=point.address, answer=Answer.GRANTED
    )
    return others.exclude(point__contact__in=person.ids).exists()


def _seal_ledger(person: Person, *, cause: str, by: str, now: datetime) -> int:
    """The ledger without names, and a withdrawal from everything as its last word."""
    count = evidence.pseudonymise(person.ledger(), digest=contacts.digest)
    Consent.objects.filter(point__in=[point.pk for point in person.points]).delete()
    addresses = {(point.channel, point.address) for point in person.points}
    _withdraw(person.contacts[0], addresses, cause=cause, by=by, now=now)
    return count


def _withdraw(
    contact: Contact | None, addresses: Collection[Address], *, cause: str, by: str, now: datetime
) -> None:
    for channel, address in sorted(addresses):
        evidence.append(
            ConsentEvent(
                contact=contact,
                channel=channel,
                address=contacts.digest(channel, address),
                action=ConsentEvent.Action.REVOKE,
                basis=ConsentEvent.Basis.NONE,
                source="erasure",
                mechanism=cause,
                actor=by,
                brand=settings.BRAND,
                received_at=now,
                at=now,
            )
        )


def _empty_inbox(person: Person, now: datetime) -> int:
    """Nothing that was heard of them is worked off any more. The rows stay: a report that comes twice is known."""
    return (
        person.inbox()
        .order_by()
        .update(
            email="",
            phone="",
            user_id=None,
            subjects={},
            data={},
            answers=[],
            error="",
            left=None,
            unread=None,
            processed_at=Coalesce(F("processed_at"), Value(now)),
        )
    )


def _anonymise(person: Person) -> dict[str, int]:
    """Runs, messages and what providers said of them, without anything that tells whose they were."""
    messages = Message.objects.filter(contact__in=person.ids)
    Enrolment.objects.filter(contact__in=person.ids).update(key=_ERASED, subjects={}, data={})
    Attempt.objects.filter(message__in=messages).update(detail="")
    DeliveryEvent.objects.filter(attempt__message__in=messages).update(detail="")
    return {"messages": messages.update(intent=_ERASED, links=[], decision=None)}


def _delete(person: Person) -> dict[str, int]:
    """All that was no message to them. What is on its way stays until its end is known."""
    messages = Message.objects.filter(contact__in=person.ids)
    settled = messages.exclude(state__in=OPEN)
    clicks, _ = Click.objects.filter(message__in=messages).delete()
    _, gone = settled.filter(attempted_at=None).delete()
    settled.update(enrolment=None)
    runs = Enrolment.objects.filter(contact__in=person.ids)
    runs.filter(~Q(messages__state__in=OPEN)).delete()
    return {"clicks": clicks, "unsent": gone.get(Message._meta.label, 0)}


def _unname_history(person: Person) -> None:
    """That staff did something stays in the admin's own log; not to whom, nor what they wrote about it."""
    if not apps.is_installed("django.contrib.admin"):
        return
    named: Mapping[type[Model], QuerySet[Any]] = {
        Contact: Contact.objects.filter(pk__in=person.ids),
        Enrolment: Enrolment.objects.filter(contact__in=person.ids),
        Message: Message.objects.filter(contact__in=person.ids),
        Suppression: person.suppressions(),
        UnreadReply: person.suppressions(),
        OrdinaryReply: person.inbox().filter(unread__isnull=False),
    }
    entries = apps.get_model("admin", "LogEntry").objects
    for model, rows in named.items():
        ids = rows.order_by().values_list("pk", flat=True)
        kind = ContentType.objects.get_for_model(model, for_concrete_model=False)
        entries.filter(content_type=kind, object_id__in=list(map(str, ids))).update(
            object_repr=Concat(Value("#"), "object_id"), change_message=""
        )
