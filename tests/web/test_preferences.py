"""The preference center, by both of its doors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from bs4 import BeautifulSoup, Tag
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.decision import Send, decide
from oscar_crosschannel.core.facts import Candidate, Purpose
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import (
    ConsentEvent,
    ConsentTemplate,
    ConsentText,
    Contact,
    InboxEvent,
    Message,
    Suppression,
    Topic,
)
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import (
    asking,
    consents,
    contacts,
    evidence,
    facts,
    judging,
    limits,
    preferences,
    suppressions,
)
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, owe
from tests.services.shoppers import ANN, OTHER_PHONE, PHONE, TOPICS, guest, permitted, tick
from tests.web.conftest import LinkedFlow, token
from tests.web.forms import changed, fields, parsed
from tests.web.test_unsubscribe import row_counts

DEALS = "weekly_deals"
ACCOUNT = "/cc/preferences/"


def path_of(message: Message) -> str:
    return reverse("oscar_crosschannel:preferences", args=[token(tokens.PREFERENCES, message.pk)])


@pytest.fixture
def url(message: Message) -> str:
    return path_of(message)


@pytest.fixture
def member(ann: Contact) -> Client:
    """Ann, who has an account by now, signed in."""
    user = get_user_model().objects.create_user("ann", ANN, "secret")
    contacts.identify(user_id=user.pk, now=NOON)
    client = Client()
    client.force_login(user)
    return client


@dataclass(frozen=True)
class Door:
    """A way to the page."""

    client: Client
    url: str
    source: str  #: as the ledger names it
    message_id: int | None


@pytest.fixture(params=["page", "account"])
def door(request: pytest.FixtureRequest, message: Message, stranger: Client) -> Door:
    """Ann's page, by the link and in her account."""
    if request.param == "page":
        return Door(stranger, path_of(message), "page", message.pk)
    return Door(request.getfixturevalue("member"), ACCOUNT, "account", None)


def main_form(page: BeautifulSoup) -> Tag:
    form = page.select_one("form:has([name=words_language])")
    assert form is not None
    return form


def save(client: Client, url: str, **changes: str | None) -> BeautifulSoup:
    """Open the page, change something, press "Save", and see what it says then."""
    form = main_form(parsed(client.get(url)))
    return parsed(client.post(url, changed(form, **changes), follow=True))


def said(page: BeautifulSoup, name: str) -> str:
    """What stands below a box."""
    standing = page.find(id=f"id_{name}_standing")
    assert standing is not None
    return " ".join(standing.get_text().split())


def alert(page: BeautifulSoup) -> str:
    """What the page says at its top that went wrong."""
    told = page.select_one("[role=alert]")
    assert told is not None
    return " ".join(told.get_text().split())


def ticked(page: BeautifulSoup) -> set[str]:
    return {str(box["name"]) for box in page.select("input[type=checkbox][checked]")}


def events_after(pk: int) -> list[tuple[str, str, str, str]]:
    rows = ConsentEvent.objects.filter(pk__gt=pk).order_by("pk")
    return list(rows.values_list("action", "channel", "address", "topic"))


def last_event() -> int:
    return ConsentEvent.objects.latest("pk").pk


# it works


def test_the_page_says_what_is_on_since_when_and_why(stranger: Client) -> None:
    bea = guest("bea@example.com", language="en")
    tick(bea, "email", "bea@example.com", at=NOON - timedelta(days=7))
    consents.revoke(
        "email", "bea@example.com", topics=[DEALS], source="one_click", mechanism="link", now=NOON
    )
    tick(bea, "sms", OTHER_PHONE, at=NOON)
    page = parsed(stranger.get(path_of(sent_to(bea, "email"))))
    assert (
        said(page, "email-basket_reminders") == "On since March 3, 2026. You ticked the box in the checkout."
    )
    assert (
        said(page, "email-weekly_deals") == "Off since March 10, 2026. You unsubscribed in your mail program."
    )
    assert said(page, "sms-weekly_deals") == "Not on yet: answer our text with YES, by March 11, 2026."
    assert said(page, "email-events") == "On: you get it only when you asked for it."
    consents.confirm_reply(OTHER_PHONE, body="Yes", provider_id="SM1", now=NOON)
    page = parsed(stranger.get(path_of(Message.objects.latest("pk"))))
    assert said(page, "sms-weekly_deals") == (
        "On since March 10, 2026. You ticked the box in the checkout. You confirmed it by answering YES."
    )


def test_what_belongs_to_an_order_comes_by_email_always_and_by_text_if_one_likes(
    ann: Contact, url: str, stranger: Client
) -> None:
    page = parsed(stranger.get(url))
    assert page.find(attrs={"name": "email-order_updates"}) is None
    assert "Always on, because it belongs to your orders." in page.get_text()
    assert said(page, "sms-order_updates") == "On: for orders with your phone number."
    assert channel_of_order_update(ann) == "sms"
    before = last_event()
    page = save(stranger, url, sms_order_updates=None)
    assert events_after(before) == [("revoke", "sms", PHONE, "order_updates")]
    assert said(page, "sms-order_updates").startswith("Off since March 10, 2026. You switched it off")
    assert permitted(ann, "sms") == set(TOPICS)
    assert channel_of_order_update(ann) == "email"
    page = save(stranger, url, sms_order_updates="on")
    assert said(page, "sms-order_updates").startswith("Not on yet")
    assert channel_of_order_update(ann) == "email"


@pytest.mark.parametrize("is_asked", [True, False], ids=["asked", "lapsed"])
def test_texts_about_orders_come_to_who_never_declined_them_by_name(
    is_asked: bool, ann: Contact, url: str, stranger: Client
) -> None:
    before, over = NOON - timedelta(days=2), NOON - timedelta(days=1)
    if is_asked:
        said_so = {"contact": ann, "point": ann.points.get(channel="sms"), "channel": "sms", "address": PHONE}
        evidence.append(ConsentEvent(**said_so, topic="order_updates", action="request", at=before))
    else:
        topic, words = ["order_updates"], "Until tomorrow."
        consents.grant(ann, "sms", topic, source="till", words=words, now=before, expires_at=over)
    page = parsed(stranger.get(url))
    assert said(page, "sms-order_updates") == "On: for orders with your phone number."
    assert channel_of_order_update(ann) == "sms"


def test_texts_about_orders_are_off_where_no_number_is_known_or_all_texts_were_stopped(
    url: str, stranger: Client
) -> None:
    bea = guest("bea@example.com", language="en")
    page = parsed(stranger.get(path_of(sent_to(bea, "email"))))
    assert said(page, "sms-order_updates") == "Off."
    page = press(stranger, url, "sms")
    assert said(page, "sms-order_updates") == "Off."
    assert not {name for name in ticked(page) if name.startswith("sms-")}


def test_another_number_may_be_given_for_texts_about_orders_alone(stranger: Client) -> None:
    bea = guest("bea@example.com", language="en")
    contacts.set_point(bea, "sms", PHONE, source="order", now=NOON)
    save(stranger, path_of(sent_to(bea, "email")), phone=OTHER_PHONE)
    (request,) = ConsentEvent.objects.filter(action="request")
    assert (request.address, "order_updates" in consents.topics_of(request)) == (OTHER_PHONE, True)


def test_how_somebody_agreed_or_stopped_is_left_out_where_nobody_knows(
    ann: Contact, url: str, stranger: Client
) -> None:
    consents.grant(ann, "email", [DEALS], source="till", words="Yes.", now=NOON)
    consents.revoke("email", ANN, topics=["basket_reminders"], source="till", mechanism="api", now=NOON)
    page = parsed(stranger.get(url))
    assert said(page, "email-weekly_deals") == "On since March 10, 2026."
    assert said(page, "email-basket_reminders") == "Off since March 10, 2026."


def test_every_page_of_an_account_leads_to_it(member: Client) -> None:
    for name in ("customer:profile-view", "customer:order-list", "oscar_crosschannel:account"):
        page = parsed(member.get(reverse(name)))
        assert [link.get_text(strip=True) for link in page.select(f"a.nav-link[href='{ACCOUNT}']")] == [
            "Messages from us"
        ]


@pytest.mark.rule(24, 45)
def test_unticking_a_box_stops_that_and_nothing_else(door: Door, ann: Contact) -> None:
    before = last_event()
    page = save(door.client, door.url, email_weekly_deals=None)
    assert permitted(ann, "email") == {"basket_reminders"}
    assert permitted(ann, "sms") == set(TOPICS)
    assert said(page, "email-weekly_deals").startswith("Off since March 10, 2026. You switched it off")
    assert events_after(before) == [("revoke", "email", ANN, DEALS)]
    event = ConsentEvent.objects.latest("pk")
    assert (event.source, event.mechanism, event.message_id) == (door.source, "checkbox", door.message_id)


@pytest.mark.rule(45)
@pytest.mark.parametrize("unticks", [True, False])
def test_the_very_next_decision_obeys(unticks: bool, ann: Contact, url: str, stranger: Client) -> None:
    due = owe(ann, LinkedFlow, "the next one", due=NOON)
    due.save()
    Message.objects.exclude(pk=due.pk).update(attempted_at=NOON - timedelta(days=8))
    save(stranger, url, email_weekly_deals=None if unticks else "on")
    judging.judge(Lane.FLOW, load_plans(), limits.load(), now=NOON, closed={})
    due.refresh_from_db()
    assert due.state == (State.DROPPED if unticks else State.CLAIMED)
    assert due.reason == (Reason.NO_CONSENT if unticks else "")


@pytest.mark.rule(2, 4)
def test_ticking_by_the_link_in_an_email_agrees_to_the_words_on_the_page(stranger: Client) -> None:
    bea = guest("bea@example.com", language="en")
    url = path_of(sent_to(bea, "email"))
    shown = parsed(stranger.get(url)).get_text()
    page = save(stranger, url, email_weekly_deals="on")
    assert permitted(bea, "email") == {DEALS}
    assert permitted(bea, "sms") == set()
    assert said(page, "email-weekly_deals") == "On since March 10, 2026. You switched it on on this page."
    grant = ConsentEvent.objects.get(action="grant")
    assert grant.text is not None
    assert grant.text.words in shown
    assert (grant.source, grant.mechanism, grant.ip) == ("page", "checkbox", "127.0.0.1")
    assert grant.page_url == "https://shop.example/cc/p/…/"


@pytest.mark.rule(8, 26)
def test_who_stopped_everything_can_come_back_by_a_fresh_email(
    ann: Contact, url: str, stranger: Client
) -> None:
    press(stranger, url, "all")
    assert suppressions.in_force("email", ANN) is not None
    assert "You stopped everything here on March 10, 2026." in parsed(stranger.get(url)).get_text()
    page = save(stranger, url, email_weekly_deals="on")  # the link may be anybody's: it was forwarded
    assert suppressions.in_force("email", ANN) is not None
    assert permitted(ann, "email") == set()
    assert said(page, "email-weekly_deals").startswith("Not on yet")
    assert consents.confirm_link(ConsentEvent.objects.get(action="request").pk, now=NOON)
    assert suppressions.in_force("email", ANN) is None
    assert permitted(ann, "email") == {DEALS}
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(8, 12)
def test_a_new_number_is_used_from_its_yes_on_and_the_old_ones_consent_stays_with_it(
    ann: Contact, member: Client
) -> None:
    page = save(member, ACCOUNT, phone="+1 212 555 0147")
    assert asked("sms") == set(TOPICS)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: PHONE}
    assert permitted(ann, "sms") == set(TOPICS)
    assert "+1••••••0147: not confirmed yet. Answer our text with YES" in page.get_text()
    old = ann.points.get(address=PHONE)
    assert {consent.answer for consent in old.consents.all()} == {"granted"}
    with time_machine.travel(NOON + timedelta(hours=1)):
        consents.confirm_reply(OTHER_PHONE, body="YES", provider_id="SM1", now=NOON + timedelta(hours=1))
        page = parsed(member.get(ACCOUNT))
    assert permitted(ann, "sms") == set(TOPICS)
    assert "You confirmed it on March 10, 2026." in page.get_text()
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: OTHER_PHONE}
    assert "not confirmed yet" not in page.get_text()
    assert {consent.answer for consent in old.consents.all()} == {"granted"}
    assert ann.points.get(address=OTHER_PHONE).verified_at is not None


@pytest.mark.rule(8, 12)
def test_a_number_with_texts_about_orders_is_asked_for_its_yes_to_the_rest_and_waits_for_it(
    ann: Contact, member: Client
) -> None:
    for number in (OTHER_PHONE, PHONE):  # given for one order and for another; the last is in use
        consents.grant(
            ann,
            "sms",
            ["order_updates"],
            source="thank_you",
            words="Text me when it ships.",
            basis=ConsentEvent.Basis.EXPRESS,
            address=number,
            now=NOON,
        )
    save(member, ACCOUNT, phone=OTHER_PHONE, sms_basket_reminders=None)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: PHONE}
    assert permitted(ann, "sms") == {DEALS, "order_updates"}
    assert asked("sms") == {DEALS, "order_updates"}, "one YES says both"


@pytest.mark.rule(8)
def test_a_first_number_says_that_it_is_not_confirmed_and_that_nobody_answered() -> None:
    user = get_user_model().objects.create_user("bob", "bob@example.com", "secret")
    bob = Client()
    bob.force_login(user)
    with time_machine.travel(NOON):
        page = save(bob, ACCOUNT, phone=OTHER_PHONE, sms_weekly_deals="on")
        assert "Not confirmed yet." in page.get_text()
        assert said(page, "sms-weekly_deals").startswith("Not on yet: answer our text with YES")
    with time_machine.travel(NOON + timedelta(days=3)):
        page = parsed(bob.get(ACCOUNT))
        assert said(page, "sms-weekly_deals").startswith("Off. Our question whether you want it was not")
        assert "Not confirmed yet." not in page.get_text()


@pytest.mark.rule(24)
@pytest.mark.parametrize(
    ("button", "left"), [("email", {"sms"}), ("sms", {"email"}), ("all", set())], ids=["email", "sms", "all"]
)
def test_one_button_stops_a_channel_or_all(door: Door, button: str, left: set[str], ann: Contact) -> None:
    page = press(door.client, door.url, button)
    assert {channel for channel in ("email", "sms") if permitted(ann, channel)} == left
    stopped = {"email", "sms"} - left
    assert {block.channel for block in Suppression.objects.filter(lifted_at=None)} == stopped
    sources = ConsentEvent.objects.filter(action="revoke").values_list("source", "topic", "message_id")
    assert set(sources) == {(door.source, "", door.message_id)}
    assert "Stopped." in page.get_text()


def test_details_are_kept_and_count(ann: Contact, url: str, stranger: Client) -> None:
    save(
        stranger, url, primary_channel="sms", fewer="on", language="de", zone="America/Chicago", pause="week"
    )
    ann.refresh_from_db()
    assert (ann.primary_channel, ann.fewer, ann.language, ann.zone) == ("sms", True, "de", "America/Chicago")
    assert ann.paused_until == datetime(2026, 3, 17, 5, 0, tzinfo=UTC)  # midnight in Chicago, in summer time
    page = parsed(stranger.get(url))
    assert page.html is not None
    assert page.html["lang"] == "de"


@pytest.mark.parametrize("door", ["page", "account"], indirect=True)
def test_the_language_that_was_chosen_is_the_persons_whatever_pages_they_read(
    door: Door, ann: Contact
) -> None:
    save(door.client, door.url, language="de")
    contacts.identify(user_id=ann.user_id, email=ANN, language="fr", now=NOON)
    ann.refresh_from_db()
    assert (ann.language, ann.language_chosen) == ("de", True)
    save(door.client, door.url, language="fr")
    ann.refresh_from_db()
    assert (ann.language, ann.language_chosen) == ("fr", True)


def test_a_language_that_nobody_touched_is_still_learnt(ann: Contact, url: str, stranger: Client) -> None:
    save(stranger, url, fewer="on")
    contacts.identify(email=ANN, language="fr", now=NOON)
    ann.refresh_from_db()
    assert (ann.language, ann.language_chosen) == ("fr", False)


def test_the_page_uses_no_words_that_another_catalogue_translates(ann: Contact, url: str) -> None:
    """Bare, Django's own catalogues read "Email" as the label of a field, and "Save" as what a file is."""
    ann.language = "es"  # which the app does not speak itself
    ann.save()
    page = parsed(Client().get(url))
    assert {span.get_text() for span in page.select(".cc-cells span")} == {"Email", "Texts"}
    assert [button.get_text() for button in page.select(".btn-primary.btn-lg")] == ["Save"]


@pytest.mark.parametrize(
    ("choice", "ends"),
    [
        ({"pause": "month"}, date(2026, 4, 10)),
        ({"pause": "quarter"}, date(2026, 6, 10)),
        ({"pause": "date", "pause_until": "2026-08-01"}, date(2026, 8, 1)),
        ({"pause_until": "2026-08-01"}, date(2026, 8, 1)),
    ],
)
def test_a_pause_ends_with_the_midnight_of_its_day(
    choice: dict[str, str], ends: date, ann: Contact, url: str, stranger: Client
) -> None:
    save(stranger, url, **choice)
    ann.refresh_from_db()
    assert ann.paused_until == datetime(ends.year, ends.month, ends.day, tzinfo=ZoneInfo("America/New_York"))


def test_a_pause_takes_back_what_is_about_to_go_and_its_end_lets_it_go(
    ann: Contact, url: str, stranger: Client
) -> None:
    due = claimed(ann)
    save(stranger, url, pause="week")
    due.refresh_from_db()
    assert due.state == State.PLANNED
    judging.judge(Lane.FLOW, load_plans(), limits.load(), now=NOON, closed={})
    due.refresh_from_db()
    assert (due.state, due.reason) == (State.PLANNED, Reason.PAUSED)
    assert due.due_at > NOON + timedelta(days=6)
    stranger.post(url, {"go_on": "1"})
    ann.refresh_from_db()
    due.refresh_from_db()
    assert ann.paused_until is None
    assert due.due_at < NOON + timedelta(hours=1)


def test_a_pause_and_its_end_concern_everybody_at_the_number(ann: Contact) -> None:
    bob = guest("bob@example.com")
    contacts.set_point(bob, "sms", PHONE, source="test", now=NOON)
    waiting = owe(bob, LinkedFlow, "waits", due=NOON + timedelta(days=30))
    waiting.reason = Reason.PAUSED
    claimed = owe(bob, LinkedFlow, "goes", due=NOON)
    claimed.state, claimed.channel = State.CLAIMED, "sms"
    Message.objects.bulk_create([waiting, claimed])
    preferences.choose(ann, paused_until=NOON + timedelta(days=30), now=NOON)
    claimed.refresh_from_db()
    assert claimed.state == State.PLANNED
    preferences.choose(ann, paused_until=None, now=NOON + timedelta(hours=1))
    waiting.refresh_from_db()
    assert waiting.due_at == NOON + timedelta(hours=1)


def test_a_topic_that_is_not_offered_shows_only_to_who_has_it(url: str, stranger: Client) -> None:
    Topic.objects.filter(key=DEALS).update(offered=False)
    Topic.objects.create(key="lottery", name="Lottery", purpose="marketing", offered=False)
    page = parsed(stranger.get(url))
    assert "Weekly deals" in page.get_text()
    assert "Lottery" not in page.get_text()


def test_the_page_speaks_the_persons_language(ann: Contact, url: str) -> None:
    ann.language = "de"
    ann.save()
    page = parsed(Client(headers={"Accept-Language": "fr"}).get(url))
    assert page.html is not None
    assert page.html["lang"] == "de"


def test_an_account_that_nobody_knows_begins_with_everything_off() -> None:
    user = get_user_model().objects.create_user("new", "new@example.com", "secret")
    client = Client()
    client.force_login(user)
    page = parsed(client.get(ACCOUNT))
    assert ticked(page) == {"email-events"}
    assert not Contact.objects.exists()
    save(client, ACCOUNT, email_weekly_deals="on")
    assert permitted(Contact.objects.get(user=user), "email") == {DEALS}


# it refuses


@pytest.mark.rule(43)
@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(method: str, url: str, stranger: Client, member: Client) -> None:
    before = row_counts()
    answers = [getattr(stranger, method)(url), getattr(member, method)(ACCOUNT)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert row_counts() == before


@pytest.mark.rule(44)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_tampered_link_changes_nothing(method: str, message: Message, stranger: Client) -> None:
    good = token(tokens.PREFERENCES, message.pk)
    other_row, other_purpose = (
        token(tokens.PREFERENCES, message.pk + 1),
        token(tokens.UNSUBSCRIBE, message.pk),
    )
    before = row_counts()
    for forged in (good[:-1], good[:-1] + ("A" if good[-1] != "A" else "B"), "x", other_row, other_purpose):
        address = reverse("oscar_crosschannel:preferences", args=[forged])
        data = {"stop": "all"} if method == "post" else {}
        assert getattr(stranger, method)(address, data).status_code == 404
    assert row_counts() == before


@pytest.mark.rule(44)
def test_the_link_works_after_years_and_after_the_key_was_changed(
    settings: Any, ann: Contact, url: str, stranger: Client
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next one"
    with time_machine.travel(NOON + timedelta(days=1000)):
        save(stranger, url, email_weekly_deals=None)
    assert permitted(ann, "email") == {"basket_reminders"}


def test_a_link_tells_nobody_who_it_is(ann: Contact, url: str, stranger: Client) -> None:
    ann.name = "Annabel"
    ann.save()
    html = stranger.get(url).content.decode()
    for secret in (ANN, PHONE, PHONE[2:], "Annabel", "ann@"):
        assert secret not in html
    assert "a•••@example.com" in html
    assert "+1••••••0123" in html


@pytest.mark.rule(12)
def test_a_link_that_went_to_a_former_address_says_no_more_than_that(
    ann: Contact, url: str, stranger: Client
) -> None:
    contacts.set_point(ann, "email", "new@example.com", source="test", now=NOON)
    before = row_counts()
    for answer in (stranger.get(url), stranger.post(url, {"stop": "all"})):
        assert answer.status_code == 410
        assert "Weekly deals" not in answer.content.decode()
    assert row_counts() == before


@pytest.mark.rule(2, 12)
def test_a_changed_email_of_the_account_inherits_nothing(ann: Contact, member: Client) -> None:
    get_user_model().objects.update(email="new@example.com")
    page = parsed(member.get(ACCOUNT))
    assert not {name for name in ticked(page) if name.startswith("email-")} - {"email-events"}
    save(member, ACCOUNT, email_weekly_deals="on")
    assert permitted(ann, "email") == {DEALS}
    assert ConsentEvent.objects.latest("pk").address == "new@example.com"


@pytest.mark.rule(8)
def test_who_is_signed_in_may_not_speak_for_another_number(ann: Contact, member: Client) -> None:
    save(member, ACCOUNT, phone="+44 7911 123456")
    assert permitted(ann, "sms") == set(TOPICS)
    assert contacts.addresses_in_use([ann.pk], "sms") == {ann.pk: PHONE}
    assert InboxEvent.objects.filter(name="consent.requested.sms").count() == 1


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"phone": "call me"}, "Texts cannot reach this number"),
        ({"phone": "+1 800 555 0199"}, "Texts cannot reach this number"),
        ({"pause": "date"}, "Choose the day"),
        ({"pause_until": "2026-03-10"}, "from tomorrow on"),
        ({"pause_until": "2999-01-01"}, "within a year"),
        ({"zone": "Mars/Olympus"}, "Mars/Olympus is not one of the available choices"),
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field_and_nothing_is_saved(
    changes: dict[str, str], complaint: str, url: str, stranger: Client
) -> None:
    before = row_counts()
    page = save(stranger, url, fewer="on", **changes)
    assert alert(page).startswith("Nothing was saved yet:")
    wrong = page.select_one(".cc-wrong")
    assert wrong is not None
    assert complaint in wrong.get_text()
    assert page.select_one(f"[aria-describedby~='{wrong['id']}']")
    assert "fewer" in ticked(page)
    assert row_counts() == before
    assert not Contact.objects.filter(fewer=True).exists()


STOPS_ONLY = "What you switched off is off from now on. The rest was not saved yet:"


@pytest.mark.rule(24, 45)
def test_a_stop_counts_though_something_else_on_the_form_makes_no_sense(ann: Contact, door: Door) -> None:
    page = save(door.client, door.url, email_weekly_deals=None, phone="call me", fewer="on")
    assert alert(page).startswith(STOPS_ONLY)
    assert said(page, "email-weekly_deals").startswith("Off since March 10, 2026.")
    assert ticked(page) >= {"email-basket_reminders", "fewer"}
    assert permitted(ann, "email") == {"basket_reminders"}
    ann.refresh_from_db()
    assert not ann.fewer


@pytest.mark.rule(24, 45)
def test_a_stop_counts_though_what_was_switched_on_cannot_be_asked_about(
    ann: Contact, member: Client
) -> None:
    save(member, ACCOUNT, phone=OTHER_PHONE, sms_weekly_deals="on")
    with time_machine.travel(NOON + timedelta(days=3)):
        page = save(
            member, ACCOUNT, phone=OTHER_PHONE, sms_weekly_deals="on", email_weekly_deals=None, fewer="on"
        )
    assert alert(page).startswith(STOPS_ONLY)
    assert "We cannot ask this number for its YES now." in alert(page)
    assert permitted(ann, "email") == {"basket_reminders"}
    ann.refresh_from_db()
    assert not ann.fewer


@pytest.mark.rule(24, 45)
def test_a_stop_counts_though_the_words_of_what_was_switched_on_have_changed(
    ann: Contact, url: str, stranger: Client, settings: Any
) -> None:
    consents.revoke("email", ANN, topics=[DEALS], source="page", mechanism="checkbox", now=NOON)
    form = main_form(parsed(stranger.get(url)))
    posted = changed(form, email_weekly_deals="on", email_basket_reminders=None, sms_weekly_deals=None)
    settings.CROSSCHANNEL_BRAND = "Another shop"
    page = parsed(stranger.post(url, posted))
    assert alert(page).startswith(STOPS_ONLY)
    assert "have changed in the meantime" in alert(page)
    assert (permitted(ann, "email"), permitted(ann, "sms")) == (set(), {"basket_reminders"})
    posted = changed(main_form(page))
    before = last_event()
    stranger.post(url, posted)  # the page has the new words now, and stops nothing a second time
    assert {action for action, *_ in events_after(before)} == {"request"}


@pytest.mark.rule(24, 45)
def test_a_stop_counts_though_the_account_was_never_heard_of(settings: Any) -> None:
    """Who has just registered is written to when they ask for it, until they say otherwise."""
    user = get_user_model().objects.create_user("new", "new@example.com", "secret")
    client = Client()
    client.force_login(user)
    page = save(client, ACCOUNT, email_events=None, phone="call me")
    assert alert(page).startswith(STOPS_ONLY)
    assert said(page, "email-events").startswith("Off since")


@pytest.mark.rule(24, 45)
def test_a_stop_counts_though_the_rest_fails_in_a_shop_with_a_transaction_per_request(
    ann: Contact, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    monkeypatch.setattr(preferences, "_save_the_rest", fail)
    form = main_form(parsed(door.client.get(door.url)))
    with pytest.raises(OSError, match="disk"):
        door.client.post(door.url, changed(form, email_weekly_deals=None, fewer="on"))
    assert permitted(ann, "email") == {"basket_reminders"}


def test_a_number_needs_something_to_be_texted(stranger: Client) -> None:
    bea = guest("bea@example.com", language="en")
    url = path_of(sent_to(bea, "email"))
    assert "Also tick what" in save(stranger, url, phone=PHONE).get_text()
    assert "Tell us the number" in save(stranger, url, sms_weekly_deals="on").get_text()


@pytest.mark.rule(8, 12)
def test_a_number_given_by_the_link_is_confirmed_by_email_and_then_asked(stranger: Client) -> None:
    bea = guest("bea@example.com", language="en")
    url = path_of(sent_to(bea, "email"))
    page = save(stranger, url, phone=OTHER_PHONE, sms_weekly_deals="on")
    assert "+1••••••0147: not confirmed yet. Press the button in our email first" in page.get_text()
    assert not bea.points.filter(channel="sms").exists()
    assert consents.confirm_link(ConsentEvent.objects.get().pk, now=NOON)
    page = parsed(stranger.get(url))
    assert said(page, "sms-weekly_deals").startswith("Not on yet: answer our text with YES")
    assert (asked("sms"), permitted(bea, "sms"), permitted(bea, "email")) == ({DEALS}, set(), set())


@pytest.mark.rule(8)
def test_the_number_of_a_delivery_is_confirmed_by_email_first_too_and_the_page_says_so(
    stranger: Client,
) -> None:
    bea = guest("bea@example.com", language="en")
    contacts.set_point(bea, "sms", OTHER_PHONE, source="order", now=NOON, weak=True)
    page = save(stranger, path_of(sent_to(bea, "email")), sms_weekly_deals="on")
    assert "+1••••••0147: not confirmed yet. Press the button in our email first" in page.get_text()
    assert not InboxEvent.objects.filter(name="consent.requested.sms").exists()
    assert permitted(bea, "sms") == set()


@pytest.mark.rule(8, 12)
def test_who_holds_a_forwarded_link_cannot_put_their_own_phone_in_place_of_the_owners(
    ann: Contact, url: str, stranger: Client
) -> None:
    save(stranger, url, phone=OTHER_PHONE, sms_weekly_deals="on", sms_order_updates="on")
    assert list(ann.points.filter(channel="sms").values_list("address", "current")) == [(PHONE, True)]
    assert permitted(ann, "sms") == set(TOPICS)
    assert not InboxEvent.objects.filter(name="consent.requested.sms").exists()
    assert not consents.confirm_reply(OTHER_PHONE, body="YES", provider_id="SM1", now=NOON)


def test_only_so_many_strangers_can_be_texted_in_a_day(ann: Contact, member: Client) -> None:
    for number in range(asking.MOST_NUMBERS):
        save(member, ACCOUNT, phone=f"+1206555014{number}", sms_weekly_deals="on")
    before = row_counts()
    page = save(member, ACCOUNT, phone="+12065550149", sms_weekly_deals="on", fewer="on")
    assert "try again tomorrow" in complaint_beside(page, "phone")
    assert row_counts() == before
    ann.refresh_from_db()
    assert not ann.fewer


@pytest.mark.rule(8)
def test_a_number_that_did_not_answer_is_not_asked_again_at_once_and_the_page_says_what_else_to_do(
    ann: Contact, member: Client
) -> None:
    save(member, ACCOUNT, phone=OTHER_PHONE, sms_weekly_deals="on")
    with time_machine.travel(NOON + timedelta(days=3)):
        page = save(member, ACCOUNT, phone=OTHER_PHONE, sms_weekly_deals="on")
        assert said(page, "sms-weekly_deals").startswith("On since")  # at the number that was confirmed
        complaint = complaint_beside(page, "phone")
    assert "We cannot ask this number for its YES now." in complaint
    assert "You can also text JOIN from it to the number that our texts come from." in complaint
    assert InboxEvent.objects.filter(name="consent.requested.sms").count() == 1


@pytest.mark.rule(8, 12)
@pytest.mark.parametrize("words", [{"en": ["TEA CLUB"]}, {}])
def test_a_person_without_an_email_address_is_told_how_else_to_give_a_number(
    words: dict[str, list[str]], stranger: Client, settings: Any
) -> None:
    settings.CROSSCHANNEL_SMS_JOIN_WORDS = words
    person = contacts.of_number(PHONE, now=NOON).contact
    consents.grant(person, "sms", TOPICS, source="test", words="Yes.", address=PHONE, now=NOON)
    page = save(stranger, path_of(sent_to(person, "sms")), phone=OTHER_PHONE, sms_weekly_deals="on")
    assert "would have to email you, and know no address" in complaint_beside(page, "phone")
    assert ("text TEA CLUB from it" in complaint_beside(page, "phone")) is bool(words)
    assert list(person.points.values_list("address", flat=True)) == [PHONE]
    assert not InboxEvent.objects.exists()


@pytest.mark.rule(26)
@pytest.mark.parametrize(
    ("beside", "changes"),
    [
        ("email-weekly_deals", {"email_weekly_deals": "on"}),
        ("phone", {"phone": OTHER_PHONE, "sms_weekly_deals": "on"}),
    ],
)
def test_a_mailbox_that_cannot_be_asked_is_said_to_be_so(
    beside: str, changes: dict[str, str], stranger: Client
) -> None:
    bea = guest("bea@example.com", language="en")
    url = path_of(sent_to(bea, "email"))
    cause, scope = Suppression.Cause.HARD_BOUNCE, Suppression.Scope.EVERYTHING
    suppressions.suppress("email", "bea@example.com", cause=cause, scope=scope, now=NOON)
    page = save(stranger, url, **changes)
    assert "our emails do not reach you" in complaint_beside(page, beside)
    assert alert(page).startswith("Nothing was saved yet:")
    assert not InboxEvent.objects.exists()


def test_a_number_that_said_stop_is_told_how_to_come_back(url: str, stranger: Client) -> None:
    consents.revoke("sms", PHONE, topics=None, source="keyword", mechanism="keyword", now=NOON)
    page = save(stranger, url, sms_weekly_deals="on")
    assert "You stopped all texts on March 10, 2026. To have them again, text START" in page.get_text()
    assert said(page, "sms-events") == "Off."  # nothing goes there, whatever one asks for
    assert "allow our texts first" in page.get_text()
    assert asked("sms") == set()


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        ("hard_bounce", "came back"),
        ("complaint", "Your provider told us on March 10, 2026"),
        ("review", "until somebody has read it"),
        ("manual", "The shop stopped it on March 10, 2026."),
    ],
)
def test_an_address_that_gets_nothing_says_why(cause: str, sentence: str, url: str, stranger: Client) -> None:
    suppressions.suppress(
        "email", ANN, cause=Suppression.Cause(cause), scope=Suppression.Scope.MARKETING, now=NOON
    )
    assert sentence in parsed(stranger.get(url)).get_text()


@pytest.mark.rule(14)
@pytest.mark.parametrize(("born_on", "granted"), [("", False), ("2006-01-01", False), ("1990-01-01", True)])
def test_a_topic_for_adults_asks_for_the_date_of_birth(
    born_on: str, granted: bool, ann: Contact, url: str, stranger: Client
) -> None:
    Topic.objects.create(key="wine", name="Wine", purpose="marketing", minimum_age=21)
    page = save(stranger, url, email_wine="on", born_on=born_on)
    assert ("only for people of 21 years" in page.get_text()) is not granted
    assert ("wine" in permitted(ann, "email")) is granted


@pytest.mark.rule(4)
def test_words_that_changed_while_the_page_was_open_are_shown_anew(
    ann: Contact, url: str, stranger: Client, settings: Any
) -> None:
    consents.revoke("email", ANN, topics=[DEALS], source="page", mechanism="checkbox", now=NOON)
    posted = changed(main_form(parsed(stranger.get(url))), email_weekly_deals="on", fewer="on")
    settings.CROSSCHANNEL_BRAND = "Another shop"
    page = parsed(stranger.post(url, posted))
    assert "have changed in the meantime" in page.get_text()
    assert DEALS not in permitted(ann, "email")
    ann.refresh_from_db()
    assert not ann.fewer


def test_an_account_is_for_its_owner(member: Client, stranger: Client) -> None:
    assert stranger.get(ACCOUNT).status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.get())
    assert strict.post(ACCOUNT, {"stop": "all"}).status_code == 403


# it survives


def test_saving_what_nobody_touched_changes_nothing(ann: Contact, url: str, stranger: Client) -> None:
    before, words = row_counts(), ConsentText.objects.count()
    save(stranger, url)
    assert row_counts() == before
    assert ConsentText.objects.count() == words


def test_saving_does_not_undo_what_happened_in_another_tab(ann: Contact, url: str, stranger: Client) -> None:
    first = fields(main_form(parsed(stranger.get(url))))
    save(stranger, url, email_weekly_deals=None, primary_channel="sms")
    consents.revoke("sms", PHONE, topics=None, source="keyword", mechanism="keyword", now=NOON)
    stranger.post(url, {**first, "fewer": "on"})
    ann.refresh_from_db()
    assert permitted(ann, "email") == {"basket_reminders"}
    assert permitted(ann, "sms") == set()
    assert (ann.primary_channel, ann.fewer) == ("sms", True)


@pytest.mark.parametrize(
    "posted", [{}, {"stop": "everything"}, {"words": "x"}, {"words": "sms zz weekly_deals"}]
)
def test_a_post_of_nonsense_changes_nothing(posted: dict[str, str], url: str, stranger: Client) -> None:
    before = row_counts()
    assert stranger.post(url, posted).status_code in (200, 302)
    assert row_counts() == before


@pytest.mark.rule(12, 30)
def test_a_link_to_a_contact_that_was_merged_leads_to_who_they_are_now(
    ann: Contact, message: Message, url: str, stranger: Client
) -> None:
    user = get_user_model().objects.create_user("ann", "ann.new@example.com", "secret")
    account = contacts.identify(user_id=user.pk, now=NOON)
    assert account is not None
    message.contact = Contact.objects.create(created_at=NOON, merged_into=ann)
    message.save()
    save(stranger, url, email_weekly_deals=None)
    assert permitted(ann, "email") == {"basket_reminders"}


def test_a_page_costs_the_same_however_many_topics_there_are(
    url: str, stranger: Client, member: Client
) -> None:
    def cost(client: Client, address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    cost(member, ACCOUNT)  # Oscar asks a few things once
    few = (cost(stranger, url), cost(member, ACCOUNT))
    Topic.objects.bulk_create(Topic(key=f"t{n}", name=f"T {n}", purpose="marketing") for n in range(20))
    assert (cost(stranger, url), cost(member, ACCOUNT)) == few
    assert few[0] <= 10


def test_the_merchants_own_wording_is_what_one_agrees_to(url: str, ann: Contact, stranger: Client) -> None:
    consents.revoke("email", ANN, topics=[DEALS], source="page", mechanism="checkbox", now=NOON)
    ConsentTemplate.objects.create(
        kind="email",
        language="en",
        words="{brand} may mail me {topics}.",
        topics=[DEALS],
        made_at=NOON,
        made_by="x",
    )
    save(stranger, url, email_weekly_deals="on")
    event = ConsentEvent.objects.latest("pk")
    assert event.text is not None
    assert (
        event.text.words == "Quillbrook may mail me Weekly deals, Basket reminders, Review requests, Events."
    )
    assert consents.topics_of(event) == [DEALS]


# what is needed for it


def sent_to(contact: Contact, channel: str) -> Message:
    """A message of ours that reached this person."""
    message = owe(contact, LinkedFlow, "sent", due=NOON)
    message.state, message.channel, message.attempted_at = State.SENT, channel, NOON
    message.point = contact.points.get(channel=channel, current=True)
    message.save()
    return message


def complaint_beside(page: BeautifulSoup, name: str) -> str:
    """What the page says is wrong with a field, in the list that leads there."""
    link = page.select_one(f"[role=alert] a[href='#id_{name}']")
    assert link is not None
    assert link.parent is not None
    return " ".join(link.parent.get_text().split())


def claimed(contact: Contact) -> Message:
    """A message that is about to go, and may wait."""
    Message.objects.update(attempted_at=NOON - timedelta(days=8))
    message = owe(contact, LinkedFlow, "about to go", due=NOON)
    message.expires_at = NOON + timedelta(days=30)
    message.state, message.channel, message.attempted_at = State.CLAIMED, "email", NOON
    message.lease_until = NOON + timedelta(minutes=5)
    message.point = contact.points.get(channel="email")
    message.save()
    return message


def order_update(contact: Contact) -> Candidate:
    """A word about an order, by text if that is welcome."""
    return Candidate(
        id=1,
        contact_id=contact.pk,
        topic="order_updates",
        purpose=Purpose.TRANSACTIONAL,
        intent="shipped",
        channels=("sms", "email"),
        priority=10,
        due_at=NOON,
        expires_at=NOON + timedelta(hours=1),
    )


def channel_of_order_update(contact: Contact) -> str:
    told = facts.gather([contact], load_plans(), limits.load(), now=NOON, closed={})[contact.pk]
    decided = decide(order_update(contact), told)
    assert isinstance(decided, Send)
    return decided.channel


def press(client: Client, url: str, button: str) -> BeautifulSoup:
    page = parsed(client.get(url))
    form = page.select_one(f"form:has(button[name=stop][value={button}])")
    return parsed(client.post(url, {**fields(form), "stop": button}, follow=True))


def asked(channel: str, **which: str) -> set[str]:
    """Topics that wait for the owner's yes."""
    requests = ConsentEvent.objects.filter(action="request", channel=channel, **which)
    return {topic for request in requests for topic in consents.topics_of(request)}
