"""Runs and messages about a basket, made straight in the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from oscar_crosschannel.conf import settings
from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import Contact, Enrolment, Flow, Message, VoucherGrant


def make_message(
    *, now: datetime, basket: Any = None, contact: Contact | None = None, **fields: Any
) -> Message:
    """A sent email of a run about `basket`, in an abandoned-cart flow."""
    flow, _ = Flow.objects.get_or_create(key="abandoned_cart")
    contact = contact or Contact.objects.create(created_at=now, language="en")
    run = Enrolment.objects.create(
        contact=contact,
        flow=flow,
        key=f"basket@{now.isoformat()}",
        anchor_at=now,
        started_at=now,
        subjects={"basket": basket.pk} if basket else {},
        one_run=True,
    )
    return Message.objects.create(
        contact=contact,
        enrolment=run,
        flow=flow,
        step_key="nudge",
        topic="basket_reminders",
        purpose=Purpose.MARKETING,
        intent=f"abandoned_cart:{run.key}:nudge",
        channel="email",
        due_at=now,
        expires_at=now,
        created_at=now,
        **{"state": State.SENT, "attempted_at": now, **fields},
    )


def grant(message: Message, voucher: Any, *, now: datetime) -> VoucherGrant:
    """The code `message` gave out."""
    return VoucherGrant.objects.create(
        message=message,
        contact=message.contact,
        voucher=voucher,
        code=voucher.code,
        granted_at=now,
        valid_until=voucher.end_datetime,
    )


def recover_token(message: Message) -> str:
    return tokens.make(tokens.RECOVER, message.pk, keys=settings.link_keys())
