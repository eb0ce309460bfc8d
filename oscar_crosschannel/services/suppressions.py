"""Addresses that get nothing. The list knows them by keyed digest only, and outranks every consent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TypeAlias

from django.db import transaction
from django.db.models import QuerySet

from ..conf import settings
from ..core.facts import SMS
from ..core.rulings import Reason
from ..models import ContactPoint, InboxEvent, Suppression
from . import contacts, recall

Cause: TypeAlias = Suppression.Cause
Scope: TypeAlias = Suppression.Scope

#: What may be lifted by fewer comes first. An address has one row; the graver cause stays.
_GRAVITY = [
    Cause.REVIEW,
    Cause.CARRIER_BLOCK,
    Cause.INVALID,
    Cause.HARD_BOUNCE,
    Cause.ERASED,
    Cause.MANUAL,
    Cause.REVOKED,
    Cause.COMPLAINT,
    Cause.LEGAL,
]
#: What a fresh yes of the person lifts (rule 26).
OWN_WISH = (Cause.REVOKED, Cause.COMPLAINT, Cause.CARRIER_BLOCK, Cause.ERASED, Cause.REVIEW)
#: What staff may lift: the address did not work, but nobody said no (rule 26).
STAFF_MAY_LIFT = (Cause.INVALID, Cause.HARD_BOUNCE)
#: Beside these a doubtful reply is worth reading: they may end without the person.
_MAY_END = (Cause.REVIEW, Cause.CARRIER_BLOCK, *STAFF_MAY_LIFT)


def scope_of_stop(channel: str, cause: Cause) -> Scope:
    """What a person's stop blocks: marketing; of texts everything, unless the shop keeps those that an order needs.

    What the provider blocks, it blocks whole (rule 22).
    """
    keeps_orders = settings.STOP_KEEPS_TRANSACTIONAL and cause == Cause.REVOKED
    return Scope.EVERYTHING if channel == SMS and not keeps_orders else Scope.MARKETING


@transaction.atomic
def suppress(
    channel: str,
    address: str,
    *,
    cause: Cause,
    scope: Scope,
    now: datetime,
    note: str = "",
    reply: InboxEvent | None = None,
) -> bool:
    """Send nothing to this address from now on, and take back what is claimed for it.

    `reply` is the answer that staff should read, for the cause `REVIEW`. Returns False when it was
    blocked in this way before.
    """
    known = contacts.known_as(channel, address)
    points = ContactPoint.objects.filter(channel=channel, address=known)
    people = [contact.pk for contact in contacts.lock(set(points.values_list("contact_id", flat=True)))]
    changed = [
        _block(channel, digest, cause=cause, scope=scope, now=now, note=note, reply=reply)
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
    """The person agreed anew: lift the block of an address if it has one of these causes."""
    blocks = _in_force(channel, address)
    lifted = blocks.filter(cause__in=causes).update(lifted_at=now, reply=None)
    blocks.update(reply=None)  # what they wrote before needs no reading any more
    return bool(lifted)


@transaction.atomic
def lift_by_staff(channel: str, digest: str, *, note: str, now: datetime) -> bool:
    """Lift the block of an address that works after all, under every digest it goes by.

    False when nothing blocks it any more, or something that staff may not lift does. A reply that
    nobody has read blocks on.
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
        _end(block, note=note, now=now)
    return True


@transaction.atomic
def dismiss_reply(reply_id: int, *, note: str, now: datetime) -> bool:
    """Staff have read a doubtful reply: it was no stop. False when it was settled before, or a later one came."""
    blocks = list(
        Suppression.objects.select_for_update(no_key=True)
        .filter(reply_id=reply_id, lifted_at=None)
        .order_by("digest")
    )
    for block in blocks:
        block.reply = None
        if block.cause == Cause.REVIEW:
            _end(block, note=note, now=now)
        else:
            _annotate(block, note)
            block.save(update_fields=["reply", "note"])
    return bool(blocks)


def unblock_carrier(channel: str, address: str, *, now: datetime) -> None:
    """The person allowed texts again at the carrier. That is no consent: marketing stays off (rule 10)."""
    blocked = _in_force(channel, address).filter(cause=Cause.CARRIER_BLOCK)
    for block in blocked:
        _end(block, now=now)
    if not blocked:
        keep_orders(channel, address)


def keep_orders(channel: str, address: str) -> bool:
    """Who said stop wants texts about their orders all the same: only marketing stays off."""
    stopped = _in_force(channel, address).filter(cause=Cause.REVOKED, scope=Scope.EVERYTHING)
    return bool(stopped.update(scope=Scope.MARKETING))


def _in_force(channel: str, address: str) -> QuerySet[Suppression]:
    digests = contacts.digests(channel, contacts.known_as(channel, address))
    return Suppression.objects.filter(channel=channel, digest__in=digests, lifted_at=None)


def _block(
    channel: str,
    digest: str,
    *,
    cause: Cause,
    scope: Scope,
    now: datetime,
    note: str,
    reply: InboxEvent | None = None,
) -> bool:
    row, created = Suppression.objects.get_or_create(
        channel=channel,
        digest=digest,
        defaults={"cause": cause, "scope": scope, "note": note, "since": now, "reply": reply},
    )
    return created or _tighten(row, cause=cause, scope=scope, note=note, now=now, reply=reply)


def _tighten(
    row: Suppression, *, cause: Cause, scope: Scope, note: str, now: datetime, reply: InboxEvent | None
) -> bool:
    in_force = row.lifted_at is None
    before = (row.cause, row.scope)
    if in_force:
        row.cause = max(Cause(row.cause), cause, key=_GRAVITY.index)
        row.scope = Scope.EVERYTHING if scope == Scope.EVERYTHING else row.scope
    else:
        row.cause, row.scope, row.since, row.lifted_at = cause, scope, now, None
    changed = not in_force or before != (row.cause, row.scope)
    if changed:
        _annotate(row, note)
    # what nobody could lift needs no reading
    row.reply = (reply or row.reply) if row.cause in _MAY_END else None
    row.save()
    return changed


def _end(block: Suppression, *, now: datetime, note: str = "") -> None:
    """The cause is gone. What a person wrote, and nobody has read yet, blocks on."""
    if block.reply_id is None:
        block.lifted_at = now
    else:
        block.cause, block.scope = Cause.REVIEW, Scope.MARKETING
    _annotate(block, note)
    block.save()


def _annotate(block: Suppression, note: str) -> None:
    block.note = "\n".join(filter(None, [block.note, note]))
