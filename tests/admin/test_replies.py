"""Replies to read: staff see what people wrote, decide what it meant, and that is written down."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_crosschannel.admin.replies import MeantSomethingElse, MeantStop, WasRead
from oscar_crosschannel.models import (
    Consent,
    ConsentEvent,
    Contact,
    InboxEvent,
    OrdinaryReply,
    Suppression,
    UnreadReply,
)
from oscar_crosschannel.services import replies
from tests.admin import ledger
from tests.admin.ledger import HOUR, NOW

PHONE = "+12125550123"
WORDS = "Who is <b>this</b>? Leave me alone!"


@pytest.fixture
def ann(_shop: None) -> Contact:
    ann = ledger.person("Ann", email="ann@example.com", phone=PHONE)
    ledger.said(ann, "sms", "grant", at=NOW - 48 * HOUR)
    return ann


@pytest.fixture
def clerk(merchant: Client) -> Client:
    """The merchant, who may decide what a reply meant."""
    user = get_user_model().objects.get(username="mina")
    user.user_permissions.add(Permission.objects.get(codename="read_reply"))
    return merchant


def say(body: str, *, sid: str = "SM1", phone: str = PHONE) -> InboxEvent:
    replies.take_inbound(sid=sid, phone=phone, to="+12025550100", body=body, now=NOW - HOUR)
    return InboxEvent.objects.get(key=sid)


def words_of(answer: Any) -> str:
    main = BeautifulSoup(answer.content, "html.parser").find(id="main")
    assert main is not None
    return " ".join(main.get_text(" ").split())


def page(client: Client) -> str:
    return words_of(client.get(reverse("admin:oscar_crosschannel_unreadreply_change", args=[_row().pk])))


def _row() -> UnreadReply:
    return UnreadReply.objects.get()


def granted() -> bool:
    return Consent.objects.filter(answer="granted").exists()


# It works


@pytest.mark.rule(17)
def test_a_doubtful_reply_is_listed_with_who_wrote_what_and_when(ann: Contact, clerk: Client) -> None:
    say(WORDS)
    answer = clerk.get(reverse("admin:oscar_crosschannel_unreadreply_changelist"))
    assert "Replies to read" in words_of(clerk.get(reverse("admin:app_list", args=["oscar_crosschannel"])))
    for part in (WORDS, PHONE, "SMS", "March 10, 2026, 7 a.m."):
        assert part in words_of(answer)
    shown = page(clerk)
    assert "Marketing to this address waits for a decision." in shown
    for part in (WORDS, "Ann, ann@example.com", "They meant stop", "They did not mean stop"):
        assert part in shown


@pytest.mark.rule(17, 24)
def test_staff_decide_that_it_was_a_stop(ann: Contact, clerk: Client) -> None:
    reply, row = say(WORDS), _row().pk
    assert "Only the person can agree again" in words_of(clerk.get(MeantStop.url(reply.pk)))
    assert granted(), "looking decides nothing"
    landed = words_of(clerk.post(MeantStop.url(reply.pk), follow=True))
    assert "Recorded as a stop." in landed
    assert not granted()
    event = ConsentEvent.objects.get(action="revoke")
    assert (event.verbatim, event.provider_id, event.actor) == (WORDS, "SM1", "mina")
    assert (Suppression.objects.get().cause, UnreadReply.objects.count()) == ("revoked", 0)
    assert {entry.object_id for entry in LogEntry.objects.all()} == {str(row), str(ann.pk)}
    history = words_of(clerk.get(reverse("admin:oscar_crosschannel_contact_change", args=[ann.pk])))
    assert f"Read reply {reply.pk} as a stop" in history


@pytest.mark.rule(17)
def test_staff_decide_that_it_was_something_else(ann: Contact, clerk: Client) -> None:
    reply = say("I never signed up for the raffle, may I?")
    assert clerk.post(MeantSomethingElse.url(reply.pk), {"note": ""}).status_code == 200, (
        "a note is asked for"
    )
    landed = words_of(clerk.post(MeantSomethingElse.url(reply.pk), {"note": "Wants a raffle"}, follow=True))
    assert "Marketing goes on." in landed
    assert granted()
    assert Suppression.objects.get().note == "mina: Wants a raffle"
    page_of_block = reverse(
        "admin:oscar_crosschannel_suppression_change", args=[Suppression.objects.get().pk]
    )
    assert f"Read reply {reply.pk}, which is no stop: Wants a raffle" in words_of(clerk.get(page_of_block))
    assert not LogEntry.objects.filter(change_message__contains="never signed up").exists()


def test_a_number_that_nobody_knows_can_be_read_and_stopped(clerk: Client) -> None:
    reply = say("wrong number", phone="+12125550199")
    assert "+12125550199" in page(clerk)
    clerk.post(MeantStop.url(reply.pk))
    assert Suppression.objects.get().cause == "revoked"


def test_the_page_of_a_contact_says_what_waits(ann: Contact, clerk: Client) -> None:
    say(WORDS)
    shown = words_of(clerk.get(reverse("admin:oscar_crosschannel_contact_change", args=[ann.pk])))
    assert "what they wrote may mean stop; staff should read it" in shown
    assert "sounds like a stop; marketing waits until somebody has read it" in shown


def index(client: Client) -> str:
    return words_of(client.get(reverse("admin:app_list", args=["oscar_crosschannel"])))


def answers(client: Client, query: str = "") -> str:
    return words_of(client.get(reverse("admin:oscar_crosschannel_ordinaryreply_changelist") + query))


def test_an_ordinary_answer_is_told_listed_and_read(ann: Contact, clerk: Client) -> None:
    assert "Somebody has answered" not in index(clerk)
    reply = say("Do you have it in <i>green</i>?")
    assert "Somebody has answered a message of the shop." in index(clerk)
    for part in ("Do you have it in <i>green</i>?", PHONE, "SMS", "March 10, 2026, 7 a.m.", "To be read"):
        assert part in answers(clerk, "?unread=1")
    one = reverse("admin:oscar_crosschannel_ordinaryreply_change", args=[reply.pk])
    for part in ("Ann, ann@example.com", f"Answer to {PHONE}", "Mark as read"):
        assert part in words_of(clerk.get(one))
    assert granted(), "it changes nothing"

    assert "It leaves the list" in words_of(clerk.get(WasRead.url(reply.pk)))
    assert OrdinaryReply.objects.get().unread, "looking reads nothing"
    landed = words_of(clerk.post(WasRead.url(reply.pk), follow=True))

    assert "It is among the answers that were read." in landed
    assert "Somebody has answered" not in index(clerk)
    assert "green" not in answers(clerk, "?unread=1")
    assert "green" in answers(clerk, "?unread=0")
    assert "Read it" in words_of(clerk.get(one))
    assert "Mark as read" not in words_of(clerk.get(one))


def test_an_email_is_answered_with_one_press(clerk: Client) -> None:
    reply = InboxEvent.objects.create(
        name="email.received", key="<1@mail>", email="o'ann?x@example.com", data={"body": "In green?"},
        occurred_at=NOW, not_before=NOW, unread=True,
    )  # fmt: skip
    one = clerk.get(reverse("admin:oscar_crosschannel_ordinaryreply_change", args=[reply.pk]))
    link = BeautifulSoup(one.content, "html.parser").select_one('a[href^="mailto:"]')
    assert link is not None
    assert (link["href"], link.get_text()) == ("mailto:o%27ann%3Fx@example.com", "o'ann?x@example.com")


def test_an_answer_without_words_can_be_opened_too(clerk: Client) -> None:
    say("")
    assert "(no words)" in answers(clerk)


# It refuses


def test_only_who_may_read_puts_an_answer_away(merchant: Client) -> None:
    reply = say("Do you have it in green?")
    one = reverse("admin:oscar_crosschannel_ordinaryreply_change", args=[reply.pk])
    assert "Mark as read" not in words_of(merchant.get(one))
    assert merchant.post(WasRead.url(reply.pk)).status_code == 403
    assert OrdinaryReply.objects.get().unread


def test_a_doubtful_reply_is_no_ordinary_answer(clerk: Client) -> None:
    reply = say(WORDS)
    assert WORDS not in answers(clerk)
    assert clerk.get(WasRead.url(reply.pk)).status_code == 404


@pytest.mark.parametrize("act", [MeantStop, MeantSomethingElse])
def test_only_who_may_decide_decides(act: Any, ann: Contact, merchant: Client) -> None:
    reply = say(WORDS)
    assert "They meant stop" not in page(merchant)
    assert merchant.post(act.url(reply.pk), {"note": "x"}).status_code == 403
    assert UnreadReply.objects.exists()


def test_a_later_reply_is_to_be_read_first(ann: Contact, clerk: Client) -> None:
    first = say("I never signed up for the raffle, may I?")
    say("LEAVE ME ALONE", sid="SM2")
    assert "another reply came after it" in words_of(clerk.get(MeantSomethingElse.url(first.pk)))
    assert clerk.post(MeantSomethingElse.url(first.pk), {"note": "x"}).status_code == 200, "it is asked again"
    assert (UnreadReply.objects.count(), LogEntry.objects.count()) == (1, 0)


# It survives


def test_words_that_are_not_kept_any_more_leave_the_block_to_be_seen(ann: Contact, clerk: Client) -> None:
    say(WORDS)
    InboxEvent.objects.all().delete()
    assert "(their words are not kept any more)" in page(clerk)


def test_two_who_read_it_at_once(clerk: Client) -> None:
    reply = say("Do you have it in green?")
    for _ in range(2):
        clerk.post(WasRead.url(reply.pk))
    assert LogEntry.objects.count() == 1
    assert "Somebody has read it already." in words_of(clerk.get(WasRead.url(reply.pk)))


def test_the_list_costs_the_same_for_few_and_for_many(ann: Contact, clerk: Client) -> None:
    costs = []
    for numbers in (range(2), range(2, 20)):
        for number in numbers:
            say("leave me alone", sid=f"SM{number}", phone=f"+121255501{number:02}")
        with CaptureQueriesContext(connection) as queries:
            clerk.get(reverse("admin:oscar_crosschannel_unreadreply_changelist"))
        costs.append(len(queries))
    assert costs[0] == costs[1]
