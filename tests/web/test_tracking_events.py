"""What email providers report, as Anymail hands it on."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from anymail.signals import AnymailTrackingEvent, tracking
from django.http import HttpResponse
from django.test import Client

from oscar_crosschannel.core.lifecycle import Status
from oscar_crosschannel.models import Attempt, Consent, DeliveryEvent, InboxEvent, Message
from oscar_crosschannel.services import delivery, inbox, suppressions
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.web import tracking_events
from oscar_crosschannel.web.tracking_events import is_hard
from tests.factories import NOON
from tests.services.shoppers import ANN

UUID_1 = "12345678-1234-5678-1234-567812345678"


@pytest.fixture(autouse=True)
def connected() -> Any:
    tracking_events.connect()


def event(**changes: Any) -> AnymailTrackingEvent:
    values = {
        "event_type": "delivered",
        "timestamp": datetime(2026, 3, 10, 12, 5, tzinfo=UTC),
        "event_id": None,
        "message_id": "id-1",
        "recipient": ANN,
        "metadata": {"crosschannel": UUID_1},
        "esp_event": {},
    }
    return AnymailTrackingEvent(**values | changes)


def arrive(esp: str = "Postmark", **changes: Any) -> None:
    tracking.send(sender=object, event=event(**changes), esp_name=esp)


def fold() -> None:
    for row in InboxEvent.objects.filter(name="email.tracking").order_by("pk"):
        delivery.fold_email_event(inbox.as_event(row), load_plans(), now=NOON)


@pytest.fixture
def attempt(message: Message) -> Attempt:
    assert message.point is not None
    return Attempt.objects.create(
        message=message, uuid=UUID_1, channel="email", address_digest=message.point.digest, number=1,
        started_at=NOON, status_at=NOON,
    )  # fmt: skip


def postmark(settings: Any, payload: dict[str, Any]) -> HttpResponse:
    settings.ANYMAIL = {"WEBHOOK_SECRET": "user:secret"}
    auth = "Basic " + b64encode(b"user:secret").decode()
    return Client().post(  # type: ignore[return-value]
        "/anymail/postmark/tracking/",
        json.dumps(payload),
        content_type="application/json",
        headers={"Authorization": auth},
    )


BOUNCE = {
    "RecordType": "Bounce",
    "ID": 42,
    "Type": "HardBounce",
    "MessageID": "id-1",
    "Email": ANN,
    "BouncedAt": "2026-03-10T12:05:00Z",
    "Description": "The server was unable to deliver your message.",
    "Metadata": {"crosschannel": UUID_1},
}


# it works


@pytest.mark.rule(69)
def test_a_report_is_stored_with_what_the_fold_needs(settings: Any) -> None:
    assert postmark(settings, BOUNCE).status_code == 200
    row = InboxEvent.objects.get(name="email.tracking")
    assert row.data == {
        "esp": "Postmark",
        "event_type": "bounced",
        "uuid": UUID_1,
        "message_id": "id-1",
        "recipient": ANN,
        "reject_reason": "bounced",
        "hard": True,
        "description": "The server was unable to deliver your message.",
    }
    assert row.occurred_at == datetime(2026, 3, 10, 12, 5, tzinfo=UTC)


@pytest.mark.rule(28)
def test_a_hard_bounce_suppresses_the_address(attempt: Attempt, settings: Any) -> None:
    postmark(settings, BOUNCE)
    fold()
    assert suppressions.in_force("email", ANN) is not None
    attempt.refresh_from_db()
    assert attempt.status == Status.UNDELIVERED


@pytest.mark.rule(28)
def test_a_soft_bounce_suppresses_nobody(attempt: Attempt, settings: Any) -> None:
    postmark(settings, BOUNCE | {"Type": "SoftBounce"})
    fold()
    assert suppressions.in_force("email", ANN) is None


@pytest.mark.parametrize(
    ("esp", "final", "passing"),
    [
        ("Amazon SES", {"bounce": {"bounceType": "Permanent"}}, {"bounce": {"bounceType": "Transient"}}),
        ("Postmark", {"Type": "HardBounce"}, {"Type": "SoftBounce"}),
        ("Brevo", {"event": "invalid_email"}, {"event": "soft_bounce"}),
        ("MailerSend", {"data": {"type": "hard_bounced"}}, {"data": {"type": "soft_bounced"}}),
        ("Mailgun", {"event-data": {"severity": "permanent"}}, {"event-data": {"severity": "temporary"}}),
        (
            "Mailgun",
            {"event-data": {"severity": "permanent", "reason": "bounce"}},
            {"event-data": {"severity": "permanent", "reason": "old"}},
        ),
        ("Mailjet", {"hard_bounce": True}, {"hard_bounce": False}),
        ("Mandrill", {"event": "hard_bounce"}, {"event": "soft_bounce"}),
        (
            "Resend",
            {"data": {"bounce": {"message": "The provider sent a hard bounce message."}}},
            {"data": {"bounce": {"message": "a bounce message because the inbox was full."}}},
        ),
        (
            "Resend",
            {"data": {"bounce": {"message": "Gone.", "type": "Permanent"}}},
            {"data": {"bounce": {"message": "Full.", "type": "Transient"}}},
        ),
        (
            "SparkPost",
            {"msys": {"message_event": {"bounce_class": "10"}}},
            {"msys": {"message_event": {"bounce_class": "22"}}},
        ),
        ("SendGrid", {"event": "bounce", "type": "bounce"}, {"event": "bounce", "type": "blocked"}),
        ("Unisender Go", {"status": "hard_bounced"}, {"status": "soft_bounced"}),
    ],
)
def test_each_provider_says_in_its_own_way_that_an_address_is_gone(
    esp: str, final: dict[str, Any], passing: dict[str, Any]
) -> None:
    bounced = {"event_type": "bounced", "reject_reason": "bounced"}
    assert is_hard(esp, event(esp_event=final, **bounced))
    assert not is_hard(esp, event(esp_event=passing, **bounced))
    assert not is_hard(esp, event(esp_event={}, **bounced))


@pytest.mark.parametrize(("reason", "hard"), [("invalid", True), ("bounced", True), ("blocked", False)])
def test_of_other_providers_the_reason_is_believed(reason: str, hard: bool) -> None:
    assert is_hard("Mailtrap", event(event_type="bounced", reject_reason=reason)) is hard


# it refuses


@pytest.mark.rule(67)
def test_a_batch_that_comes_again_counts_once() -> None:
    for _ in range(2):
        arrive()
        arrive(recipient="bob@example.com")
        arrive(event_type="deferred")
        arrive(timestamp=datetime(2026, 3, 10, 13, tzinfo=UTC))
        arrive(esp="Brevo")
        arrive(message_id="id-2")
        arrive(event_id="e-1")
    assert InboxEvent.objects.filter(name="email.tracking").count() == 7


@pytest.mark.rule(11)
def test_subscribed_never_creates_consent(attempt: Attempt) -> None:
    Consent.objects.all().delete()
    arrive(event_type="subscribed")
    fold()
    assert not Consent.objects.exists()


@pytest.mark.rule(72)
def test_a_report_for_another_recipient_is_kept_and_not_applied(attempt: Attempt) -> None:
    arrive(event_type="bounced", recipient="bob@example.com", reject_reason="bounced", esp_event=BOUNCE)
    fold()
    attempt.refresh_from_db()
    assert attempt.status == Status.INTENDED
    assert DeliveryEvent.objects.get().attempt is None
    assert suppressions.in_force("email", "bob@example.com") is None


# it survives


def test_a_report_that_says_almost_nothing_is_stored() -> None:
    arrive(timestamp=None, message_id=None, recipient=None, metadata=None, esp_event=None)
    row = InboxEvent.objects.get(name="email.tracking")
    assert (row.data["uuid"], row.data["recipient"], row.data["hard"]) == ("", "", False)
    assert row.occurred_at >= NOON
    fold()


def test_connecting_twice_stores_once() -> None:
    tracking_events.connect()
    arrive()
    assert InboxEvent.objects.filter(name="email.tracking").count() == 1


def test_a_nul_from_a_mail_server_is_storable() -> None:
    arrive(event_type="bounced", description="550\x00 unknown user")
    assert InboxEvent.objects.get().data["description"] == "550 unknown user"
