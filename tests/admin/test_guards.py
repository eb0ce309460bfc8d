"""What paused marketing by itself: staff see it at once, and let marketing go on with a reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Guard
from tests.admin import ledger
from tests.admin.ledger import HOUR, NOW
from tests.admin.test_flow_editing import parsed, words
from tests.admin.test_topics import staff

INDEX = "/admin/oscar_crosschannel/"
LIST = f"{INDEX}guard/"


@pytest.fixture
def chief() -> Client:
    return staff("view_guard", "end_guard", name="chief")


def guard(**fields: Any) -> Guard:
    values = {
        "channel": "email",
        "measure": "complaints",
        "level": "paused",
        "bad": 12,
        "sent": 2400,
        "since": NOW,
    }
    return Guard.objects.create(**values | fields)


def page(row: Guard) -> str:
    return reverse("admin:oscar_crosschannel_guard_change", args=[row.pk])


def end(row: Guard) -> str:
    return f"{LIST}end/?id={row.pk}"


# It works.


@pytest.mark.rule(50)
def test_a_pause_is_told_where_staff_begin(merchant: Client) -> None:
    assert "Marketing is paused" not in words(merchant.get(INDEX))

    paused = guard()
    guard(measure="bounces", level="warned", bad=60, sent=2000)
    told = words(merchant.get(INDEX))

    assert (
        "Marketing is paused since March 10, 2026, 8 a.m.: 12 complaints from 2400 messages by Email." in told
    )
    assert "Warned since March 10, 2026, 8 a.m.: 60 hard bounces from 2000 messages" in told
    assert page(paused) in {str(link["href"]) for link in parsed(merchant.get(INDEX)).select("a[href]")}


@pytest.mark.rule(50)
def test_staff_let_marketing_go_on_and_say_why(chief: Client) -> None:
    paused = guard()
    ann = ledger.person("Ann", email="ann@example.com")
    waiting = ledger.message(ledger.run(ann), "whistle", State.PLANNED, Reason.GUARDED, due_at=NOW + HOUR)

    assert "Let marketing go on" in words(chief.get(page(paused)))
    asked = words(chief.get(end(paused)))
    assert "Email: 12 complaints from 2400 messages (0.50%)" in asked
    assert "1 message that waits is judged at once." in asked
    answer = chief.post(end(paused), {"note": "The list of a fair; it is gone."}, follow=True)

    assert "Ended. Marketing goes on." in words(answer)
    paused.refresh_from_db()
    waiting.refresh_from_db()
    assert (paused.ended_at, paused.ended_by, paused.note) == (
        NOW,
        "chief",
        "The list of a fair; it is gone.",
    )
    assert waiting.due_at == NOW
    told = words(chief.get(page(paused)))
    assert "Let marketing go on: The list of a fair; it is gone." in told
    assert not parsed(chief.get(page(paused))).select(".cc-actions")
    assert "Marketing is paused" not in words(chief.get(INDEX))


def test_the_list_has_open_and_past_ones(merchant: Client) -> None:
    guard(ended_at=NOW - timedelta(days=3), ended_by="chief")
    guard(measure="bounces", level="warned", bad=60, sent=2000)

    def lines(query: str) -> list[str]:
        rows = parsed(merchant.get(f"{LIST}{query}")).select("#result_list tbody tr")
        return [" ".join(row.get_text(" ").split()) for row in rows]

    assert len(lines("")) == 2
    (still,) = lines("?open=yes")
    assert still.startswith("Email: 60 hard bounces from 2000 messages (3.00%) Warned")


# It refuses.


@pytest.mark.rule(50)
def test_only_who_may_and_only_with_a_reason(merchant: Client, chief: Client) -> None:
    paused = guard()

    assert "Let marketing go on" not in words(merchant.get(page(paused)))
    assert merchant.post(end(paused), {"note": "x"}).status_code == 403
    assert "This field is required." in words(chief.post(end(paused), {"note": ""}))
    paused.refresh_from_db()
    assert paused.ended_at is None


def test_another_open_guard_keeps_it_paused(chief: Client) -> None:
    paused = guard()
    guard(measure="bounces", bad=300, sent=2400)

    answer = chief.post(end(paused), {"note": "Settled."}, follow=True)

    assert "Another guard still keeps marketing on this channel paused." in words(answer)


# It survives.


def test_two_who_end_it_at_once(chief: Client) -> None:
    paused = guard()
    chief.post(end(paused), {"note": "First."})

    assert "It has ended already." in words(chief.get(end(paused)))
    chief.post(end(paused), {"note": "Second."})
    paused.refresh_from_db()
    assert paused.note == "First."
