"""The ledger only grows, refuses what could not be proven, and shows what was changed behind its back."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from oscar_crosschannel.models import (
    Consent,
    ConsentEvent,
    ConsentText,
)
from oscar_crosschannel.models.consents import AppendOnlyError, MissingProof
from oscar_crosschannel.services import evidence
from tests.factories import NOON
from tests.services.consenting import (
    stop,
)
from tests.services.shoppers import (
    ANN,
    guest,
    tick,
)

pytestmark = pytest.mark.django_db


# it refuses


@pytest.mark.rule(4)
@pytest.mark.parametrize("missing", ["text", "source", "at", "address", "mechanism"])
def test_a_grant_that_could_not_be_proven_is_not_stored(missing: str) -> None:
    ann = guest()
    tick(ann, "email", ANN)
    event = ConsentEvent.objects.filter(action="grant").latest("pk")
    event.pk, event._state.adding = None, True
    nothing = {"text": None, "at": None}.get(missing, "")
    setattr(event, missing, nothing)
    with pytest.raises(MissingProof, match=missing):
        event.save()


@pytest.mark.rule(4)
def test_a_grant_at_a_time_without_a_zone_is_not_stored() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    event = ConsentEvent.objects.filter(action="grant").latest("pk")
    event.pk, event._state.adding, event.at = None, True, NOON.replace(tzinfo=None)
    with pytest.raises(MissingProof, match="at"):
        event.save()


@pytest.mark.rule(6)
def test_the_ledger_can_only_grow() -> None:
    tick(guest(), "email", ANN)
    event, text = ConsentEvent.objects.latest("pk"), ConsentText.objects.get()
    for forbidden in (
        event.save,
        event.delete,
        text.save,
        text.delete,
        ConsentEvent.objects.all().delete,
        lambda: ConsentEvent.objects.update(action="grant"),
        lambda: ConsentEvent.objects.bulk_update([event], ["action"]),
        lambda: ConsentText.objects.update(words="I agree to everything."),
        lambda: ConsentEvent.objects.bulk_create(
            [event], update_conflicts=True, unique_fields=["id"], update_fields=["action"]
        ),
    ):
        with pytest.raises(AppendOnlyError):
            forbidden()


@pytest.mark.rule(6)
def test_a_new_object_with_the_id_of_a_row_does_not_replace_it() -> None:
    tick(guest(), "email", ANN)
    kept = ConsentEvent.objects.latest("pk")
    with pytest.raises(IntegrityError), transaction.atomic():
        ConsentEvent(pk=kept.pk, action="revoke", basis="none", at=NOON).save()
    assert ConsentEvent.objects.get(pk=kept.pk).action == "grant"


# it survives


@pytest.mark.rule(6)
def test_a_row_changed_behind_our_back_shows() -> None:
    tick(guest(), "email", ANN)
    stop("email", ANN)
    assert evidence.altered("email", ANN) == []
    first = ConsentEvent.objects.earliest("pk")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {ConsentEvent._meta.db_table} SET source = 'elsewhere' WHERE id = %s", [first.pk]
        )
    assert evidence.altered("email", ANN) == [first.pk]


@pytest.mark.rule(6)
def test_a_row_removed_behind_our_back_shows() -> None:
    tick(guest(), "email", ANN)
    stop("email", ANN, "weekly_deals")
    stop("email", ANN)
    gone, after = ConsentEvent.objects.filter(action="revoke").order_by("pk")
    Consent.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {ConsentEvent._meta.db_table} WHERE id = %s", [gone.pk])
    assert evidence.altered("email", ANN) == [after.pk]


def test_what_browsers_send_does_not_break_the_ledger() -> None:
    tick(guest(), "email", ANN, user_agent="\x00" * 5000, page_url="x" * 5000, ip="not an address")
    event = ConsentEvent.objects.latest("pk")
    assert (event.user_agent, event.ip, len(event.page_url)) == ("", None, 500)
    assert evidence.altered("email", ANN) == []


def test_an_unproven_import_grants_nothing() -> None:
    ann = guest()
    evidence.append(
        ConsentEvent(
            contact=ann,
            point=ann.points.get(),
            channel="email",
            address=ANN,
            address_given=ANN,
            topic="weekly_deals",
            action="grant",
            basis=ConsentEvent.Basis.UNPROVEN,
            source="import",
            mechanism="import",
            actor="staff",
            brand="Quillbrook",
            at=NOON,
        )
    )
    assert not Consent.objects.exists()
