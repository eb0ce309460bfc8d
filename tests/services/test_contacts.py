"""Who a person is, and what happens when two turn out to be one."""

from __future__ import annotations

from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import Consent, Contact, ContactPoint, Enrolment, Message
from oscar_crosschannel.services import consents, contacts, facts, suppressions
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, enrol_all, owe, registered
from tests.services.shoppers import ANN, OTHER_PHONE, PHONE, TOPICS, account, guest, member, permitted, tick

pytestmark = pytest.mark.django_db


@registered
class MergedFlow(Blueprint):
    """Only here"""

    topic = "basket_reminders"
    start = On("test.merge")
    hello = send("email", at=After(hours=1))


def grant(contact: Contact, channel: str, address: str, *topics: str) -> None:
    consents.grant(contact, channel, topics or TOPICS, source="test", words="Yes.", address=address, now=NOON)


def is_blocked(contact: Contact) -> bool:
    """Whether the engine, which knows points by their digest, may text this person nothing."""
    gathered = facts.gather([contact], load_plans(), now=NOON, closed={})[contact.pk]
    return gathered.points["sms"].blocked is not None


# it works


def test_a_guest_is_known_by_email_however_it_is_typed() -> None:
    assert guest("Ann@Example.COM ") == guest("ann@example.com")


def test_an_account_is_one_contact() -> None:
    user = account()
    first = contacts.identify(user_id=user.pk, now=NOON)
    user.email = "ann.new@example.com"
    user.save()
    assert contacts.identify(user_id=user.pk, now=NOON) == first
    assert first is not None
    assert contacts.find_by_address("email", "ann.new@example.com") == [first]


def test_a_guest_who_types_the_email_of_one_account_is_taken_for_its_owner() -> None:
    assert guest("ANN@example.com") == (ann := member())  # whichever came first
    assert guest("ANN@example.com") == ann


def test_an_account_that_nobody_saw_yet_is_found_by_its_email() -> None:
    user = account("Ann@example.com")
    assert guest("ann@example.com").user_id == user.pk


def test_registering_keeps_what_the_guest_did_before() -> None:
    before = guest(name="Ann", language="de")
    grant(before, "sms", PHONE)
    after = member()
    assert after == before
    assert after.name == "Ann"
    assert permitted(after, "sms") == set(TOPICS)


def test_a_guest_under_the_old_email_of_an_account_is_somebody_else() -> None:
    ann = member()
    assert ann.user is not None
    ann.user.email = "new@example.com"
    ann.user.save()
    assert guest(ANN) != ann


def test_account_and_guest_become_one_when_they_turn_out_to_share_the_email() -> None:
    ann = member("old@example.com")
    before = guest("new@example.com")
    contacts.set_point(before, "sms", PHONE, source="order", now=NOON)
    assert ann.user is not None
    ann.user.email = "new@example.com"
    ann.user.save()
    assert contacts.identify(user_id=ann.user_id, now=NOON) == ann
    before.refresh_from_db()
    assert before.merged_into == ann
    assert contacts.find_by_address("sms", PHONE) == [ann]


def test_a_phone_knows_its_zones_and_country() -> None:
    point = contacts.set_point(guest(), "sms", "(206) 555-0123", source="order", now=NOON)
    assert point is None  # whose country is not known
    point = contacts.set_point(guest(country="US"), "sms", "(206) 555-0123", source="order", now=NOON)
    assert point is not None
    assert (point.address, point.country, point.zones) == (PHONE, "US", ["America/Los_Angeles"])


def test_what_belongs_to_a_person_follows_a_merge() -> None:
    one, other = guest("one@example.com"), guest("other@example.com")
    contacts.remember("basket", 7, other)
    contacts.merge(one, other, now=NOON)
    assert contacts.owner_of("basket", 7) == one
    assert contacts.owner_of("basket", 8) is None
    assert guest("other@example.com") == one


def test_a_merge_ends_the_runs_of_the_one_who_is_gone() -> None:
    one, other = guest("one@example.com"), guest("other@example.com")
    enrol_all([one, other], MergedFlow, anchor=NOON)
    contacts.merge(one, other, now=NOON)
    assert Enrolment.objects.get(contact=other).state == Enrolment.State.ENDED
    assert Message.objects.get(contact=other).state == State.CANCELLED
    assert Message.objects.get(contact=one).state == State.PLANNED


def test_the_list_of_suppressed_addresses_cannot_be_read_without_the_key(settings: Any) -> None:
    digest = contacts.digest("email", ANN)
    settings.CROSSCHANNEL_ADDRESS_KEY = "another key"
    assert contacts.digest("email", ANN) != digest
    assert len(digest) == 64


@pytest.mark.rule(26)
def test_people_and_their_stops_survive_another_key(settings: Any) -> None:
    settings.CROSSCHANNEL_ADDRESS_KEY = ""
    ann, bob = guest("ann@example.com"), member("bob@example.com")
    for contact in (ann, bob):
        grant(contact, "sms", PHONE)
    settings.CROSSCHANNEL_ADDRESS_KEY = "set one day"
    assert guest("ann@example.com") == ann
    assert guest("bob@example.com") == bob
    assert contacts.find_by_address("sms", PHONE) == [ann, bob]
    consents.revoke("sms", PHONE, topics=None, source="keyword", mechanism="keyword", now=NOON)
    assert [permitted(contact, "sms") for contact in (ann, bob)] == [set(), set()]
    assert all(is_blocked(contact) for contact in (ann, bob))
    carol = guest("carol@example.com")
    contacts.set_point(carol, "sms", PHONE, source="order", now=NOON)
    assert is_blocked(carol)
    assert suppressions.lift("sms", PHONE, causes=suppressions.OWN_WISH, now=NOON)
    assert not any(is_blocked(contact) for contact in (ann, bob, carol))


@pytest.mark.rule(26)
def test_a_stop_under_an_earlier_key_counts_for_whoever_gives_the_number_later(settings: Any) -> None:
    settings.CROSSCHANNEL_ADDRESS_KEY = ""
    grant(guest("ann@example.com"), "sms", PHONE)
    consents.revoke("sms", PHONE, topics=None, source="keyword", mechanism="keyword", now=NOON)
    settings.CROSSCHANNEL_ADDRESS_KEY = "set one day"
    assert suppressions.in_force("sms", PHONE) is not None
    bob = guest("bob@example.com")
    contacts.set_point(bob, "sms", PHONE, source="order", now=NOON)
    assert is_blocked(bob)


def test_a_guest_from_before_another_key_becomes_the_account_that_registers(settings: Any) -> None:
    settings.CROSSCHANNEL_ADDRESS_KEY = ""
    before = guest()
    settings.CROSSCHANNEL_ADDRESS_KEY = "set one day"
    assert member() == before


@pytest.mark.rule(30)
def test_a_merge_takes_back_what_is_claimed_where_a_revocation_comes_along() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    grant(gone, "sms", PHONE)
    consents.revoke("sms", PHONE, topics=["weekly_deals"], source="page", mechanism="link", now=NOON)
    grant(keep, "sms", PHONE)
    for channel in ("sms", "email"):
        message = owe(keep, MergedFlow, f"by {channel}", due=NOON)
        message.state, message.channel, message.token = State.CLAIMED, channel, uuid4()
        message.save()
    contacts.merge(keep, gone, now=NOON)
    assert set(Message.objects.values_list("state", "channel")) == {
        (State.PLANNED, ""),
        (State.CLAIMED, "email"),
    }


@pytest.mark.rule(30)
def test_a_merge_carries_a_revocation_that_a_stranger_asked_to_undo() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    grant(gone, "sms", PHONE)
    consents.revoke("sms", PHONE, topics=TOPICS, source="page", mechanism="link", now=NOON)
    tick(gone, "sms", PHONE)
    grant(keep, "sms", PHONE)
    contacts.merge(keep, gone, now=NOON)
    assert permitted(keep, "sms") == set()


# it refuses


def test_a_phone_number_never_identifies_anybody() -> None:
    ann, bob = guest("ann@example.com"), guest("bob@example.com")
    for contact in (ann, bob):
        contacts.set_point(contact, "sms", PHONE, source="order", now=NOON)
    assert contacts.find_by_address("sms", PHONE) == [ann, bob]
    assert contacts.identify(now=NOON) is None


def test_an_email_of_two_accounts_belongs_to_neither() -> None:
    for name in ("first", "second"):
        account(ANN).__class__.objects.filter(username=ANN).update(username=name)
    assert guest(ANN).user is None


def test_a_guest_cannot_rename_an_account() -> None:
    ann = member(name="Ann", language="fr")
    guest(ANN, name="Visit spam.example", language="de", country="DE")
    ann.refresh_from_db()
    assert (ann.name, ann.language, ann.country) == ("Ann", "fr", "DE")


@pytest.mark.rule(85)
@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("sms", "+18005550123"),
        ("sms", "+442079460123"),
        ("sms", "12"),
        ("sms", ""),
        ("email", "ann@"),
        ("email", ""),
        ("email", f"{'a' * 300}@example.com"),
    ],
)
def test_an_address_that_cannot_be_reached_is_not_kept(channel: str, address: str) -> None:
    assert contacts.set_point(guest("x@example.com"), channel, address, source="order", now=NOON) is None


@pytest.mark.rule(12)
def test_a_new_number_inherits_nothing_from_the_old_one() -> None:
    ann = member()
    grant(ann, "sms", PHONE)
    contacts.set_point(ann, "sms", OTHER_PHONE, source="account", now=NOON)
    assert permitted(ann, "sms") == set()
    contacts.set_point(ann, "sms", PHONE, source="account", now=NOON)
    assert permitted(ann, "sms") == set(TOPICS)


@pytest.mark.rule(12)
def test_a_new_email_of_an_account_inherits_nothing_from_the_old_one() -> None:
    ann = member()
    grant(ann, "email", ANN)
    assert ann.user is not None
    ann.user.email = "new@example.com"
    ann.user.save()
    contacts.identify(user_id=ann.user_id, now=NOON)
    assert permitted(ann, "email") == set()


@pytest.mark.rule(12)
def test_a_number_on_another_account_inherits_nothing() -> None:
    ann, bob = member("ann@example.com"), member("bob@example.com")
    grant(ann, "sms", PHONE)
    contacts.set_point(bob, "sms", PHONE, source="account", now=NOON)
    assert permitted(bob, "sms") == set()


def test_the_phone_of_a_delivery_does_not_displace_one_that_was_agreed_to() -> None:
    ann = member()
    grant(ann, "sms", PHONE)
    point = contacts.set_point(ann, "sms", OTHER_PHONE, source="order", now=NOON, weak=True)
    assert point is not None
    assert not point.current
    assert permitted(ann, "sms") == set(TOPICS)


def test_the_phone_of_a_delivery_displaces_one_that_nobody_agreed_to() -> None:
    ann = member()
    contacts.set_point(ann, "sms", PHONE, source="order", now=NOON)
    point = contacts.set_point(ann, "sms", OTHER_PHONE, source="order", now=NOON, weak=True)
    assert point is not None
    assert point.current
    assert ContactPoint.objects.filter(contact=ann, channel="sms", current=True).count() == 1


# it survives


def test_an_account_that_was_deleted_meanwhile_is_treated_as_a_guest() -> None:
    contact = contacts.identify(user_id=987_654, email=ANN, now=NOON)
    assert contact is not None
    assert contact.user is None


def test_a_contact_that_was_merged_twice_is_still_found() -> None:
    people = [guest(f"{name}@example.com") for name in "abc"]
    contacts.merge(people[1], people[0], now=NOON)
    contacts.merge(people[2], people[1], now=NOON)
    assert guest("a@example.com") == people[2]


def test_two_who_were_merged_already_do_not_end_up_in_each_other() -> None:
    one, other = guest("one@example.com"), guest("other@example.com")
    contacts.merge(one, other, now=NOON)
    contacts.merge(other, one, now=NOON)
    for contact in (one, other):
        contact.refresh_from_db()
        assert contacts.followed(contact) == one


def test_merging_somebody_with_themselves_changes_nothing() -> None:
    ann = guest()
    contacts.merge(ann, ann, now=NOON)
    ann.refresh_from_db()
    assert ann.merged_into is None


@pytest.mark.rule(30)
def test_a_merge_never_loses_a_revocation() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    grant(gone, "sms", PHONE)
    consents.revoke("sms", PHONE, topics=["weekly_deals"], source="page", mechanism="link", now=NOON)
    grant(keep, "sms", PHONE)
    contacts.merge(keep, gone, now=NOON)
    assert permitted(keep, "sms") == {"basket_reminders"}


NUMBERS = count()
SAID = st.lists(
    st.tuples(
        st.sampled_from(["grant", "revoke", "stop_all"]),
        st.sampled_from(["mine", "shared"]),
        st.sampled_from(TOPICS),
    ),
    max_size=4,
)


def _say(contact: Contact, said: list[tuple[str, str, str]], addresses: dict[str, str]) -> None:
    for action, whose, topic in said:
        if action == "grant":
            grant(contact, "sms", addresses[whose], topic)
        else:
            topics = [topic] if action == "revoke" else None
            consents.revoke("sms", addresses[whose], topics=topics, source="page", mechanism="link", now=NOON)


def _answers(*people: Contact) -> dict[tuple[int, str, str], str]:
    rows = Consent.objects.filter(point__contact__in=people).select_related("point")
    return {(row.point.contact_id, row.point.address, row.topic): row.answer for row in rows}


@pytest.mark.rule(30)
@given(kept=SAID, left=SAID, order=st.booleans())
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_merge_ever_widens_a_consent(
    kept: list[tuple[str, str, str]], left: list[tuple[str, str, str]], order: bool
) -> None:
    number = next(NUMBERS)
    keep, gone = guest(f"keep{number}@example.com"), guest(f"gone{number}@example.com")
    shared, own, other = (f"+1212{2_000_000 + 3 * number + part:07d}" for part in range(3))
    turns = [(keep, kept, own), (gone, left, other)]
    for contact, said, mine in turns if order else reversed(turns):
        _say(contact, said, {"mine": mine, "shared": shared})
    before = _answers(keep, gone)
    known = set(keep.points.values_list("address", flat=True))
    contacts.merge(keep, gone, now=NOON)
    for (_, address, topic), after in _answers(keep).items():
        earlier = before.get((keep.pk, address, topic))
        theirs = before.get((gone.pk, address, topic))
        if after == "granted":
            assert "revoked" not in (earlier, theirs)
            assert earlier == "granted" or (address not in known and theirs == "granted")
        if "revoked" in (earlier, theirs):
            assert after == "revoked"


def test_a_box_ticked_before_a_merge_can_still_be_confirmed_after_it() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    tick(gone, "sms", PHONE)
    contacts.merge(keep, gone, now=NOON)
    assert consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    assert permitted(keep, "sms") == set(TOPICS)
