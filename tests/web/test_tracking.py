"""Links in messages lead where the message said, and every request for one is noted."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.core import tokens
from oscar_crosschannel.models import InboxEvent, Message
from oscar_crosschannel.services import inbox
from oscar_crosschannel.services.clicks import SETTLE
from tests.factories import NOON
from tests.web.conftest import BASE_URL, token
from tests.web.test_unsubscribe import row_counts


def url_of(message: Message, link: int = 0) -> str:
    return reverse("oscar_crosschannel:click", args=[token(tokens.CLICK, message.pk, link)])


# it works


@pytest.mark.rule(49)
def test_a_click_leads_to_the_path_stored_with_the_message(message: Message, stranger: Client) -> None:
    answer = stranger.get(url_of(message, 1), headers={"Host": "testserver"})
    assert answer.status_code == 302
    assert answer["Location"] == f"{BASE_URL}/catalogue/?page=2"


@pytest.mark.rule(48)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_request_adds_one_row_with_what_judging_it_takes(
    method: str, message: Message, stranger: Client
) -> None:
    before = row_counts()
    stranger.generic(method, url_of(message, 1), headers={"User-Agent": "Scanner/1.0"})
    assert row_counts() == before | {"InboxEvent": before["InboxEvent"] + 1}
    event = InboxEvent.objects.get(name="link.clicked")
    assert event.data == {
        "message": message.pk,
        "link": 1,
        "method": method,
        "user_agent": "Scanner/1.0",
    }
    assert event.not_before == event.occurred_at + SETTLE
    assert event.occurred_at >= NOON


def test_every_click_counts(message: Message, stranger: Client) -> None:
    for _ in range(3):
        stranger.get(url_of(message))
    assert InboxEvent.objects.filter(name="link.clicked").count() == 3


def test_a_link_without_its_last_slash_works(message: Message, stranger: Client) -> None:
    assert stranger.get(url_of(message).rstrip("/")).status_code == 302


def test_a_link_is_short_enough_for_a_text(message: Message) -> None:
    assert len(token(tokens.CLICK, 1_000_000_000, 1)) <= 20


# it refuses


@pytest.mark.rule(49)
def test_an_unknown_link_is_not_found(message: Message, stranger: Client) -> None:
    good = url_of(message)
    message.links = ["/basket/", "//evil.example/", ".evil.example", "https://evil.example/", None]
    message.save()
    forged = [
        good[:-2] + "/",
        url_of(message, 99),
        url_of(Message(pk=message.pk + 1)),
        url_of(message, 2),
        url_of(message, 3),
        url_of(message, 4),
        good.replace(token(tokens.CLICK, message.pk), token(tokens.UNSUBSCRIBE, message.pk)),
    ]
    assert [stranger.get(url).status_code for url in forged] == [404] * len(forged)
    assert not InboxEvent.objects.filter(name="link.clicked").exists()


@pytest.mark.rule(49)
def test_no_stored_path_leaves_the_shop(message: Message, stranger: Client) -> None:
    message.links = ["//evil.example/"]
    message.save()
    assert stranger.get(url_of(message))["Location"].startswith(f"{BASE_URL}/")


def test_a_link_takes_no_post(message: Message) -> None:
    assert Client().post(url_of(message)).status_code == 405


# it survives


def test_the_visitor_arrives_even_if_the_click_cannot_be_noted(
    message: Message, stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("read-only")

    monkeypatch.setattr(inbox, "record", fail)
    assert stranger.get(url_of(message)).status_code == 302
