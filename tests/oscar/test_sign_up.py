"""The form that signs people up, from the page to the question in the owner's mailbox or on their phone."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup, Tag
from django.db import connection
from django.template import engines
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oscar_crosschannel.models import Consent, ConsentEvent, Contact, InboxEvent, Topic
from oscar_crosschannel.services import consents, contacts, intake
from oscar_crosschannel.services.plans import load_plans

from .conftest import US_PHONE, Shopper, make_user, page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("country")]

URL = "/cc/sign-up/"
ADA = "ada@example.com"
EMAIL = {"cc_email": "1", "cc_address": ADA}
TEXTS = {"cc_sms": "1", "cc_phone": "+1 206 555 0123"}


def sign_up(client: Client, **fields: Any) -> Any:
    """Fill in the form as the page has it, and post it."""
    shown = page(client.get(URL)).select_one("[name=cc_shown]")
    assert isinstance(shown, Tag)
    return client.post(URL, {"cc_shown": shown["value"], **fields})


def fold() -> None:
    """What the next tick works off."""
    intake.fold(load_plans(), clock=timezone.now, pause=nullcontext)


def said() -> list[tuple[str, str, str]]:
    return list(ConsentEvent.objects.order_by("pk").values_list("channel", "action", "address"))


def asked(via: str) -> int:
    return InboxEvent.objects.filter(name=f"consent.requested.{via}").count()


# it works


@pytest.mark.rule(3, 5)
def test_the_form_has_an_empty_box_of_its_own_for_each_channel_with_its_words() -> None:
    form = page(Client().get(URL)).select_one("form")
    assert isinstance(form, Tag)
    assert not form.select("[checked], [required]")
    for channel in ("email", "sms"):
        label = form.select_one(f"label[for=cc_sign_up_{channel}]")
        assert isinstance(label, Tag)
        assert label.get_text() == consents.wording(channel, "en").words
    for control in form.select("input:not([type=hidden])"):
        assert form.select_one(f"label[for={control['id']}]")


@pytest.mark.rule(4, 8)
def test_a_visitor_is_asked_at_each_address_and_granted_nothing() -> None:
    answer = sign_up(Client(), **EMAIL, **TEXTS)
    assert answer.status_code == 200
    fold()
    assert said() == [("email", "request", ADA), ("sms", "request", US_PHONE)]
    assert (asked("email"), asked("sms")) == (1, 1)
    event = ConsentEvent.objects.latest("pk")
    assert (event.source, event.actor, event.ip) == ("sign_up", "visitor", "127.0.0.1")
    assert event.page_url.endswith(URL)


@pytest.mark.rule(8, 9)
def test_the_yes_takes_the_topics_and_the_channel_that_were_chosen() -> None:
    sign_up(Client(), **EMAIL, **TEXTS, cc_topic=["weekly_deals"], cc_primary="sms")
    fold()
    consents.confirm_reply(US_PHONE, body="YES", provider_id="SM1", now=timezone.now())
    granted = Consent.objects.filter(answer="granted").values_list("point__address", "topic")
    assert set(granted) == {(US_PHONE, "weekly_deals")}
    assert Contact.objects.get().primary_channel == "sms"


@pytest.mark.rule(12)
def test_a_number_alone_is_a_contact_of_its_own() -> None:
    contacts.identify(email=ADA, now=timezone.now())
    sign_up(Client(), **TEXTS, cc_address=ADA)
    fold()
    consents.confirm_reply(US_PHONE, body="YES", provider_id="SM1", now=timezone.now())
    owner = Consent.objects.filter(answer="granted")[0].point.contact
    assert list(owner.points.values_list("channel", flat=True)) == ["sms"]


def test_who_is_signed_in_is_known_and_need_not_be_asked_by_email() -> None:
    shopper = Shopper()
    user = make_user(ADA)
    shopper.client.force_login(user)
    assert not page(shopper.client.get(URL)).select("[name=cc_address]")
    answer = sign_up(shopper.client, cc_email="1", cc_address="mallory@example.com", **TEXTS)
    assert "Thank you" in answer.content.decode()
    fold()
    assert set(said()) == {("email", "grant", ADA), ("sms", "request", US_PHONE)}
    assert {event.contact.user_id for event in ConsentEvent.objects.all() if event.contact} == {user.pk}


@pytest.mark.rule(14)
def test_a_date_of_birth_is_asked_for_where_a_topic_needs_it_and_kept_nowhere() -> None:
    assert not page(Client().get(URL)).select("[name=cc_born]")
    Topic.objects.filter(key="weekly_deals").update(minimum_age=21)
    html = page(Client().get(URL))
    assert html.select("[name=cc_born]")
    assert "Weekly deals" in html.text
    sign_up(Client(), **EMAIL, cc_born="1990-05-17")
    fold()
    event = ConsentEvent.objects.get()
    assert event.proven_age is not None
    assert event.proven_age >= 36
    (row,) = InboxEvent.objects.filter(name="sign_up.answered")
    assert "1990" not in str(row.answers)


@pytest.mark.rule(14)
@pytest.mark.parametrize("born_on", ["", "yes", "2020-01-01", "2999-01-01"])
def test_without_an_age_that_is_proven_the_topic_is_left_out(born_on: str) -> None:
    Topic.objects.filter(key="weekly_deals").update(minimum_age=21)
    sign_up(Client(), **EMAIL, cc_born=born_on)
    fold()
    event = ConsentEvent.objects.get()
    assert event.chosen == "basket_reminders"


def test_the_tag_puts_the_form_on_any_page_for_one_statement_in_a_savepoint() -> None:
    request = Client().get(URL).wsgi_request
    template = engines["django"].from_string("{% load crosschannel_tags %}{% crosschannel_sign_up %}")
    with CaptureQueriesContext(connection) as queries:
        html = BeautifulSoup(template.render({}, request), "html.parser")
    form = html.select_one("form")
    assert isinstance(form, Tag)
    assert form["action"] == URL
    assert form.select("[name=csrfmiddlewaretoken]")
    assert len(queries) == 3


def test_who_signed_up_goes_back_to_the_page_of_the_form() -> None:
    answer = page(sign_up(Client(), **EMAIL, next="/catalogue/"))
    link = answer.select_one("main a")
    assert isinstance(link, Tag)
    assert link["href"] == "/catalogue/"


# it refuses


@pytest.mark.parametrize(
    ("fields", "trouble"),
    [
        ({"cc_address": ADA}, "Please tick"),
        ({"cc_email": "1"}, "email address"),
        ({"cc_email": "1", "cc_address": "ada@"}, "email address"),
        ({"cc_sms": "1", "cc_phone": ""}, "mobile number"),
        ({"cc_sms": "1", "cc_phone": "+1 800 555 0123"}, "mobile number"),
    ],
)
def test_a_form_that_lacks_something_comes_back_with_what_was_typed(
    fields: dict[str, str], trouble: str
) -> None:
    html = page(sign_up(Client(), **fields, next="/catalogue/"))
    alert = html.select_one("[role=alert]")
    assert isinstance(alert, Tag)
    assert trouble in alert.text
    for name, value in {**fields, "next": "/catalogue/"}.items():
        field = html.select_one(f"[name={name}]")
        assert isinstance(field, Tag)
        assert field.has_attr("checked") if field["type"] == "checkbox" else field["value"] == value
    assert not InboxEvent.objects.exists()


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_nobody_is_led_to_another_site(place: str) -> None:
    link = page(sign_up(Client(), **EMAIL, next=place)).select_one("main a")
    assert isinstance(link, Tag)
    assert link["href"] == "http://127.0.0.1:8000"


@pytest.mark.rule(8)
def test_a_stranger_grants_nothing_under_the_email_of_an_account_or_of_a_guest(settings: Any) -> None:
    settings.CROSSCHANNEL_DOUBLE_OPT_IN = {"email": False, "sms": False}
    contacts.identify(user_id=make_user(ADA).pk, now=timezone.now())
    contacts.identify(email="guest@example.com", now=timezone.now())
    for address in (ADA, "guest@example.com", "nobody@example.com"):
        sign_up(Client(), cc_email="1", cc_address=address, **TEXTS)
    fold()
    assert {action for _, action, _ in said()} == {"request"}


def test_a_stranger_changes_neither_language_nor_country_of_somebody_known() -> None:
    contacts.identify(email=ADA, language="de", now=timezone.now())
    contacts.identify(email=ADA, country="AT", now=timezone.now())
    number = contacts.of_number(US_PHONE, now=timezone.now()).contact
    Contact.objects.filter(pk=number.pk).update(country="CA")  # its language nobody knows
    for fields in (EMAIL, TEXTS):
        sign_up(Client(), **fields)
    InboxEvent.objects.update(data={"language": "en", "country": "US"})
    fold()
    assert list(Contact.objects.order_by("pk").values_list("language", "country")) == [
        ("de", "AT"),
        ("en", "CA"),
    ]


def test_whoever_is_new_is_known_by_the_language_of_the_form() -> None:
    sign_up(Client(), **EMAIL)
    InboxEvent.objects.update(data={"language": "fr", "country": "FR"})
    fold()
    person = Contact.objects.get()
    assert (person.language, person.country) == ("fr", "FR")


def test_the_answer_is_the_same_whether_an_address_is_known_or_not() -> None:
    ada = contacts.identify(user_id=make_user(ADA).pk, now=timezone.now())
    assert ada is not None
    consents.grant(
        ada, "email", ["weekly_deals", "basket_reminders"], source="x", words="Yes.", now=timezone.now()
    )
    answers = [
        sign_up(Client(), cc_email="1", cc_address=address).content for address in (ADA, "new@example.com")
    ]
    assert answers[0] == answers[1]
    fold()
    assert asked("email") == 1


def test_another_site_cannot_post_the_form() -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(URL, {"cc_shown": "en", **EMAIL}).status_code == 403
    html = page(client.get(URL))
    token, shown = (html.select_one(f"[name={name}]") for name in ("csrfmiddlewaretoken", "cc_shown"))
    assert isinstance(token, Tag)
    assert isinstance(shown, Tag)
    fields = {"csrfmiddlewaretoken": token["value"], "cc_shown": shown["value"], **EMAIL}
    assert client.post(URL, fields).status_code == 200


# it survives


@pytest.mark.rule(8)
def test_an_open_question_is_not_repeated() -> None:
    for _ in range(3):
        sign_up(Client(), **EMAIL)
    fold()
    assert asked("email") == 1
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        sign_up(Client(), **EMAIL)
        fold()
    assert asked("email") == 2


def test_who_overdoes_it_gets_the_same_answer_and_asks_nobody() -> None:
    client = Client()
    answers = [sign_up(client, cc_email="1", cc_address=f"{n}@example.com").content for n in range(7)]
    assert len(set(answers)) == 1
    assert InboxEvent.objects.filter(name="sign_up.answered").count() == 5
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        sign_up(client, **EMAIL)
    assert InboxEvent.objects.filter(name="sign_up.answered").count() == 6


@pytest.mark.rule(8)
def test_who_has_strangers_texted_in_ever_new_sessions_gets_the_same_answer_and_texts_few(
    settings: Any,
) -> None:
    settings.CROSSCHANNEL_OPT_IN_TEXTS_AN_HOUR_BY_IP = 3
    answers = set()
    for number in range(6):
        client = Client(REMOTE_ADDR="198.41.0.4")
        answers.add(sign_up(client, cc_sms="1", cc_phone=f"+1212555010{number}").content)
        fold()
    assert len(answers) == 1
    assert asked("sms") == 3
    assert [action for _, action, _ in said()] == ["request"] * 3 + ["unasked"] * 3


@pytest.mark.parametrize("marker", ["", "en", "xx email:123", "en fax:1", "é\0 sms:\0", "x" * 5000])
def test_a_marker_that_somebody_made_up_asks_nobody(marker: str) -> None:
    nonsense = {"cc_topic": "\0", "cc_primary": "\0", "cc_born": "\0", "next": "\0"}
    assert Client().post(URL, {"cc_shown": marker, **EMAIL, **TEXTS, **nonsense}).status_code == 200
    fold()
    assert said() == []
    assert not InboxEvent.objects.exclude(error="").exists()


@pytest.mark.rule(43)
@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_form_changes_nothing(method: str) -> None:
    assert getattr(Client(), method)(URL, EMAIL).status_code == 200
    assert reverse("oscar_crosschannel:sign_up") == URL
    assert not InboxEvent.objects.exists()
