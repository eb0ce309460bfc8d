"""What brings people back: a product they looked at, an invitation, a long silence."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.conf import settings as ours
from oscar_crosschannel.models import ConsentEvent, Enrolment, Message
from oscar_crosschannel.services import consents, contacts
from tests.oscar.conftest import make_user
from tests.stories.conftest import World, links_in

Order = get_model("order", "Order")
ProductRecord = get_model("analytics", "ProductRecord")

pytestmark = pytest.mark.slow
ADA, PHONE = "ada@example.com", "+12065550123"
INBOUND = "https://testserver/cc/twilio/inbound/"


def subscriber(world: World, *channels: str) -> Any:
    """An account that agreed elsewhere, so that nobody welcomes it."""
    user = make_user(ADA)
    contact = contacts.identify(user_id=user.pk, name="Ada", language="en", country="US", now=world.now)
    assert contact is not None
    for channel in channels:
        consents.grant(
            contact,
            channel,
            ["weekly_deals"],
            source="fair",
            words="Yes.",
            address=PHONE if channel == "sms" else ADA,
            now=world.now,
        )
    return user


def long_ago(world: World, user: Any) -> Any:
    """Her last order, which in a minute will be 90 days old."""
    order = factories.create_order(user=user)
    Order.objects.filter(pk=order.pk).update(date_placed=world.now - ours.LAPSED_AFTER + timedelta(minutes=1))
    return order


def path_of(url: str) -> str:
    return url.removeprefix("https://testserver")


def gone_quiet(world: World) -> Any:
    """A customer who stayed away, and got the email about it."""
    user = subscriber(world, "email", "sms")
    ProductRecord.objects.create(product=world.product, num_purchases=3)
    long_ago(world, user)
    world.tick()
    world.wait(minutes=2)
    world.tick()
    assert len(world.mails(ADA)) == 1
    return user


def product_link(world: World) -> str:
    """The link in the email that leads to the product."""
    shopper = world.shopper().client
    (letter,) = world.mails(ADA)
    paths = Message.objects.get(step_key="hello").links
    number = paths.index(world.product.get_absolute_url())
    clicked = [link for link in links_in(letter) if "/cc/l/" in link]
    found = [
        link
        for link in dict.fromkeys(clicked)
        if shopper.head(path_of(link))["Location"].endswith(paths[number])
    ]
    return path_of(found[0])


def test_who_stays_away_gets_an_email_and_a_week_later_a_code(world: World) -> None:
    gone_quiet(world)
    assert "Earl Grey" in world.mails(ADA)[0].body
    world.wait(days=7, hours=1)
    assert len(world.offers(PHONE)) == 1
    world.wait(days=30)
    assert len(world.mails(ADA)) == 1, "once for each time"


def test_who_orders_in_between_gets_no_code(world: World) -> None:
    user = gone_quiet(world)
    shopper = world.shopper()
    shopper.client.force_login(user)
    shopper.add(world.product)
    shopper.give_address()
    shopper.choose_shipping()
    shopper.place_order()
    world.wait(days=12)
    assert not world.offers(PHONE)
    assert Enrolment.objects.get(flow__key="win_back").end_reason == "purchased"


@pytest.mark.rule(48)
def test_only_a_person_who_opened_a_product_gets_a_code_for_it(world: World) -> None:
    gone_quiet(world)
    link = product_link(world)
    world.wait(hours=1)
    assert not Enrolment.objects.filter(flow__key="follow_up").exists(), "a program looked, and nobody else"
    world.shopper().client.get(link)
    clicked = world.now
    world.wait(hours=23)
    assert not world.offers(PHONE)
    world.go_to(clicked + timedelta(hours=25))
    (text,) = world.offers(PHONE)
    assert "Earl Grey" in text


def test_who_bought_the_product_gets_no_code_for_it(world: World) -> None:
    user = gone_quiet(world)
    world.wait(hours=1)
    shopper = world.shopper()
    shopper.client.force_login(user)
    shopper.client.get(product_link(world))
    world.wait(hours=2)
    shopper.add(world.product)
    shopper.give_address()
    shopper.choose_shipping()
    shopper.place_order()
    world.wait(days=3)
    assert not world.offers(PHONE)


@pytest.mark.rule(8)
def test_an_invitation_by_email_makes_the_list_of_texts_grow_and_gets_the_credit(world: World) -> None:
    shopper = world.shopper()
    shopper.add(world.product)
    shopper.enter_checkout(ADA, cc_email="on")
    world.wait(days=15)
    (invitation,) = world.mails(ADA, about="by text")
    (link, *_) = [link for link in links_in(invitation) if "/cc/l/" in link]
    page = world.shopper().client.get(path_of(link), follow=True)
    shown = re.search(r'name="cc_shown" value="([^"]+)"', page.content.decode())
    assert shown is not None
    form = {"cc_shown": shown[1], "cc_sms": "1", "cc_phone": PHONE}
    world.shopper().client.post(page.request["PATH_INFO"], form)
    world.tick()
    assert "YES" in world.texts(PHONE)[0]
    world.phones.inbound(PHONE, "YES", INBOUND)
    grown = ConsentEvent.objects.filter(channel="sms", action="grant")
    credited = Message.objects.get(flow__key="sms_invitation")
    assert {event.message_id for event in grown} == {credited.pk}
    world.wait(days=40)
    assert len(world.mails(ADA, about="by text")) == 1
