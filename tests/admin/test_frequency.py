"""A merchant says how often people may hear from the shop; what is law can only get narrower."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import FrequencyCap
from oscar_crosschannel.services import limits
from tests.admin import ledger
from tests.admin.ledger import NOW
from tests.admin.test_flow_editing import filled, parsed, refused, words
from tests.admin.test_topics import staff

LIST = "/admin/oscar_crosschannel/frequencycap/"
ADD = f"{LIST}add/"


@pytest.fixture
def editor() -> Client:
    kinds = ("view", "add", "change", "delete")
    return staff(*(f"{kind}_frequencycap" for kind in kinds))


def url(key: str, page: str = "change") -> str:
    return reverse(f"admin:oscar_crosschannel_frequencycap_{page}", args=[key])


def saved(client: Client, key: str, **changes: str) -> Any:
    data = filled(parsed(client.get(url(key))))
    return client.post(url(key), {**data, **changes, "do": "save"})


def added(client: Client, **values: str) -> Any:
    return client.post(ADD, {**filled(parsed(client.get(ADD))), **values, "do": "save"})


def caps() -> dict[str, Any]:
    return {cap.key: cap for cap in limits.load().caps}


def listed(client: Client) -> dict[str, str]:
    rows = parsed(client.get(LIST)).select("tbody tr")
    return {row.select("th a")[0].get_text(): " ".join(row.get_text(" ").split()) for row in rows}


def history(key: str) -> list[str]:
    row = FrequencyCap.objects.get(key=key)
    entries = LogEntry.objects.filter(object_id=str(row.pk), content_type__model="frequencycap")
    return [entry.get_change_message() for entry in entries]


# It works.


def test_the_limits_are_sentences(editor: Client) -> None:
    assert list(listed(editor).values()) == [
        "Emails a week At most 4 marketing emails in 7 days In force",
        "Campaign emails a week At most 2 marketing emails of campaigns in 7 days In force",
        "Pause between emails At least 16 hours between two marketing emails In force",
        "Texts a month At most 4 marketing texts in 30 days In force",
        "Texts a day At least 1 day between two marketing texts In force",
        "Messages a week At most 5 marketing messages in 7 days In force",
        "Pause between subjects At least 4 hours between two marketing messages about different things In force",
        "Texts a day by law Law At most 3 texts to one number, whatever they say in 1 day In force",
    ]
    assert not FrequencyCap.objects.exists()


@pytest.mark.rule(37)
def test_numbers_are_changed_and_inherited_again(editor: Client) -> None:
    saved(editor, "emails-a-week", most="2")

    cap = caps()["emails-a-week"]
    assert (cap.most, cap.window) == (2, timedelta(days=7))
    assert history("emails-a-week") == [
        "Limit: At most 4 marketing emails in 7 days → At most 2 marketing emails in 7 days"
    ]
    page = words(editor.get(url("emails-a-week")))
    assert "changed shipped: 4" in page

    editor.post(url("emails-a-week"), {"do": "reset"})
    assert caps()["emails-a-week"].most == 4
    assert "changed" not in listed(editor)["Emails a week"].lower()


def test_what_is_inherited_stands_in_grey(editor: Client) -> None:
    page = parsed(editor.get(url("texts-a-month")))

    (most,) = page.select("[name=most]")
    assert (most["placeholder"], most.get("value")) == ("4", None)
    (number,) = page.select("[name=window_number]")
    assert (number["placeholder"], number.get("value")) == ("30", None)


def test_a_limit_is_switched_off_and_on(editor: Client) -> None:
    saved(editor, "pause-between-subjects", enabled="off")
    assert "pause-between-subjects" not in caps()
    assert listed(editor)["Pause between subjects"].endswith("Off")
    assert "This limit is off." in words(editor.get(url("pause-between-subjects")))

    saved(editor, "pause-between-subjects", enabled="on")
    assert "pause-between-subjects" in caps()


@pytest.mark.rule(37)
def test_a_limit_of_the_merchants_own(editor: Client) -> None:
    answer = added(
        editor, name="Deals a month", channel="sms", topic="weekly_deals", most="2",
        window_number="30", window_unit="days",
    )  # fmt: skip
    assert answer.status_code == 302

    cap = caps()["own-deals-a-month"]
    assert (cap.channels, cap.topics, cap.most, cap.window) == (
        {"sms"}, {"weekly_deals"}, 2, timedelta(days=30),
    )  # fmt: skip
    assert listed(editor)["Deals a month"] == (
        "Deals a month Yours At most 2 texts about “Weekly deals” in 30 days In force"
    )

    data = filled(parsed(editor.get(url("own-deals-a-month"))))
    del data["enabled"]
    editor.post(url("own-deals-a-month"), {**data, "do": "save"})
    assert "own-deals-a-month" not in caps()

    row = FrequencyCap.objects.get()
    editor.post(reverse("admin:oscar_crosschannel_frequencycap_delete", args=[row.pk]), {"post": "yes"})
    assert not FrequencyCap.objects.exists()


def test_what_waits_for_room_is_judged_by_the_new_limits(editor: Client) -> None:
    ann = ledger.person("Ann", email="ann@example.com")
    later = NOW + timedelta(hours=6)
    waiting = ledger.message(ledger.run(ann), "whistle", State.PLANNED, Reason.CAPPED, due_at=later)
    tried = ledger.message(
        ledger.run(ann, number=1), "whistle", State.PLANNED, Reason.CAPPED, due_at=later, calls=1
    )

    saved(editor, "emails-a-week", most="9")

    for row in (waiting, tried):
        row.refresh_from_db()
    assert (waiting.due_at, tried.due_at) == (NOW, later)


# It refuses.


@pytest.mark.rule(37)
def test_law_can_only_be_made_narrower(editor: Client) -> None:
    told = "This limit is law: it can only be made narrower"
    assert told in refused(saved(editor, "texts-a-day-by-law", most="4"))
    assert told in refused(saved(editor, "texts-a-day-by-law", window_number="12", window_unit="hours"))
    saved(editor, "texts-a-day-by-law", enabled="off")
    assert caps()["texts-a-day-by-law"].most == 3

    assert saved(editor, "texts-a-day-by-law", most="1").status_code == 302
    assert caps()["texts-a-day-by-law"].most == 1


def test_a_limit_without_numbers_limits_nothing(editor: Client) -> None:
    assert "Say within what time." in refused(added(editor, name="x", most="1"))
    assert "This field is required." in refused(added(editor, name="x", window_number="1"))
    assert "Within no time" in refused(added(editor, name="x", most="1", window_number="0"))
    assert "Within no time" in refused(saved(editor, "emails-a-week", window_number="0"))
    assert not FrequencyCap.objects.filter(most__isnull=False).exists()


def test_shipped_limits_cannot_be_deleted(editor: Client) -> None:
    saved(editor, "emails-a-week", most="2")
    row = FrequencyCap.objects.get()

    delete = reverse("admin:oscar_crosschannel_frequencycap_delete", args=[row.pk])
    assert editor.post(delete, {"post": "yes"}).status_code == 403
    assert editor.get(url("no-such-limit"))["Location"] == LIST


def test_staff_who_may_only_look_change_nothing(merchant: Client) -> None:
    assert len(listed(merchant)) == 8
    assert merchant.post(url("emails-a-week"), {"do": "reset"}).status_code == 403
    assert merchant.get(ADD).status_code == 403
    assert staff(name="none").get(LIST).status_code == 403


# It survives.


def test_two_who_change_one_limit_at_once(editor: Client) -> None:
    mine = filled(parsed(editor.get(url("emails-a-week"))))
    saved(staff("view_frequencycap", "change_frequencycap", name="eve"), "emails-a-week", most="3")

    answer = editor.post(url("emails-a-week"), {**mine, "window_number": "14", "do": "save"})

    assert "Eve changed this while you were editing" in refused(answer)
    both = filled(parsed(answer))
    assert (both["most"], both["window_number"]) == ("3", "14")
