"""Everything about one person, in one file, and nothing about anybody else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.utils import translation

from oscar_crosschannel.models import ConsentEvent, Message, Topic, TopicWords
from oscar_crosschannel.services import consents, contacts, erasing, evidence, exporting
from tests.factories import NOON
from tests.services.shoppers import ANN, PHONE, TOPICS, guest, tick
from tests.services.test_erasing import full_life
from tests.services.test_statements import statements

pytestmark = pytest.mark.django_db


def told(contact: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(exporting.as_json(exporting.collect(contact, now=NOON)))
    return content


def page(report: exporting.Report) -> str:
    return " ".join(BeautifulSoup(exporting.as_html(report), "html.parser").get_text(" ").split())


# it works


@pytest.mark.rule(15)
def test_one_file_has_every_agreement_with_its_words_every_message_and_every_stop() -> None:
    ann = full_life()
    contacts.set_point(ann, "sms", PHONE, source="order", now=NOON)
    content = told(ann)
    assert {entry["address"] for entry in content["addresses"]} == {ANN, PHONE}
    words = consents.wording("email", "en").words
    granted = [
        entry for entry in content["ledger"] if entry["action"] == "grant" and entry["channel"] == "email"
    ]
    assert [entry["words"] for entry in granted] == [words] * len(TOPICS)
    assert {(entry["ip"], entry["order_number"]) for entry in granted} == {("203.0.113.7", "100017")}
    (stopped,) = [entry for entry in content["ledger"] if entry["action"] == "revoke"]
    assert (stopped["verbatim"], stopped["mechanism"]) == ("Leave me alone", "letter")
    outcomes = {entry["outcome"]: entry for entry in content["messages"]}
    assert set(outcomes) == {"sent", "planned"}
    assert outcomes["sent"]["address"] == ANN
    assert outcomes["sent"]["calls"][0]["reports"][0]["kind"] == "delivered"
    assert [entry["by"] for entry in content["clicks"]] == ["a person"]
    assert {"order.placed", "sms.received"} <= {entry["kind"] for entry in content["heard"]}


@pytest.mark.rule(15)
def test_the_page_reads_like_the_file_and_needs_nothing_else() -> None:
    ann = full_life()
    report = exporting.collect(ann, now=NOON, tell=lambda message, now: f"told {message.pk}")
    html = exporting.as_html(report)
    for entry in json.loads(exporting.as_json(report))["ledger"]:
        assert entry["digest"] in html
    assert "told " in html
    tree = BeautifulSoup(html, "html.parser")
    assert not tree.find_all(["script", "link", "img", "iframe"])
    assert [heading.get_text() for heading in tree.find_all("h2")][:3] == [
        "Who",
        "Addresses",
        "What is agreed to now",
    ]


def test_topics_are_called_as_shoppers_who_read_this_language_know_them() -> None:
    ann = full_life()
    topic = Topic.objects.get(key="basket_reminders")
    TopicWords.objects.create(topic=topic, language="de", name="Dein Korb", description="")

    def topics() -> set[str]:
        return {entry["topic"] for entry in told(ann)["consents"]}

    assert topics() == {"Basket reminders", "Weekly deals"}
    with translation.override("de"):
        assert "Dein Korb" in topics()
        assert "Weekly deals" not in topics()
    Topic.objects.filter(key="basket_reminders").update(name="Forgotten things")
    assert topics() == {"Forgotten things", "Weekly deals"}


@pytest.mark.rule(15)
def test_times_are_told_in_utc_and_on_the_persons_clock() -> None:
    ann = guest()
    ann.zone = "America/New_York"
    ann.save()
    consents.grant(ann, "email", TOPICS, source="fair", words="Yes.", now=NOON)
    assert "2026-03-10 12:00:00 UTC (March 10, 2026, 8 a.m., America/New_York)" in page(
        exporting.collect(ann, now=NOON)
    )


@pytest.mark.rule(15)
def test_an_erased_address_still_has_its_evidence() -> None:
    erasing.erase(full_life(), cause="request", by="mina", now=NOON)
    report = exporting.collect_address("email", ANN, now=NOON)
    content = json.loads(exporting.as_json(report))
    assert content["person"] == []
    assert {"grant", "revoke"} == {entry["action"] for entry in content["ledger"]}
    assert any(entry.get("words") for entry in content["ledger"])
    assert [entry["outcome"] for entry in content["messages"]] == ["sent"]
    assert [entry["cause"] for entry in content["suppressions"]] == ["the person's data were erased"]
    assert [entry["cause"] for entry in content["erasures"]] == ["request"]


def test_an_export_of_nobody_is_empty() -> None:
    report = exporting.collect_address("email", "nobody@example.com", now=NOON)
    assert not any(section.entries for section in report.sections)
    assert "Nothing." in page(report)


# it refuses


@pytest.mark.rule(15)
def test_nothing_of_the_other_one_at_a_shared_phone_is_told() -> None:
    ann, bob = full_life(), guest("bob@example.com", name="Bob")
    consents.grant(bob, "sms", TOPICS, source="bobs fair", words="Bob says yes.", address=PHONE, now=NOON)
    consents.revoke(
        "sms", PHONE, topics=None, source="keyword", mechanism="keyword", verbatim="STOP", now=NOON
    )
    assert Message.objects.exists()
    hers = page(exporting.collect(ann, now=NOON))
    assert "Bob" not in hers
    assert "bobs fair" not in hers
    assert "Hi, Annabel here" not in hers  # from the phone: it may have been Bob
    assert "is left out" in hers
    assert "STOP" in hers  # which stopped both
    his = page(exporting.collect(bob, now=NOON))
    assert "Annabel" not in his
    assert ANN not in his
    assert "bobs fair" in his


def test_what_people_wrote_is_no_markup() -> None:
    ann = guest()
    tick(ann, "email", ANN, user_agent="<script>alert(1)</script>")
    assert "<script" not in exporting.as_html(exporting.collect(ann, now=NOON))


# it survives


def test_a_ledger_that_was_changed_says_so() -> None:
    ann = full_life()
    assert "unbroken" in page(exporting.collect(ann, now=NOON))
    row = ConsentEvent.objects.filter(channel="email").earliest("pk")
    evidence._writable().filter(pk=row.pk).update(topic="events")
    assert f"not as they were written: {row.pk}" in page(exporting.collect(ann, now=NOON))


def test_more_messages_cost_no_more_statements() -> None:
    ann = full_life()
    few = statements(lambda: exporting.collect(ann, now=NOON))[1]
    for message in Message.objects.filter(state=10):
        for number in range(5):
            message.pk, message.intent = None, f"again {number}"
            message.save()
    assert len(statements(lambda: exporting.collect(ann, now=NOON))[1]) == len(few)
