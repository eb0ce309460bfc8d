"""The stories that single pages tell."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_crosschannel.conf import flows
from oscar_crosschannel.core.decision import Finding, Objection, Outcome, Wait
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Belonging, ChannelRest, Enrolment, FlowStep, Suppression
from oscar_crosschannel.services import contacts
from tests.admin import ledger
from tests.admin.ledger import HOUR, NOW


def page(client: Client, row: Model) -> str:
    """The page's words, as a reader sees them."""
    address = reverse(f"admin:oscar_crosschannel_{row._meta.model_name}_change", args=[row.pk])
    return " ".join(content(client, address).get_text(" ").split())


def content(client: Client, address: str) -> Tag:
    """What stands on a page, without the frame around it."""
    answer = client.get(address)
    assert answer.status_code == 200
    main = BeautifulSoup(answer.content, "html.parser").find(id="content")
    assert isinstance(main, Tag)
    return main


def test_a_sent_message_tells_its_whole_way(merchant: Client) -> None:
    ann = ledger.person("Ann", email="ann@example.com", phone="+12125550123")
    words = page(merchant, ledger.sent_by_email(ledger.run(ann)))

    assert "Sent by email; delivered" in words
    assert "Recipient Ann, ann@example.com" in words
    assert "Topic Basket reminders (marketing)" in words
    assert "Email chosen – nothing spoke against it" in words
    assert "postmark" in words
    assert "delivered March 9, 2026, 3 a.m." in words
    assert "a scanner calls itself a machine; came within seconds of the delivery" in words
    assert "a person /basket/" in words


def test_a_dropped_message_names_every_objection(merchant: Client) -> None:
    words = page(merchant, ledger.dropped(ledger.run(ledger.person("Ben"))))

    assert "Email – not possible Consent: no consent for email" in words
    assert "SMS – not possible Suppression list: the address is on the suppression list for SMS" in words
    assert "The provider was never called." in words


def test_a_waiting_message_tells_until_when_and_what_time_that_is_for_the_recipient(merchant: Client) -> None:
    ann = ledger.person("Ann", phone="+12125550123", zone="Asia/Kolkata")
    words = page(merchant, ledger.waits_for_morning(ledger.run(ann)))

    assert "Waiting until 9 a.m.: quiet hours for SMS where the recipient is" in words
    assert "SMS – free from 9 a.m. Hours: quiet hours for SMS" in words
    assert "March 10, 2026, 6:30 p.m. (Asia/Kolkata); March 10, 2026, 9 a.m. (America/New_York)" in words


def test_a_zone_that_does_not_exist_is_left_out(merchant: Client) -> None:
    lost = ledger.person("Ann", email="ann@example.com", zone="Mars/Olympus")

    assert "clock" not in page(merchant, ledger.dropped(ledger.run(lost)))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.HELD, "waits for a confirmation, until 10 a.m. at the latest"),
        (Outcome.LATE, "free from 10 a.m., which is too late for this message"),
    ],
)
def test_a_channel_that_may_not_yet_tells_until_when(outcome: Outcome, words: str, merchant: Client) -> None:
    pending = Objection("consented", Reason.AWAITING_OPT_IN)
    found = Finding("sms", outcome, NOW + 2 * HOUR, (pending,))
    wait = Wait(found.at, "sms", pending.reason, (found,))
    message = ledger.message(
        ledger.run(ledger.person("Ann")),
        "steam",
        State.PLANNED,
        pending.reason,
        due_at=found.at,
        decision=wait.as_json(),
    )

    assert words in page(merchant, message)


def test_a_refused_text_shows_each_call_the_providers_code_and_the_withdrawn_voucher(
    merchant: Client,
) -> None:
    message = ledger.failed_text(ledger.run(ledger.person("Dora", phone="+12125550123")))
    words = page(merchant, message)

    assert "Failed the provider refused it" in words
    assert "30006 Landline, or carrier out of reach" in words
    assert f"TEA{message.pk:09}" in words
    assert "Withdrawn" in words


def test_a_message_that_was_not_looked_at_yet_says_so(merchant: Client) -> None:
    message = ledger.message(ledger.run(ledger.person("Ann")), "whistle", State.PLANNED, due_at=NOW + HOUR)

    words = page(merchant, message)

    assert "Waiting until 9 a.m., when it is due" in words
    assert "As things stand It will not be sent: no address is known for email and SMS." in words
    assert (
        "Email – not possible Address: no address is known for email Consent: no consent for email" in words
    )


def test_a_contact_shows_addresses_answers_and_what_blocks_them(merchant: Client) -> None:
    ann = ledger.person("Ann", email="ann@example.com", phone="+12125550123")
    ledger.said(ann, "email", "grant", at=NOW - 48 * HOUR)
    ledger.said(
        ann, "sms", "revoke", at=NOW - HOUR, verbatim="STOP please", source="keyword", mechanism="reply"
    )
    Suppression.objects.create(
        channel="sms", digest=contacts.digest("sms", "+12125550123"), cause="revoked", since=NOW - HOUR
    )
    Suppression.objects.create(
        channel="email",
        digest=contacts.digest("email", "ann@example.com"),
        cause="manual",
        since=NOW,
        lifted_at=NOW,
    )
    words = page(merchant, ann)

    assert "Email: ann@example.com" in words
    assert (
        "Basket reminders Agreed express written March 8, 2026, 8 a.m. registration, checkbox ; the words"
        in words
    )
    assert "Basket reminders Withdrawn March 10, 2026, 7 a.m." in words
    assert words.count("On the suppression list") == 1
    assert (
        "On the suppression list since March 10, 2026, 7 a.m. (the person said stop); blocked: everything."
        in words
    )


def test_the_timeline_runs_from_the_future_to_the_beginning(merchant: Client) -> None:
    user = get_user_model().objects.create_user("ann", "ann@example.com")
    ann = ledger.person("Ann", email="ann@example.com", phone="+12125550123", user=user)
    ledger.said(ann, "email", "grant", at=NOW - 40 * HOUR)
    run = ledger.run(ann)
    ledger.sent_by_email(run)
    ledger.waits_for_morning(run)
    place_order("100001", at=NOW - 4 * HOUR, user=user)
    guests = place_order("100002", at=NOW - 3 * HOUR, guest_email="Ann@Example.com")
    Belonging.objects.create(kind="order", object_id=guests.pk, contact=ann)
    place_order("100003", at=NOW, guest_email="somebody@example.com")
    words = page(merchant, ann).partition("Timeline")[2]

    in_order = [
        "waiting: until 9 a.m.",
        "Order 100002 for $42.50",
        "Order 100001",
        "A person followed a link of “Whistle”",
        "A scanner followed a link",
        "The kettle calls: Whistle sent: by email",
        "The kettle calls began",
        "Agreed: Basket reminders, by email",
    ]
    positions = [words.find(each) for each in in_order]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert "100003" not in words


def place_order(number: str, *, at: Any, **who: Any) -> Any:
    return get_model("order", "Order").objects.create(
        number=number,
        total_incl_tax=Decimal("42.50"),
        total_excl_tax=Decimal("42.50"),
        shipping_incl_tax=0,
        shipping_excl_tax=0,
        currency="USD",
        date_placed=at,
        **who,
    )


def test_what_a_merged_contact_lived_through_is_kept_with_the_one_it_became(merchant: Client) -> None:
    keep = ledger.person("Ann", email="ann@example.com")
    gone = ledger.person("A.", email="a@example.com", merged_into=keep)
    ledger.dropped(ledger.run(gone))

    assert "The kettle calls: Whistle" in page(merchant, keep).partition("Timeline")[2]
    assert "Merged into Ann, ann@example.com" in page(merchant, gone)


def test_a_contact_of_whom_nothing_is_known_has_a_page_too(merchant: Client) -> None:
    words = page(merchant, ledger.person(""))

    assert "No address is known." in words
    assert "Nothing happened yet." in words


def test_a_run_shows_what_came_of_it(merchant: Client) -> None:
    run = ledger.run(ledger.person("Ann", email="ann@example.com"))
    ledger.sent_by_email(run)
    ledger.message(run, "steam", State.CANCELLED, Reason.PURCHASED)
    Enrolment.objects.filter(pk=run.pk).update(
        state=Enrolment.State.ENDED, ended_at=NOW, end_reason="purchased"
    )
    words = page(merchant, run)

    assert "Ended The customer has bought" in words
    assert f"About basket {run.contact_id}" in words
    assert "Whistle Sent by email" in words
    assert "Steam Called off the customer has bought" in words


def test_a_flow_shows_its_steps_as_declared(merchant: Client) -> None:
    flow = ledger.run(ledger.person("Ann")).flow
    words = page(merchant, flow)

    assert "The kettle calls On" in words
    assert "Topic Basket reminders (marketing)" in words
    assert "something changes in a basket, one run at a time, again after 7 days" in words
    assert "Ends when an order is placed" in words
    assert "Control group 5%" in words
    assert "People inside 1" in words
    assert "1 hour after email, else SMS waits up to 2 hours for the better channel" in words
    assert (
        "1 day after SMS worth sending until 2 days after the start not if bought since the run began"
        in words
    )
    assert "with an exclusive code for “Come back: 10 % off”" in words
    assert "changed" not in words


def test_from_its_number_one_gets_to_the_people_inside_if_one_may(merchant: Client) -> None:
    flow = ledger.run(ledger.person("Ann", email="ann@example.com")).flow
    over = ledger.run(ledger.person("Ben", email="ben@example.com"))
    Enrolment.objects.filter(pk=over.pk).update(state=Enrolment.State.ENDED, ended_at=NOW)
    runs = reverse("admin:oscar_crosschannel_enrolment_changelist")
    places = [
        reverse("admin:oscar_crosschannel_flow_changelist"),
        reverse("admin:oscar_crosschannel_flow_change", args=[flow.pk]),
    ]

    for place in places:
        link = content(merchant, place).select_one(f"a[href^='{runs}']")
        assert link is not None
        assert link.get_text() == "1"
        listed = str(content(merchant, str(link["href"])))
        assert ("Ann" in listed, "Ben" in listed) == (True, False)

    user = get_user_model().objects.get(username="mina")
    user.user_permissions.remove(Permission.objects.get(codename="view_enrolment"))
    for place in places:
        assert runs not in str(content(merchant, place))


def test_what_the_merchant_changed_stands_beside_what_was_declared(merchant: Client) -> None:
    flow = ledger.run(ledger.person("Ann")).flow
    flow.enabled = False
    flow.save()
    FlowStep.objects.create(flow=flow, key="whistle", delay=timedelta(hours=3), channels=["sms"])
    FlowStep.objects.create(flow=flow, key="steam", removed_at=NOW)
    FlowStep.objects.create(flow=flow, key="hiss", removed_at=NOW)
    words = page(merchant, flow)

    assert "The kettle calls Off" in words
    assert "Changed by a merchant switched off, 3 steps" in words
    assert "3 hours after changed declared: 1 hour after" in words
    assert "SMS changed declared: email, else SMS" in words
    assert "Steam off since March 10, 2026, 8 a.m." in words
    assert "Hiss off since" in words


def test_a_flow_counts_its_last_month_and_why_messages_were_not_sent(merchant: Client) -> None:
    for name in ("ann", "ben", "cleo"):
        run = ledger.run(ledger.person(name, email=f"{name}@example.com"))
        ledger.message(run, "steam", State.CANCELLED, Reason.PURCHASED)
    ledger.sent_by_email(run)
    old = ledger.run(ledger.person("Old"), began=NOW - timedelta(days=31))
    ledger.message(old, "steam", State.CANCELLED, Reason.PURCHASED)
    words = page(merchant, run.flow)

    assert "waits up to 2 hours for the better channel 0 1 0 0 0" in words
    assert "“Come back: 10 % off” 0 0 0 3 0" in words
    assert "Why messages were not sent in the last 30 days 3 The customer has bought" in words


def test_a_flow_that_the_project_no_longer_declares_is_still_readable(merchant: Client) -> None:
    message = ledger.sent_by_email(ledger.run(ledger.person("Ann", email="ann@example.com")))
    flows.unregister(ledger.KettleCalls.key)

    assert "No longer declared" in page(merchant, message.flow)
    assert "kettle_calls: Whistle" in page(merchant, message)


def test_a_suppression_names_who_uses_the_address(merchant: Client) -> None:
    ledger.person("Ann", phone="+12125550123")
    known, unknown = (
        Suppression.objects.create(
            channel="sms", digest=contacts.digest("sms", number), cause="revoked", since=NOW
        )
        for number in ("+12125550123", "+12125550199")
    )

    assert "Used by +12125550123" in page(merchant, known)
    assert "Used by nobody we know" in page(merchant, unknown)


@pytest.mark.rule(64)
def test_settings_that_cannot_work_warn_on_every_page(merchant: Client, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_BACKEND = "oscar_crosschannel.channels.sms_backends.twilio.TwilioBackend"
    settings.CROSSCHANNEL_TWILIO = {}
    ann = ledger.person("Ann", email="ann@example.com")
    index = reverse("admin:app_list", kwargs={"app_label": "oscar_crosschannel"})

    assert "Twilio is chosen without credentials" in page(merchant, ann)
    assert "Twilio is chosen without credentials" in merchant.get(index).content.decode()


def test_a_finding_the_project_silenced_stays_silent(merchant: Client, settings: Any) -> None:
    settings.CROSSCHANNEL_BRAND = ""
    ann = ledger.person("Ann")
    assert "CROSSCHANNEL_BRAND" in page(merchant, ann)

    settings.SILENCED_SYSTEM_CHECKS = ["oscar_crosschannel.E005"]
    assert "CROSSCHANNEL_BRAND" not in page(merchant, ann)


def test_a_healthy_shop_shows_no_warning(merchant: Client) -> None:
    answer = merchant.get(reverse("admin:app_list", kwargs={"app_label": "oscar_crosschannel"}))

    assert answer.status_code == 200
    assert "cc-warnings" not in answer.content.decode()
    assert not ChannelRest.objects.exists()
