"""Letting go of what is not needed any more, and of nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import (
    Attempt,
    Consent,
    ConsentEvent,
    ConsentImport,
    DeliveryEvent,
    InboxEvent,
    Message,
    Suppression,
    Watermark,
)
from oscar_crosschannel.services import consents, contacts, evidence, retention, suppressions
from tests.factories import NOON, owe
from tests.services.shoppers import ANN, PHONE, TOPICS, guest, permitted, tick
from tests.services.test_erasing import Erased
from tests.services.test_statements import statements

pytestmark = pytest.mark.django_db

DAY, YEAR = timedelta(days=1), timedelta(days=366)
LATER = NOON + 181 * DAY


def heard(name: str, at: datetime, *, done: bool = True) -> InboxEvent:
    return InboxEvent.objects.create(
        name=name, key=f"{name}:{at}", occurred_at=at, not_before=at, processed_at=at if done else None
    )


def said_and_sent(name: str, at: datetime) -> Message:
    message = owe(guest(f"{name}@example.com"), Erased, name, due=at)
    message.state, message.resolved_at, message.decision = State.SENT, at, {"outcome": "send"}
    message.save()
    return message


# it works


def test_why_a_message_was_sent_is_forgotten_after_half_a_year_and_the_message_is_not() -> None:
    old, young = said_and_sent("old", NOON), said_and_sent("young", NOON + 2 * DAY)
    assert retention.prune(LATER)["decisions"] == 1
    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.decision, old.state, young.decision) == (None, State.SENT, {"outcome": "send"})


def test_reports_go_after_a_month_and_what_people_did_after_half_a_year() -> None:
    for name in (*retention.REPORTS, "order.placed", "sms.received"):
        heard(name, NOON)
        heard(name, NOON + 31 * DAY)
    retention.prune(NOON + 31 * DAY)
    assert InboxEvent.objects.filter(processed_at=NOON).count() == 2
    assert InboxEvent.objects.count() == 7
    retention.prune(LATER)
    left = InboxEvent.objects.values_list("name", "processed_at")
    assert set(left) == {("order.placed", NOON + 31 * DAY), ("sms.received", NOON + 31 * DAY)}


def test_what_providers_reported_goes_by_its_age() -> None:
    attempt = Attempt.objects.create(
        message=said_and_sent("one", NOON),
        uuid="0" * 32,
        channel="email",
        number=1,
        started_at=NOON,
        status_at=NOON,
    )
    for at in (NOON, LATER):
        DeliveryEvent.objects.create(attempt=attempt, key=str(at), kind="delivered", at=at)
    assert retention.prune(LATER)["deliveries"] == 1
    assert DeliveryEvent.objects.get().at == LATER


def test_the_ledger_of_an_address_goes_when_nothing_happened_for_as_long_as_the_law_asks() -> None:
    tick(guest("asked@example.com", country="DE"), "email", "asked@example.com")
    kept = ConsentEvent.objects.count()
    assert retention.prune(NOON + 5 * YEAR)["ledger"] == 0
    assert retention.prune(NOON + 5 * YEAR + DAY)["ledger"] == kept == 1
    assert not ConsentEvent.objects.exists()
    assert not Consent.objects.exists()


def test_a_worker_prunes_once_a_day_and_asks_in_one_statement() -> None:
    assert retention.prune_daily(NOON) is not None
    assert retention.prune_daily(NOON) is None
    assert retention.prune_daily(NOON + DAY) is not None
    _, made = statements(lambda: retention.prune_daily(NOON + DAY + timedelta(hours=1)))
    assert len(made) <= 2


def test_a_file_that_nobody_confirmed_is_thrown_away() -> None:
    row = ConsentImport.objects.create(at=NOON, by="mina", file_name="a", digest="", content=b"x")
    retention.prune(NOON + DAY)
    row.refresh_from_db()
    assert row.content == b"x"
    retention.prune(NOON + 2 * DAY)
    row.refresh_from_db()
    assert row.content is None


# it refuses


@pytest.mark.rule(15)
def test_a_revocation_outlives_an_agreement_by_years_and_its_block_outlives_both() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    consents.revoke("email", ANN, topics=None, source="page", mechanism="link", now=NOON)
    retention.prune(NOON + 6 * YEAR)
    assert ConsentEvent.objects.filter(action="revoke").exists()
    assert ConsentEvent.objects.filter(action="grant").exists()
    assert retention.prune(NOON + 10 * YEAR + DAY)["ledger"] == 3
    assert suppressions.in_force("email", ANN) is not None
    assert permitted(ann, "email") == set()


@pytest.mark.rule(15)
def test_an_agreement_that_messages_rely_on_is_never_forgotten() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    retention.prune(NOON + 20 * YEAR)
    assert permitted(ann, "email") == set(TOPICS)
    assert evidence.altered("email", ANN) == []


@pytest.mark.rule(15)
def test_what_was_used_within_the_time_is_kept() -> None:
    ann = guest()
    consents.grant(ann, "sms", TOPICS, source="fair", words="Yes.", address=PHONE, now=NOON)
    sent = said_and_sent("last", NOON + 4 * YEAR)
    Message.objects.filter(pk=sent.pk).update(
        address_digest=contacts.digest("sms", PHONE), attempted_at=NOON + 4 * YEAR
    )
    Consent.objects.update(answer="revoked")  # ended by time
    retention.prune(NOON + 6 * YEAR)
    assert ConsentEvent.objects.exists()
    retention.prune(NOON + 9 * YEAR + 10 * DAY)
    assert not ConsentEvent.objects.exists()


def test_what_waits_or_is_yet_to_be_read_stays() -> None:
    waiting, unread = heard("order.placed", NOON, done=False), heard("sms.received", NOON)
    Suppression.objects.create(channel="sms", digest="0", cause="review", reply=unread, since=NOON)
    retention.prune(NOON + YEAR)
    assert set(InboxEvent.objects.all()) == {waiting, unread}


def test_the_forgotten_of_one_address_leaves_the_others_whole() -> None:
    for name, at in (("old", NOON), ("young", NOON + 4 * YEAR)):
        address = f"{name}@example.com"
        tick(guest(address, country="DE"), "email", address, at=at)
        tick(guest(address), "sms", "", given=False, at=at)  # an empty box beside an empty field
    assert ConsentEvent.objects.filter(address="").count() == 2
    retention.prune(NOON + 6 * YEAR)
    assert {row.at for row in ConsentEvent.objects.all()} >= {NOON + 4 * YEAR}
    assert not ConsentEvent.objects.filter(at=NOON).exists()
    assert all(is_whole for _, is_whole in evidence.examined())


# it survives


def test_many_rows_go_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    for number in range(5):
        heard("order.placed", NOON + timedelta(seconds=number))
        said_and_sent(f"p{number}", NOON)
    done = retention.prune(LATER)
    assert (done["events"], done["decisions"]) == (5, 5)


def test_pruning_again_finds_nothing() -> None:
    heard("order.placed", NOON)
    said_and_sent("one", NOON)
    retention.prune(LATER)
    assert sum(retention.prune(LATER).values()) == 0
    assert Watermark.objects.filter(name="prune-reports").exists()


@pytest.mark.postgresql
def test_an_index_finds_what_is_old() -> None:
    with CaptureQueriesContext(connection) as queries:
        retention.prune(LATER)
    asked: list[Any] = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    plans = []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for sql in asked:
            if '"oscar_crosschannel_message"' in sql.split("WHERE")[0]:
                cursor.execute(f"EXPLAIN {sql}")
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
    assert plans
    assert "cc_message_traced" in plans[0]
