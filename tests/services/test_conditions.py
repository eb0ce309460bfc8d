"""Steps that go out only under a condition."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.conf import bind_shop
from oscar_crosschannel.models import Enrolment, Message
from oscar_crosschannel.oscar.shop import OscarShop
from oscar_crosschannel.services import conditions, subscribers
from oscar_crosschannel.services.enrolments import Resolved, advance
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, make_contacts, registered

pytestmark = pytest.mark.django_db


@registered
class NotYetBought(Blueprint):
    """Only who has not bought"""

    topic = "basket_reminders"
    start = On("not_yet_bought.began")

    only = send("email", at=After(hours=1), unless="purchased")


@registered
class AlreadyBought(Blueprint):
    """Only who has bought"""

    topic = "basket_reminders"
    start = On("already_bought.began")

    only = send("email", at=After(hours=1), only_if="purchased")


class Buying(OscarShop):
    """A shop in which everybody bought once, at `at`."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def has_bought(self, people: Any, since: Any) -> set[int]:
        return {person.contact_id for person in people if since[person.contact_id] < self.at}


@pytest.fixture
def bought_at_noon() -> Any:
    bind_shop(Buying(NOON))
    yield
    bind_shop(OscarShop())


@registered
class Invites(Blueprint):
    """Only where texts can be sent"""

    topic = "basket_reminders"
    start = On("invites.began")

    only = send("email", at=After(hours=1), only_if="texts_possible")


def run(contact: Any, blueprint: type[Blueprint], started: datetime, **fields: Any) -> Message:
    planned = next(item for item in load_plans() if item.plan.key == blueprint.key)
    enrolment = Enrolment.objects.create(
        contact=contact,
        flow_id=planned.flow_id,
        key=f"{started}",
        started_at=started,
        **{"anchor_at": started, **fields},
    )
    advance([Resolved(enrolment, None, planned)], now=started)
    return Message.objects.select_related("contact", "enrolment").get(enrolment=enrolment)


def test_a_purchase_since_the_run_began_decides(bought_at_noon: None) -> None:
    one, two = make_contacts(2)
    before, after = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
    stopped, goes = run(one, NotYetBought, before), run(two, NotYetBought, after)
    wanted, useless = run(one, AlreadyBought, before), run(two, AlreadyBought, after)
    unmet = conditions.unmet([stopped, goes, wanted, useless], load_plans())
    assert unmet == {stopped.pk, useless.pk}


@pytest.mark.parametrize(
    "began",
    [
        {"anchor_at": NOON - timedelta(minutes=5)},
        {"data": {subscribers.ASKED_AT: (NOON - timedelta(minutes=5)).isoformat()}},
    ],
)
def test_what_is_bought_before_the_engine_hears_or_the_yes_comes_counts(
    began: dict[str, Any], bought_at_noon: None
) -> None:
    late = run(make_contacts(1)[0], NotYetBought, NOON + timedelta(minutes=5), **began)
    assert conditions.unmet([late], load_plans()) == {late.pk}


def test_a_run_about_what_is_to_come_counts_from_its_beginning(bought_at_noon: None) -> None:
    """An event that one books is weeks away when the run begins."""
    ahead = {"anchor_at": NOON + timedelta(days=30)}
    message = run(make_contacts(1)[0], NotYetBought, NOON - timedelta(hours=1), **ahead)
    assert conditions.unmet([message], load_plans()) == {message.pk}


def test_two_runs_of_one_person_are_judged_from_their_own_beginnings(bought_at_noon: None) -> None:
    (person,) = make_contacts(1)
    early = run(person, NotYetBought, NOON - timedelta(hours=1))
    late = run(person, NotYetBought, NOON + timedelta(hours=1))
    assert conditions.unmet([early, late], load_plans()) == {early.pk}
    assert conditions.unmet([late, early], load_plans()) == {early.pk}


CONSOLE = "oscar_crosschannel.channels.sms_backends.console.ConsoleBackend"
TWILIO = "oscar_crosschannel.channels.sms_backends.twilio.TwilioBackend"


@pytest.mark.parametrize(
    ("shop", "goes"),
    [
        ({}, True),
        ({"CROSSCHANNEL_SMS_BACKEND": CONSOLE}, False),
        # a provider that is broken will be mended: until then texts wait, and so do answers to the invitation
        ({"CROSSCHANNEL_SMS_BACKEND": TWILIO, "CROSSCHANNEL_TWILIO": {}}, True),
        ({"CROSSCHANNEL_SMS_BACKEND": "nowhere.Backend"}, True),
        ({"CROSSCHANNEL_CHANNELS": {"email": "oscar_crosschannel.channels.email.EmailChannel"}}, False),
    ],
)
def test_nobody_is_invited_to_texts_by_a_shop_that_sends_none(
    shop: dict[str, Any], goes: bool, settings: Any
) -> None:
    for name, value in shop.items():
        setattr(settings, name, value)
    message = run(make_contacts(1)[0], Invites, NOON)
    assert (message.pk not in conditions.unmet([message], load_plans())) is goes
