"""The way out: one click in the mailbox, or one button on a page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.apps import apps
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import ConsentEvent, Contact, Message, Suppression
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import judging, limits, suppressions
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, owe
from tests.services.shoppers import ANN, PHONE, TOPICS, permitted
from tests.web.conftest import LinkedFlow, token

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
URLENCODED = "application/x-www-form-urlencoded"


@pytest.fixture
def url(message: Message) -> str:
    return reverse("oscar_crosschannel:unsubscribe", args=[token(tokens.UNSUBSCRIBE, message.pk)])


@pytest.fixture
def strict_store(settings: Any) -> None:
    """A store that redirects wherever Django can."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.APPEND_SLASH = True
    auth = settings.MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware")
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[: auth + 1],
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
        *settings.MIDDLEWARE[auth + 1 :],
    ]


@pytest.mark.usefixtures("strict_store")
def test_the_strict_store_is_strict(stranger: Client) -> None:
    path = reverse("catalogue:index")
    assert stranger.get(path).status_code == 301
    assert stranger.get(path.rstrip("/"), secure=True).status_code in (301, 302)
    assert "login" in stranger.get(path, secure=True)["Location"]


def row_counts() -> dict[str, int]:
    models = apps.get_app_config("oscar_crosschannel").get_models()
    return {model.__name__: model._default_manager.count() for model in models}


# it works


@pytest.mark.rule(42)
@pytest.mark.parametrize("encoding", ["multipart", "urlencoded"])
@pytest.mark.parametrize("slash", ["/", ""])
@pytest.mark.usefixtures("strict_store")
def test_one_click_stops_the_topic_without_any_redirect(
    encoding: str, slash: str, ann: Contact, url: str, stranger: Client
) -> None:
    address = url.rstrip("/") + slash
    proxied = {"headers": {"X-Forwarded-Proto": "https", "Accept-Language": "de"}}
    if encoding == "multipart":
        answer = stranger.post(address, ONE_CLICK, **proxied)  # type: ignore[arg-type]
    else:
        body = "List-Unsubscribe=One-Click"
        answer = stranger.post(address, body, content_type=URLENCODED, **proxied)  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert permitted(ann, "email") == {"basket_reminders"}
    assert not answer.cookies


@pytest.mark.rule(24, 42)
def test_one_click_leaves_its_proof(message: Message, url: str, stranger: Client) -> None:
    stranger.post(url, ONE_CLICK)
    event = ConsentEvent.objects.get(action="revoke")
    assert (event.source, event.mechanism, event.message_id) == ("one_click", "link", message.pk)
    assert (event.channel, event.address, event.topic) == ("email", ANN, "weekly_deals")


@pytest.mark.rule(42)
def test_one_click_may_come_again_and_again(ann: Contact, url: str, stranger: Client) -> None:
    answers = [stranger.post(url, ONE_CLICK) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert ConsentEvent.objects.filter(action="revoke").count() == 1


@pytest.mark.rule(45)
@pytest.mark.parametrize(("clicks", "state"), [(False, State.CLAIMED), (True, State.DROPPED)])
def test_the_very_next_decision_obeys(
    clicks: bool, state: State, ann: Contact, url: str, stranger: Client
) -> None:
    due = owe(ann, LinkedFlow, "the next one", due=NOON)
    due.save()
    Message.objects.exclude(pk=due.pk).update(attempted_at=NOON - timedelta(days=8))
    if clicks:
        stranger.post(url, ONE_CLICK)
    judging.judge(Lane.FLOW, load_plans(), limits.load(), now=NOON, closed={})
    due.refresh_from_db()
    assert due.state == state
    assert due.reason == (Reason.NO_CONSENT if clicks else "")


@pytest.mark.rule(43)
@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_page_changes_nothing(method: str, ann: Contact, url: str, stranger: Client) -> None:
    before = row_counts()
    answer = getattr(stranger, method)(url)
    assert answer.status_code == 200
    assert row_counts() == before
    assert permitted(ann, "email") == set(TOPICS)


@pytest.mark.rule(25, 43)
def test_the_page_has_one_button_and_asks_for_nothing(url: str, stranger: Client) -> None:
    page = BeautifulSoup(stranger.get(url).content, "html.parser")
    assert [button.text for button in page.find_all("button")] == ["Unsubscribe"]
    assert [(box["type"], box["name"]) for box in page.find_all("input")] == [("checkbox", "everything")]
    assert not page.find("input", checked=True)
    assert "Weekly deals" in page.text
    assert "a•••@example.com" in page.text


@pytest.mark.rule(25)
@pytest.mark.usefixtures("strict_store")
def test_the_button_stops_the_topic_and_offers_to_stop_everything(
    ann: Contact, url: str, stranger: Client
) -> None:
    answer = stranger.post(url, secure=True)
    assert answer.status_code == 200
    assert permitted(ann, "email") == {"basket_reminders"}
    page = BeautifulSoup(answer.content, "html.parser")
    fields = {field["name"]: field["value"] for field in page.find_all("input")}
    assert stranger.post(url, fields, secure=True).status_code == 200
    assert permitted(ann, "email") == set()
    assert permitted(ann, "sms") == set(TOPICS)
    block = suppressions.in_force("email", ANN)
    assert block is not None
    assert block.scope == Suppression.Scope.MARKETING


@pytest.mark.rule(44)
def test_the_link_works_after_years_and_after_the_key_was_changed(
    settings: Any, ann: Contact, url: str, stranger: Client
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next one"
    stranger.post(url, ONE_CLICK)
    assert permitted(ann, "email") == {"basket_reminders"}


def test_the_page_speaks_the_customers_language(ann: Contact, url: str) -> None:
    ann.language = "de"
    ann.save()
    page = BeautifulSoup(Client(headers={"Accept-Language": "fr"}).get(url).content, "html.parser")
    assert page.html is not None
    assert page.html["lang"] == "de"


def test_the_link_of_a_text_stops_texts(ann: Contact, message: Message, url: str, stranger: Client) -> None:
    message.channel, message.point = "sms", ann.points.get(channel="sms")
    message.save()
    assert "+1••••••0123" in stranger.get(url).content.decode()
    stranger.post(url, {"everything": "1"})
    assert permitted(ann, "sms") == set()
    assert permitted(ann, "email") == set(TOPICS)
    assert suppressions.in_force("sms", PHONE) is not None


def test_pages_ask_the_shop_for_nothing(
    url: str, stranger: Client, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(
        3
    ):  # the message; its topic, and how that is called in other languages
        page = stranger.get(url)
    html = page.content.decode()
    assert not re.search(r"(?:src|href|action|url\()\s*=?\s*[\"']?(?:https?:)?//(?!shop\.example)", html)
    assert "<script" not in html
    assert not page.cookies


# it refuses


@pytest.mark.rule(44)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_tampered_link_changes_nothing(
    method: str, ann: Contact, message: Message, stranger: Client
) -> None:
    good = token(tokens.UNSUBSCRIBE, message.pk)
    other_row = token(tokens.UNSUBSCRIBE, message.pk + 1)
    other_purpose = token(tokens.CLICK, message.pk)
    before = row_counts()
    for forged in (good[:-1], good[:-1] + ("A" if good[-1] != "A" else "B"), "x", other_row, other_purpose):
        address = reverse("oscar_crosschannel:unsubscribe", args=[forged])
        assert getattr(stranger, method)(address).status_code == 404
    assert row_counts() == before


def test_other_methods_are_not_allowed(url: str, stranger: Client) -> None:
    assert stranger.put(url).status_code == 405


# it survives


def test_a_message_whose_address_is_not_known_any_more(
    ann: Contact, message: Message, url: str, stranger: Client
) -> None:
    message.point = None
    message.save()
    assert stranger.post(url, ONE_CLICK).status_code == 200
    assert permitted(ann, "email") == {"basket_reminders"}
    ann.points.all().delete()
    assert stranger.get(url).status_code == 200
    assert stranger.post(url, ONE_CLICK).status_code == 200


def test_a_body_that_is_no_form_still_stops_the_topic(ann: Contact, url: str, stranger: Client) -> None:
    assert stranger.post(url, b"\xff\xfe", content_type="text/plain").status_code == 200
    assert permitted(ann, "email") == {"basket_reminders"}
