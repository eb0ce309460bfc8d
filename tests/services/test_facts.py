"""Rows become what policies may know: five statements for a batch, whatever its size."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel.core.facts import Answer, Basis, Block, Facts
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.policies import DEFAULT_CAPS, fewer
from oscar_crosschannel.models import (
    Consent,
    ConsentEvent,
    Contact,
    ContactPoint,
    Guard,
    Message,
    Suppression,
)
from oscar_crosschannel.services import consents, evidence, facts, limits
from oscar_crosschannel.services.plans import load_plans
from tests.factories import LONG_AGO, NOON, make_contacts, owe
from tests.services.stage import Letter, Notice

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def gather(people: Collection[Contact]) -> dict[int, Facts]:
    return facts.gather(people, load_plans(), limits.load(), now=NOON, closed={})


def sent(person: Contact, at: datetime, **changes: Any) -> Message:
    message = owe(person, Letter, f"intent {at}", due=at)
    point = person.points.get(channel="email")
    message.state, message.attempted_at, message.channel = State.SENT, at, "email"
    message.address_digest = point.digest
    for name, value in changes.items():
        setattr(message, name, value)
    message.save()
    return message


@pytest.fixture
def person() -> Contact:
    return make_contacts(1)[0]


# It works.


def test_five_statements_for_one_and_for_many() -> None:
    plans, loaded = load_plans(), limits.load()
    counts = []
    for people in (make_contacts(1), make_contacts(60)):
        for each in people:
            sent(each, NOON - HOUR)
        with CaptureQueriesContext(connection) as queries:
            facts.gather(people, plans, loaded, now=NOON, closed={})
        counts.append(len(queries))
    assert counts == [5, 5]


def test_a_point_in_use_comes_with_its_consents(person: Contact) -> None:
    known = gather([person])[person.pk]
    assert set(known.points) == {"email", "sms"}
    assert known.points["email"].consents["basket_reminders"].answer is Answer.GRANTED
    assert known.hours["sms"].zones == ("America/New_York",)
    assert known.caps == DEFAULT_CAPS  # New York has none of its own


def test_what_was_sent_within_the_longest_window_counts(person: Contact) -> None:
    sent(person, NOON - timedelta(days=29))
    sent(person, NOON - timedelta(days=31))
    assert [each.at for each in gather([person])[person.pk].sent] == [NOON - timedelta(days=29)]


@pytest.mark.rule(37)
@pytest.mark.parametrize("state", [State.CLAIMED, State.SENDING, State.UNKNOWN, State.SENT])
def test_what_may_have_gone_out_counts_in_every_state(person: Contact, state: State) -> None:
    sent(person, NOON - HOUR, state=state)
    assert len(gather([person])[person.pk].sent) == 1


@pytest.mark.rule(37)
def test_what_went_to_the_same_address_for_another_contact_counts_for_the_law(person: Contact) -> None:
    (twin,) = make_contacts(1)
    shared = person.points.get(channel="email")
    ContactPoint.objects.filter(contact=twin, channel="email").update(
        address=shared.address, digest=shared.digest
    )
    sent(twin, NOON - HOUR)
    (other,) = gather([person])[person.pk].sent
    assert (other.same_contact, other.digest) == (False, shared.digest)


def test_a_pause_binds_everybody_at_the_address(person: Contact) -> None:
    (twin,) = make_contacts(1)
    shared = person.points.get(channel="sms")
    ContactPoint.objects.filter(contact=twin, channel="sms").update(
        address=shared.address, digest=shared.digest
    )
    Contact.objects.filter(pk=twin.pk).update(paused_until=NOON + HOUR)
    points = gather([person])[person.pk].points
    assert (points["sms"].paused_until, points["email"].paused_until) == (NOON + HOUR, None)
    Contact.objects.filter(pk=twin.pk).update(paused_until=NOON)
    assert gather([person])[person.pk].points["sms"].paused_until is None


def test_what_is_due_soon_reserves_its_slot(person: Contact) -> None:
    soon, far = owe(person, Letter, "soon", due=NOON + HOUR), owe(person, Letter, "far", due=NOON + 30 * HOUR)
    Message.objects.bulk_create([soon, far, owe(person, Notice, "order", due=NOON + HOUR)])
    assert [each.intent for each in gather([person])[person.pk].reserved] == ["soon"]


@pytest.mark.rule(1, 14)
def test_a_consent_comes_with_its_kind_and_its_proof_of_age(person: Contact) -> None:
    Consent.objects.filter(point__channel="sms").update(basis="soft_opt_in", proven_age=34)
    Consent.objects.filter(point__channel="email").update(basis="")
    points = gather([person])[person.pk].points
    by_text = points["sms"].consents["basket_reminders"]
    assert (by_text.basis, by_text.proven_age) == (Basis.SOFT_OPT_IN, 34)
    assert points["email"].consents["basket_reminders"].basis is Basis.NONE


def ask(point: ContactPoint) -> None:
    """Somebody typed the number into a form."""
    request = ConsentEvent(
        contact=point.contact, point=point, channel="sms", address=point.address, topic="service",
        action="request", basis="none", source="form", expires_at=NOON + HOUR, at=NOON,
    )  # fmt: skip
    evidence.append(request)


def test_what_was_stopped_by_name_stays_so_until_it_is_granted_anew(person: Contact) -> None:
    phone = person.points.get(channel="sms")

    def known() -> tuple[Answer, bool]:
        consent = gather([person])[person.pk].points["sms"].consents["service"]
        return consent.answer, consent.stopped_by_name

    def grant() -> None:
        consents.grant(person, "sms", ["service"], source="fair", words="Yes.", now=NOON)

    grant()
    assert known() == (Answer.GRANTED, False)
    consents.revoke("sms", phone.address, topics=["service"], source="page", mechanism="link", now=NOON)
    assert known() == (Answer.REVOKED, True)
    ask(phone)
    assert known() == (Answer.PENDING, True), "anybody can ask"
    grant()
    assert known() == (Answer.GRANTED, False)
    consents.revoke("sms", phone.address, topics=None, source="page", mechanism="link", now=NOON)
    assert known() == (Answer.REVOKED, False), "everything is no name"


@pytest.mark.rule(1)
def test_the_place_of_a_number_says_which_consent_it_accepts(person: Contact) -> None:
    assert gather([person])[person.pk].bases == {"sms": {Basis.EXPRESS_WRITTEN}}


@pytest.mark.rule(37)
def test_the_cap_of_a_state_binds_those_who_live_there(person: Contact) -> None:
    person.country, person.region = "US", "Florida"
    (other,) = make_contacts(1)
    known = gather([person, other])
    assert [cap.key for cap in known[person.pk].caps if cap not in DEFAULT_CAPS] == ["law-US-FL"]
    assert known[other.pk].caps == DEFAULT_CAPS


def test_what_a_person_wants_of_marketing_is_known(person: Contact) -> None:
    person.paused_until, person.fewer = NOON + HOUR, True
    known = gather([person])[person.pk]
    assert (known.paused_until, known.caps) == (NOON + HOUR, fewer(DEFAULT_CAPS))


def test_a_message_counts_for_its_topic(person: Contact) -> None:
    sent(person, NOON - HOUR, topic="news")
    later = owe(person, Letter, "soon", due=NOON + HOUR)
    later.topic = "deals"
    later.save()
    known = gather([person])[person.pk]
    assert ([each.topic for each in known.sent], [each.topic for each in known.reserved]) == (
        ["news"],
        ["deals"],
    )


@pytest.mark.rule(50)
def test_a_channel_whose_marketing_is_paused_is_known(person: Contact) -> None:
    Guard.objects.create(
        channel="email", measure="complaints", level="paused", bad=3, sent=900, since=NOON - HOUR
    )
    assert gather([person])[person.pk].guarded == {"email"}


def test_a_projects_caps_replace_the_default_ones(person: Contact, settings: Any) -> None:
    settings.CROSSCHANNEL_CAPS = [
        {"name": "one a year", "most": 1, "window": timedelta(days=365), "channels": ["sms"]}
    ]
    (cap,) = gather([person])[person.pk].caps
    assert (cap.window, cap.channels) == (timedelta(days=365), frozenset({"sms"}))


# It refuses.


def test_an_address_no_longer_in_use_is_not_known(person: Contact) -> None:
    person.points.filter(channel="sms").update(current=False)
    assert set(gather([person])[person.pk].points) == {"email"}


def test_a_block_counts_on_its_channel_only_and_until_it_is_lifted(person: Contact) -> None:
    digest = person.points.get(channel="email").digest
    row = Suppression.objects.create(
        channel="email", digest=digest, cause="manual", scope="marketing", since=NOON
    )
    assert gather([person])[person.pk].points["email"].blocked is Block.MARKETING
    assert gather([person])[person.pk].points["sms"].blocked is None
    row.lifted_at = NOON
    row.save()
    assert gather([person])[person.pk].points["email"].blocked is None


def test_one_persons_facts_are_not_anothers(person: Contact) -> None:
    (other,) = make_contacts(1)
    sent(person, NOON - HOUR)
    Consent.objects.filter(point__contact=person).update(answer=Answer.REVOKED)
    known = gather([person, other])[other.pk]
    assert known.sent == ()
    assert known.points["email"].consents["basket_reminders"].answer is Answer.GRANTED


# It survives.


def test_somebody_without_any_address_is_judged_too() -> None:
    nobody = Contact.objects.create(created_at=LONG_AGO)
    known = gather([nobody])[nobody.pk]
    assert (known.points, known.sent, known.reserved) == ({}, (), ())
