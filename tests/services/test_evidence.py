"""The ledger of consents: it only grows, and what was done to it behind our back shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel.models import Consent, ConsentEvent, ConsentText, Watermark
from oscar_crosschannel.models.consents import AppendOnlyError
from oscar_crosschannel.services import consents, contacts, evidence
from tests.factories import NOON
from tests.services.shoppers import ANN, PHONE, TOPICS, guest, tick

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def behind_our_back(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.replace("LEDGER", ConsentEvent._meta.db_table), values)


def broken() -> list[int]:
    return [event.pk for event, is_whole in evidence.examined() if not is_whole]


# it works


@pytest.mark.rule(6)
def test_the_whole_ledger_is_examined_whoever_shares_what() -> None:
    ann, bob = guest(), guest("bob@example.com")
    for contact in (ann, bob, ann):
        consents.grant(contact, "sms", TOPICS, source="fair", words="Yes.", address=PHONE, now=NOON)
        tick(contact, "sms", "", given=False)
    tick(ann, "email", ANN)
    found = evidence.examine(now=NOON + HOUR)
    assert (found.rows, found.wrong, found.altered) == (ConsentEvent.objects.count(), 0, [])
    assert found.since == NOON
    assert Watermark.objects.get(name=evidence.WHOLE).at == NOON + HOUR


def test_an_examination_reads_the_ledger_in_pieces() -> None:
    for number in range(6):
        tick(guest(f"p{number}@example.com"), "email", f"p{number}@example.com")
    with CaptureQueriesContext(connection) as queries:
        assert sum(1 for _ in evidence.examined(chunk=2)) == 6 * len(TOPICS)
    assert len(queries) == 2  # with an address, and without


@pytest.mark.rule(6)
def test_an_answer_is_as_old_as_the_words_it_follows_from() -> None:
    ann = guest()
    consents.grant(ann, "sms", ["weekly_deals"], source="fair", words="Yes.", address=PHONE, now=NOON)
    known = ConsentEvent.objects.get()

    def say(action: str, hours: int, ends: int | None = None) -> None:
        evidence.append(
            ConsentEvent(
                contact=ann, point=known.point, channel="sms", address=PHONE, address_given=PHONE,
                topic="weekly_deals", action=action, basis="express" if action == "grant" else "none",
                text=known.text, source="test", mechanism="test", actor="customer", brand="Test",
                at=NOON + hours * HOUR, expires_at=None if ends is None else NOON + ends * HOUR,
            )
        )  # fmt: skip

    def stands() -> tuple[str, str, float]:
        consent = Consent.objects.select_related("event").get(topic="weekly_deals")
        return consent.answer, consent.event.action, (consent.since - NOON) / HOUR

    assert stands() == ("granted", "grant", 0)
    say("request", 1)  # somebody types the number once more
    assert stands() == ("granted", "grant", 0), "a question is no agreement"
    say("grant", 2, ends=4)
    say("request", 3)
    assert stands() == ("granted", "grant", 2)
    say("request", 5)  # what was agreed to is over
    assert stands() == ("pending", "request", 5)
    say("revoke", 6)
    assert stands() == ("revoked", "revoke", 6)
    say("decline", 7)
    say("request", 8)
    assert stands() == ("pending", "request", 8)


# it refuses


@pytest.mark.rule(6)
@pytest.mark.parametrize("model", [ConsentEvent, ConsentText])
def test_no_way_of_the_orm_changes_or_deletes_evidence(model: Any) -> None:
    tick(guest(), "email", ANN)
    row = model.objects.latest("pk")
    field = "source" if model is ConsentEvent else "words"
    for forbidden in (
        row.save,
        row.delete,
        lambda: row.save(update_fields=[field]),
        lambda: model.objects.update(**{field: "x"}),
        lambda: model.objects.filter(pk=row.pk).update(**{field: "x"}),
        lambda: model.objects.all().delete(),
        lambda: model._default_manager.all().delete(),
        lambda: model._base_manager.update(**{field: "x"}),
        lambda: model.objects.bulk_update([row], [field]),
        lambda: model.objects.update_or_create(pk=row.pk, defaults={field: "x"}),
        lambda: model.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["id"], update_fields=[field]
        ),
    ):
        with pytest.raises(AppendOnlyError), transaction.atomic():
            forbidden()
    assert model.objects.get(pk=row.pk) == row
    assert broken() == []


@pytest.mark.rule(6)
def test_a_fixture_adds_evidence_and_replaces_none() -> None:
    tick(guest(), "email", ANN)
    saved = serializers.serialize("json", ConsentEvent.objects.order_by("pk"))
    (forged, _) = serializers.deserialize("json", saved.replace("gateway", "elsewhere"))
    with pytest.raises(IntegrityError), transaction.atomic():
        forged.save()
    assert not ConsentEvent.objects.filter(source="elsewhere").exists()
    evidence.Consent.objects.all().delete()
    behind_our_back("DELETE FROM LEDGER")
    for restored in serializers.deserialize("json", saved):
        restored.save()
    assert ConsentEvent.objects.count() == len(TOPICS)
    assert broken() == []


# it survives


@pytest.mark.rule(6)
@pytest.mark.parametrize(
    "column", ["at", "ip", "topic", "text_id", "contact_id", "previous_digest", "digest", "basis"]
)
def test_every_column_is_sealed(column: str) -> None:
    tick(guest(), "email", ANN)
    tick(guest("bob@example.com"), "email", "bob@example.com")
    first = ConsentEvent.objects.filter(address=ANN).earliest("pk")
    value = {"at": "2020-01-01 00:00+00:00", "ip": "198.51.100.1", "text_id": None, "contact_id": 0}.get(
        column, "x"
    )
    behind_our_back(f"UPDATE LEDGER SET {column} = %s WHERE id = %s", value, first.pk)
    assert first.pk in broken()
    assert set(broken()) <= set(ConsentEvent.objects.filter(address=ANN).values_list("pk", flat=True))


@pytest.mark.rule(6)
def test_a_row_that_moved_to_another_address_shows() -> None:
    for name in ("ann", "bob"):
        tick(guest(f"{name}@example.com"), "email", f"{name}@example.com")
    moved = ConsentEvent.objects.filter(address=ANN).latest("pk")
    behind_our_back("UPDATE LEDGER SET address = %s WHERE id = %s", "bob@example.com", moved.pk)
    assert broken() == [moved.pk]


@pytest.mark.rule(7)
def test_an_unproven_claim_undoes_no_stop_in_a_merge() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    consents.grant(gone, "sms", TOPICS, source="fair", words="Yes.", address=PHONE, now=NOON)
    consents.revoke("sms", PHONE, topics=TOPICS, source="page", mechanism="link", now=NOON)
    for topic in TOPICS:
        evidence.append(
            ConsentEvent(
                contact=gone, point=gone.points.get(channel="sms"), channel="sms", address=PHONE, topic=topic,
                action="grant", basis="unproven", source="import", actor="clerk", at=NOON,
            )
        )  # fmt: skip
    consents.grant(keep, "sms", TOPICS, source="fair", words="Yes.", address=PHONE, now=NOON)
    contacts.merge(keep, gone, now=NOON)
    assert not keep.points.get(channel="sms").consents.filter(answer="granted").exists()
