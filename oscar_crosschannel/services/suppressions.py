"""Addresses that get nothing. The list knows them by keyed digest only, and outranks every consent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TypeAlias

from django.db import transaction
from django.db.models import QuerySet

from ..core.rulings import Reason
from ..models import ContactPoint, Suppression
from . import contacts, recall

Cause: TypeAlias = Suppression.Cause
Scope: TypeAlias = Suppression.Scope

#: What may be lifted by fewer comes first. An address has one row; the graver cause stays.
_GRAVITY = [
    Cause.CARRIER_BLOCK,
    Cause.INVALID,
    Cause.HARD_BOUNCE,
    Cause.MANUAL,
    Cause.REVOKED,
    Cause.COMPLAINT,
    Cause.LEGAL,
]
#: What a fresh yes of the person lifts (rule 26).
OWN_WISH = (Cause.REVOKED, Cause.COMPLAINT, Cause.CARRIER_BLOCK)
#: What staff may lift: the address did not work, but nobody said no (rule 26).
STAFF_MAY_LIFT = (Cause.INVALID, Cause.HARD_BOUNCE)


@transaction.atomic
def suppress(
    channel: str, address: str, *, cause: Cause, scope: Scope, now: datetime, note: str = ""
) -> bool:
    """Send nothing to this address from now on, and take back what is claimed for it.

    Returns False when it was blocked in this way before.
    """
    known = contacts.known_as(channel, address)
    points = ContactPoint.objects.filter(channel=channel, address=known)
    people = [contact.pk for contact in contacts.lock(set(points.values_list("contact_id", flat=True)))]
    changed = [
        _block(channel, digest, cause=cause, scope=scope, now=now, note=note)
        for digest in sorted(contacts.digests(channel, known))
    ]
    recall.recall_contacts(people, reason=Reason.SUPPRESSED, now=now, channel=channel)
    return any(changed)


@transaction.atomic
def suppress_digest(
    channel: str, digest: str, *, cause: Cause, scope: Scope, now: datetime, note: str = ""
) -> bool:
    """`suppress` for an address that the caller knows by its digest only."""
    point = ContactPoint.objects.filter(channel=channel, digest=digest).first()
    if point is not None:
        return suppress(channel, point.address, cause=cause, scope=scope, now=now, note=note)
    return _block(channel, digest, cause=cause, scope=scope, now=now, note=note)


def in_force(channel: str, address: str) -> Suppression | None:
    """The suppression that blocks this address now."""
    return _in_force(channel, address).order_by("pk").first()


def lift(channel: str, address: str, *, causes: Collection[Cause], now: datetime) -> bool:
    """Lift the block of an address if it has one of these causes."""
    return bool(_in_force(channel, address).filter(cause__in=causes).update(lifted_at=now))


@transaction.atomic
def lift_by_staff(channel: str, digest: str, *, note: str, now: datetime) -> bool:
    """Lift the block of an address that works after all, under every digest it goes by.

    False when nothing blocks it any more, or something that staff may not lift does.
    """
    point = ContactPoint.objects.filter(channel=channel, digest=digest).first()
    known = contacts.digests(channel, point.address) if point else set()
    blocks = list(
        Suppression.objects.select_for_update(no_key=True)
        .filter(channel=channel, digest__in={digest, *known}, lifted_at=None)
        .order_by("digest")
    )
    if not blocks or any(block.cause not in STAFF_MAY_LIFT for block in blocks):
        return False
    for block in blocks:
        block.lifted_at, block.note = now, "\n".join(filter(None, [block.note, note]))
        block.save(update_fields=["lifted_at", "note"])
    return True


def unblock_carrier(channel: str, address: str, *, now: datetime) -> None:
    """The person allowed texts again at the carrier. That is no consent: marketing stays off (rule 10)."""
    if lift(channel, address, causes=[Cause.CARRIER_BLOCK], now=now):
        return
    _in_force(channel, address).filter(cause=Cause.REVOKED).update(scope=Scope.MARKETING)


def _in_force(channel: str, address: str) -> QuerySet[Suppression]:
    digests = contacts.digests(channel, contacts.known_as(channel, address))
    return Suppression.objects.filter(channel=channel, digest__in=digests, lifted_at=None)


def _block(channel: str, digest: str, *, cause: Cause, scope: Scope, now: datetime, note: str) -> bool:
    row, created = Suppression.objects.get_or_create(
        channel=channel,
        digest=digest,
        defaults={"cause": cause, "scope": scope, "note": note, "since": now},
    )
    return created or _tighten(row, cause=cause, scope=scope, note=note, now=now)


def _tighten(row: Suppression, *, cause: Cause, scope: Scope, note: str, now: datetime) -> bool:
    in_force = row.lifted_at is None
    before = (row.cause, row.scope)
    if in_force:
        row.cause = max(Cause(row.cause), cause, key=_GRAVITY.index)
        row.scope = Scope.EVERYTHING if scope == Scope.EVERYTHING else row.scope
        row.note = row.note or note
    else:
        row.cause, row.scope, row.note, row.since, row.lifted_at = cause, scope, note, now, None
    row.save()
    return not in_force or before != (row.cause, row.scope)
