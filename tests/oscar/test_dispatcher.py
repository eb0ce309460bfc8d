"""A store whose dispatcher mixes ours in has its own text messages sent."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.serializers import serialize
from django.utils import timezone
from oscar.apps.communication.utils import Dispatcher as OscarsDispatcher

from oscar_crosschannel.core.facts import Block
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import Contact, Enrolment, InboxEvent, Message, Suppression
from oscar_crosschannel.oscar import dispatcher
from oscar_crosschannel.oscar.dispatcher import SmsDispatcherMixin
from oscar_crosschannel.services import contacts, dispatch, erasing
from tests.oscar.conftest import make_user
from tests.services.stage import CHANNELS, Wires, wires

pytestmark = [pytest.mark.django_db]
PHONE = "+12065550123"
MESSAGES = {"subject": "", "body": "", "html": "", "sms": " Your order 100023 is in. "}


class Dispatcher(SmsDispatcherMixin, OscarsDispatcher):
    """As a store's fork of `communication.utils` has it."""


@pytest.fixture
def sms(settings: Any) -> Wires:
    settings.CROSSCHANNEL_CHANNELS = CHANNELS
    wires.cache_clear()
    return wires()


@pytest.fixture
def ada(db: None) -> Any:
    user = make_user("ada@example.com")
    person = contacts.identify(user_id=user.pk, now=timezone.now())
    assert person is not None
    contacts.set_point(person, "sms", PHONE, source="account", now=timezone.now())
    return user


def test_a_text_goes_out_with_the_next_tick_and_stands_in_the_ledger(ada: Any, sms: Wires) -> None:
    sent = Dispatcher().dispatch_user_messages(ada, MESSAGES)
    assert sent == {"sms": "Your order 100023 is in."}
    assert not sms.calls, "no provider is called inside the request"

    dispatch.tick(timezone.now())
    assert [(call.recipient.address, call.content.text) for call in sms.calls] == [
        (PHONE, "Your order 100023 is in.")
    ]
    assert Message.objects.get().flow.key == "shop_texts"


@pytest.mark.rule(26)
def test_who_said_stop_gets_none(ada: Any, sms: Wires) -> None:
    Suppression.objects.create(
        channel="sms",
        digest=contacts.digest("sms", PHONE),
        cause=Suppression.Cause.REVOKED,
        scope=Block.EVERYTHING,
        since=timezone.now(),
    )
    Dispatcher().dispatch_user_messages(ada, MESSAGES)
    dispatch.tick(timezone.now())
    assert not sms.calls
    assert Message.objects.get().reason == "suppressed"


@pytest.mark.rule(15)
@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("how", ["sent", "on its way", "waiting"])
def test_its_words_are_forgotten_with_the_person(how: str, statistics: bool, ada: Any, sms: Wires) -> None:
    Dispatcher().dispatch_user_messages(ada, MESSAGES)
    if how != "waiting":
        dispatch.tick(timezone.now())
    if how == "on its way":
        Message.objects.update(state=State.SENDING)
    erasing.erase(
        Contact.objects.get(), cause="request", by="mina", now=timezone.now(), statistics=statistics
    )
    left = [*InboxEvent.objects.all(), *Enrolment.objects.all(), *Message.objects.all()]
    assert "100023" not in serialize("json", left)
    dispatch.tick(timezone.now())
    assert len(sms.calls) == (how != "waiting")


def test_a_message_without_a_text_is_left_alone(ada: Any, sms: Wires) -> None:
    Dispatcher().dispatch_user_messages(ada, {**MESSAGES, "sms": "  "})
    dispatch.tick(timezone.now())
    assert not Message.objects.exists()


def test_an_inbox_that_is_down_costs_nobody_an_order(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*events: Any, now: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(dispatcher.inbox, "publish", broken)
    assert Dispatcher().dispatch_user_messages(ada, MESSAGES)
