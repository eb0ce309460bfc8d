"""Consents from elsewhere: judged, shown, taken; and never against what somebody said here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oscar_crosschannel.core import consent_files
from oscar_crosschannel.core.consent_files import RowProblem
from oscar_crosschannel.models import (
    Consent,
    ConsentEvent,
    ConsentImport,
    ConsentText,
    Contact,
    ContactPoint,
    InboxEvent,
    Suppression,
)
from oscar_crosschannel.services import consents, contacts, erasing, evidence, importing, intake, suppressions
from oscar_crosschannel.services.import_judging import Taking
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON
from tests.services.shoppers import ANN, OTHER_PHONE, PHONE, TOPICS, guest, member, permitted, tick
from tests.services.test_statements import statements

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PROVEN = {
    "address": ANN,
    "topics": "weekly_deals",
    "agreed_at": "2026-01-05T10:00Z",
    "source": "Trade fair",
    "how": "paper form",
    "words": "Yes, send me offers by email.",
}
TEXTED = PROVEN | {"address": PHONE, "words": "Yes, text me offers.", "basis": "express_written"}


def sheet(*rows: dict[str, str]) -> bytes:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return consent_files.written([columns, *([row.get(name, "") for name in columns] for row in rows)], ";")


def judged(*rows: dict[str, str]) -> list[tuple[Taking, RowProblem | None]]:
    found = importing.preview(consent_files.read(sheet(*rows)), now=NOON)
    return [(each.taking, each.problem) for each in found]


def taken(*rows: dict[str, str], now: datetime = NOON) -> ConsentImport:
    """A file that staff confirmed, and that the ticks have worked off."""
    row = importing.keep(sheet(*rows), name="list.csv", by="mina", now=now)
    assert importing.confirm(row.pk, now=now)
    work_off(now)
    row.refresh_from_db()
    return row


def work_off(now: datetime) -> None:
    later = now + timedelta(hours=2)
    while intake._fold_next(load_plans(), later):
        pass
    assert not InboxEvent.objects.exclude(error="").exists(), InboxEvent.objects.exclude(error="")[0].error


def counts(row: ConsentImport) -> dict[str, int]:
    return {taking.value: count for taking in Taking if (count := getattr(row, taking))}


def changed(row: dict[str, str], **cells: str) -> dict[str, str]:
    return row | cells


# it works


@pytest.mark.rule(7)
def test_a_row_with_its_proof_becomes_a_grant_that_says_it_was_imported() -> None:
    row = taken(changed(PROVEN, country="us", page="https://fair.example/", ip="203.0.113.9", language="en"))
    assert counts(row) == {"granted": 1}
    event = ConsentEvent.objects.get()
    assert event.text is not None
    assert (event.action, event.basis, event.topic, event.address) == (
        "grant",
        "express",
        "weekly_deals",
        ANN,
    )
    assert (event.source, event.mechanism, event.actor) == ("import: Trade fair", "paper form", "mina")
    assert (event.at, event.received_at) == (datetime(2026, 1, 5, 10, tzinfo=UTC), NOON + 2 * HOUR)
    assert (event.jurisdiction, event.page_url, event.ip) == ("US", "https://fair.example/", "203.0.113.9")
    assert (event.text.words, event.text.topics) == (PROVEN["words"], ["weekly_deals"])
    assert event.provider_id == f"import:{row.pk}"
    assert permitted(guest(), "email") == {"weekly_deals"}
    assert evidence.altered("email", ANN) == []


def test_a_file_is_thrown_away_when_it_was_taken_and_its_history_stays() -> None:
    row = taken(PROVEN, changed(PROVEN, address="ann@"))
    assert (row.content, row.rows, row.taken, row.by, row.file_name) == (None, 2, 2, "mina", "list.csv")
    assert (row.confirmed_at, row.finished_at) == (NOON, NOON + 2 * HOUR)
    assert counts(row) == {"granted": 1, "refused": 1}
    assert row.problems == [[3, "bad_email"]]


def test_a_preview_writes_nothing_and_tells_what_then_happens() -> None:
    rows = [
        PROVEN,
        PROVEN,
        changed(PROVEN, address="a@a.example", words=""),
        changed(PROVEN, address="x"),
        {"address": "b@b.example", "action": "stop"},
    ]
    before = ConsentEvent.objects.count(), Contact.objects.count(), ContactPoint.objects.count()
    found = judged(*rows)
    assert (ConsentEvent.objects.count(), Contact.objects.count(), ContactPoint.objects.count()) == before
    assert [taking for taking, _ in found] == ["granted", "unchanged", "unproven", "refused", "revoked"]
    assert counts(taken(*rows)) == dict(Counter(taking.value for taking, _ in found))


def test_the_same_file_twice_changes_nothing() -> None:
    rows = [
        PROVEN,
        TEXTED,
        changed(PROVEN, address="b@b.example", words=""),
        {"address": "c@c.example", "action": "stop"},
    ]
    assert counts(taken(*rows)) == {"granted": 2, "unproven": 1, "revoked": 1}
    kept = list(ConsentEvent.objects.values()), list(Consent.objects.values())
    again = taken(*rows, now=NOON + DAY)
    assert (list(ConsentEvent.objects.values()), list(Consent.objects.values())) == kept
    assert counts(again) == {"unchanged": 4}
    assert importing.earlier(again) is not None


def test_a_number_belongs_to_the_account_whose_email_the_row_names() -> None:
    ann = member()
    taken(changed(TEXTED, email="Ann@example.com"))
    assert permitted(ann, "sms") == {"weekly_deals"}
    assert ConsentEvent.objects.get().basis == "express_written"


@pytest.mark.rule(12)
def test_a_number_alone_joins_nobody() -> None:
    ann = member()
    contacts.set_point(ann, "sms", PHONE, source="order", now=NOON)
    taken(TEXTED, changed(TEXTED, topics="basket_reminders"))
    assert permitted(ann, "sms") == set()
    alone = ConsentEvent.objects.latest("pk").contact
    assert alone is not None
    assert (alone.user, alone.guest_key) == (None, None)
    assert permitted(alone, "sms") == set(TOPICS)  # the second row found the first one's contact


def test_an_imported_number_does_not_displace_one_that_was_agreed_to() -> None:
    ann = guest()
    consents.grant(ann, "sms", TOPICS, source="fair", words="Yes.", address=OTHER_PHONE, now=NOON)
    taken(changed(TEXTED, email=ANN))
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: OTHER_PHONE}
    assert Consent.objects.filter(point__address=PHONE, answer="granted").exists()


def test_words_may_be_named_by_their_version() -> None:
    tick(guest("bob@example.com"), "email", "bob@example.com")
    text = ConsentText.objects.get()
    row = changed(PROVEN, topics="", words="", words_version=text.digest)
    assert counts(taken(row)) == {"granted": 1}
    assert ConsentEvent.objects.latest("pk").text == text
    assert judged(changed(row, words_version="f" * 64)) == [("refused", "unknown_version")]
    assert judged(changed(row, topics="events")) == [("refused", "other_topics")]


@pytest.mark.rule(14)
def test_a_date_of_birth_proves_an_age_and_is_not_kept() -> None:
    taken(changed(PROVEN, born_on="2000-01-06"))
    event = ConsentEvent.objects.get()
    assert event.proven_age == 25
    assert "2000" not in str(ConsentEvent.objects.values())


@pytest.mark.rule(13)
def test_an_implied_consent_ends_on_its_day() -> None:
    taken(changed(PROVEN, basis="implied", expires_on="2026-06-01"))
    assert Consent.objects.get().until == datetime(2026, 6, 1, tzinfo=importing.shop_zone())


@pytest.mark.rule(24)
def test_a_stop_is_taken_without_any_proof() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    row = taken({"address": ANN, "action": "STOP"}, {"address": "unknown@example.com", "action": "stop"})
    assert counts(row) == {"revoked": 2}
    assert permitted(ann, "email") == set()
    assert suppressions.in_force("email", "unknown@example.com") is not None


def test_a_stop_may_name_its_topics() -> None:
    ann = guest()
    tick(ann, "email", ANN)
    taken({"address": ANN, "action": "stop", "topics": "weekly_deals"})
    assert permitted(ann, "email") == {"basket_reminders"}


# it refuses


@pytest.mark.rule(7)
@pytest.mark.parametrize("missing", ["agreed_at", "source", "how", "words", "topics"])
def test_a_row_without_its_proof_is_kept_and_permits_nothing(missing: str) -> None:
    for row in (PROVEN, TEXTED):
        assert judged(changed(row, **{missing: ""})) == [("unproven", "no_proof")]
        assert counts(taken(changed(row, **{missing: ""}))) == {"unproven": 1}
    assert set(ConsentEvent.objects.values_list("basis", flat=True)) == {"unproven"}
    assert not Consent.objects.exists()
    assert permitted(guest(), "email") == set()


@pytest.mark.rule(7, 13)
@pytest.mark.parametrize("cells", [{"basis": "soft_opt_in"}, {"basis": "implied"}])
def test_a_weak_basis_without_what_it_needs_permits_nothing(cells: dict[str, str]) -> None:
    assert counts(taken(changed(PROVEN, **cells))) == {"unproven": 1}
    assert not Consent.objects.exists()


@pytest.mark.rule(26)
@pytest.mark.parametrize("way", ["topic", "everything", "erased", "bounce", "in the file"])
def test_who_said_stop_stays_so_whatever_a_file_says(way: str) -> None:
    ann = guest()
    tick(ann, "email", ANN)
    rows = [PROVEN]
    match way:
        case "topic" | "everything":
            topics = ["weekly_deals"] if way == "topic" else None
            consents.revoke("email", ANN, topics=topics, source="page", mechanism="link", now=NOON)
        case "erased":
            erasing.erase(ann, cause="request", by="mina", now=NOON)
        case "bounce":
            suppressions.suppress(
                "email",
                ANN,
                cause=suppressions.Cause.HARD_BOUNCE,
                scope=suppressions.Scope.EVERYTHING,
                now=NOON,
            )
        case "in the file":
            rows = [{"address": ANN, "action": "stop"}, PROVEN]
    ledger = ConsentEvent.objects.count()
    blocked = list(Suppression.objects.values())
    found = taken(*rows)
    assert found.problems[-1][1] in ("stopped", "blocked")
    assert found.granted == 0
    assert ConsentEvent.objects.count() == ledger + (way == "in the file")
    assert way == "in the file" or list(Suppression.objects.values()) == blocked
    if way != "bounce":
        assert not Consent.objects.filter(topic="weekly_deals", answer="granted").exists()


@pytest.mark.rule(15, 26)
def test_an_erased_number_that_another_one_uses_is_not_revived_either() -> None:
    ann, bob = guest(), guest("bob@example.com")
    for contact in (ann, bob):
        consents.grant(contact, "sms", TOPICS, source="fair", words="Yes.", address=PHONE, now=NOON)
    erasing.erase(ann, cause="request", by="mina", now=NOON)
    assert suppressions.in_force("sms", PHONE) is None
    assert judged(changed(TEXTED, email=ANN)) == [("refused", "stopped")]


@pytest.mark.rule(85)
@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ({"address": ""}, "no_address"),
        ({"address": "ann@"}, "bad_email"),
        ({"address": "+1206555012"}, "bad_phone"),
        ({"address": "1.20656E+10"}, "shortened"),
        ({"address": "12065550123"}, "no_prefix"),
        ({"address": "+18005550123"}, "no_mobile"),
        ({"address": "020 7946 0123", "country": "GB"}, "no_mobile"),
        ({"address": PHONE, "email": "ann@"}, "bad_owner"),
        ({"channel": "pigeon"}, "unknown_channel"),
        ({"action": "subscribe"}, "unknown_action"),
        ({"topics": "knitting"}, "unknown_topic"),
        ({"basis": "hope"}, "bad_basis"),
        ({"agreed_at": "05.01.2026"}, "bad_time"),
        ({"agreed_at": "2027-01-05"}, "future"),
        ({"born_on": "5.1.80"}, "bad_date"),
    ],
)
def test_what_cannot_be_understood_gets_a_reason(cells: dict[str, str], problem: str) -> None:
    assert judged(changed(PROVEN, **cells)) == [("refused", problem)]


def test_a_number_without_its_plus_is_read_with_its_country() -> None:
    assert judged(changed(TEXTED, address="12065550123", country="US")) == [("granted", None)]


def test_a_file_is_confirmed_once() -> None:
    row = importing.keep(sheet(PROVEN), name="a.csv", by="mina", now=NOON)
    assert importing.confirm(row.pk, now=NOON)
    assert not importing.confirm(row.pk, now=NOON)
    assert InboxEvent.objects.count() == 1


# it survives


def many(count: int) -> Sequence[dict[str, str]]:
    return [changed(PROVEN, address=f"person{number}@example.com") for number in range(count)]


def test_a_long_file_is_taken_in_batches_with_room_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    row = importing.keep(sheet(*many(5)), name="a.csv", by="mina", now=NOON)
    importing.confirm(row.pk, now=NOON)
    waiting = InboxEvent.objects.order_by("not_before").values_list("not_before", flat=True)
    assert list(waiting) == [NOON + number * importing.PAUSE for number in range(3)]
    assert intake._fold_next(load_plans(), NOON)
    assert not intake._fold_next(load_plans(), NOON)
    row.refresh_from_db()
    assert (row.taken, row.granted, row.finished_at) == (2, 2, None)
    work_off(NOON)
    row.refresh_from_db()
    assert (row.taken, row.granted, row.content) == (5, 5, None)


def test_a_batch_that_is_broken_off_is_taken_whole_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    row = importing.keep(sheet(*many(3)), name="a.csv", by="mina", now=NOON)
    importing.confirm(row.pk, now=NOON)
    normal, calls = importing._take, []

    def dies(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return normal(*args)

    monkeypatch.setattr(importing, "_take", dies)
    assert intake._fold_next(load_plans(), NOON)
    row.refresh_from_db()
    assert (row.taken, ConsentEvent.objects.count()) == (0, 0)
    assert intake._fold_next(load_plans(), NOON + HOUR)
    row.refresh_from_db()
    assert (row.taken, row.granted) == (3, 3)


def test_judging_costs_the_same_for_ten_rows_and_for_a_hundred() -> None:
    few, many_rows = (consent_files.read(sheet(*many(count))) for count in (10, 100))
    assert len(statements(lambda: list(importing.preview(few, now=NOON)))[1]) == len(
        statements(lambda: list(importing.preview(many_rows, now=NOON)))[1]
    )
