"""Rows as the engine leaves them, for pages to tell stories about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from oscar_crosschannel.core.decision import Drop, Finding, Objection, Outcome, Send, Wait
from oscar_crosschannel.core.lifecycle import State, Status
from oscar_crosschannel.core.plan import After, Blueprint, On, send
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import (
    Attempt,
    Click,
    Consent,
    ConsentEvent,
    ConsentText,
    Contact,
    ContactPoint,
    DeliveryEvent,
    Enrolment,
    Flow,
    Message,
    VoucherGrant,
)
from oscar_crosschannel.services import contacts

#: A Tuesday, 8 a.m. in New York.
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class KettleCalls(Blueprint):
    """The kettle calls

    For tests of the admin: an email, then a text with a code.
    """

    topic = "basket_reminders"
    start = On("basket.active", one_run=True, again_after=timedelta(days=7))
    stops = (On("order.placed"),)
    holdout = 0.05
    clicks_answer = True

    whistle = send("email", "sms", at=After(hours=1), patience=timedelta(hours=2))
    steam = send("sms", at=After(hours=24), expires=After(hours=48), voucher=True, unless="purchased")


def person(name: str, *, email: str = "", phone: str = "", **fields: Any) -> Contact:
    """A contact with the addresses given."""
    contact = Contact.objects.create(name=name, created_at=NOW - 90 * 24 * HOUR, language="en", **fields)
    for channel, address in (("email", email), ("sms", phone)):
        if address:
            ContactPoint.objects.create(
                contact=contact,
                channel=channel,
                address=address,
                digest=contacts.digest(channel, address),
                zones=["America/New_York"] if channel == "sms" else [],
                source="registration",
                created_at=contact.created_at,
            )
    return contact


def wording(channel: str) -> ConsentText:
    """The words beside a box."""
    return ConsentText.objects.get_or_create(
        digest=f"{channel:0<64}",
        defaults={
            "channel": channel,
            "language": "en",
            "words": f"Yes, remind me of my basket by {channel}.",
            "topics": ["basket_reminders"],
            "created_at": NOW - 90 * 24 * HOUR,
        },
    )[0]


def said(contact: Contact, channel: str, action: str, *, at: datetime, **fields: Any) -> ConsentEvent:
    """One entry of the ledger, and the answer that follows from it."""
    point = contact.points.get(channel=channel)
    grants = action == ConsentEvent.Action.GRANT
    event = ConsentEvent.objects.create(
        contact=contact,
        point=point,
        channel=channel,
        address=point.address,
        address_given=point.address,
        topic="basket_reminders",
        action=action,
        basis="express_written" if grants else "none",
        text=wording(channel) if grants else None,
        source=fields.pop("source", "registration"),
        mechanism=fields.pop("mechanism", "checkbox"),
        actor="customer",
        brand="Quillbrook",
        at=at,
        digest=uuid4().hex,
        **fields,
    )
    Consent.objects.update_or_create(
        point=point,
        topic="basket_reminders",
        defaults={
            "answer": "granted" if grants else "revoked",
            "basis": event.basis if grants else "",
            "since": at,
            "event": event,
        },
    )
    return event


def run(contact: Contact, *, began: datetime = NOW - 30 * HOUR, number: int = 0) -> Enrolment:
    """The contact inside the flow; with a number once more, as a flow allows that has many runs at once."""
    flow, _ = Flow.objects.get_or_create(key=KettleCalls.key)
    return Enrolment.objects.create(
        contact=contact,
        flow=flow,
        key=f"basket:{contact.pk}:{number}" if number else f"basket:{contact.pk}",
        anchor_at=began,
        started_at=began,
        subjects={"basket": contact.pk},
        one_run=not number,
        step_key="whistle",
    )


def message(
    enrolment: Enrolment, step: str, state: State, reason: Reason | str = "", **fields: Any
) -> Message:
    """What a run owes."""
    return Message.objects.create(
        contact=enrolment.contact,
        enrolment=enrolment,
        flow=enrolment.flow,
        step_key=step,
        topic="basket_reminders",
        purpose="marketing",
        intent=f"kettle_calls:{enrolment.key}:{step}",
        state=state,
        reason=reason,
        due_at=fields.pop("due_at", NOW - HOUR),
        expires_at=NOW + 24 * HOUR,
        created_at=enrolment.started_at,
        **fields,
    )


def sent_by_email(enrolment: Enrolment, *, at: datetime = NOW - 29 * HOUR) -> Message:
    """A first email that arrived, was followed by a scanner, then by a person."""
    point = enrolment.contact.points.get(channel="email")
    row = message(
        enrolment,
        "whistle",
        State.SENT,
        due_at=at,
        channel="email",
        point=point,
        attempted_at=at,
        resolved_at=at,
        calls=1,
        links=["/basket/", "/catalogue/kettle_1/"],
        decision=Send("email", point.pk, (Finding("email", Outcome.OPEN, at),)).as_json(),
    )
    attempt = Attempt.objects.create(
        message=row,
        uuid=uuid4(),
        channel="email",
        number=1,
        provider="postmark",
        provider_id=f"pm-{row.pk}",
        status=Status.DELIVERED,
        started_at=at,
        status_at=at + timedelta(seconds=40),
    )
    DeliveryEvent.objects.create(
        attempt=attempt,
        provider="postmark",
        key=f"delivered-{row.pk}",
        kind="delivered",
        at=attempt.status_at,
    )
    Click.objects.create(
        message=row, link=1, at=at + timedelta(seconds=3), verdict="bot", suspicions=["agent", "too_soon"]
    )
    Click.objects.create(message=row, link=0, at=at + 2 * HOUR, verdict="human")
    return row


def waits_for_morning(enrolment: Enrolment, *, until: datetime = NOW + HOUR) -> Message:
    """A text that quiet hours hold back."""
    quiet = Objection("inside_hours", Reason.OUTSIDE_HOURS)
    return message(
        enrolment,
        "steam",
        State.PLANNED,
        Reason.OUTSIDE_HOURS,
        due_at=until,
        voucher=True,
        decision=Wait(until, "sms", quiet.reason, (Finding("sms", Outcome.OPEN, until, (quiet,)),)).as_json(),
    )


def dropped(enrolment: Enrolment, step: str = "whistle") -> Message:
    """A message that neither channel may carry."""
    findings = (
        Finding("email", Outcome.DENIED, NOW, (Objection("consented", Reason.NO_CONSENT),)),
        Finding("sms", Outcome.DENIED, NOW, (Objection("not_suppressed", Reason.SUPPRESSED),)),
    )
    return message(
        enrolment,
        step,
        State.DROPPED,
        Reason.SUPPRESSED,
        resolved_at=NOW - HOUR,
        decision=Drop(Reason.SUPPRESSED, findings).as_json(),
    )


def failed_text(enrolment: Enrolment, *, codes: Sequence[str] = ("", "30006")) -> Message:
    """A text with a code that was tried twice and refused."""
    row = message(
        enrolment,
        "steam",
        State.FAILED,
        Reason.PROVIDER_REFUSED,
        resolved_at=NOW,
        calls=len(codes),
        voucher=True,
    )
    for number, code in enumerate(codes, 1):
        Attempt.objects.create(
            message=row,
            uuid=uuid4(),
            channel="sms",
            number=number,
            status=Status.NOT_SENT,
            code=code,
            started_at=NOW,
            status_at=NOW,
        )
    VoucherGrant.objects.create(
        message=row,
        contact=row.contact,
        code=f"TEA{row.pk:09}",
        granted_at=NOW,
        valid_until=NOW + 72 * HOUR,
        withdrawn_at=NOW,
    )
    return row
