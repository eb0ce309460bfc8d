"""The first week of somebody who signed up."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from oscar.core.loading import get_model

from oscar_crosschannel.models import Enrolment, Message
from tests.oscar.conftest import Shopper
from tests.stories.conftest import CODE, World

Order = get_model("order", "Order")

pytestmark = pytest.mark.slow
ADA, PHONE = "ada@example.com", "+12065550123"
INBOUND = "https://testserver/cc/twilio/inbound/"
TEXTS = {"cc_sms": "on", "cc_phone": PHONE}


def register(world: World, *, confirm: bool = True, **boxes: str) -> Shopper:
    """A new account; the YES comes at once, if at all."""
    shopper = world.shopper()
    shopper.register(ADA, **{"cc_email": "on", **TEXTS, **boxes})
    world.tick()
    if confirm:
        world.phones.inbound(PHONE, "YES", INBOUND)
        world.tick()
    return shopper


def resolved() -> dict[str, str]:
    """What became of each step of the welcome: its reason, or how it was sent."""
    steps = Message.objects.filter(flow__key="welcome").order_by("pk")
    return {message.step_key: message.reason or message.channel for message in steps}


def test_a_code_at_once_two_emails_and_a_word_before_the_code_ends(world: World) -> None:
    register(world)
    (code_text,) = world.offers(PHONE)
    code = CODE.search(code_text)
    assert code is not None
    assert "STOP" in code_text
    assert not world.mails(ADA), "the shop's own mail about the account comes now"
    assert mail.outbox

    world.wait(days=1, hours=1)
    assert len(world.mails(ADA)) == 1
    world.wait(days=2)
    assert len(world.mails(ADA)) == 2
    world.wait(days=4)
    assert [CODE.search(text)[0] for text in world.offers(PHONE)] == [code[0]] * 2  # type: ignore[index]
    world.wait(days=10)
    assert len(world.offers(PHONE)) == 2
    assert Enrolment.objects.get(flow__key="welcome").state == Enrolment.State.ENDED


def test_who_bought_hears_no_more_of_the_code(world: World) -> None:
    shopper = register(world)
    world.wait(days=5)
    shopper.add(world.product)
    shopper.give_address()
    shopper.choose_shipping()
    shopper.place_order()
    assert Order.objects.count() == 1
    world.wait(days=5)
    assert len(world.offers(PHONE)) == 1
    assert resolved()["expiring"] == "condition"


@pytest.mark.rule(8)
def test_the_code_waits_for_the_yes(world: World) -> None:
    register(world, confirm=False)
    assert not world.offers(PHONE)
    world.wait(hours=5)
    assert not world.offers(PHONE)
    world.phones.inbound(PHONE, "YES", INBOUND)
    world.wait(minutes=1)
    assert len(world.offers(PHONE)) == 1


@pytest.mark.rule(8)
def test_without_the_yes_the_texts_are_left_out_and_the_emails_are_not(world: World) -> None:
    register(world, confirm=False)
    world.wait(days=9)
    assert len(world.mails(ADA)) == 2
    assert len(world.texts(PHONE)) == 1, "only the question"
    assert resolved() == {"hello": "expired", "story": "email", "guide": "email", "expiring": "no_consent"}


def test_without_a_number_the_emails_come_alone(world: World) -> None:
    world.shopper().register(ADA, cc_email="on")
    world.tick()
    world.wait(days=9)
    assert len(world.mails(ADA)) == 2
    assert resolved()["hello"] == "no_point"


def test_who_signs_up_twice_is_welcomed_once(world: World) -> None:
    shopper = register(world)
    page = shopper.client.get("/cc/sign-up/")
    shown = re.search(r'name="cc_shown" value="([^"]+)"', page.content.decode())
    assert shown is not None
    world.wait(days=2)
    form: dict[str, Any] = {"cc_shown": shown[1], "cc_email": "on", **TEXTS}
    shopper.client.post("/cc/sign-up/", form)
    world.wait(days=10)
    assert Enrolment.objects.filter(flow__key="welcome").count() == 1
    assert len(world.mails(ADA)) == 2


def test_who_ticks_no_box_hears_nothing(world: World) -> None:
    world.shopper().register(ADA)
    world.wait(days=10)
    assert not world.mails(ADA)
    assert world.phones.messages == []
