"""A shop with many customers. PostgreSQL makes the rows itself, from one row of each kind."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model

from oscar_crosschannel.core.lifecycle import State, Status
from oscar_crosschannel.models import (
    Attempt,
    Belonging,
    Click,
    Consent,
    ConsentEvent,
    Contact,
    ContactPoint,
    Enrolment,
    Erasure,
    Flow,
    InboxEvent,
    Message,
    Suppression,
)
from oscar_crosschannel.oscar.events import INVITED
from tests.admin import ledger
from tests.admin.ledger import NOW

#: Everything that grows with the shop.
GROWS = (
    Attempt, Belonging, Click, Consent, ConsentEvent, Contact, ContactPoint, Enrolment, Erasure, InboxEvent,
    Message, Suppression,
)  # fmt: skip

#: Below the first id of the crowd; above those of single rows.
FIRST = 1_000_000

#: Of a hundred messages, how they ended; the even ones may be open.
_STATES = """CASE
    WHEN n % 100 = 0 THEN 0 WHEN n % 100 < 12 THEN 20 WHEN n % 100 < 18 THEN 21 WHEN n % 100 = 19 THEN 22
    WHEN n % 5000 = 21 THEN 11 ELSE 10 END"""
_REASONS = """CASE
    WHEN n % 100 = 0 THEN '' WHEN n % 100 < 12 THEN 'no_consent' WHEN n % 100 < 18 THEN 'purchased'
    WHEN n % 100 = 19 THEN 'provider_refused' ELSE '' END"""


def fill(contacts: int, messages: int) -> None:
    """Contacts with two addresses and a grant, ten or so messages each, and all that comes with those.

    Ids follow on `FIRST`; the newest rows are the youngest.
    """
    flow = Flow.objects.get(key=ledger.KettleCalls.key)
    model = ledger.person("Model", email="model@example.com", phone="+12125550123")
    email, phone = model.points.get(channel="email"), model.points.get(channel="sms")
    grant = ledger.said(model, "email", "grant", at=NOW - timedelta(days=400))
    consent = Consent.objects.get()
    run = ledger.run(model)
    sent = ledger.message(run, "whistle", State.SENT, channel="email", resolved_at=NOW, attempted_at=NOW)
    attempt = Attempt.objects.create(
        message=sent, uuid=uuid4(), channel="email", address_digest="model", number=1, provider="postmark",
        status=Status.DELIVERED, started_at=NOW, status_at=NOW,
    )  # fmt: skip
    click = Click.objects.create(message=sent, link=0, at=NOW, verdict="human")
    event = InboxEvent.objects.create(
        name="basket.active", key="model", occurred_at=NOW, not_before=NOW, processed_at=NOW
    )
    belonging = Belonging.objects.create(kind="basket", object_id=0, contact=model)
    blocked = Suppression.objects.create(channel="sms", digest="model", cause="hard_bounce", since=NOW)
    erasure = Erasure.objects.create(contact_id=0, at=NOW, by="mina", cause="retention")

    _check_references("replica")  # the copies are right by construction
    whose = f"{FIRST} + (n / 2) % {contacts}"
    ago = f"'{NOW.isoformat()}'::timestamptz - ({messages} - n)::float / {messages} * interval '365 days'"
    own = f"{FIRST} + n"
    twice = f"{FIRST} + 2 * n"
    address = "'person' || n || '@example.com'"
    _multiply(model, contacts, id=own, name="'Name' || n % 500", guest_key="'guest' || n")
    _multiply(email, contacts, id=twice, contact_id=own, address=address, digest="'email' || n")
    _multiply(
        phone, contacts, id=f"{twice} + 1", contact_id=own, address="'+1212' || lpad(n::text, 7, '0')",
        digest="'sms' || n",
    )  # fmt: skip
    _multiply(grant, contacts, id=own, contact_id=own, point_id=twice, address=address, digest="'said' || n")
    about = f"CASE WHEN n % 200 = 0 THEN '{INVITED}' ELSE 'basket_reminders' END"
    _multiply(consent, contacts, id=own, point_id=twice, event_id=own, topic=about)
    _multiply(
        run, messages // 2, id=own, contact_id=f"{FIRST} + 1 + n % {contacts}", flow_id=str(flow.pk),
        key="'basket:' || n", state="CASE WHEN n % 50 = 0 THEN 0 ELSE 1 END", one_run="false",
    )  # fmt: skip
    _multiply(
        sent, messages, id=own, contact_id=f"{whose} + 1", enrolment_id="NULL", flow_id=str(flow.pk),
        state=_STATES, reason=_REASONS, intent="'kettle_calls:' || n", created_at=ago, due_at=ago,
        resolved_at=ago, attempted_at=f"CASE WHEN n % 100 >= 20 THEN {ago} END",
        point_id=f"{FIRST} + 2 + 2 * ((n / 2) % {contacts})", address_digest="'email' || n",
    )  # fmt: skip
    _multiply(
        attempt, messages, id=own, message_id=own, uuid="gen_random_uuid()", provider_id="'pm-' || n",
        address_digest="'email' || n",
    )  # fmt: skip
    _multiply(click, messages // 5, id=own, message_id=f"{FIRST} + 5 * n", at=ago)
    _multiply(event, messages, id=own, key="'event:' || n", occurred_at=ago)
    # the oldest of the inbox; a fifth of them for staff to read
    _multiply(
        event, contacts // 2, id=f"{FIRST} - n", key="'SM' || n", name="'sms.received'",
        phone="'+1212' || lpad(n::text, 7, '0')", unread="CASE WHEN n % 5 = 0 THEN n % 10 = 0 END",
    )  # fmt: skip
    _multiply(belonging, contacts, id=own, object_id=own, contact_id=own)
    _multiply(
        blocked, contacts // 2, id=own, digest="'sms' || 2 * n",
        cause="CASE WHEN n % 100 = 0 THEN 'review' ELSE 'hard_bounce' END",
    )  # fmt: skip
    _multiply(erasure, contacts, id=own, contact_id=own)
    _log(contacts // 20)
    _check_references("origin")
    for row in (click, attempt, sent, run, consent, belonging, blocked, erasure, event):
        row.delete()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _log(count: int) -> None:
    staff = get_user_model().objects.create_user("busy", "busy@shop.example", is_staff=True)
    entry = LogEntry.objects.create(
        user_id=staff.pk, content_type=ContentType.objects.get_for_model(Contact), object_id="0",
        object_repr="somebody", action_flag=CHANGE, change_message="did something", action_time=NOW,
    )  # fmt: skip
    _multiply(entry, count, object_id="(20 * n)::text")


def _check_references(role: str) -> None:
    """Whether foreign keys are checked: "origin" does, "replica" does not."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL session_replication_role = {role}")


def _multiply(row: Model, count: int, **own: str) -> None:
    """Copies of a stored row numbered 1 to `count` as n; `own` are columns as SQL of n."""
    fields = row._meta.concrete_fields
    columns = [str(field.column) for field in fields if not field.primary_key or str(field.column) in own]
    values = [own.get(column, f'model."{column}"') for column in columns]
    named = ", ".join(f'"{column}"' for column in columns)
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({named}) SELECT {', '.join(values)}"
            f" FROM {table} AS model, generate_series(1::bigint, {count}) AS n WHERE model.id = {row.pk}"
        )
