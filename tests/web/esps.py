"""Email providers' webhooks as they arrive: bodies in each provider's own shape, signed in its own way.

The shapes are those of the providers' documentation, with every field that is read and some that are not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpResponse
from django.test import Client

DELIVERED, HARD, SOFT, COMPLAINED, UNSUBSCRIBED = "delivered", "hard", "soft", "complained", "unsubscribed"

_SENDGRID_KEY = ec.generate_private_key(ec.SECP256R1())
_SENDGRID_PUBLIC = "".join(
    _SENDGRID_KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
    .splitlines()[1:-1]
)
SECRETS = {
    "WEBHOOK_SECRET": "user:secret",
    "MAILGUN_WEBHOOK_SIGNING_KEY": "mailgun-key",
    "MAILERSEND_SIGNING_SECRET": "mailersend-key",
    "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": _SENDGRID_PUBLIC,
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a provider has to tell about one message."""

    kind: str
    recipient: str
    uuid: str
    message_id: str
    at: datetime

    @property
    def id(self) -> str:
        """Of this event."""
        told = f"{self.kind}{self.recipient}{self.message_id}{self.at}"
        return hashlib.md5(told.encode(), usedforsecurity=False).hexdigest()


class Esp(ABC):
    """One provider."""

    name: ClassVar[str]
    #: As Anymail's backend reports it after sending, and its webhook later.
    message_id: ClassVar[str]
    tells: ClassVar[tuple[str, ...]] = (DELIVERED, HARD, SOFT, COMPLAINED, UNSUBSCRIBED)
    has_metadata: ClassVar[bool] = True

    def another_id(self, number: int) -> str:
        """Of another message: `number` is from 3 to 9."""
        return self.message_id.replace("2", str(number), 1)

    @abstractmethod
    def body(self, report: Report) -> Any:
        """What it posts, before it is JSON."""

    def headers(self, body: bytes, report: Report) -> dict[str, str]:
        """What proves that it comes from the provider."""
        return {"Authorization": "Basic " + b64encode(b"user:secret").decode()}

    def post(self, report: Report, **headers: str) -> HttpResponse:
        """Its call. `headers` replace its proof."""
        body = json.dumps(self.body(report)).encode()
        proof = headers or self.headers(body, report) | Esp.headers(self, body, report)
        return Client(enforce_csrf_checks=True).post(  # type: ignore[return-value]
            f"/anymail/{self.name}/tracking/", body, content_type="application/json", headers=proof
        )


class Mailgun(Esp):
    name, message_id = "mailgun", "<20260310.1.DF5966@mg.shop.example>"

    def body(self, report: Report) -> Any:
        timestamp = report.at.timestamp()
        told: dict[str, Any] = {
            DELIVERED: {"event": "delivered", "delivery-status": {"code": 250, "message": "OK"}},
            HARD: {"event": "failed", "severity": "permanent", "reason": "bounce"},
            SOFT: {"event": "failed", "severity": "permanent", "reason": "old"},
            COMPLAINED: {"event": "complained"},
            UNSUBSCRIBED: {"event": "unsubscribed", "client-info": {"device-type": "desktop"}},
        }[report.kind]
        token = report.id
        signature = hmac.new(b"mailgun-key", f"{int(timestamp)}{token}".encode(), hashlib.sha256).hexdigest()
        return {
            "signature": {"timestamp": str(int(timestamp)), "token": token, "signature": signature},
            "event-data": {
                "id": report.id,
                "timestamp": timestamp,
                "recipient": report.recipient,
                "user-variables": {"crosschannel": report.uuid},
                "tags": ["weekly_deals"],
                "message": {"headers": {"message-id": report.message_id.strip("<>")}},
                **told,
            },
        }


class SendGrid(Esp):
    name, message_id = "sendgrid", "3c2f4df8-c6dd-4cd2-9b91-6582b81a0349"

    def body(self, report: Report) -> Any:
        told = {
            DELIVERED: {"event": "delivered", "response": "250 OK"},
            HARD: {
                "event": "bounce",
                "type": "bounce",
                "status": "5.1.1",
                "reason": "550 5.1.1 no such user",
            },
            SOFT: {"event": "bounce", "type": "blocked", "status": "4.2.2", "reason": "452 4.2.2 full"},
            COMPLAINED: {"event": "spamreport"},
            UNSUBSCRIBED: {"event": "unsubscribe"},
        }[report.kind]
        return [
            {
                "email": report.recipient,
                "timestamp": int(report.at.timestamp()),
                "anymail_id": report.message_id,
                "smtp-id": "<wrfRRvF7Q0GgwUo2CvDmEA@ismtpd0006p1sjc2.sendgrid.net>",
                "sg_event_id": report.id,
                "sg_message_id": "wrfRRvF7Q0GgwUo2CvDmEA.filter0425p1mdw1.13037.57168B4A1D.0",
                "category": ["weekly_deals"],
                "crosschannel": report.uuid,
                **told,
            }
        ]

    def headers(self, body: bytes, report: Report) -> dict[str, str]:
        signature = _SENDGRID_KEY.sign(b"1773144000" + body, ec.ECDSA(hashes.SHA256()))
        return {
            "X-Twilio-Email-Event-Webhook-Timestamp": "1773144000",
            "X-Twilio-Email-Event-Webhook-Signature": b64encode(signature).decode(),
        }


class Postmark(Esp):
    name, message_id = "postmark", "2706ee8a-737c-4285-b032-ccd317af53ed"

    def body(self, report: Report) -> Any:
        at = report.at.isoformat()
        told = {
            DELIVERED: {"RecordType": "Delivery", "Recipient": report.recipient, "DeliveredAt": at},
            HARD: {"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1},
            SOFT: {"RecordType": "Bounce", "Type": "SoftBounce", "TypeCode": 4096},
            COMPLAINED: {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 512},
            UNSUBSCRIBED: {
                "RecordType": "SubscriptionChange", "Recipient": report.recipient, "ChangedAt": at,
                "Origin": "Recipient", "SuppressSending": True, "SuppressionReason": "ManualSuppression",
            },
        }[report.kind]  # fmt: skip
        bounce = {"ID": int(report.id[:7], 16), "Email": report.recipient, "BouncedAt": at}
        return {
            "MessageID": report.message_id,
            "ServerID": 23,
            "MessageStream": "outbound",
            "Tag": "weekly_deals",
            "Metadata": {"crosschannel": report.uuid},
            **({} if "Recipient" in told else bounce),
            **told,
        }


class AmazonSes(Esp):
    name, message_id = "amazon_ses", "00000138111222aa-33322211-cccc-cccc-cccc-ddddaaaa0680-000000"
    tells = (DELIVERED, HARD, SOFT, COMPLAINED)

    def body(self, report: Report) -> Any:
        who = [{"emailAddress": report.recipient}]
        kind, told = {
            DELIVERED: ("Delivery", {"recipients": [report.recipient], "smtpResponse": "250 ok"}),
            HARD: ("Bounce", {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": who}),
            SOFT: ("Bounce", {"bounceType": "Transient", "bounceSubType": "MailboxFull", "bouncedRecipients": who}),
            COMPLAINED: ("Complaint", {"complaintFeedbackType": "abuse", "complainedRecipients": who}),
        }[report.kind]  # fmt: skip
        event = {
            "notificationType": kind,
            kind.lower(): told,
            "mail": {
                "messageId": report.message_id,
                "destination": [report.recipient],
                "headers": [
                    {"name": "X-Tag", "value": "weekly_deals"},
                    {"name": "X-Metadata", "value": json.dumps({"crosschannel": report.uuid})},
                ],
            },
        }
        return {
            "Type": "Notification",
            "MessageId": report.id,
            "TopicArn": "arn:aws:sns:us-east-1:1234567890:SES_Events",
            "Message": json.dumps(event),
            "Timestamp": report.at.isoformat(),
            "SignatureVersion": "1",
        }

    def headers(self, body: bytes, report: Report) -> dict[str, str]:
        return {"X-Amz-Sns-Message-Id": report.id, "X-Amz-Sns-Message-Type": "Notification"}


class Brevo(Esp):
    name, message_id = "brevo", "<201803062010.27287306012@smtp-relay.mailin.fr>"

    def body(self, report: Report) -> Any:
        event = {
            DELIVERED: "delivered", HARD: "hard_bounce", SOFT: "soft_bounce", COMPLAINED: "spam",
            UNSUBSCRIBED: "unsubscribe",
        }[report.kind]  # fmt: skip
        return {
            "event": event,
            "email": report.recipient,
            "id": 9999999,
            "message-id": report.message_id,
            "ts_epoch": int(report.at.timestamp() * 1000),
            "X-Mailin-custom": json.dumps({"crosschannel": report.uuid}),
            "tags": ["weekly_deals"],
        }


class Mailjet(Esp):
    name, message_id = "mailjet", "12345678901234567"

    def body(self, report: Report) -> Any:
        told: dict[str, Any] = {
            DELIVERED: {"event": "sent", "smtp_reply": "sent (250 2.0.0 OK)"},
            HARD: {"event": "bounce", "blocked": True, "hard_bounce": True, "error": "user unknown"},
            SOFT: {"event": "bounce", "blocked": False, "hard_bounce": False, "error": "mailbox full"},
            COMPLAINED: {"event": "spam", "source": "JMRPP"},
            UNSUBSCRIBED: {"event": "unsub", "mj_list_id": 0, "agent": "List-Unsubscribe"},
        }[report.kind]
        return [
            {
                "time": int(report.at.timestamp()),
                "MessageID": int(report.message_id),
                "email": report.recipient,
                "customcampaign": "weekly_deals",
                "Payload": json.dumps({"crosschannel": report.uuid}),
                **told,
            }
        ]


class SparkPost(Esp):
    name, message_id = "sparkpost", "65832150921904138"

    def body(self, report: Report) -> Any:
        event_class, told = {
            DELIVERED: ("message_event", {"type": "delivery"}),
            HARD: ("message_event", {"type": "bounce", "bounce_class": "10", "error_code": "550"}),
            SOFT: ("message_event", {"type": "bounce", "bounce_class": "22", "error_code": "452"}),
            COMPLAINED: ("message_event", {"type": "spam_complaint", "fbtype": "abuse"}),
            UNSUBSCRIBED: ("unsubscribe_event", {"type": "list_unsubscribe"}),
        }[report.kind]
        event = {
            "event_id": report.id,
            "rcpt_to": report.recipient,
            "raw_rcpt_to": report.recipient.upper(),  # as it was typed
            "rcpt_meta": {"crosschannel": report.uuid},
            "timestamp": str(int(report.at.timestamp())),
            "transmission_id": report.message_id,
            **told,
        }
        return [{"msys": {event_class: event}}]


class Resend(Esp):
    name, message_id = "resend", "2aaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
    tells = (DELIVERED, HARD, SOFT, COMPLAINED)

    def body(self, report: Report) -> Any:
        full = "The provider sent a bounce message because the recipient's inbox was full."
        gone = "The recipient's email provider sent a hard bounce message, without a reason."
        kind, told = {
            DELIVERED: ("email.delivered", {}),
            HARD: ("email.bounced", {"bounce": {"message": gone}}),
            SOFT: ("email.bounced", {"bounce": {"message": full}}),
            COMPLAINED: ("email.complained", {}),
        }[report.kind]
        return {
            "type": kind,
            "created_at": report.at.isoformat(),
            "data": {
                "created_at": "2026-03-10T11:00:00.000Z",
                "email_id": report.message_id,
                "to": [report.recipient],
                "headers": [{"name": "X-Metadata", "value": json.dumps({"crosschannel": report.uuid})}],
                **told,
            },
        }

    def headers(self, body: bytes, report: Report) -> dict[str, str]:
        return {"svix-id": report.id}


class MailerSend(Esp):
    """Has no metadata: its reports are known by the id of the message alone."""

    name, message_id, has_metadata = "mailersend", "62fd1c1d5f010335ed07066b", False

    def body(self, report: Report) -> Any:
        kind = {
            DELIVERED: "delivered", HARD: "hard_bounced", SOFT: "soft_bounced", COMPLAINED: "spam_complaint",
            UNSUBSCRIBED: "unsubscribed",
        }[report.kind]  # fmt: skip
        return {
            "type": f"activity.{kind}",
            "data": {
                "object": "activity",
                "id": report.id,
                "type": kind,
                "created_at": report.at.isoformat(),
                "email": {
                    "message": {"id": report.message_id},
                    "recipient": {"email": report.recipient},
                },
                "morph": {"object": "recipient_bounce", "reason": "told by the server"},
            },
        }

    def headers(self, body: bytes, report: Report) -> dict[str, str]:
        return {"Signature": hmac.new(b"mailersend-key", body, hashlib.sha256).hexdigest()}


ESPS: list[Esp] = [
    Mailgun(), SendGrid(), Postmark(), AmazonSes(), Brevo(), Mailjet(), SparkPost(), Resend(), MailerSend(),
]  # fmt: skip
