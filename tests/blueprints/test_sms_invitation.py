"""Who is invited to the texts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oscar_crosschannel.blueprints.sms_invitation import SmsInvitation
from oscar_crosschannel.models import Contact
from oscar_crosschannel.services import consents, setup
from tests.blueprints.runs import make_run
from tests.factories import NOON
from tests.services.shoppers import ANN, PHONE, guest, tick

pytestmark = pytest.mark.django_db

INVITE = SmsInvitation()


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    setup.install()


@pytest.fixture
def ann() -> Contact:
    contact = guest()
    tick(contact, "email", ANN)
    return contact


def wanted(contact: Contact) -> bool:
    return INVITE.still_wanted([make_run(NOON, contact=contact)]) == {1}


def test_one_email_two_weeks_after_the_yes_to_emails() -> None:
    plan = SmsInvitation.plan()
    (invite,) = plan.steps
    assert (plan.start.event, plan.start.once) == ("consent.granted.email", True)
    assert (invite.channels, invite.delay) == (("email",), timedelta(days=14))
    assert [stop.event for stop in plan.stops] == ["consent.granted.sms"]
    assert plan.faults() == ()


def test_who_said_nothing_about_texts_is_invited(ann: Contact) -> None:
    assert wanted(ann)
    tick(ann, "sms", "", given=False)
    assert wanted(ann), "an empty box is no answer"


@pytest.mark.rule(19)
def test_who_said_yes_or_no_or_is_being_asked_is_not(ann: Contact) -> None:
    tick(ann, "sms", PHONE)
    assert not wanted(ann), "being asked"
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    assert not wanted(ann)
    consents.revoke("sms", PHONE, topics=None, source="keyword", mechanism="reply", now=NOON)
    assert not wanted(ann)


def test_the_email_leads_to_the_page_that_signs_up(ann: Contact) -> None:
    context = INVITE.context([make_run(NOON, contact=ann)])[1]
    assert context.links["join"].startswith("/cc/t/")
