"""What could not be worked off: read by staff, and tried again by those who may."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.admin.inbox import TryAgain
from oscar_crosschannel.models import InboxEvent
from tests.admin.ledger import NOW
from tests.admin.test_flow_editing import words
from tests.admin.test_topics import staff

pytestmark = pytest.mark.usefixtures("_shop")


@pytest.fixture
def chief() -> Client:
    return staff("view_inboxevent", "repeat_inboxevent", name="chief")


def event(**fields: Any) -> InboxEvent:
    values = {
        "name": "order.placed",
        "key": "order:7",
        "occurred_at": NOW,
        "not_before": NOW,
        "processed_at": NOW,
        "tries": 5,
        "error": "welcome: ValueError: no",
        "left": {"contact": 1, "parts": ["welcome"]},
    }
    return InboxEvent.objects.create(**values | fields)


def page(row: InboxEvent) -> str:
    return reverse("admin:oscar_crosschannel_inboxevent_change", args=[row.pk])


def test_what_was_set_aside_is_tried_again_and_that_is_written_down(chief: Client) -> None:
    row = event()
    assert TryAgain.url(row.pk).replace("&", "&amp;") in chief.get(page(row)).content.decode()
    asked = words(chief.get(TryAgain.url(row.pk)))
    assert "It failed because of this: welcome: ValueError: no" in asked
    assert "what was done stays as it is" in asked

    told = words(chief.post(TryAgain.url(row.pk), {"note": "mended"}, follow=True))

    assert "It is tried again with the next tick." in told
    row.refresh_from_db()
    assert (row.processed_at, row.tries, row.left["parts"]) == (None, 0, ["welcome"])
    assert LogEntry.objects.get().change_message == "tried again: mended"


@pytest.mark.parametrize(
    "fields", [{"error": ""}, {"processed_at": None, "tries": 2}], ids=["worked off", "still tried"]
)
def test_what_was_not_set_aside_is_not_repeated(fields: dict[str, Any], chief: Client) -> None:
    row = event(**fields)
    assert TryAgain.url(row.pk) not in chief.get(page(row)).content.decode()
    assert "nothing to repeat" in words(chief.post(TryAgain.url(row.pk), {"note": "x"}))
    assert not LogEntry.objects.exists()


def test_who_may_only_look_repeats_nothing() -> None:
    clerk, row = staff("view_inboxevent", name="clerk"), event()
    assert TryAgain.url(row.pk) not in clerk.get(page(row)).content.decode()
    assert clerk.post(TryAgain.url(row.pk), {"note": "x"}).status_code == 403
    assert InboxEvent.objects.get().processed_at is not None
