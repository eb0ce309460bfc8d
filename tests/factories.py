"""People and flows for tests, made straight in the database, in bulk where it matters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from django.db import connection

from oscar_crosschannel.conf import flows
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.plan import Blueprint
from oscar_crosschannel.models import (
    Consent,
    ConsentEvent,
    ConsentText,
    Contact,
    ContactPoint,
    Enrolment,
    Message,
)
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import contacts, enrolments
from oscar_crosschannel.services.plans import load_plans

#: A Tuesday noon in UTC; morning in New York, evening in Kolkata.
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
LONG_AGO = NOON - timedelta(days=90)


def make_contacts(
    count: int, *, topics: Sequence[str] = ("basket_reminders",), channels: Sequence[str] = ("email", "sms")
) -> list[Contact]:
    """Contacts with a point on each channel and a grant for each topic."""
    people = Contact.objects.bulk_create(Contact(created_at=LONG_AGO, language="en") for _ in range(count))
    points = ContactPoint.objects.bulk_create(
        _point(contact, channel) for contact in people for channel in channels
    )
    grant_all(points, topics)
    return people


def grant_all(points: Iterable[ContactPoint], topics: Sequence[str]) -> None:
    """Grant every topic on every point, with one event for all as proof."""
    text, _ = ConsentText.objects.get_or_create(
        digest="test",
        defaults={
            "channel": "email",
            "language": "en",
            "words": "Yes.",
            "topics": [],
            "created_at": LONG_AGO,
        },
    )
    proof = ConsentEvent.objects.create(
        text=text, channel="email", address_given="-", address="-", action="grant", basis="express_written", source="test",
        mechanism="checkbox", actor="customer", brand="Test", at=LONG_AGO, digest=uuid4().hex,
    )  # fmt: skip
    Consent.objects.bulk_create(
        Consent(point=point, topic=topic, answer="granted", basis=proof.basis, since=LONG_AGO, event=proof)
        for point in points
        for topic in topics
    )


def _point(contact: Contact, channel: str) -> ContactPoint:
    # 555-01xx numbers of New York run out; the last seven digits of the id make any number of them
    address = (
        f"person{contact.pk}@example.com" if channel == "email" else f"+1212{2_000_000 + contact.pk:07d}"
    )
    return ContactPoint(
        contact=contact,
        channel=channel,
        address=address,
        digest=contacts.digest(channel, address),
        zones=["America/New_York"] if channel == "sms" else [],
        country="US" if channel == "sms" else "",
        created_at=LONG_AGO,
    )


def enrol_all(people: Iterable[Contact], blueprint: type[Blueprint], *, anchor: datetime) -> list[Enrolment]:
    """Put people into a registered flow, each with the first message."""
    planned = next(item for item in load_plans() if item.plan.key == blueprint.key)
    runs = Enrolment.objects.bulk_create(
        Enrolment(
            contact=contact,
            flow_id=planned.flow_id,
            key=f"run:{contact.pk}",
            anchor_at=anchor,
            started_at=anchor,
        )
        for contact in people
    )
    enrolments.advance([enrolments.Resolved(run, None, planned) for run in runs], now=anchor)
    return runs


def owe(
    contact: Contact, blueprint: type[Blueprint], intent: str, *, due: datetime, lane: int = Lane.FLOW
) -> Message:
    """One planned message without an enrolment, as a campaign makes them; not saved."""
    return owe_each([contact], blueprint, [intent], due=due, lane=lane)[0]


def owe_each(
    people: Iterable[Contact],
    blueprint: type[Blueprint],
    intents: Sequence[str],
    *,
    due: datetime,
    lane: int = Lane.FLOW,
) -> list[Message]:
    """A planned message of each intent for each contact, without an enrolment; not saved."""
    planned = next(item for item in load_plans() if item.plan.key == blueprint.key)
    return [
        Message(
            contact=contact,
            flow_id=planned.flow_id,
            step_key=planned.plan.steps[0].key,
            topic=planned.plan.topic,
            purpose=planned.purpose,
            intent=intent,
            lane=lane,
            state=State.PLANNED,
            due_at=due,
            expires_at=due + timedelta(days=2),
            created_at=due,
        )
        for contact in people
        for intent in intents
    ]


def owe_thousands(
    people: Sequence[Contact], blueprint: type[Blueprint], count: int, *, due: datetime, lane: int = Lane.FLOW
) -> None:
    """`count` planned messages in turn for `people`, a second apart from `due` on; PostgreSQL makes the rows itself."""
    model = owe(people[0], blueprint, "model", due=due, lane=lane)
    model.save()
    own = {
        "contact_id": "(%s::bigint[])[1 + n %% %s]",
        "intent": "'thousands ' || n",
        "due_at": "due_at + n * interval '1 s'",
    }
    columns = [field.column for field in Message._meta.concrete_fields if not field.primary_key]
    values = [own.get(column, column) for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Message._meta.db_table} ({', '.join(columns)}) SELECT {', '.join(values)}"
            f" FROM {Message._meta.db_table}, generate_series(0, %s) AS n WHERE id = %s",
            [[person.pk for person in people], len(people), count - 1, model.pk],
        )
        cursor.execute(f"ANALYZE {Message._meta.db_table}")
    model.delete()


def registered(blueprint: type[Blueprint]) -> type[Blueprint]:
    """Register a flow for the rest of the test run; tests name theirs apart."""
    return flows.register(blueprint)
