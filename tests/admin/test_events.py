"""Events in the admin: made, moved, called off and announced by staff, in plain words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from oscar.test import factories

from oscar_crosschannel.admin import counting
from oscar_crosschannel.models import Consent, Copy, Flow, InboxEvent, ScheduledEvent
from oscar_crosschannel.oscar import events
from oscar_crosschannel.services import schedules
from oscar_crosschannel.services.plans import load_plans
from tests.admin import ledger
from tests.admin.ledger import NOW
from tests.admin.test_flow_editing import filled, parsed

NAME = "admin:oscar_crosschannel_scheduledevent"
ADD, LIST = f"{NAME}_add", f"{NAME}_changelist"
SAID = {
    "product": "Tea tasting",
    "starts_at": "2026-06-11T19:00",
    "ends_at": "2026-06-11T20:30",
    "zone": "Europe/London",
    "place": "",
    "join_link": "https://rooms.example.net/tea",
    "agenda": "Three teas",
    "do": "save",
}


@pytest.fixture(autouse=True)
def product() -> Any:
    return factories.create_product(title="Tea tasting", upc="TT-1", price=10, num_in_stock=5)


@pytest.fixture
def event(product: Any) -> ScheduledEvent:
    starts_at = datetime(2026, 6, 11, 18, 0, tzinfo=UTC)
    event = ScheduledEvent(
        product=product,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=1),
        zone="Europe/London",
        join_link=SAID["join_link"],
    )
    schedules.save(event, now=NOW)
    return event


def page(event: ScheduledEvent, name: str = "change") -> str:
    if name == "change":
        return reverse(f"{NAME}_change", args=[event.pk])
    return f"{reverse(f'{NAME}_{name}')}?id={event.pk}"


def change(client: Client, event: ScheduledEvent, **said: str) -> Any:
    """Post the page as a browser does, with what it showed."""
    html = client.get(page(event)).content.decode()
    seen = re.search(r'name="seen" value="([^"]*)"', html)
    assert seen
    shown = {
        "starts_at": "2026-06-11T19:00",
        "ends_at": "2026-06-11T20:00",
        "zone": event.zone,
        "place": event.place,
        "join_link": event.join_link,
        "agenda": event.agenda,
    }
    unescaped = seen[1].replace("&quot;", '"')
    return client.post(page(event), {**shown, "seen": unescaped, "do": "save", **said}, follow=True)


# It works.


def test_staff_make_an_event_of_a_product(superuser: Client) -> None:
    answer = superuser.post(reverse(ADD), SAID, follow=True)
    assert "was added" in answer.content.decode()

    event = ScheduledEvent.objects.get()
    assert event.starts_at == datetime(2026, 6, 11, 18, 0, tzinfo=UTC), "seven in the evening in London"
    assert "Tea tasting" in superuser.get(reverse(LIST)).content.decode()
    assert "19:00" in superuser.get(page(event)).content.decode()
    assert "June 11, 2026, 7 p.m. (Europe/London)" in LogEntry.objects.get().get_change_message()


def test_a_change_is_published_and_logged(superuser: Client, event: ScheduledEvent) -> None:
    order = factories.create_order()
    order.lines.update(product=event.product)
    InboxEvent.objects.all().delete()
    other = {"starts_at": "2026-06-12T19:00", "ends_at": "2026-06-12T20:00"}
    asked = change(superuser, event, **other).content.decode()
    assert "gets an email now and, if we have their number and may text it, a text." in asked
    assert "Begins: June 11, 2026, 7 p.m. (Europe/London) → June 12, 2026, 7 p.m. (Europe/London)" in asked
    assert "Place:" not in asked, "only what changes is told"
    assert not InboxEvent.objects.exists(), "nothing is saved before staff say so"
    back = change(superuser, event, **other, do="edit").content.decode()
    assert "2026-06-12T19:00" in back
    assert not InboxEvent.objects.exists()
    saved = change(superuser, event, **other, do="confirm").content.decode()
    assert "“Tea tasting” was saved. 1 person is told." in saved

    news = InboxEvent.objects.get(name=schedules.NEWS)
    assert news.data["what"] == "changed"
    assert news.data["was"]["starts_at"] == "2026-06-11T18:00:00+00:00"
    logged = LogEntry.objects.get().get_change_message()
    assert "Begins: June 11, 2026, 7 p.m. (Europe/London) → June 12, 2026, 7 p.m. (Europe/London)" in logged
    assert "whoever booked is told (1 seat)" in logged


def test_what_a_change_means_is_said_as_it_is(superuser: Client, event: ScheduledEvent) -> None:
    assert not change(superuser, event, join_link="https://a.example").context.get("meaning"), "nobody booked"
    for name in ("ann", "ben"):
        user = get_user_model().objects.create_user(name, f"{name}@example.com")
        factories.create_order(user=user).lines.update(product=event.product)
    event.refresh_from_db()
    asked = change(superuser, event, join_link="https://b.example").content.decode()
    assert "2 people have booked: they get an email now." in asked
    load_plans()
    Flow.objects.filter(key="event_link").update(enabled=False)
    asked = change(superuser, event, join_link="https://b.example").content.decode()
    assert "“Another link to join a booked event” is off. Nobody is told." in asked
    saved = change(superuser, event, join_link="https://b.example", do="confirm").content.decode()
    assert "“Tea tasting” was saved. Nobody is told." in saved
    assert "they get an email now and, if we have their number and may text it, a text." in (
        superuser.get(page(event, "cancel")).content.decode()
    )


@pytest.mark.parametrize("why", ["no provider", "not by text"])
def test_no_text_is_promised_that_nobody_gets(
    superuser: Client, event: ScheduledEvent, why: str, settings: Any
) -> None:
    factories.create_order().lines.update(product=event.product)
    load_plans()
    if why == "no provider":
        settings.CROSSCHANNEL_SMS_BACKEND = "oscar_crosschannel.channels.sms_backends.console.ConsoleBackend"
    else:
        flow = Flow.objects.get(key="event_cancellation")
        flow.steps.create(key="cancel", channels=["email"])
    asked = superuser.get(page(event, "cancel")).content.decode()
    assert "1 person has booked, and gets an email now." in asked


def test_a_flow_that_reaches_nobody_tells_nobody(superuser: Client, event: ScheduledEvent) -> None:
    factories.create_order().lines.update(product=event.product)
    load_plans()
    flow = Flow.objects.get(key="event_cancellation")
    step = flow.steps.create(key="cancel", channels=["sms"])
    asked = superuser.get(page(event, "cancel")).content.decode()
    assert "1 person has booked, and gets a text now if we have their number and may text it." in asked
    step.removed_at = NOW
    step.save()
    asked = superuser.get(page(event, "cancel")).content.decode()
    assert "has no step by which anybody can be reached. Nobody is told." in asked


def test_another_agenda_is_published_to_nobody(superuser: Client, event: ScheduledEvent) -> None:
    InboxEvent.objects.all().delete()
    change(superuser, event, agenda="Four teas")
    event.refresh_from_db()
    assert (event.agenda, event.sequence) == ("Four teas", 0)
    assert not InboxEvent.objects.exists()


def test_an_event_is_cancelled_with_a_reason(superuser: Client, event: ScheduledEvent) -> None:
    assert "Nobody has booked." in superuser.get(page(event, "cancel")).content.decode()
    superuser.post(page(event, "cancel"), {"note": "The kettle broke"})
    event.refresh_from_db()
    assert event.cancelled_at == NOW
    assert "The kettle broke" in LogEntry.objects.get().get_change_message()
    html = superuser.get(page(event)).content.decode()
    assert "It is cancelled: only its agenda can be changed." in html
    assert "It is cancelled already." in superuser.get(page(event, "cancel")).content.decode()


@pytest.mark.parametrize(
    ("act", "heading"),
    [("cancel", "Cancel “Tea tasting”"), ("invite", "Invite people to “Tea tasting”")],
)
def test_each_act_names_its_event_and_has_a_way_back(
    superuser: Client, event: ScheduledEvent, act: str, heading: str
) -> None:
    Flow.objects.update_or_create(key="event_invitation", defaults={"enabled": True})
    asked = parsed(superuser.get(page(event, act)))
    assert heading in [each.get_text() for each in asked.select("h1")]
    assert [each.get_text() for each in asked.select(".submit-row a")] == ["Back"]

    labels = [each.get_text() for each in parsed(superuser.get(page(event))).select("dt")]
    assert labels.count("You can also") == 1


def test_people_are_invited(superuser: Client, event: ScheduledEvent) -> None:
    superuser.post(page(event, "invite"), {"note": "Spring"})
    assert InboxEvent.objects.filter(name=schedules.NEWS, data__what="announced").exists()
    assert "Spring" in LogEntry.objects.get().get_change_message()


@pytest.mark.parametrize(
    ("most", "told"),
    [(2, "2 people agreed to emails about"), (1, "More than 1 people agreed to emails about")],
)
def test_how_many_are_invited_is_counted_no_further_than_it_matters(
    most: int, told: str, superuser: Client, event: ScheduledEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST", most)
    for name in ("ann", "ben"):
        ledger.said(ledger.person(name, email=f"{name}@example.com"), "email", "grant", at=NOW)
    Consent.objects.update(topic=events.INVITED)

    assert told in superuser.get(page(event, "invite")).text


# It refuses.


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"ends_at": "2026-06-11T18:00"}, "It must end after it begins."),
        ({"join_link": ""}, "Say where it is: a place, a link to join, or both."),
        ({"join_link": "javascript:alert(1)"}, "Enter a valid URL."),
        ({"starts_at": "soon"}, "Enter a valid date/time."),
        ({"starts_at": "2020-06-11T19:00"}, "That is in the past already."),
        ({"zone": "Europe/Atlantis"}, "Select a valid choice."),
        ({"product": "Coffee"}, "The shop has no such product."),
        ({"product": "tasting"}, "Do you mean Tea tasting (TT-1)?"),
        ({"starts_at": "2026-03-29T01:30"}, "This time does not exist there"),
    ],
)
def test_what_makes_no_sense_is_refused_in_plain_words(superuser: Client, said: Any, told: str) -> None:
    html = superuser.post(reverse(ADD), {**SAID, **said}).content.decode()
    assert told in html
    assert "Nothing was saved yet." in html
    assert not ScheduledEvent.objects.exists()


def test_a_product_takes_place_once(superuser: Client, event: ScheduledEvent) -> None:
    html = superuser.post(reverse(ADD), SAID).content.decode()
    assert "already exists" in html
    assert ScheduledEvent.objects.count() == 1


def test_what_is_over_is_not_moved(superuser: Client, event: ScheduledEvent) -> None:
    ScheduledEvent.objects.update(starts_at=NOW - timedelta(days=2), ends_at=NOW - timedelta(days=1))
    html = change(superuser, event).content.decode()
    assert "It is over. For another date, make another product" in html


def test_what_somebody_booked_is_not_deleted(superuser: Client, event: ScheduledEvent) -> None:
    delete = reverse(f"{NAME}_delete", args=[event.pk])
    order = factories.create_order()
    order.lines.update(product=event.product)
    assert "cancel it, so that they are told" in superuser.get(delete).content.decode()
    superuser.post(delete, {"post": "yes"})
    assert ScheduledEvent.objects.exists()

    order.lines.all().delete()
    superuser.post(delete, {"post": "yes"})
    assert not ScheduledEvent.objects.exists()


def test_nobody_is_invited_while_the_flow_is_off(superuser: Client, event: ScheduledEvent) -> None:
    Flow.objects.update_or_create(key="event_invitation", defaults={"enabled": False})
    assert "“Invitations to events” is off" in superuser.get(page(event, "invite")).content.decode()
    superuser.post(page(event, "invite"), {"note": "Spring"})
    assert not InboxEvent.objects.filter(data__what="announced").exists()


@pytest.mark.parametrize("act", ["cancel", "invite"])
def test_each_act_needs_its_permission(event: ScheduledEvent, client: Client, act: str) -> None:
    user = get_user_model().objects.create_user("ed", "ed@shop.example", is_staff=True)
    allowed = ["view_scheduledevent", "change_scheduledevent"]
    user.user_permissions.set(Permission.objects.filter(codename__in=allowed))
    client.force_login(user)
    assert client.get(page(event)).status_code == 200
    assert client.get(page(event, act)).status_code == 403

    user.user_permissions.add(Permission.objects.get(codename=f"{act}_scheduledevent"))
    assert client.get(page(event, act)).status_code == 200


@pytest.mark.rule(39)
def test_news_that_cannot_wait_promotes_nothing(superuser: Client) -> None:
    load_plans()
    flow = Flow.objects.get(key="event_change")
    url = reverse("admin:oscar_crosschannel_flow_words", args=[flow.pk, "change", "sms", "en"])
    words = {
        **filled(parsed(superuser.get(url))),
        "text": "Moved. Meanwhile: {{ voucher.code }}",
        "do": "save",
    }
    assert "“voucher” promotes something" in superuser.post(url, words).content.decode()
    assert not Copy.objects.exists()
