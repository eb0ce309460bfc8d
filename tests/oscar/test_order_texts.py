"""“Text me when it ships”: from the page that thanks for an order to the grant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import Tag
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_crosschannel.core import tokens
from oscar_crosschannel.models import Consent, ConsentEvent, InboxEvent, ScheduledEvent
from oscar_crosschannel.services import consents, links, schedules, wordings

from .conftest import US_PHONE, Shopper, make_user, page, statements
from .test_sign_up import asked, fold

Order = get_model("order", "Order")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("country")]

BOX = ".crosschannel-order-texts"
THANKS = "/checkout/thank-you/"
OTHER = "+12125550147"


def bought(shopper: Shopper, product: Any, email: str = "guest@example.com") -> Any:
    """The shopper stands on the page that thanks."""
    shopper.add(product)
    assert shopper.buy(email).url == THANKS
    return page(shopper.client.get(THANKS))


def press(shopper: Shopper, html: Any, **fields: Any) -> Any:
    """Press the button of the box."""
    box = html.select_one(BOX)
    assert isinstance(box, Tag)
    hidden = {str(field["name"]): str(field["value"]) for field in box.select("[type=hidden]")}
    return shopper.client.post(str(box["action"]), {**hidden, **fields})


def taken() -> set[str]:
    """The numbers that will be texted, or whose owners are asked first."""
    said = ConsentEvent.objects.filter(source="thank_you", action__in=["request", "grant"])
    return set(said.values_list("address", flat=True))


def permitted() -> set[tuple[str, str]]:
    return set(Consent.objects.filter(answer="granted").values_list("point__address", "topic"))


# it works


@pytest.mark.rule(1, 3, 4)
def test_the_buyer_agrees_to_texts_about_orders_and_nothing_else(shopper: Shopper, product: Any) -> None:
    html = bought(shopper, product)
    words = wordings.wording("order_texts", "en", country="US").words
    assert words in " ".join(html.select_one(BOX).text.split())
    assert "We text +1••••••0123, the number of your order, unless" in html.select_one(BOX).text
    assert html.select_one(f"{BOX} [name=cc_phone][required]")
    assert html.select_one(f"{BOX} button").text == "Text this number"
    answer = press(shopper, html)
    assert "+1••••••0123" in answer.content.decode()
    fold()
    assert permitted() == {(US_PHONE, "order_updates")}
    event = ConsentEvent.objects.get(source="thank_you")
    assert event.text is not None
    assert (event.basis, event.mechanism, event.action) == ("express", "button", "grant")
    assert (event.order_number, event.text.words) == (Order.objects.get().number, words)


@pytest.mark.rule(2, 3, 39)
def test_who_books_an_event_agrees_to_texts_at_any_hour(shopper: Shopper, product: Any) -> None:
    begins = timezone.now() + timedelta(days=3)
    event = ScheduledEvent(
        product=product, starts_at=begins, ends_at=begins + timedelta(hours=1), zone="UTC", place="Here"
    )
    schedules.save(event, now=timezone.now())
    html = bought(shopper, product)
    box = html.select_one(BOX)
    assert "Text me when it ships and before it begins" in box.text
    assert "Without it, what falls in the evening, at night or on a Sunday comes by email." in box.text
    assert not box.select("[name=cc_phone][required]")
    assert "at any hour: Order updates, Events" in " ".join(box.text.split())
    thanked = press(shopper, html, cc_topic=["order_updates", "events"]).content.decode()
    assert "what happens with your order" in thanked
    assert ", and shortly before your event begins." in thanked
    fold()
    assert permitted() == {(US_PHONE, "order_updates"), (US_PHONE, "events")}
    assert ConsentEvent.objects.filter(source="thank_you", text__any_hour=True).count() == 2


def test_who_wants_texts_about_orders_already_is_asked_about_the_event_alone(
    shopper: Shopper, product: Any
) -> None:
    press(shopper, bought(shopper, product))
    fold()
    begins = timezone.now() + timedelta(days=3)
    event = ScheduledEvent(
        product=product, starts_at=begins, ends_at=begins + timedelta(hours=1), zone="UTC", place="Here"
    )
    schedules.save(event, now=timezone.now())
    html = bought(Shopper(), product)
    box = html.select_one(BOX)
    assert isinstance(box, Tag)
    assert box.select_one("h3").text == "Text me before it begins"
    assert "at any hour: Events." in " ".join(box.text.split())
    thanked = press(Shopper(), html, cc_topic=["events"]).content.decode()
    assert "+1••••••0123 shortly before your event begins." in thanked


def test_an_order_without_a_number_is_asked_for_one(shopper: Shopper, product: Any) -> None:
    begins = timezone.now() + timedelta(days=3)
    event = ScheduledEvent(
        product=product, starts_at=begins, ends_at=begins + timedelta(hours=1), zone="UTC", place="Here"
    )
    schedules.save(event, now=timezone.now())
    bought(shopper, product)
    Order.objects.update(shipping_address=None)
    html = page(shopper.client.get(THANKS))
    box = html.select_one(BOX)
    assert box.select_one("h3").text == "Text me before it begins"
    assert "Without it" not in box.text
    assert box.select("[name=cc_phone][required]")
    assert box.select_one("button").text == "Text me"


def test_another_number_can_be_typed(shopper: Shopper, product: Any) -> None:
    press(shopper, bought(shopper, product), cc_phone="+1 212 555 0147")
    fold()
    assert permitted() == {(OTHER, "order_updates")}


def test_an_account_agrees_likewise(shopper: Shopper, product: Any) -> None:
    user = make_user("ada@example.com")
    shopper.client.force_login(user)
    shopper.add(product)
    shopper.give_address()
    shopper.choose_shipping()
    shopper.place_order()
    press(shopper, page(shopper.client.get(THANKS)))
    fold()
    assert permitted() == {(US_PHONE, "order_updates")}
    assert Consent.objects.get().point.contact.user == user


def test_it_is_asked_once(shopper: Shopper, product: Any) -> None:
    press(shopper, bought(shopper, product))
    assert not page(shopper.client.get(THANKS)).select(BOX)  # the tick is still to come
    fold()
    again = Shopper()
    assert not bought(again, product, "guest@example.com").select(BOX)


def test_who_left_the_box_alone_is_asked_after_the_next_order(shopper: Shopper, product: Any) -> None:
    assert bought(shopper, product).select(BOX)
    fold()
    assert bought(shopper, product).select(BOX)


# it refuses


def test_a_number_that_cannot_be_texted_comes_back(shopper: Shopper, product: Any) -> None:
    html = page(press(shopper, bought(shopper, product), cc_phone="+1 800 555 0123"))
    assert html.select_one("[role=alert]")
    field = html.select_one("[name=cc_phone]")
    assert isinstance(field, Tag)
    assert field["value"] == "+1 800 555 0123"
    assert not InboxEvent.objects.filter(key__startswith="order-texts").exists()
    assert press(shopper, html, cc_phone="+1 212 555 0147").status_code == 200


@pytest.mark.rule(12)
@pytest.mark.parametrize("works_off", [True, False])
def test_one_order_texts_only_so_many_numbers_in_a_day(
    works_off: bool, shopper: Shopper, product: Any
) -> None:
    html = bought(shopper, product)
    numbers = [f"+1212555010{number}" for number in range(5)]
    answers = []
    for number in [*numbers, numbers[0]]:
        answers.append(page(press(shopper, html, cc_phone=number)))
        if works_off:
            fold()
    fold()
    troubles = [bool(answer.select("[role=alert]")) for answer in answers]
    assert troubles == [False, False, False, True, True, False]
    assert "many numbers for one day" in answers[3].text
    assert taken() == set(numbers[:3])


@pytest.mark.rule(12)
def test_numbers_that_come_all_at_once_are_counted_when_they_are_worked_off(
    shopper: Shopper, product: Any
) -> None:
    html = bought(shopper, product)
    fold()
    press(shopper, html)
    row = InboxEvent.objects.get(key__startswith="order-texts")
    for number in range(5):
        (answer,) = row.answers
        answer["address"] = f"+1212555010{number}"
        row.pk, row.key = None, f"{row.key}{number}"
        row.save(force_insert=True)
    fold()
    assert len(taken()) == 3
    assert ConsentEvent.objects.filter(action="unasked", mechanism="many_numbers").count() == 3


@pytest.mark.rule(12)
def test_under_the_email_of_an_account_its_owner_is_asked_first(shopper: Shopper, product: Any) -> None:
    html = bought(shopper, product, "ada@example.com")
    make_user("ada@example.com")
    press(shopper, html)
    fold()
    assert permitted() == set()
    assert asked("email") == 1


@pytest.mark.rule(26)
def test_a_number_that_said_stop_is_asked_first(shopper: Shopper, product: Any) -> None:
    html = bought(shopper, product)
    fold()
    consents.revoke(
        "sms",
        US_PHONE,
        topics=None,
        source="keyword",
        mechanism="keyword",
        now=Order.objects.get().date_placed,
    )
    press(shopper, html)
    fold()
    assert permitted() == set()
    assert asked("sms") == 1


@pytest.mark.rule(44)
def test_a_link_that_somebody_made_up_takes_nothing(shopper: Shopper, product: Any) -> None:
    bought(shopper, product)
    order = Order.objects.get()
    good = links.order_texts_path(order.pk)
    confirm = tokens.make(tokens.CONFIRM, order.pk, keys=[b"x"])
    for path in (
        good[:-2] + "/",
        links.order_texts_path(order.pk + 1),
        reverse("oscar_crosschannel:order_texts", args=[confirm]),
    ):
        assert Client().post(path, {"cc_phone": OTHER}).status_code == 404
    assert not InboxEvent.objects.filter(key__startswith="order-texts").exists()


@pytest.mark.parametrize("marker", ["", "en", "\0 \0", "x" * 5000, "en 00"])
def test_words_that_somebody_made_up_permit_nothing(marker: str, shopper: Shopper, product: Any) -> None:
    assert press(shopper, bought(shopper, product), cc_shown=marker).status_code == 200
    fold()
    assert permitted() == set()
    assert not InboxEvent.objects.exclude(error="").exists()


@pytest.mark.rule(43)
def test_looking_at_the_page_behind_the_link_changes_nothing(shopper: Shopper, product: Any) -> None:
    bought(shopper, product)
    before = InboxEvent.objects.count()
    answer = Client().get(links.order_texts_path(Order.objects.get().pk), {"cc_phone": OTHER})
    assert "Text me when it ships" in answer.content.decode()
    assert US_PHONE not in answer.content.decode()
    assert InboxEvent.objects.count() == before


# it survives


def test_nothing_of_it_can_break_the_page_that_thanks(
    shopper: Shopper, product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no words today")

    monkeypatch.setattr(wordings, "read", broken)
    shopper.add(product)
    shopper.client.post(reverse("checkout:index"), {"username": "guest@example.com", "options": "anonymous"})
    shopper.give_address()
    shopper.choose_shipping()
    shopper.client.post(reverse("checkout:preview"), {"action": "place_order"})
    answer = shopper.client.get(THANKS)
    assert answer.status_code == 200
    assert not page(answer).select(BOX)


def test_a_store_that_places_its_own_tags_shows_no_box(shopper: Shopper, product: Any, settings: Any) -> None:
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = False
    assert not bought(shopper, product).select(BOX)


def test_the_box_costs_three_statements_in_a_savepoint(shopper: Shopper, product: Any, settings: Any) -> None:
    bought(shopper, product)
    full, _ = statements(lambda: shopper.client.get(THANKS))
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = False
    bare, _ = statements(lambda: shopper.client.get(THANKS))
    assert full - bare == 5
