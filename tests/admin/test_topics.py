"""A merchant names topics, in their order and in every language, and cannot pull one from under a flow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import (
    Consent,
    ConsentEvent,
    ConsentTemplate,
    ConsentText,
    Contact,
    Copy,
    Flow,
    FrequencyCap,
    Topic,
)
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import evidence, own_flows, topics
from oscar_crosschannel.services.flow_versions import Outline
from oscar_crosschannel.services.handover import JUDGED_ANEW
from oscar_crosschannel.services.plans import load_plans
from tests.admin import ledger
from tests.admin.ledger import NOW
from tests.admin.test_flow_editing import filled, parsed, refused, words

LIST = "admin:oscar_crosschannel_topic_changelist"


def staff(*permissions: str, name: str = "ed") -> Client:
    """Somebody with these permissions and no others."""
    user = get_user_model().objects.create_user(name, f"{name}@shop.example", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def editor() -> Client:
    return staff("view_topic", "add_topic", "change_topic", "delete_topic")


@pytest.fixture(autouse=True)
def _languages(settings: Any) -> None:
    settings.LANGUAGES = [("en", "English"), ("de", "German")]


def url(key: str, page: str = "change") -> str:
    return reverse(f"admin:oscar_crosschannel_topic_{page}", args=[topic(key).pk])


def topic(key: str) -> Topic:
    return Topic.objects.get(key=key)


def opened(client: Client, key: str) -> dict[str, str]:
    return filled(parsed(client.get(url(key))))


def saved(client: Client, key: str, **changes: str) -> Any:
    return client.post(url(key), {**opened(client, key), **changes, "do": "save"})


def history(key: str) -> list[str]:
    entries = LogEntry.objects.filter(object_id=str(topic(key).pk), content_type__model="topic")
    return [entry.get_change_message() for entry in entries]


def agreed(person: Contact, kind: str, *actions: str) -> None:
    """What somebody said, one after another, about texts of the topic "service" beside a box of this kind."""
    point = person.points.get(channel="sms")
    text, _ = ConsentText.objects.get_or_create(
        digest=f"of {kind}",
        defaults={"channel": "sms", "kind": kind, "language": "en", "topics": ["service"], "created_at": NOW},
    )
    for action in actions:
        evidence.append(
            ConsentEvent(
                contact=person, point=point, channel="sms", address=point.address, text=text, action=action,
                topic="" if action == "request" else "service", basis="express", source="thank_you",
                mechanism="button", at=NOW,
            )
        )  # fmt: skip


# It works.


def test_the_list_is_in_the_shoppers_order(editor: Client) -> None:
    saved(editor, "events", position="0")
    saved(editor, "weekly_deals", position="99")

    rows = [row.get_text() for row in parsed(editor.get(reverse(LIST))).select("th.field-name_shown")]
    others = [each.name for key, each in topics.SHIPPED.items() if key not in {"events", "weekly_deals"}]
    assert rows == ["Events", *others, "Weekly deals"]


def test_a_topic_is_renamed_in_every_language(editor: Client) -> None:
    answer = saved(
        editor, "weekly_deals",
        **{"name": "Deals of the week", "de-name": "Angebote der Woche", "de-description": "Jeden Freitag."},
    )  # fmt: skip

    assert answer.status_code == 302
    renamed = topic("weekly_deals")
    assert topics.words(renamed, "en").name == "Deals of the week"
    assert topics.words(renamed, "de-at") == topics.Words(
        name="Angebote der Woche", description="Jeden Freitag."
    )
    assert history("weekly_deals")[0].split("; ") == [
        "Name: Weekly deals → Deals of the week",
        "Name (German): nothing → Angebote der Woche",
        "Description (German): nothing → Jeden Freitag.",
    ]
    assert "ed Name: Weekly deals → Deals of the week" in words(editor.get(url("weekly_deals")))


def test_shipped_words_stand_in_grey_and_come_back_when_a_field_is_emptied(editor: Client) -> None:
    page = parsed(editor.get(url("weekly_deals")))
    (name,) = page.select("[name=name]")
    assert (name["placeholder"], name.get("value")) == ("Weekly deals", None)

    saved(editor, "weekly_deals", name="Deals")
    assert "changed shipped: Weekly deals" in words(editor.get(url("weekly_deals")))
    saved(editor, "weekly_deals", name="")
    assert topic("weekly_deals").name == "Weekly deals"


def test_words_of_a_language_are_taken_back(editor: Client) -> None:
    saved(editor, "weekly_deals", **{"de-name": "Angebote"})
    saved(editor, "weekly_deals", **{"de-name": ""})

    assert not topic("weekly_deals").words.exists()


def test_what_is_not_offered_and_who_is_old_enough_is_kept(editor: Client) -> None:
    data = opened(editor, "weekly_deals")
    del data["offered"]
    editor.post(url("weekly_deals"), {**data, "minimum_age": "18", "do": "save"})

    changed = topic("weekly_deals")
    assert (changed.offered, changed.minimum_age) == (False, 18)
    assert history("weekly_deals") == ["Offered to shoppers: yes → no; Minimum age: none → 18"]


def test_a_topic_is_added_and_deleted_again(editor: Client) -> None:
    add = reverse("admin:oscar_crosschannel_topic_add")
    data = filled(parsed(editor.get(add)))
    assert editor.post(add, {**data, "name": "Wine club", "do": "save"}).status_code == 302

    made = topic("wine_club")
    assert (made.name, made.purpose, made.offered, made.position) == (
        "Wine club", "marketing", True, len(topics.SHIPPED),
    )  # fmt: skip
    editor.post(add, {**data, "name": "Wine-club", "do": "save"})
    assert Topic.objects.filter(key="wine_club_2").exists()

    assert "Delete" in words(editor.get(url("wine_club")))
    editor.post(url("wine_club", "delete"), {"post": "yes"})
    assert not Topic.objects.filter(key="wine_club").exists()


def test_what_is_planned_follows_another_purpose(editor: Client) -> None:
    ann = ledger.person("Ann", email="ann@example.com")
    waiting = ledger.message(
        ledger.run(ann), "whistle", State.PLANNED, due_at=NOW + timedelta(days=3), reason=Reason.CAPPED
    )

    saved(editor, "basket_reminders", purpose="requested")

    waiting.refresh_from_db()
    assert (waiting.purpose, waiting.lane) == ("requested", Lane.URGENT)
    assert waiting.due_at == NOW + JUDGED_ANEW


# It refuses.


@pytest.mark.rule(39)
def test_a_topic_whose_flow_gives_codes_is_marketing(editor: Client) -> None:
    told = refused(saved(editor, "basket_reminders", purpose="transactional"))

    assert "Its messages promote something, so they are marketing" in told
    assert "“The kettle calls: Steam” gives an exclusive code" in told
    assert "Why it is kept nevertheless" not in told
    assert topic("basket_reminders").purpose == "marketing"


@pytest.mark.rule(1, 39)
@pytest.mark.parametrize("purpose", ["requested", "transactional"])
def test_a_topic_of_a_flow_that_nobody_asked_for_stays_marketing(purpose: str, editor: Client) -> None:
    """Else what may not be made so from the side of the flow, would be from the side of its topic."""
    Topic.objects.create(key="tea_news", name="Tea news", purpose="marketing")
    for title, trigger in (("We miss you", "customer.lapsed"), ("Hello", "user.registered")):
        own_flows.create(Outline(title=title, topic="tea_news"), trigger, author=None, now=NOW)

    told = refused(saved(editor, "tea_news", purpose=purpose))

    assert "It stays marketing: nobody has ordered or asked for what begins “We miss you”." in told
    assert topic("tea_news").purpose == "marketing"
    Flow.objects.filter(trigger="customer.lapsed").delete()
    assert saved(editor, "tea_news", purpose=purpose).status_code == 302


@pytest.mark.rule(39)
def test_a_topic_whose_words_recommend_is_marketing(editor: Client) -> None:
    load_plans()
    flow = Flow.objects.get(key="opt_in_email")
    Topic.objects.filter(key="service").update(purpose="marketing")
    Copy.objects.create(
        flow=flow, step_key="ask", channel="email", language="de",
        text="Hallo\n{% for one in recommendations %}{{ one }}{% endfor %}",
    )  # fmt: skip

    told = refused(saved(editor, "service", purpose="transactional"))

    assert "(email, German) use “recommendations” in line 2" in told


@pytest.mark.parametrize("action", ["grant", "request"])
@pytest.mark.parametrize("purpose", ["requested", "transactional"])
def test_what_was_agreed_to_as_no_advertising_does_not_become_marketing(
    purpose: str, action: str, editor: Client
) -> None:
    Topic.objects.filter(key="service").update(purpose=purpose)
    agreed(ledger.person("Ann", phone="+14155550123"), "order_texts", action)

    told = refused(saved(editor, "service", purpose="marketing"))

    assert "People agreed to this topic under words that promise no advertising." in told
    assert topic("service").purpose == purpose


def test_what_nobody_agrees_to_any_more_or_agreed_to_as_marketing_may_become_marketing(
    editor: Client,
) -> None:
    Topic.objects.filter(key="service").update(purpose="requested")
    agreed(ledger.person("Ann", phone="+14155550123"), "order_texts", "grant", "revoke")
    agreed(ledger.person("Bob", phone="+14155550124"), "", "grant")

    assert saved(editor, "service", purpose="marketing").status_code == 302

    assert topic("service").purpose == "marketing"


@pytest.mark.rule(39)
def test_who_may_override_says_why_and_the_history_keeps_it() -> None:
    chief = staff("view_topic", "change_topic", "override_purpose", name="chief")
    answer = saved(chief, "basket_reminders", purpose="transactional")
    assert "Why it is kept nevertheless" in refused(answer)

    data = {**filled(parsed(answer)), "why": "The code is part of what they ordered.", "do": "save"}
    assert chief.post(url("basket_reminders"), data).status_code == 302

    assert topic("basket_reminders").purpose == "transactional"
    assert history("basket_reminders") == [
        "Its messages are: marketing → part of an order or account; Why: The code is part of what they ordered."
    ]


@pytest.mark.rule(39)
def test_a_reason_of_staff_who_may_not_override_counts_nothing(editor: Client) -> None:
    refused(saved(editor, "basket_reminders", purpose="transactional", why="Because I say so."))

    assert topic("basket_reminders").purpose == "marketing"


def test_a_topic_that_something_refers_to_stays(editor: Client) -> None:
    add = reverse("admin:oscar_crosschannel_topic_add")
    editor.post(add, {**filled(parsed(editor.get(add))), "name": "Wine", "do": "save"})
    ann = ledger.person("Ann", email="ann@example.com")
    grant = ledger.said(ann, "email", "grant", at=NOW)
    Consent.objects.create(point=grant.point, topic="wine", answer="granted", since=NOW, event=grant)
    ConsentTemplate.objects.create(
        kind="sms", language="en", words="Wine?", topics=["wine"], made_at=NOW, made_by="ed"
    )
    FrequencyCap.objects.create(key="wine", name="Wine a month", topic="wine", most=1)

    told = words(editor.get(url("wine", "delete")))
    assert "People have answered whether they want it." in told
    assert "Words beside a consent box name it." in told
    assert "The frequency limit “Wine a month” is for it." in told
    editor.post(url("wine", "delete"), {"post": "yes"})
    assert Topic.objects.filter(key="wine").exists()

    told = words(editor.get(url("basket_reminders", "delete")))
    assert "It comes with the app." in told
    assert "The flow “The kettle calls” is about it." in told


def test_a_topic_without_a_name_or_with_the_key_of_another_is_no_topic(editor: Client) -> None:
    add = reverse("admin:oscar_crosschannel_topic_add")
    data = filled(parsed(editor.get(add)))

    assert "Shoppers need a name" in refused(editor.post(add, {**data, "do": "save"}))
    told = refused(editor.post(add, {**data, "name": "Events", "key": "events", "do": "save"}))
    assert "There is a topic with this key already." in told


def test_staff_who_may_only_look_change_nothing(merchant: Client) -> None:
    page = parsed(merchant.get(url("events")))
    assert page.select_one("[name=name][disabled]") is not None
    assert page.select("#content button, .submit-row") == []

    assert merchant.post(url("events"), {"name": "x", "do": "save"}).status_code == 403
    assert merchant.get(reverse("admin:oscar_crosschannel_topic_add")).status_code == 403
    assert merchant.post(url("events", "delete"), {"post": "yes"}).status_code == 403


# It survives.


def test_two_who_rename_at_once_lose_no_word(editor: Client) -> None:
    mine = opened(editor, "events")
    saved(staff("view_topic", "change_topic", name="eve"), "events", name="Evenings")

    answer = editor.post(url("events"), {**mine, "de-name": "Abende", "do": "save"})

    assert "Eve changed this while you were editing: Name: Events → Evenings" in refused(answer)
    both = filled(parsed(answer))
    assert (both["name"], both["de-name"]) == ("Evenings", "Abende")
    editor.post(url("events"), {**both, "do": "save"})
    assert topics.words(topic("events"), "de").name == "Abende"
    assert topic("events").name == "Evenings"


def test_names_stay_text(editor: Client) -> None:
    saved(editor, "events", name="<script>alert(1)</script>")

    for page in (reverse(LIST), url("events")):
        html = editor.get(page).content.decode()
        assert "&lt;script&gt;alert(1)" in html
        assert "<script>alert" not in html
