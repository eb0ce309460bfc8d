"""The main job, from the first click to the order, as the customer and the phone company see it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from oscar.core.loading import get_model

from tests.stories.conftest import CODE, World, links_in

Order = get_model("order", "Order")

pytestmark = pytest.mark.slow
ADA, PHONE = "ada@example.com", "+12065550123"
INBOUND = "https://testserver/cc/twilio/inbound/"


def leave_a_basket(world: World, *, confirm: bool = True) -> object:
    """A guest fills a basket, ticks both boxes at the gateway, and leaves."""
    shopper = world.shopper()
    shopper.add(world.product)
    shopper.enter_checkout(ADA, cc_email="on", cc_sms="on", cc_phone=PHONE)
    world.tick()
    if confirm:
        world.phones.inbound(PHONE, "YES", INBOUND)
    return shopper


def path_of(url: str) -> str:
    return url.removeprefix("https://testserver")


def test_an_email_after_an_hour_a_code_after_a_day_and_the_order_ends_it(world: World) -> None:
    leave_a_basket(world)
    assert "YES" in world.texts(PHONE)[0]

    world.wait(minutes=50)
    assert not world.mails(ADA)
    world.wait(minutes=20)
    (nudge,) = world.mails(ADA)
    assert "Earl Grey" in nudge.body

    world.wait(hours=24)
    (code_text,) = world.offers(PHONE)
    code = CODE.search(code_text)
    assert code
    assert "STOP" in code_text

    link = re.search(r"https://testserver(/cc/l/\S+)", code_text)
    assert link
    phone = world.shopper()
    landing = phone.client.get(link[1], follow=True)
    phone.client.post(landing.request["PATH_INFO"])
    phone.buy(ADA)
    order = Order.objects.get()
    assert order.discounts.filter(voucher_code=code[0]).exists()

    world.wait(days=10)
    assert len(world.mails(ADA)) == 1
    assert len(world.offers(PHONE)) == 1


def test_a_scanner_changes_nothing_and_a_person_moves_the_text(world: World) -> None:
    leave_a_basket(world)
    world.wait(minutes=70)
    link = path_of(links_in(world.mails(ADA)[0])[0])

    scanner = world.shopper().client
    for every in links_in(world.mails(ADA)[0]):
        scanner.head(path_of(every))
    scanner.get(link, headers={"user-agent": "SafeLinks scanner bot"})
    world.wait(hours=4)
    person = world.shopper().client
    assert person.get(link).status_code == 302
    clicked = world.now

    world.go_to(clicked + timedelta(hours=23, minutes=50))
    assert not world.offers(PHONE), "the click of a person restarts the day"
    world.wait(minutes=50)
    assert len(world.offers(PHONE)) == 1


def test_an_order_before_the_hour_is_up_leaves_no_trace_of_a_nudge(world: World) -> None:
    shopper = leave_a_basket(world)
    world.wait(minutes=30)
    shopper.give_address()
    shopper.choose_shipping()
    shopper.place_order()
    assert Order.objects.count() == 1
    world.wait(days=3)
    assert not world.mails(ADA)
    assert not world.offers(PHONE)


def test_without_a_yes_there_is_no_text(world: World) -> None:
    leave_a_basket(world, confirm=False)
    world.wait(days=3)
    assert len(world.mails(ADA)) == 1
    assert len(world.texts(PHONE)) == 1, "only the question"


def test_a_stop_between_the_email_and_the_text_is_the_last_word(world: World) -> None:
    leave_a_basket(world)
    world.wait(hours=2)
    world.phones.inbound(PHONE, "Stop please", INBOUND)
    world.wait(days=3)
    assert not world.offers(PHONE)


def test_one_click_unsubscribe_ends_email_and_leaves_texts_alone(world: World) -> None:
    leave_a_basket(world)
    world.wait(hours=2)
    (nudge,) = world.mails(ADA)
    target = re.search(r"<(https://testserver\S+)>", nudge.extra_headers["List-Unsubscribe"])
    assert target
    response = world.shopper().client.post(path_of(target[1]), {"List-Unsubscribe": "One-Click"})
    assert response.status_code == 200
    world.wait(days=2)
    assert len(world.offers(PHONE)) == 1
    assert len(world.mails(ADA)) == 1


def test_who_leaves_the_boxes_empty_hears_nothing(world: World) -> None:
    shopper = world.shopper()
    shopper.add(world.product)
    shopper.enter_checkout(ADA)
    world.wait(days=3)
    assert mail.outbox == []
    assert world.phones.messages == []
