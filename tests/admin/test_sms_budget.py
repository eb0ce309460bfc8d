"""A merchant says what texts may cost, and sees what they have cost."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.models import BrokenWords, SmsBudget
from oscar_crosschannel.services import sms_budget
from oscar_crosschannel.services.sms_budget import Text
from tests.admin import ledger
from tests.admin.ledger import NOW
from tests.admin.test_flow_editing import filled, parsed, words
from tests.admin.test_topics import staff

pytestmark = pytest.mark.rule(84)

LIST = "/admin/oscar_crosschannel/smsbudget/"
HOME = "/admin/oscar_crosschannel/"


@pytest.fixture
def editor() -> Client:
    return staff("view_smsbudget", "change_smsbudget")


def url(key: str) -> str:
    return reverse("admin:oscar_crosschannel_smsbudget_change", args=[key])


def saved(client: Client, key: str, most: str) -> Any:
    return client.post(url(key), {**filled(parsed(client.get(url(key)))), "most": most, "do": "save"})


def listed(client: Client) -> list[str]:
    return [" ".join(row.get_text(" ").split()) for row in parsed(client.get(LIST)).select("tbody tr")]


def spend(segments: int, country: str = "US") -> None:
    sms_budget.take([Text(segments, Purpose.MARKETING, country)], now=NOW)


# It works.


def test_what_was_spent_and_what_it_cost(editor: Client, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_PRICES = {"FR": {"price": "0.08", "currency": "EUR"}}
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = 1000
    assert listed(editor) == ["Today 0 at most 1,000 segments (0 %) –", "This month 0 no limit –"]
    for country, segments in (("US", 100), ("FR", 50), ("", 3)):
        spend(segments, country)
    costs = "4.00 EUR, 0.83 USD, without 3 segments whose price is not known"
    assert listed(editor) == [
        f"Today 153 at most 1,000 segments (15 %) {costs}",
        f"This month 153 no limit {costs}",
    ]


def test_the_merchant_sets_a_number_and_inherits_again(editor: Client, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_BUDGET_MONTHLY = 900
    saved(editor, "month", "50")
    assert sms_budget.standings(NOW)[1].most == 50
    saved(editor, "month", "")
    assert sms_budget.standings(NOW)[1].most == 900
    entries = LogEntry.objects.filter(content_type__model="smsbudget").order_by("pk")
    assert [entry.get_change_message() for entry in entries] == [
        "Budget: at most 900 segments → at most 50 segments",
        "Budget: at most 50 segments → at most 900 segments",
    ]


def test_the_counter_goes_on_when_the_number_changes(editor: Client) -> None:
    spend(7)
    saved(editor, "day", "5")
    assert SmsBudget.objects.get(key="day").used == 7


def test_the_first_page_warns_of_a_budget_that_is_nearly_and_quite_used_up(
    superuser: Client, settings: Any
) -> None:
    settings.CROSSCHANNEL_SMS_BUDGET_DAILY = 10
    spend(7)
    assert "budget for texts" not in words(superuser.get(HOME)).replace("Budget for texts", "")
    spend(1)
    assert "80 % of today's budget for texts are used." in words(superuser.get(HOME))
    spend(2)
    assert "Today's budget for texts is used up. Texts for marketing wait until" in words(superuser.get(HOME))


def test_the_first_page_warns_of_words_that_are_broken(superuser: Client) -> None:
    run = ledger.run(ledger.person("Ann", email="ann@example.com"))
    place = {"flow": run.flow, "step_key": "ring", "channel": "email", "since": NOW}
    BrokenWords.objects.create(**place, language="en", is_silent=True)
    BrokenWords.objects.create(**place, language="de")
    shown = words(superuser.get(HOME))
    assert "/ ring (Email, en) do not make a message. There are no others to say instead" in shown
    assert "/ ring (Email, de) do not make a message. Others are said instead" in shown


# It refuses.


@pytest.mark.parametrize("most", ["-1", "many", "1.5"])
def test_what_is_no_number_of_segments_is_refused(editor: Client, most: str) -> None:
    assert saved(editor, "day", most).status_code == 200
    assert not SmsBudget.objects.exclude(most=None).exists()


def test_there_are_two_budgets_and_no_others(editor: Client, superuser: Client) -> None:
    assert superuser.get(f"{LIST}add/").status_code == 403
    assert editor.get(url("week")).status_code == 302
    assert not SmsBudget.objects.exists()


def test_who_may_only_look_changes_nothing(merchant: Client) -> None:
    assert len(listed(merchant)) == 2
    assert merchant.post(url("day"), {"most": "5", "do": "save"}).status_code == 403
