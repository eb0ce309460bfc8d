"""What staff call off by hand. The locks and the recall are those of every other stop."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from ..core.lifecycle import RECALLABLE
from ..core.rulings import Reason
from ..models import Enrolment, Message
from . import contacts, enrolments, recall, vouchers


@transaction.atomic
def call_off(message_ids: Collection[int], *, now: datetime) -> set[int]:
    """Cancel those of the messages that were not handed over yet; returns their ids.

    Their runs go on: the next tick plans the step that follows.
    """
    asked = Message.objects.filter(pk__in=message_ids)
    contacts.lock(set(asked.values_list("contact_id", flat=True)))
    running = enrolments.lock(run for run in asked.values_list("enrolment_id", flat=True) if run)
    called_off = _cancel(asked, now)
    enrolments.flag_needs_next(
        message.enrolment_id for message in called_off if message.enrolment_id in running
    )
    return {message.pk for message in called_off}


@transaction.atomic
def end_run(enrolment_id: int, *, now: datetime) -> set[int] | None:
    """End a run and cancel what it planned; returns the ids of those messages. None: it had ended before."""
    contacts.lock(list(Enrolment.objects.filter(pk=enrolment_id).values_list("contact_id", flat=True)))
    if not enrolments.lock([enrolment_id]):
        return None
    called_off = _cancel(Message.objects.filter(enrolment=enrolment_id), now)
    enrolments.end([enrolment_id], reason=Reason.STAFF, now=now)
    return {message.pk for message in called_off}


def _cancel(messages: QuerySet[Message], now: datetime) -> list[Message]:
    """Cancel what can be; the caller holds the locks of contacts and runs."""
    rows = Message.objects.select_for_update(of=("self",), no_key=True)
    recallable = list(
        rows.filter(pk__in=messages.values("pk"), state__in=RECALLABLE)
        .only("enrolment_id", "voucher")
        .order_by("id")
    )
    ids = [message.pk for message in recallable]
    recall.cancel(Message.objects.filter(pk__in=ids), reason=Reason.STAFF, now=now)
    # a code of an earlier try that certainly did not go out
    vouchers.withdraw([each.pk for each in recallable if each.voucher], now=now)
    return recallable
