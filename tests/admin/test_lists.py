"""Lists: what they say, how things are found, and that long ones cost no more than short ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import (
    ChannelRest,
    ConsentText,
    Contact,
    Flow,
    InboxEvent,
    Message,
    Suppression,
    Topic,
)
from oscar_crosschannel.services import contacts
from tests.admin import ledger
from tests.admin.ledger import HOUR, NOW


def listing(client: Client, model: str, **query: str) -> str:
    answer = client.get(reverse(f"admin:oscar_crosschannel_{model}_changelist"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def shown(client: Client, model: str, **query: str) -> list[int]:
    answer = client.get(reverse(f"admin:oscar_crosschannel_{model}_changelist"), query)
    return sorted(row.pk for row in answer.context["cl"].result_list)


def test_a_message_tells_what_became_of_it(merchant: Client) -> None:
    ann = ledger.person("Ann", email="ann@example.com", phone="+12125550123")
    run = ledger.run(ann)
    ledger.sent_by_email(run)
    ledger.waits_for_morning(run)
    ledger.dropped(ledger.run(ledger.person("Ben", email="ben@example.com")))

    html = listing(merchant, "message")

    assert "The kettle calls: Whistle" in html
    assert "Ann, ann@example.com" in html
    assert '<span class="cc-badge cc-good">Sent</span> by email' in html
    assert '<span class="cc-badge cc-open">Waiting</span> until 9 a.m.: quiet hours for SMS' in html
    assert "Not sent</span> no consent for email; the address is on the suppression list for SMS" in html


@pytest.mark.parametrize(
    ("state", "reason", "fields", "words"),
    [
        (State.PLANNED, "", {"due_at": NOW + 2 * HOUR}, "until 10 a.m., when it is due"),
        (State.PLANNED, "", {}, "for the next tick; due since 7 a.m."),
        (State.PLANNED, Reason.REFUSED, {"excluded": ["sms"]}, "the provider for SMS refused it for good"),
        (State.CLAIMED, "", {"channel": "sms"}, "by SMS"),
        (State.UNKNOWN, Reason.NO_ANSWER, {"channel": "sms"}, "it is not sent again by itself"),
        (State.CANCELLED, Reason.PURCHASED, {}, "the customer has bought"),
        (State.FAILED, Reason.TOO_LONG, {}, "the text was too long"),
        (State.DROPPED, Reason.EXPIRED, {}, "its time was over before it could go out"),
    ],
)
def test_every_standing_is_a_sentence(
    state: State, reason: str, fields: dict[str, object], words: str, merchant: Client
) -> None:
    run = ledger.run(ledger.person("Ann", phone="+12125550123"))
    ledger.message(run, "steam", state, reason, **fields)

    assert words in listing(merchant, "message")


@pytest.mark.parametrize("term", ["ann", "ANN@example", "+1 (212) 555-0123", "5550123"])
@pytest.mark.parametrize("model", ["message", "contact", "enrolment"])
def test_people_are_found_by_name_email_and_number(term: str, model: str, merchant: Client) -> None:
    ann = ledger.run(ledger.person("Ann", email="ann@example.com", phone="+12125550123"))
    ben = ledger.run(ledger.person("Ben", email="ben@example.com", phone="+12125550199"))
    for run in (ann, ben):
        ledger.sent_by_email(run)
    hers = {"message": ann.messages.get(), "contact": ann.contact, "enrolment": ann}[model]

    assert shown(merchant, model, q=term) == [hers.pk]


def test_nobody_found_is_an_empty_list(merchant: Client) -> None:
    ledger.person("Ann", email="ann@example.com")

    assert shown(merchant, "contact", q="zoe") == []


def test_messages_are_filtered_by_state_flow_channel_and_reason(merchant: Client) -> None:
    run = ledger.run(ledger.person("Ann", email="ann@example.com"))
    sent = ledger.sent_by_email(run)
    gone = ledger.message(run, "steam", State.CANCELLED, Reason.PURCHASED)

    assert shown(merchant, "message", state=str(State.SENT.value)) == [sent.pk]
    assert shown(merchant, "message", channel="email") == [sent.pk]
    assert shown(merchant, "message", reason="purchased") == [gone.pk]
    assert shown(merchant, "message", flow=str(run.flow_id)) == [sent.pk, gone.pk]
    assert shown(merchant, "message", state="nonsense", flow="-1") == [sent.pk, gone.pk]


def test_a_suppressed_address_is_found_by_the_address_itself(merchant: Client) -> None:
    stopped = Suppression.objects.create(
        channel="sms", digest=contacts.digest("sms", "+12125550123"), cause="revoked", since=NOW
    )
    Suppression.objects.create(
        channel="email",
        digest=contacts.digest("email", "x@example.com"),
        cause="manual",
        since=NOW,
        lifted_at=NOW,
    )

    assert shown(merchant, "suppression", q="+1 212 555 0123") == [stopped.pk]
    assert shown(merchant, "suppression", in_force="yes") == [stopped.pk]


def test_the_ledger_of_consents_is_found_by_address(merchant: Client) -> None:
    ann, ben = (ledger.person(name, email=f"{name}@example.com") for name in ("ann", "ben"))
    said = ledger.said(ann, "email", "grant", at=NOW)
    ledger.said(ben, "email", "grant", at=NOW)

    assert shown(merchant, "consentevent", q="Ann@Example.com") == [said.pk]
    assert "Agreed: Basket reminders, by email" in listing(merchant, "consentevent")


def test_guests_are_told_from_accounts(merchant: Client) -> None:
    guest = ledger.person("Ann", email="ann@example.com")

    assert shown(merchant, "contact", guest="yes") == [guest.pk]
    assert shown(merchant, "contact", guest="no") == []


def test_events_that_were_set_aside_stand_out(merchant: Client) -> None:
    times = {"occurred_at": NOW, "not_before": NOW}
    InboxEvent.objects.create(name="a", key="1", **times)
    InboxEvent.objects.create(name="a", key="2", processed_at=NOW, **times)
    failing = InboxEvent.objects.create(name="a", key="3", tries=2, error="ValueError: no", **times)
    aside = InboxEvent.objects.create(
        name="a", key="4", tries=5, error="ValueError: no", processed_at=NOW, **times
    )

    assert shown(merchant, "inboxevent", condition="failing") == [failing.pk]
    assert shown(merchant, "inboxevent", condition="aside") == [aside.pk]
    assert "given up after 5 tries: ValueError: no" in listing(merchant, "inboxevent")


def more_messages(count: int) -> None:
    for number in range(count):
        run = ledger.run(ledger.person(f"P{number}", email=f"p{Contact.objects.count()}@example.com"))
        ledger.dropped(run)


def more_suppressions(count: int) -> None:
    known = Suppression.objects.count()
    Suppression.objects.bulk_create(
        Suppression(channel="sms", digest=f"{known + number:064}", cause="manual", since=NOW)
        for number in range(count)
    )


def more_consents(count: int) -> None:
    for number in range(count):
        ann = ledger.person("Ann", email=f"c{Contact.objects.count() + number}@example.com")
        ledger.said(ann, "email", "grant", at=NOW)


def more_texts(count: int) -> None:
    known = ConsentText.objects.count()
    ConsentText.objects.bulk_create(
        ConsentText(
            digest=f"{known + number:064}", channel="sms", language="en", words="w", topics=[], created_at=NOW
        )
        for number in range(count)
    )


def more_topics(count: int) -> None:
    known = Topic.objects.count()
    Topic.objects.bulk_create(
        Topic(key=f"topic-{known + number}", name="t", purpose="marketing") for number in range(count)
    )


def more_flows(count: int) -> None:
    known = Flow.objects.count()
    Flow.objects.bulk_create(Flow(key=f"flow-{known + number}") for number in range(count))


def more_events(count: int) -> None:
    known = InboxEvent.objects.count()
    InboxEvent.objects.bulk_create(
        InboxEvent(name="order.placed", key=f"order:{known + number}", occurred_at=NOW, not_before=NOW)
        for number in range(count)
    )


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("message", more_messages),
        ("contact", more_messages),
        ("enrolment", more_messages),
        ("consentevent", more_consents),
        ("consenttext", more_texts),
        ("suppression", more_suppressions),
        ("topic", more_topics),
        ("flow", more_flows),
        ("inboxevent", more_events),
    ],
)
def test_a_long_list_costs_no_more_than_a_short_one(
    model: str, more: Callable[[int], None], merchant: Client
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            listing(merchant, model)
        return len(captured)

    more(5)
    few = statements()
    more(45)

    assert statements() == few


@pytest.mark.rule(64)
def test_a_broken_channel_warns_on_every_list(merchant: Client) -> None:
    ChannelRest.objects.create(
        channel="sms", until=NOW + HOUR, since=NOW - HOUR, code="20003", detail="Authentication failed"
    )

    for page in ("message", "contact", "flow", "inboxevent", "suppression"):
        html = listing(merchant, page)
        assert "SMS rests since March 10, 2026, 7 a.m." in html
        assert "20003: Authentication failed" in html
    assert Message.objects.count() == 0
