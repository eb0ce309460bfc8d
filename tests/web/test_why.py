"""The page behind "Why did I get this?"."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from oscar_crosschannel import After, Blueprint, On, Run, send
from oscar_crosschannel.blueprints import OptInEmail
from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.plan import Context
from oscar_crosschannel.models import Contact, Message, Topic
from oscar_crosschannel.services import composing, consents, setup
from tests.factories import NOON, owe, registered
from tests.oscar.things import make_message
from tests.services.shoppers import ANN, PHONE, guest, permitted, tick
from tests.web.conftest import LinkedFlow, token
from tests.web.forms import fields, parsed
from tests.web.test_unsubscribe import row_counts


@registered
class Meddling(Blueprint):
    """A shop's own flow, whose occasion writes, and sometimes fails"""

    topic = "weekly_deals"
    start = On("test.meddling")
    hello = send("email", at=After(hours=1))

    def occasion(self, run: Run) -> str:
        Topic.objects.create(key="meddled", name="x", purpose="marketing")
        if run.step == "fails":
            raise ZeroDivisionError
        return f"Something happened to {run.contact_id}."


def url_of(message: Message) -> str:
    return reverse("oscar_crosschannel:why", args=[token(tokens.WHY, message.pk)])


@pytest.fixture
def url(message: Message) -> str:
    return url_of(message)


def words_of(client: Client, url: str) -> str:
    main = parsed(client.get(url)).main
    assert main is not None
    return " ".join(main.get_text().split())


# it works


def test_the_page_says_what_when_where_and_because_of_what(stranger: Client) -> None:
    bea = guest("bea@example.com", language="en")
    tick(bea, "email", "bea@example.com", at=NOON - timedelta(days=7))
    message = owe(bea, LinkedFlow, "hello", due=NOON)
    message.state, message.channel, message.attempted_at = State.SENT, "email", NOON
    message.point = bea.points.get()
    message.save()
    told = words_of(stranger, url_of(message))
    assert "On March 10, 2026 we sent you “Weekly deals” by email, to b•••@example.com." in told
    assert (
        "You agreed to “Weekly deals” by email on March 3, 2026. You ticked the box in the checkout." in told
    )
    assert consents.wording("email", "en").words in told


def test_the_page_says_no_more_than_is_known_of_how_somebody_agreed(stranger: Client) -> None:
    bea = guest("bea@example.com", language="en")
    consents.grant(bea, "email", ["weekly_deals"], source="till", words="Yes, please.", now=NOON)
    message = owe(bea, LinkedFlow, "hello", due=NOON)
    message.state, message.channel, message.attempted_at = State.SENT, "email", NOON
    message.point = bea.points.get()
    message.save()
    told = words_of(stranger, url_of(message))
    assert "You agreed to “Weekly deals” by email on March 10, 2026. These were the words:" in told


def test_a_basket_reminder_tells_of_the_basket(stranger: Client, db: Any) -> None:
    from oscar.test import factories as shop  # noqa: PLC0415 - needs the models

    basket = shop.create_basket(empty=True)
    basket.add_product(shop.create_product(price=10, num_in_stock=9), 2)
    message = make_message(now=NOON, basket=basket)
    assert "You left 2 things in your basket on March 10, 2026." in words_of(stranger, url_of(message))
    basket.lines.all().delete()
    assert "You left something in your basket on March 10, 2026." in words_of(stranger, url_of(message))


def test_a_question_says_that_somebody_gave_the_address(ann: Contact, stranger: Client) -> None:
    question = owe(ann, OptInEmail, "ask", due=NOON)
    question.save()
    told = words_of(stranger, url_of(question))
    assert "Somebody asked for our messages on March 10, 2026 and gave this address." in told
    assert parsed(stranger.get(url_of(question))).form is None


def test_one_button_stops_the_topic(ann: Contact, message: Message, url: str, stranger: Client) -> None:
    page = parsed(stranger.get(url))
    form = page.form
    assert form is not None
    assert [button.get_text() for button in page.find_all("button")] == ["Stop “Weekly deals”"]
    answer = stranger.post(str(form["action"]), fields(form))
    assert answer.status_code == 200
    assert permitted(ann, "email") == {"basket_reminders"}
    told = words_of(stranger, url)
    assert "You stopped it on March 10, 2026, and it will not come again." in told
    assert "You agreed to “Weekly deals” by email on March 10, 2026." in told
    assert parsed(stranger.get(url)).form is None


def test_what_was_agreed_to_later_was_not_the_reason(
    ann: Contact, message: Message, url: str, stranger: Client
) -> None:
    Message.objects.filter(pk=message.pk).update(attempted_at=NOON - timedelta(days=1))
    assert "We have no note" in words_of(stranger, url)


@pytest.mark.parametrize(
    ("purpose", "sentence"),
    [
        ("requested", "You asked for exactly this message."),
        ("transactional", "Such messages need no consent"),
    ],
)
def test_what_needs_no_consent_says_so(
    purpose: str, sentence: str, message: Message, stranger: Client
) -> None:
    Message.objects.filter(pk=message.pk).update(purpose=purpose, topic="order_updates")
    assert sentence in words_of(stranger, url_of(message))


@pytest.mark.rule(25)
def test_the_ways_lead_from_page_to_page(message: Message, url: str, stranger: Client) -> None:
    choose = parsed(stranger.get(url)).find("a", string="Choose what you get")
    assert choose is not None
    assert stranger.get(str(choose["href"])).status_code == 200
    unsubscribe = reverse("oscar_crosschannel:unsubscribe", args=[token(tokens.UNSUBSCRIBE, message.pk)])
    for answer in (stranger.get(unsubscribe), stranger.post(unsubscribe)):
        assert parsed(answer).select_one(f"a[href='{choose['href']}']")


def test_the_page_behind_the_link_of_a_text_leads_to_both(stranger: Client, db: Any) -> None:
    from oscar.test import factories as shop  # noqa: PLC0415 - needs the models

    basket = shop.create_basket(empty=True)
    basket.add_product(shop.create_product(price=10, num_in_stock=9))
    message = make_message(now=NOON, basket=basket)
    Message.objects.filter(pk=message.pk).update(channel="sms")
    page = parsed(
        stranger.get(reverse("oscar_crosschannel:recover", args=[token(tokens.RECOVER, message.pk)]))
    )
    assert page.select_one(f"a[href='{url_of(message)}']")


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("channel", ["email", "sms"])
def test_every_message_may_name_both_addresses(purpose: Purpose, channel: str) -> None:
    words = composing.words_context(
        Context(), channel_key=channel, purpose=purpose, name="", message_id=7, voucher=None
    )
    assert words["why_url"] == "https://shop.example" + reverse(
        "oscar_crosschannel:why", args=[token(tokens.WHY, 7)]
    )
    assert words["preferences_url"] == "https://shop.example" + reverse(
        "oscar_crosschannel:preferences", args=[token(tokens.PREFERENCES, 7)]
    )


# it refuses


@pytest.mark.rule(43)
@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(method: str, message: Message, stranger: Client) -> None:
    setup.install()
    meddling = owe(message.contact, Meddling, "meddling", due=NOON)
    meddling.save()
    before = row_counts()
    for url in (url_of(message), url_of(meddling)):
        assert getattr(stranger, method)(url).status_code == 200
    assert Client().post(url_of(message)).status_code == 405
    assert row_counts() == before


@pytest.mark.rule(44)
def test_a_tampered_link_is_unknown(message: Message, stranger: Client) -> None:
    good = token(tokens.WHY, message.pk)
    for forged in (good[:-1], "x", token(tokens.WHY, message.pk + 1), token(tokens.PREFERENCES, message.pk)):
        assert stranger.get(reverse("oscar_crosschannel:why", args=[forged])).status_code == 404


def test_the_page_tells_nobody_who_it_is(ann: Contact, url: str, stranger: Client) -> None:
    ann.name = "Annabel"
    ann.save()
    html = stranger.get(url).content.decode()
    for secret in (ANN, PHONE, "Annabel", "ann@"):
        assert secret not in html
    assert not stranger.cookies


# it survives


def test_a_flow_whose_occasion_fails_is_told_without(ann: Contact, stranger: Client) -> None:
    message = owe(ann, Meddling, "meddling", due=NOON)
    message.save()
    assert f"Something happened to {ann.pk}." in words_of(stranger, url_of(message))
    Message.objects.filter(pk=message.pk).update(step_key="fails")
    assert "What happened" not in words_of(stranger, url_of(message))


def test_a_message_of_which_little_is_known_any_more(message: Message, stranger: Client) -> None:
    Message.objects.filter(pk=message.pk).update(point=None, attempted_at=None, channel="", topic="gone")
    told = words_of(stranger, url_of(message))
    assert "We sent you “gone” by email." in told
    assert "We have no note" in told


def test_a_page_asks_for_little(url: str, stranger: Client, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(8):
        html = stranger.get(url).content
    assert BeautifulSoup(html, "html.parser").html is not None
