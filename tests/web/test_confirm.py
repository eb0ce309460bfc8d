"""The page behind the link of a confirmation email."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.core import tokens
from oscar_crosschannel.models import ConsentEvent, Contact, InboxEvent
from oscar_crosschannel.services import consents
from tests.factories import NOON
from tests.services.shoppers import ANN, PHONE, TOPICS, guest, member, permitted, tick
from tests.web.conftest import token
from tests.web.test_unsubscribe import row_counts


def url_of(request_event_id: int) -> str:
    return reverse("oscar_crosschannel:confirm", args=[token(tokens.CONFIRM, request_event_id)])


@pytest.fixture
def uwe() -> Contact:
    """Ticked the box for emails in a country where that is not enough."""
    contact = guest(country="DE", language="en")
    tick(contact, "email", ANN)
    return contact


@pytest.fixture
def url(uwe: Contact) -> str:
    return url_of(ConsentEvent.objects.get(action="request").pk)


# it works


@pytest.mark.rule(8)
def test_the_button_confirms(uwe: Contact, url: str, stranger: Client) -> None:
    answer = stranger.post(url, headers={"User-Agent": "Safari"}, REMOTE_ADDR="198.51.100.4")
    assert answer.status_code == 200
    assert permitted(uwe, "email") == set(TOPICS)
    event = ConsentEvent.objects.filter(action="grant").latest("pk")
    assert (event.ip, event.user_agent) == ("198.51.100.4", "Safari")


@pytest.mark.rule(8, 43)
@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_page_confirms_nothing(method: str, uwe: Contact, url: str, stranger: Client) -> None:
    before = row_counts()
    assert getattr(stranger, method)(url).status_code == 200
    assert row_counts() == before
    assert permitted(uwe, "email") == set()


def test_the_page_shows_the_words_that_were_agreed_to(url: str, stranger: Client) -> None:
    page = BeautifulSoup(stranger.get(url).content, "html.parser")
    assert consents.wording("email", "en").words in page.text
    assert len(page.find_all("button")) == 1


def test_a_number_is_confirmed_in_two_steps(stranger: Client) -> None:
    ann = member(language="en")
    tick(guest(), "sms", PHONE)
    url = url_of(ConsentEvent.objects.get(action="request").pk)
    assert "+1••••••0123" in stranger.get(url).content.decode()
    answer = stranger.post(url)
    assert "YES" in answer.content.decode()
    assert permitted(ann, "sms") == set()
    assert InboxEvent.objects.filter(name="consent.requested.sms").exists()


def test_pressing_the_button_twice_says_thank_you_twice(url: str, stranger: Client) -> None:
    assert [stranger.post(url).status_code for _ in range(2)] == [200, 200]
    assert ConsentEvent.objects.filter(action="grant").count() == len(TOPICS)


# it refuses


@pytest.mark.rule(8)
def test_a_number_that_cannot_be_asked_now_is_said_to_be_so_and_asked_by_a_later_press(
    stranger: Client, settings: Any
) -> None:
    settings.CROSSCHANNEL_OPT_IN_TEXTS_AN_HOUR = 0
    member(language="en")
    tick(guest(), "sms", PHONE)
    url = url_of(ConsentEvent.objects.get(action="request").pk)
    answer = stranger.post(url).content.decode()
    assert "We cannot ask this number for its YES now." in answer
    assert "Not yet: +1••••••0123" in answer
    settings.CROSSCHANNEL_OPT_IN_TEXTS_AN_HOUR = 1
    assert "<button" in stranger.get(url).content.decode()
    assert "One more step" in stranger.post(url).content.decode()
    assert InboxEvent.objects.filter(name="consent.requested.sms").count() == 1


def test_a_link_that_is_too_old_says_so(uwe: Contact, url: str, stranger: Client) -> None:
    with time_machine.travel(NOON + timedelta(days=8)):
        assert stranger.get(url).status_code == 410
        assert stranger.post(url).status_code == 410
    assert permitted(uwe, "email") == set()


@pytest.mark.rule(44)
def test_a_tampered_link_confirms_nothing(uwe: Contact, url: str, stranger: Client) -> None:
    number = ConsentEvent.objects.get(action="request").pk
    for forged in (url[:-2] + "/", url_of(number + 1), url.replace("/c/", "/c/A")):
        assert stranger.post(forged).status_code == 404
    assert permitted(uwe, "email") == set()
