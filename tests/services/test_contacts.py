"""Who a person is, and what happens when two turn out to be one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.core.events import Event
from oscar_crosschannel.core.facts import Candidate, Purpose
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.policies import not_duplicate, voucher_gap, within_caps
from oscar_crosschannel.core.rulings import Allow, Defer, Deny, Reason
from oscar_crosschannel.models import Consent, ConsentEvent, Contact, ContactPoint, Enrolment, Message
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import (
    consents,
    contacts,
    enrolments,
    evidence,
    facts,
    limits,
    reaping,
    suppressions,
)
from oscar_crosschannel.services.plans import PlannedFlow, load_plans
from tests.factories import NOON, enrol_all, owe, registered
from tests.services.shoppers import ANN, OTHER_PHONE, PHONE, TOPICS, account, guest, member, permitted, tick

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
NEVER = datetime.max.replace(tzinfo=UTC)


@registered
class MergedFlow(Blueprint):
    """Only here"""

    topic = "basket_reminders"
    start = On("test.merge")
    hello = send("email", at=After(hours=1))


@registered
class TwoSteps(Blueprint):
    """An email, and another a day later"""

    topic = "basket_reminders"
    start = On("test.two")
    hello = send("email", at=After(hours=1))
    again = send("email", at=After(hours=24))


@registered
class Once(Blueprint):
    """A welcome"""

    topic = "basket_reminders"
    start = On("test.once", once=True)
    hello = send("email", at=After(hours=1))


def planned_flow(blueprint: type[Blueprint]) -> PlannedFlow:
    return next(item for item in load_plans() if item.plan.key == blueprint.key)


def grant(contact: Contact, channel: str, address: str, *topics: str) -> None:
    consents.grant(contact, channel, topics or TOPICS, source="test", words="Yes.", address=address, now=NOON)


def is_blocked(contact: Contact) -> bool:
    """Whether the engine, which knows points by their digest, may text this person nothing."""
    gathered = facts.gather([contact], load_plans(), limits.load(), now=NOON, closed={})[contact.pk]
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


def test_a_merge_carries_the_runs_of_the_one_who_is_gone_over() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    (run,) = enrol_all([gone], TwoSteps, anchor=NOON)
    said, planned = run.messages.get(), NOON + 24 * HOUR
    said.state, said.attempted_at = State.SENT, NOON + HOUR
    said.save()
    run.refresh_from_db()
    enrolments.advance([enrolments.Resolved(run, "hello", planned_flow(TwoSteps))], now=NOON + HOUR)
    contacts.merge(keep, gone, now=NOON + 2 * HOUR)
    run.refresh_from_db()
    assert (run.contact, run.state, run.step_key) == (keep, Enrolment.State.ACTIVE, "again")
    said.refresh_from_db()
    assert said.contact == gone
    following = Message.objects.get(contact=keep)
    assert (following.step_key, following.state, following.due_at) == ("again", State.PLANNED, planned)


def test_what_is_claimed_for_the_one_who_is_gone_is_judged_anew_for_who_stays() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    for blueprint in (MergedFlow, TwoSteps):
        enrol_all([gone], blueprint, anchor=NOON)
    claimed, sending = Message.objects.order_by("id")
    claimed.state, sending.state = State.CLAIMED, State.SENDING
    for message in (claimed, sending):
        message.channel, message.token, message.attempted_at = "email", uuid4(), NOON
        message.save()
    contacts.merge(keep, gone, now=NOON)
    for message in (claimed, sending):
        message.refresh_from_db()
    assert (claimed.contact, claimed.state, claimed.token) == (keep, State.PLANNED, None)
    assert (sending.contact, sending.state) == (gone, State.SENDING)
    assert sending.enrolment is not None
    assert sending.enrolment.contact == keep  # who gets the next message


def test_of_two_runs_in_one_flow_that_of_who_stays_goes_on() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    mine, theirs = enrol_all([keep, gone], TwoSteps, anchor=NOON)
    Enrolment.objects.update(one_run=True)
    contacts.merge(keep, gone, now=NOON)
    for run in (mine, theirs):
        run.refresh_from_db()
    assert mine.state == Enrolment.State.ACTIVE
    assert (theirs.state, theirs.end_reason) == (Enrolment.State.ENDED, Reason.REPLACED)
    assert mine.messages.get().state == State.PLANNED
    assert theirs.messages.get().state == State.CANCELLED


def test_what_was_said_to_both_is_not_said_again_and_the_run_goes_past_it() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    (run,) = enrol_all([gone], TwoSteps, anchor=NOON)
    run.messages.update(intent="spring")
    said = owe(keep, MergedFlow, "spring", due=NOON)
    said.state = State.SENT
    said.save()
    contacts.merge(keep, gone, now=NOON)
    dropped = run.messages.get()
    assert (dropped.state, dropped.reason) == (State.CANCELLED, Reason.DUPLICATE)
    reaping.reap(load_plans(), now=NOON)
    run.refresh_from_db()
    assert (run.contact, run.step_key) == (keep, "again")


def test_a_welcome_of_the_one_who_is_gone_is_not_repeated() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    welcomed = Event(name="test.once", key="welcome", occurred_at=NOON)
    once = planned_flow(Once)
    run = enrolments.enrol(gone, once, welcomed, now=NOON)
    assert run is not None
    enrolments.end([run.pk], reason=Reason.EXPIRED, now=NOON)
    contacts.merge(keep, gone, now=NOON)
    assert enrolments.enrol(keep, once, replace(welcomed, key="again"), now=NOON) is None


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


@pytest.mark.parametrize(
    ("kept", "gone", "stays"),
    [
        (("en", False), ("de", False), ("en", False)),
        (("en", False), ("de", True), ("de", True)),
        (("en", True), ("de", True), ("en", True)),
        (("en", True), ("de", False), ("en", True)),
        (("", False), ("de", False), ("de", False)),
    ],
)
def test_a_merge_keeps_the_language_that_was_chosen(
    kept: tuple[str, bool], gone: tuple[str, bool], stays: tuple[str, bool]
) -> None:
    ann, before = member(), guest("old@example.com")
    for contact, (language, chosen) in ((ann, kept), (before, gone)):
        Contact.objects.filter(pk=contact.pk).update(language=language, language_chosen=chosen)
    contacts.merge(ann, before, now=NOON)
    ann.refresh_from_db()
    assert (ann.language, ann.language_chosen) == stays


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
ACTIONS = ["grant", "of age", "for an hour", "unproven", "ask", "revoke", "stop all", "suppress"]
SAID = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.sampled_from(["mine", "shared"]), st.sampled_from(TOPICS)),
    max_size=5,
)
WISHES = st.tuples(st.sampled_from([None, NOON, NOON + 5 * HOUR]), st.booleans())
Answers = dict[tuple[str, str], Consent]  #: by address and topic


def _say(contact: Contact, action: str, address: str, topic: str) -> None:
    match action:
        case "grant":
            grant(contact, "sms", address, topic)
        case "of age" | "for an hour":
            more: dict[str, Any] = (
                {"born_on": date(2000, 1, 1)} if action == "of age" else {"expires_at": NOON + HOUR}
            )
            consents.grant(
                contact, "sms", [topic], source="test", words="Yes.", address=address, now=NOON, **more
            )
        case "unproven":
            claimed = ConsentEvent(
                contact=contact, point=contacts.set_point(contact, "sms", address, source="test", now=NOON),
                channel="sms", address=address, topic=topic, action="grant", basis="unproven", source="import",
                actor="clerk", at=NOON,
            )  # fmt: skip
            evidence.append(claimed)
        case "ask":
            tick(contact, "sms", address)
        case "suppress":
            cause, scope = suppressions.Cause.MANUAL, suppressions.Scope.MARKETING
            suppressions.suppress("sms", address, cause=cause, scope=scope, now=NOON)
        case _:
            topics = [topic] if action == "revoke" else None
            consents.revoke("sms", address, topics=topics, source="page", mechanism="link", now=NOON)


def _answers(contact: Contact) -> Answers:
    rows = Consent.objects.filter(point__contact=contact).select_related("point")
    return {(row.point.address, row.topic): row for row in rows}


def _may_send(contact: Contact, answers: Answers, at: datetime) -> set[tuple[str, str]]:
    """Where, and what about, marketing could go to this contact at an instant."""
    contact.refresh_from_db()
    if contact.paused_until is not None and at < contact.paused_until:
        return set()
    return {
        key
        for key, row in answers.items()
        if row.answer == "granted"
        and (row.until is None or at < row.until)
        and suppressions.in_force("sms", key[0]) is None
    }


@pytest.mark.rule(12, 30)
@given(kept=SAID, left=SAID, wishes=st.tuples(WISHES, WISHES), turned=st.booleans())
@pytest.mark.sqlite  # what a merge adds up is arithmetic of ours
@hypothesis_settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_merge_ever_widens_a_consent(kept: Any, left: Any, wishes: Any, turned: bool) -> None:
    """Whatever two people said: nothing goes anywhere after the merge that went to neither before it."""
    number = next(NUMBERS)
    keep, gone = (guest(f"{name}{number}@example.com") for name in ("keep", "gone"))
    if turned:  # who stays may be the younger one
        keep, gone = gone, keep
    shared, own, other = (f"+1212{2_000_000 + 3 * number + part:07d}" for part in range(3))
    for contact, said, mine, (pause, fewer) in ((keep, kept, own, wishes[0]), (gone, left, other, wishes[1])):
        for action, whose, topic in said:
            _say(contact, action, mine if whose == "mine" else shared, topic)
        Contact.objects.filter(pk=contact.pk).update(paused_until=pause, fewer=fewer)
    before = {contact.pk: _answers(contact) for contact in (keep, gone)}
    instants = [NOON, NOON + 2 * HOUR, NOON + 6 * HOUR]
    could = {
        (contact.pk, at): _may_send(contact, before[contact.pk], at)
        for contact in (keep, gone)
        for at in instants
    }
    known = {address for address, _ in before[keep.pk]} | set(keep.points.values_list("address", flat=True))

    contacts.merge(keep, gone, now=NOON)

    after = _answers(keep)
    for at in instants:
        assert _may_send(keep, after, at) <= could[keep.pk, at] | could[gone.pk, at]
    for (address, topic), row in after.items():
        mine, theirs = (before[contact.pk].get((address, topic)) for contact in (keep, gone))
        said_stop = "revoked" in [earlier.answer for earlier in (mine, theirs) if earlier]
        came_from = mine if address in known else theirs
        if row.answer == "granted":
            assert not said_stop
            assert came_from is not None
            assert (row.until, row.proven_age) == (came_from.until, came_from.proven_age)
        assert row.answer == "revoked" or not said_stop
    keep.refresh_from_db()
    assert keep.paused_until == max((pause for pause, _ in wishes if pause), default=None)
    assert keep.fewer == any(fewer for _, fewer in wishes)


SENT = st.lists(
    st.tuples(
        st.sampled_from(["email", "sms"]),
        st.integers(0, 31 * 24).map(lambda hours: timedelta(hours=hours)),
        st.sampled_from(["spring", "basket", "news"]),
        st.sampled_from([Lane.FLOW, Lane.CAMPAIGN]),
        st.booleans(),
    ),
    max_size=6,
)


def _sent_to(
    contact: Contact, sent: list[tuple[str, timedelta, str, Lane, bool]], digests: dict[str, str]
) -> None:
    for number, (channel, ago, intent, lane, code) in enumerate(sent):
        message = owe(contact, MergedFlow, intent, due=NOON - ago, lane=lane)
        message.leg = str(number)  # each of them was said, whatever they were about
        message.state, message.channel, message.attempted_at = State.SENT, channel, NOON - ago
        message.address_digest, message.voucher = digests[channel], code
        message.save()


def _rulings(contact: Contact) -> dict[tuple[str, str], datetime]:
    """For each policy that counts what was sent, and each channel, when the next message could go at the earliest."""
    known = facts.gather([contact], load_plans(), limits.load(), now=NOON, closed={})[contact.pk]
    candidate = Candidate(
        id=1, contact_id=contact.pk, topic="weekly_deals", purpose=Purpose.MARKETING, intent="spring",
        channels=("email", "sms"), priority=50, due_at=NOON, expires_at=NOON + 24 * HOUR, campaign=True,
        offers_voucher=True,
    )  # fmt: skip
    earliest = {}
    for policy in (within_caps, voucher_gap, not_duplicate):
        for channel in candidate.channels:
            match policy(candidate, channel, known, NOON):
                case Allow():
                    earliest[policy.__name__, channel] = NOON
                case Defer(until=until):
                    earliest[policy.__name__, channel] = until
                case Deny():
                    earliest[policy.__name__, channel] = NEVER
    return earliest


@pytest.mark.rule(37)
@pytest.mark.sqlite
@given(kept=SENT, left=SENT, twice=st.booleans())
@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_merge_ever_widens_a_cap(kept: Any, left: Any, twice: bool) -> None:
    number = next(NUMBERS)
    keep, gone, last = (guest(f"{name}{number}@example.com") for name in ("keep", "gone", "last"))
    for contact, sent in ((keep, kept), (gone, left)):
        phone = f"+1212{3_000_000 + contact.pk:07d}"
        contacts.set_point(contact, "sms", phone, source="test", now=NOON)
        digests = dict(contact.points.values_list("channel", "digest"))
        _sent_to(contact, sent, digests)
    before = [_rulings(keep), _rulings(gone)]
    contacts.merge(keep, gone, now=NOON)
    if twice:  # and the one who stayed is merged again
        contacts.merge(last, keep, now=NOON)
    after = _rulings(last if twice else keep)
    for key, earliest in after.items():
        assert earliest >= max(rulings[key] for rulings in before)


def test_a_box_ticked_before_a_merge_can_still_be_confirmed_after_it() -> None:
    keep, gone = guest("keep@example.com"), guest("gone@example.com")
    tick(gone, "sms", PHONE)
    contacts.merge(keep, gone, now=NOON)
    assert consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)
    assert permitted(keep, "sms") == set(TOPICS)
