"""The page behind an invitation to texts."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import Consent, ConsentEvent, Contact, ContactPoint, InboxEvent, Message
from oscar_crosschannel.services import consents, contacts
from tests.factories import NOON, owe
from tests.services.shoppers import ANN, OTHER_PHONE, PHONE, TOPICS, account, guest
from tests.web.conftest import LinkedFlow, token
from tests.web.forms import changed, parsed

Page = Any


@pytest.fixture
def ann() -> Contact:
    """Gets our emails; of her phone nothing is known."""
    contact = guest(language="en")
    consents.grant(contact, "email", TOPICS, source="test", words="Yes.", address=ANN, now=NOON)
    return contact


@pytest.fixture
def message(ann: Contact) -> Message:
    """The email that invites her."""
    message = owe(ann, LinkedFlow, "invite", due=NOON)
    message.state, message.channel, message.attempted_at = State.SENT, "email", NOON
    message.point = ann.points.get(channel="email")
    message.save()
    return message


@pytest.fixture
def url(message: Message) -> str:
    return reverse("oscar_crosschannel:join_texts", args=[token(tokens.JOIN_TEXTS, message.pk)])


def join(client: Client, url: str, phone: str = "+1 206 555 0123", **changes: str | None) -> Any:
    """Fill in the form as the page has it, and send it."""
    form = parsed(client.get(url)).select_one("form")
    return client.post(url, changed(form, **{"cc_sms": "1", "cc_phone": phone, **changes}))


def said() -> list[tuple[str, str, int | None]]:
    return list(
        ConsentEvent.objects.filter(channel="sms")
        .order_by("pk")
        .values_list("action", "address", "message_id")
    )


def asked(via: str) -> int:
    return InboxEvent.objects.filter(name=f"consent.requested.{via}").count()


# it works


@pytest.mark.rule(3, 5)
def test_the_page_shows_the_words_and_an_empty_box(url: str, stranger: Client) -> None:
    page = parsed(stranger.get(url))
    (box,) = page.select("input[type=checkbox][name=cc_sms]")
    assert not box.has_attr("checked")
    assert consents.wording("sms", "en").words in page.get_text()
    assert page.select_one("label[for=cc_join_phone]")


@pytest.mark.rule(4, 8)
def test_the_number_is_asked_and_its_yes_is_credited_to_the_email(
    url: str, message: Message, stranger: Client
) -> None:
    answer = join(stranger, url)
    assert answer.status_code == 200
    assert "YES" in parsed(answer).get_text()
    assert said() == [("request", PHONE, message.pk)]
    assert asked("sms") == 1
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    grants = ConsentEvent.objects.filter(action="grant", message_id=message.pk)
    assert set(grants.values_list("topic", flat=True)) == set(TOPICS)
    assert {grant.source for grant in grants} == {"invitation"}
    page_url = grants[0].page_url
    assert page_url.endswith("/cc/t/…/")


def test_a_known_number_can_be_kept_and_is_not_written_out(url: str, ann: Contact, stranger: Client) -> None:
    contacts.set_point(ann, "sms", PHONE, source="test", now=NOON)
    shown = stranger.get(url).content.decode()
    assert "0123" in shown
    assert PHONE not in shown
    join(stranger, url, phone="")
    assert [(action, address) for action, address, _ in said()] == [("request", PHONE)]


def test_who_is_signed_in_finds_the_number_filled_in(url: str, ann: Contact, client: Client) -> None:
    user = account()
    Contact.objects.filter(pk=ann.pk).update(user=user)
    contacts.set_point(ann, "sms", PHONE, source="test", now=NOON)
    client.force_login(user)
    field = parsed(client.get(url)).select_one("[name=cc_phone]")
    assert field is not None
    assert field["value"] == PHONE
    join(client, url, phone="+1 212 555 0147")
    assert [(action, address) for action, address, _ in said()] == [("request", OTHER_PHONE)]
    assert asked("sms") == 1


# it refuses


@pytest.mark.rule(43)
@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_page_changes_nothing(method: str, url: str, stranger: Client) -> None:
    models = (ConsentEvent, Consent, ContactPoint, InboxEvent, Contact)
    before = [model.objects.count() for model in models]
    assert getattr(stranger, method)(url).status_code == 200
    assert [model.objects.count() for model in models] == before
    assert "sessionid" not in stranger.cookies


def test_without_a_tick_or_a_number_nothing_is_asked(url: str, stranger: Client) -> None:
    assert parsed(join(stranger, url, cc_sms=None)).select("[role=alert]")
    for typed in ("", "call me"):
        answer = join(stranger, url, phone=typed)
        assert parsed(answer).select("[role=alert]")
        field = parsed(answer).select_one("[name=cc_phone]")
        assert field is not None
        assert field["value"] == typed
    assert said() == []


@pytest.mark.rule(12)
def test_a_forwarded_link_gives_an_account_no_phone(url: str, ann: Contact, stranger: Client) -> None:
    """Its mailbox confirms the number before the number is asked."""
    Contact.objects.filter(pk=ann.pk).update(user=account())
    join(stranger, url)
    assert (asked("sms"), asked("email")) == (0, 1)
    assert not ann.points.filter(channel="sms").exists()


@pytest.mark.rule(44)
def test_a_made_up_link_is_none(message: Message, stranger: Client) -> None:
    for made_up in (token(tokens.PREFERENCES, message.pk), token(tokens.JOIN_TEXTS, message.pk + 1)):
        assert stranger.get(reverse("oscar_crosschannel:join_texts", args=[made_up])).status_code == 404


def test_an_address_that_is_in_use_no_more_invites_nobody(url: str, ann: Contact, stranger: Client) -> None:
    contacts.set_point(ann, "email", "new@example.com", source="test", now=NOON)
    assert stranger.get(url).status_code == 410


# it survives


def test_pressing_twice_asks_once(url: str, stranger: Client) -> None:
    join(stranger, url)
    join(stranger, url)
    assert asked("sms") == 1


def test_a_link_to_somebody_who_turned_out_to_be_somebody_else_still_works(
    url: str, ann: Contact, stranger: Client
) -> None:
    user = get_user_model().objects.create_user("ann2", "ann2@example.com", "secret")
    other = contacts.identify(user_id=user.pk, now=NOON)
    assert other is not None
    contacts.merge(other, ann, now=NOON)
    contacts.set_point(other, "email", ANN, source="test", now=NOON)
    assert stranger.get(url).status_code == 200
