"""Who begins to get messages: told once, and only of an agreement that counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oscar_crosschannel.models import InboxEvent
from oscar_crosschannel.services import consents, contacts, keyword_sign_up, setup, subscribers
from tests.factories import NOON
from tests.services.consenting import request_of
from tests.services.shoppers import ANN, OTHER_PHONE, PHONE, TOPICS, guest, member, tick

pytestmark = pytest.mark.django_db

JOINED = "subscriber.joined"


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    setup.install()


def told() -> list[str]:
    told = InboxEvent.objects.filter(name__regex="^(subscriber|consent.granted)")
    return sorted(told.values_list("name", flat=True))


# it works


@pytest.mark.parametrize("form", ["registration", "sign_up"])
def test_who_signs_up_has_joined(form: str) -> None:
    ann = guest()
    tick(ann, "email", ANN, form=form)
    assert told() == ["consent.granted.email", JOINED]
    event = InboxEvent.objects.get(name=JOINED)
    assert (event.subjects, event.occurred_at, event.data) == ({"contact": ann.pk}, NOON, {})
    assert contacts.owner_of("contact", ann.pk) == ann


def test_who_texts_the_word_has_joined() -> None:
    keyword_sign_up.take(PHONE, body="JOIN", sid="SM1", now=NOON)
    assert told() == ["consent.granted.sms", JOINED]


def test_a_box_in_the_checkout_is_an_agreement_and_no_sign_up() -> None:
    tick(guest(), "email", ANN, form="gateway")
    assert told() == ["consent.granted.email"]


# it refuses


@pytest.mark.rule(8)
def test_a_box_that_waits_for_its_confirmation_tells_nothing_before_the_yes() -> None:
    """Anybody can type any address; that burns nobody's welcome."""
    ann = guest()
    tick(ann, "sms", PHONE, form="registration")
    assert told() == []
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + timedelta(hours=3))
    assert told() == ["consent.granted.sms", JOINED]
    event = InboxEvent.objects.get(name=JOINED)
    assert event.occurred_at == NOON + timedelta(hours=3)
    assert event.data == {subscribers.ASKED_AT: NOON.isoformat()}


def test_a_number_that_is_asked_after_its_mailbox_was_asked_for_when_the_form_was_sent() -> None:
    tick(guest(), "sms", PHONE, owns=ANN, form="sign_up")
    consents.confirm_link(request_of("sms"), now=NOON + timedelta(hours=1))
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + timedelta(hours=2))
    assert InboxEvent.objects.get(name=JOINED).data == {subscribers.ASKED_AT: NOON.isoformat()}


def test_an_agreement_given_elsewhere_welcomes_nobody() -> None:
    consents.grant(guest(), "email", TOPICS, source="fair", words="Yes.", address=ANN, now=NOON)
    assert told() == []


def test_texts_about_an_order_are_no_news() -> None:
    digest = consents.wording("order_texts", "en").digest
    tick(guest(), "sms", PHONE, form="sign_up", kind="order_texts", text=digest)
    assert consents.wording("order_texts", "en").topics == ("order_updates",)
    assert told() == []


# it survives


def test_who_signs_up_again_or_for_more_is_told_of_once() -> None:
    ann = member()
    tick(ann, "email", ANN, form="registration", signed_in=True)
    InboxEvent.objects.update(processed_at=NOON)
    consents.revoke("email", ANN, topics=None, source="page", mechanism="button", now=NOON)
    tick(ann, "email", ANN, form="sign_up", signed_in=True, owns=ANN)
    for number in (PHONE, OTHER_PHONE):
        tick(ann, "sms", number, form="registration", signed_in=True)
        consents.confirm_reply(number, body="YES", provider_id=number, now=NOON)
    assert told() == ["consent.granted.email", "consent.granted.sms", JOINED]
    assert not InboxEvent.objects.filter(name=JOINED, processed_at=None).exists()
