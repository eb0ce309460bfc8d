"""Words of a message that belongs to an order promote nothing, unless somebody who may says why."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.models import Copy, Flow, Topic
from oscar_crosschannel.services.plans import load_plans
from tests.admin.ledger import KettleCalls
from tests.admin.test_flow_editing import filled, parsed, refused
from tests.admin.test_topics import staff

pytestmark = pytest.mark.rule(39)

PROMOTES = "Hi\n{{ voucher.code }} STOP"


@pytest.fixture(autouse=True)
def _part_of_an_order() -> None:
    load_plans()
    Topic.objects.filter(key="basket_reminders").update(purpose="transactional")


@pytest.fixture
def writer() -> Client:
    return staff("view_copy", "change_copy", name="will")


def url() -> str:
    flow = Flow.objects.get(key=KettleCalls.key)
    return reverse("admin:oscar_crosschannel_flow_words", args=[flow.pk, "steam", "sms", "en"])


def saved(client: Client, words: str, do: str = "save", **more: str) -> Any:
    data = filled(parsed(client.get(url())))
    return client.post(url(), {**data, "text": words, **more, "do": do})


def test_words_without_promotion_are_kept(writer: Client) -> None:
    assert saved(writer, "Your kettle is on its way. STOP").status_code == 302


@pytest.mark.parametrize("do", ["save", "preview"])
def test_words_that_promote_are_refused_with_their_line(writer: Client, do: str) -> None:
    told = refused(saved(writer, PROMOTES, do, why="Because."))

    assert "Line 2: “voucher” promotes something" in told
    assert "Why it is kept nevertheless" not in told
    assert not Copy.objects.exists()


def test_the_same_words_are_fine_in_marketing(writer: Client) -> None:
    Topic.objects.filter(key="basket_reminders").update(purpose="marketing")

    assert saved(writer, PROMOTES).status_code == 302


def test_who_may_override_says_why_and_the_history_keeps_it() -> None:
    chief = staff("view_copy", "change_copy", "override_purpose", name="chief")
    answer = saved(chief, PROMOTES)
    assert "Why it is kept nevertheless" in refused(answer)
    assert not Copy.objects.exists()

    data = {**filled(parsed(answer)), "why": "The code replaces a broken one.", "do": "save"}
    assert chief.post(url(), data).status_code == 302

    assert Copy.objects.get().text == PROMOTES
    logged = LogEntry.objects.latest("pk").get_change_message()
    assert logged.endswith("promotes nevertheless: The code replaces a broken one.")


def test_a_reason_mends_nothing_else() -> None:
    chief = staff("view_copy", "change_copy", "override_purpose", name="chief")

    refused(saved(chief, f"{PROMOTES} {{% if name %}}", why="Because."))
    assert not Copy.objects.exists()
