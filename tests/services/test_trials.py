"""Test messages: through the real channel, marked, and never to who said stop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from oscar_crosschannel.channels.base import Pace
from oscar_crosschannel.channels.sms_backends.locmem import outbox
from oscar_crosschannel.core.outbound import Content, NotSent, Receipt, Refused, UnknownOutcome
from oscar_crosschannel.models import ChannelRest, Message, Suppression
from oscar_crosschannel.services import consents, pacing, setup, suppressions, trials
from oscar_crosschannel.services.plans import PlannedFlow, load_plans
from oscar_crosschannel.services.rendering import CopyKey
from tests.factories import NOON, make_contacts
from tests.services.stage import Letters, Wires

pytestmark = pytest.mark.django_db

NUMBER = "+12125550123"


@pytest.fixture(autouse=True)
def _shop(settings: Any) -> None:
    settings.CROSSCHANNEL_BASE_URL = "https://shop.example"
    setup.install()
    outbox.clear()


def planned() -> PlannedFlow:
    return next(item for item in load_plans() if item.plan.key == "abandoned_cart")


def try_out(channel: str, content: Content, address: str) -> Any:
    found = planned()
    key = CopyKey(found.flow_id, found.plan.key, "any", channel, "en")
    return trials.send(found, key, content, address, now=NOON)


# It works.


def test_an_email_goes_out_marked_as_a_test() -> None:
    result = try_out("email", Content(subject="Hello", text="Hi", html="<p>Hi</p>"), "ann@example.com")

    assert isinstance(result, Receipt)
    (sent,) = mail.outbox
    assert (sent.subject, sent.to) == ("[Test] Hello", ["ann@example.com"])
    assert sent.extra_headers["List-Unsubscribe"].startswith("<https://shop.example/")
    assert Message.objects.count() == 0


def test_a_text_is_marked_where_that_costs_nothing() -> None:
    try_out("sms", Content(text="Hi STOP"), NUMBER)
    try_out("sms", Content(text="x" * 160), NUMBER)
    assert [sent.content.text for sent in outbox] == ["[Test] Hi STOP", "x" * 160]
    assert {sent.callback_url for sent in outbox} == {""}


def test_an_address_is_understood_as_people_write_it() -> None:
    assert trials.addressed("sms", "+1 (212) 555-0123") == NUMBER
    assert trials.addressed("email", " Ann@Example.com ") == "ann@example.com"


def test_the_outcome_is_a_sentence_without_the_whole_address() -> None:
    told = {
        Receipt(provider="x"): "The provider took the test for +1••••••0123.",
        Refused("No mailbox."): "The test for +1••••••0123 was refused: No mailbox.",
        NotSent("Busy."): "The test for +1••••••0123 was not sent: Busy. Try again later.",
        UnknownOutcome(
            "?"
        ): "The provider gave no clear answer: the test for +1••••••0123 may or may not arrive.",
    }
    for result, sentence in told.items():
        assert trials.outcome(result, NUMBER) == sentence


# It refuses.


@pytest.mark.rule(26)
@pytest.mark.parametrize("cause", Suppression.Cause)
def test_a_suppressed_address_gets_no_test(cause: Suppression.Cause) -> None:
    for scope in Suppression.Scope:
        suppressions.suppress("sms", NUMBER, cause=cause, scope=scope, now=NOON)
        with pytest.raises(trials.NotAllowed, match="suppression list"):
            trials.addressed("sms", NUMBER)
        Suppression.objects.all().delete()


@pytest.mark.rule(19)
def test_nobody_is_texted_after_stop_not_even_as_a_test() -> None:
    (contact,) = make_contacts(1)
    number = contact.points.get(channel="sms").address
    consents.revoke(
        "sms", number, topics=None, source="keyword", mechanism="reply", now=NOON, verbatim="STOP"
    )
    with pytest.raises(trials.NotAllowed):
        trials.addressed("sms", number)


@pytest.mark.parametrize(("channel", "raw"), [("sms", "555"), ("sms", "+1"), ("email", "ann"), ("email", "")])
def test_what_is_no_address_is_told(channel: str, raw: str) -> None:
    with pytest.raises(trials.NotAllowed, match="This is no"):
        trials.addressed(channel, raw)


@pytest.mark.rule(56)
def test_while_a_channel_rests_no_test_is_tried(sms: Wires) -> None:
    rest = ChannelRest.objects.create(
        channel="sms", since=NOON, until=NOON + timedelta(minutes=4, seconds=1), code="20003"
    )
    with pytest.raises(trials.NotAllowed, match=r"does not work at the moment. Try again in 5 minutes."):
        try_out("sms", Content(text="Hi"), NUMBER)
    assert not sms.calls

    ChannelRest.objects.filter(pk=rest.pk).update(until=NOON)
    assert isinstance(try_out("sms", Content(text="Hi"), NUMBER), Receipt)


@pytest.mark.rule(80)
def test_a_test_takes_its_turns_as_every_message_does(sms: Wires) -> None:
    sms.per_second, sms.costs = 0.1, lambda content: 3
    assert isinstance(try_out("sms", Content(text="Hi"), NUMBER), Receipt)
    assert not pacing.Turns().take(Pace(sender="sms", per_second=0.1), 1, now=NOON + timedelta(seconds=29))
    with pytest.raises(trials.NotAllowed, match=r"busy with other messages. Try again in 30 seconds."):
        try_out("sms", Content(text="Hi"), NUMBER)
    assert len(sms.calls) == 1


# It survives.


def test_a_channel_that_breaks_its_contract_leaves_an_unknown_outcome(email: Letters, sms: Wires) -> None:
    sms.fail(ZeroDivisionError())
    email.fail(Refused("No."))
    assert isinstance(try_out("sms", Content(text="Hi"), NUMBER), UnknownOutcome)
    assert isinstance(try_out("email", Content(text="Hi"), "ann@example.com"), Refused)
