"""A contact's whole story, page after page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_crosschannel.admin import timeline
from oscar_crosschannel.admin.timeline import Entry
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Click, Contact, InboxEvent, Suppression
from oscar_crosschannel.services import contacts
from tests.admin import ledger
from tests.admin.ledger import HOUR, NOW


def lived(count: int) -> Contact:
    """Somebody to whom the same things happened often, and most of them at the same instants."""
    ann = ledger.person("Ann", email="ann@example.com", phone="+12125550123")
    for channel in ("email", "sms"):
        ledger.said(ann, channel, "grant", at=NOW - 30 * HOUR)
    run = ledger.run(ann)
    sent = ledger.sent_by_email(run)
    for number in range(count):
        at = NOW - number // 3 * HOUR
        ledger.message(run, f"step{number}", State.CANCELLED, Reason.PURCHASED, resolved_at=at)
        Click.objects.create(message=sent, link=0, at=at, verdict="human")
    return ann


def read_through(contact: Contact) -> list[Entry]:
    entries: list[Entry] = []
    before = ""
    while True:
        page = timeline.of(contact, NOW, before)
        entries += page.entries
        if not page.earlier:
            return entries
        assert len(page.entries) == timeline.MOST
        before = page.earlier


@pytest.mark.parametrize("most", [1, 4, 7])
def test_all_pages_together_are_the_whole_story(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = lived(20)
    monkeypatch.setattr(timeline, "MOST", 1000)
    whole = read_through(ann)
    monkeypatch.setattr(timeline, "MOST", most)

    assert read_through(ann) == whole
    assert len(whole) == 2 * 20 + 2 + 1 + 1 + 2
    assert [entry.at for entry in whole] == sorted((entry.at for entry in whole), reverse=True)


def test_the_page_leads_to_what_was_earlier_and_back(
    merchant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MOST", 10)
    url = reverse("admin:oscar_crosschannel_contact_change", args=[lived(20).pk])

    def links(address: str) -> dict[str, str]:
        foot = BeautifulSoup(merchant.get(address).content, "html.parser").find(class_="cc-paginator")
        assert foot is not None
        return {link.get_text().strip("«› "): link["href"] for link in foot.find_all("a")}

    first = links(url)
    second = links(url + first["Earlier"].partition("#")[0])

    assert set(first) == {"Earlier"}
    assert set(second) == {"Newest", "Earlier"}
    assert first["Earlier"] != second["Earlier"]


@pytest.mark.parametrize(
    "before", ["x", "~~", "2026-03-10T12:00:00~1~1", f"2026-03-10T12:00:00+00:00~1~{9**40}"]
)
def test_a_place_that_nobody_made_is_the_beginning(before: str) -> None:
    ann = lived(2)

    assert timeline.of(ann, NOW, before) == timeline.of(ann, NOW)


def test_a_long_life_costs_no_more_statements_than_a_short_one(merchant: Client) -> None:
    ann = lived(5)
    url = reverse("admin:oscar_crosschannel_contact_change", args=[ann.pk])

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert merchant.get(url).status_code == 200
        return len(captured)

    few = statements()
    for number in range(1, 100):
        ledger.message(ledger.run(ann, number=number), "whistle", State.PLANNED)

    assert statements() == few


def test_what_was_texted_back_is_part_of_it(merchant: Client) -> None:
    ann = ledger.person("Ann", phone="+12125550123")
    for number, body in (("+12125550123", "STOP it <b>"), ("+12125550199", "somebody else")):
        InboxEvent.objects.create(
            name="sms.received",
            key=number,
            occurred_at=NOW,
            not_before=NOW,
            phone=number,
            data={"body": body, "meaning": "review_stop"},
        )

    (entry,) = timeline.of(ann, NOW).entries

    assert entry.title == "texted back: “STOP it <b>”"
    assert entry.detail == "sounds like a stop; marketing waits until somebody has read it"
    url = reverse("admin:oscar_crosschannel_contact_change", args=[ann.pk])
    assert "STOP it &lt;b&gt;" in merchant.get(url).text


def test_what_was_written_back_by_email_is_part_of_it() -> None:
    ann = ledger.person("Ann", email="ann@example.com")
    for sender, body in (("ann@example.com", ""), ("bob@example.com", "somebody else")):
        InboxEvent.objects.create(
            name="email.received",
            key=sender,
            occurred_at=NOW,
            not_before=NOW,
            email=sender,
            data={"subject": "Stop", "body": body, "meaning": "stop"},
        )

    (entry,) = timeline.of(ann, NOW).entries

    assert (entry.title, entry.detail) == ("wrote back: “Stop”", "a stop")


def test_what_staff_did_to_somebody_stays_part_of_it_after_a_merge() -> None:
    keep = ledger.person("Ann", email="ann@example.com")
    gone = ledger.person("A.", email="a@example.com", merged_into=keep)
    mina = get_user_model().objects.create_user("mina")
    for contact, did in ((keep, "paused"), (gone, "opted out")):
        log_change(mina, contact, did)

    told = {(entry.title, entry.detail) for entry in timeline.of(keep, NOW).entries}

    assert told == {("paused", "by mina"), ("opted out", "by mina")}


def log_change(user: Any, row: Model, words: str) -> None:
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(row),
        object_id=str(row.pk),
        object_repr=str(row),
        action_flag=CHANGE,
        change_message=words,
    )


def test_being_blocked_and_unblocked_is_part_of_it() -> None:
    ann = ledger.person("Ann", email="ann@example.com")
    Suppression.objects.create(
        channel="email",
        digest=contacts.digest("email", "ann@example.com"),
        cause="hard_bounce",
        note="550\nmina: works",
        since=NOW - HOUR,
        lifted_at=NOW,
    )

    lifted, blocked = timeline.of(ann, NOW).entries

    assert (lifted.at, lifted.title) == (NOW, "the address for email is no longer blocked")
    assert (blocked.at, blocked.detail) == (NOW - HOUR, "the mailbox does not exist")


def test_the_page_tells_whether_the_contact_may_be_written_to(merchant: Client) -> None:
    ann = ledger.person("Ann", email="ann@example.com", phone="+12125550123")
    ledger.said(ann, "sms", "grant", at=NOW - timedelta(days=1))
    answer = merchant.get(reverse("admin:oscar_crosschannel_contact_change", args=[ann.pk]))
    table = BeautifulSoup(answer.content, "html.parser").find(class_="cc-answers")
    assert table is not None
    rows = {
        row.find("th").get_text(): [" ".join(cell.get_text(" ").split()) for cell in row.find_all("td")]
        for row in table.find_all("tr")[1:]
    }

    assert rows["Basket reminders"] == [
        "No no consent for email",
        "Later free from 9 a.m.: quiet hours for SMS where the recipient is",
    ]
    assert rows["Order updates"] == ["Yes", "Yes"]
