"""The contact page says when somebody may be texted, and why then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from oscar_crosschannel.models import Contact, TextingRule
from tests.admin import ledger
from tests.admin.ledger import NOW
from tests.admin.test_flow_editing import parsed


def told(client: Client, contact: Contact) -> list[str]:
    """Every number's panel, in words."""
    page = parsed(client.get(f"/admin/oscar_crosschannel/contact/{contact.pk}/change/"))
    headings = [
        head for head in page.select("section h2") if head.get_text() == "When may marketing be texted?"
    ]
    return [
        " ".join(panel.get_text(" ").split())
        for head in headings
        for panel in head.parent.select(".cc-point")
    ]


def person(phone: str, zones: list[str], belongs_to: str, **fields: Any) -> Contact:
    ann = ledger.person("Ann", phone=phone, **fields)
    ann.points.update(zones=zones, country=belongs_to)
    return ann


@pytest.mark.rule(35)
def test_a_number_of_two_clocks_says_so(merchant: Client) -> None:
    ann = person(
        "+18505550123", ["America/Chicago", "America/New_York"], "US", country="US", region="Florida"
    )

    (panel,) = told(merchant, ann)

    assert panel.startswith("+18505550123 Closed now Opens on March 10, 2026, 11 a.m. (America/New_York)")
    assert "Mon–Sat 10 a.m.–8 p.m., Sun noon–8 p.m., on the clocks of Chicago and New York at once" in panel
    assert "Their address is in Florida (United States)" in panel
    assert "The first digits of the number belong to Florida (United States)" in panel
    assert "More than one clock is possible" in panel
    assert "Florida (United States) Mon–Sun 8 a.m.–8 p.m." in panel


def test_one_clock_that_is_open_now(merchant: Client) -> None:
    ann = person("+33612345678", ["Europe/Paris"], "FR", country="FR")

    (panel,) = told(merchant, ann)

    assert panel.startswith("+33612345678 Open now Closes on March 10, 2026, 3 p.m. (America/New_York)")
    assert "Mon–Sat 9 a.m.–8 p.m., Sun closed, on the clock of Paris" in panel
    assert "More than one" not in panel


def test_a_phone_and_an_address_that_disagree(merchant: Client) -> None:
    ann = person("+12125550123", ["America/New_York"], "US", country="FR", zone="Asia/Kolkata")

    (panel,) = told(merchant, ann)

    assert "They chose the clock of Kolkata." in panel
    assert "Their address is in France" in panel
    assert "belong to New York (United States)" in panel


@pytest.mark.rule(36)
def test_clocks_that_share_no_hour_say_so(merchant: Client) -> None:
    ann = person("+12125550123", ["America/New_York"], "US", country="JP")

    (panel,) = told(merchant, ann)

    assert "Never in the coming days: the clocks share no open hour" in panel
    assert "Number and address disagree" in panel


@pytest.mark.rule(38)
def test_holidays_are_named(merchant: Client) -> None:
    TextingRule.objects.create(place="US", holidays_closed=True)
    ann = person("+12125550123", ["America/New_York"], "US", country="US", region="NY")
    ann_told = told(merchant, ann)
    assert "is a public holiday" not in ann_told[0]

    TextingRule.objects.create(place="IE", holidays_closed=True)  # St Patrick's is within the week
    eve = person("+353851234567", ["Europe/Dublin"], "IE", country="IE")
    assert "March 17, 2026 is a public holiday in Ireland." in told(merchant, eve)[0]


def test_without_a_number_there_is_nothing_to_tell(merchant: Client) -> None:
    assert told(merchant, ledger.person("Bob", email="bob@example.com")) == []


def test_a_pause_and_a_wish_for_fewer_messages_are_facts(merchant: Client) -> None:
    ann = ledger.person("Ann", email="ann@example.com", paused_until=NOW + timedelta(days=7), fewer=True)

    page = parsed(merchant.get(f"/admin/oscar_crosschannel/contact/{ann.pk}/change/"))
    facts = " ".join(page.select(".cc-facts")[0].get_text(" ").split())
    assert "Marketing pauses until March 17, 2026, 8 a.m." in facts
    assert "asked for fewer messages" in facts
