"""The first week of somebody who signed up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from oscar.core.loading import get_model

from oscar_crosschannel.models import Enrolment, Flow, FlowStep, Message
from oscar_crosschannel.services.plans import load_plans
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
    steps = Message.objects.filter(flow__key__in=["welcome", "welcome_code"]).order_by("pk")
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
    runs = Enrolment.objects.filter(flow__key__startswith="welcome")
    assert {run.flow.key: run.state for run in runs} == dict.fromkeys(
        ["welcome", "welcome_code"], Enrolment.State.ENDED
    )


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


def test_who_buys_before_the_code_could_come_needs_none(world: World) -> None:
    shopper = register(world, confirm=False)
    world.wait(minutes=10)
    shopper.add(world.product)
    shopper.give_address()
    shopper.choose_shipping()
    shopper.place_order()
    world.wait(hours=5)
    world.phones.inbound(PHONE, "YES", INBOUND)
    world.wait(days=9)
    assert not world.offers(PHONE)
    assert (resolved()["hello"], resolved()["story"]) == ("condition", "email")


@pytest.mark.rule(8)
def test_the_code_waits_for_the_yes(world: World) -> None:
    register(world, confirm=False)
    assert not world.offers(PHONE)
    world.wait(hours=5)
    assert not world.offers(PHONE)
    world.phones.inbound(PHONE, "YES", INBOUND)
    world.wait(minutes=1)
    assert len(world.offers(PHONE)) == 1


#: Half past eight in the evening in Seattle, on a Tuesday and on a Saturday: no text may ask before the next day,
#: which on a Sunday begins at noon.
TUESDAY, SATURDAY = datetime(2026, 3, 11, 3, 30, tzinfo=UTC), datetime(2026, 3, 15, 3, 30, tzinfo=UTC)


@pytest.mark.rule(8)
@pytest.mark.parametrize(
    ("signed_up", "yes"),
    [(TUESDAY, timedelta(hours=23, minutes=45)), (SATURDAY, timedelta(hours=35, minutes=45))],
)
def test_who_says_yes_in_time_gets_the_code_however_late_that_is(
    signed_up: datetime, yes: timedelta, world: World
) -> None:
    world.go_to(signed_up)
    register(world, confirm=False)
    world.go_to(signed_up + yes)
    assert not world.offers(PHONE)
    world.phones.inbound(PHONE, "YES", INBOUND)
    world.wait(days=1)
    assert len(world.offers(PHONE)) == 1
    world.go_to(signed_up + timedelta(days=9))
    assert len(world.offers(PHONE)) == 2
    assert len(world.mails(ADA)) == 2


def let_emails_bring_the_code() -> None:
    """The merchant's fallback."""
    load_plans()
    flow = Flow.objects.get(key="welcome_code")
    FlowStep.objects.create(flow=flow, key="hello", channels=["sms", "email"])


@pytest.mark.rule(8)
def test_with_emails_as_second_choice_the_code_still_waits_for_the_yes(world: World) -> None:
    let_emails_bring_the_code()
    register(world, confirm=False)
    world.wait(minutes=3)
    assert not world.mails(ADA), "the shop's own mail about the account has just come"
    world.phones.inbound(PHONE, "YES", INBOUND)
    world.tick()
    assert (len(world.offers(PHONE)), world.mails(ADA)) == (1, [])


@pytest.mark.rule(8)
def test_with_emails_as_second_choice_the_code_comes_once_the_question_has_run_out(world: World) -> None:
    let_emails_bring_the_code()
    register(world, confirm=False)
    world.wait(hours=23, minutes=59)
    assert not world.mails(ADA)
    world.wait(days=9)
    assert not world.offers(PHONE)
    assert resolved() == {"hello": "email", "story": "email", "guide": "email", "expiring": "no_consent"}
    assert len([message for message in world.mails(ADA) if CODE.search(message.body)]) == 1


@pytest.mark.rule(8)
def test_without_the_yes_the_texts_are_left_out_and_the_emails_are_not(world: World) -> None:
    register(world, confirm=False)
    world.wait(days=9)
    assert len(world.mails(ADA)) == 2
    assert len(world.texts(PHONE)) == 1, "only the question"
    assert resolved() == {"hello": "no_consent", "story": "email", "guide": "email", "expiring": "no_consent"}


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
    assert Enrolment.objects.filter(flow__key__startswith="welcome").count() == 2
    assert len(world.mails(ADA)) == 2


def test_who_ticks_no_box_hears_nothing(world: World) -> None:
    world.shopper().register(ADA)
    world.wait(days=10)
    assert not world.mails(ADA)
    assert world.phones.messages == []
