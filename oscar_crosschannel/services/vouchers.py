"""Exclusive codes: created with the hand-over, derived from the message, withdrawn when certainly not sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Least

from ..conf import settings, shop
from ..core import tokens
from ..core.lifecycle import State
from ..core.plan import Step
from ..core.ports import VoucherRequest
from ..models import Message, VoucherBudget, VoucherGrant
from . import rows

#: Of a message in one of these states the person may know the code.
_MAY_BE_TOLD = (State.SENDING, State.SENT, State.UNKNOWN)

#: Another try within this time leaves a code as it is.
SOON = timedelta(minutes=10)


def grant(wanted: Sequence[tuple[Message, Step]], *, now: datetime) -> dict[int, VoucherGrant]:
    """Codes by message id, inside the caller's transaction. A missing id means none is to be had.

    Asking again for the same message (another try) gives the same code back. One that was withdrawn, or made some
    time ago for a message that was then put off, is valid anew, unless it was spent: nobody was told it yet.
    """
    if not wanted:
        return {}
    known = {
        grant.message_id: grant
        for grant in VoucherGrant.objects.filter(message__in=[message for message, _ in wanted])
    }
    old = {pk: grant for pk, grant in known.items() if _is_old(grant, now)}
    renewable = _unspent(old)
    fresh = [(message, step) for message, step in wanted if message.pk not in known]
    fresh = fresh[: _spend(len(fresh), now)]
    requests = [_request(message, step, now) for message, step in fresh]
    again = _requests_again(renewable, wanted, now)
    voucher_ids = shop().issue_vouchers([*requests, *again]) if requests or again else {}
    created = _create(requests, {message.pk: message for message, _ in fresh}, voucher_ids, now)
    _renew([(renewable[request.message_id], request) for request in again], voucher_ids, now)
    usable = {
        pk: grant
        for pk, grant in known.items()
        if (pk not in old or pk in renewable) and grant.valid_until > now and grant.withdrawn_at is None
    }
    return usable | {grant.message_id: grant for grant in created}


def _requests_again(
    renewable: Mapping[int, VoucherGrant], wanted: Sequence[tuple[Message, Step]], now: datetime
) -> list[VoucherRequest]:
    """What to ask the shop for so that these codes are valid anew."""
    return [
        # the key that codes are made with may be another one by now
        replace(_request(message, step, now), code=renewable[message.pk].code)
        for message, step in wanted
        if message.pk in renewable
    ]


def _create(
    requests: Sequence[VoucherRequest],
    messages: Mapping[int, Message],
    voucher_ids: Mapping[int, int],
    now: datetime,
) -> list[VoucherGrant]:
    """Write down the codes that the shop made; the day gets back what it had no offer for."""
    created = [
        VoucherGrant(
            message_id=request.message_id,
            contact_id=messages[request.message_id].contact_id,
            voucher_id=voucher_ids[request.message_id],
            code=request.code,
            granted_at=now,
            valid_until=request.valid_until,
        )
        for request in requests
        if request.message_id in voucher_ids
    ]
    rows.insert_new(VoucherGrant, created)
    _give_back(len(requests) - len(created), now)
    return created


def _is_old(grant: VoucherGrant, now: datetime) -> bool:
    return grant.withdrawn_at is not None or grant.granted_at <= now - SOON


def _unspent(grants: Mapping[int, VoucherGrant]) -> dict[int, VoucherGrant]:
    spent = used(grants.values()) if grants else set()
    return {pk: grant for pk, grant in grants.items() if grant.pk not in spent}


def _renew(
    grants: Sequence[tuple[VoucherGrant, VoucherRequest]], voucher_ids: Mapping[int, int], now: datetime
) -> None:
    """Let codes that nobody was told be valid anew, where the shop served them. They were counted when made."""
    changes = []
    for grant, request in grants:
        if request.message_id in voucher_ids:
            grant.voucher_id, grant.granted_at = voucher_ids[request.message_id], now
            grant.valid_until, grant.withdrawn_at = request.valid_until, None
            changes.append((grant.pk, grant.voucher_id, now, grant.valid_until, None))
    columns = ["voucher", "granted_at", "valid_until", "withdrawn_at"]
    rows.update_rows(VoucherGrant, columns, changes, only={})


def withdraw(message_ids: Collection[int] | QuerySet[Message, Any], *, now: datetime) -> None:
    """Make the codes of messages that were certainly not sent unusable. They still count towards the day's budget."""
    grants = VoucherGrant.objects.filter(message_id__in=message_ids, withdrawn_at=None)
    if voucher_ids := list(grants.exclude(voucher=None).values_list("voucher_id", flat=True)):
        shop().withdraw_vouchers(voucher_ids)
        grants.update(withdrawn_at=now)


def withdraw_unsaid(enrolment_ids: Collection[int], *, now: datetime) -> None:
    """The same for what these runs, which have ended, were called off from saying. One statement if there is none."""
    called_off = Message.objects.filter(enrolment__in=enrolment_ids, state=State.CANCELLED)
    withdraw(called_off.values("pk"), now=now)


def of_runs(enrolment_ids: Collection[int]) -> dict[int, VoucherGrant]:
    """The last code that each of these runs has given, or may have; not one whose message is still put off."""
    grants = VoucherGrant.objects.filter(
        message__enrolment__in=enrolment_ids, message__state__in=_MAY_BE_TOLD, withdrawn_at=None
    )
    found = grants.select_related("message").order_by("granted_at", "pk")
    return {grant.message.enrolment_id: grant for grant in found if grant.message.enrolment_id}


def used(grants: Collection[VoucherGrant]) -> set[int]:
    """The ids of the grants whose code was spent."""
    by_voucher = {grant.voucher_id: grant.pk for grant in grants if grant.voucher_id is not None}
    spent = shop().used_vouchers(by_voucher) if by_voucher else set()
    return {by_voucher[voucher_id] for voucher_id in spent}


def _spend(wanted: int, now: datetime) -> int:
    """Take up to `wanted` codes from today's budget, by one conditional UPDATE each."""
    if not wanted:
        return 0
    budget = settings.VOUCHER_DAILY_BUDGET
    day, _ = VoucherBudget.objects.get_or_create(day=now.date())
    rows_today = VoucherBudget.objects.filter(day=day.pk)
    if rows_today.filter(issued__lte=budget - wanted).update(issued=F("issued") + wanted):
        return wanted
    before = rows_today.select_for_update(no_key=True).get().issued
    rows_today.update(issued=Least(F("issued") + wanted, budget))
    return max(0, budget - before)


def _give_back(unserved: int, now: datetime) -> None:
    """What the shop had no offer for does not count."""
    if unserved:
        VoucherBudget.objects.filter(day=now.date()).update(issued=F("issued") - unserved)


def _request(message: Message, step: Step, now: datetime) -> VoucherRequest:
    return VoucherRequest(
        message_id=message.pk,
        code=tokens.code(settings.VOUCHER_PREFIX, message.pk, key=settings.link_keys()[0]),
        offer_id=step.offer_id,
        valid_from=now,
        valid_until=now + (step.voucher_valid or settings.VOUCHER_VALID_FOR),
    )
