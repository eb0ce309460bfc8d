"""T1: due messages of many people are decided together, claimed, moved or dropped."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.core.facts import Candidate, Facts
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Allow, Reason, Ruling
from oscar_crosschannel.models import (
    Consent,
    Contact,
    ContactPoint,
    Enrolment,
    Flow,
    FlowStep,
    FrequencyCap,
    Guard,
    Message,
    Topic,
)
from oscar_crosschannel.models.messages import Lane
from oscar_crosschannel.services import contacts, judging, limits
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, enrol_all, make_contacts, owe, registered
from tests.services.shoppers import OTHER_PHONE, tick as tick_box
from tests.services.stage import (
    Coupon,
    Either,
    Letter,
    Letters,
    Notice,
    Pair,
    Question,
    Text,
    Wires,
    write_words,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

#: Noon in New York.
AFTERNOON = NOON + timedelta(hours=4)
#: Four in the morning in New York.
NIGHT = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
OPENS = datetime(2026, 3, 10, 13, 0, tzinfo=UTC)
CLOSES = datetime(2026, 3, 11, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@registered
class Loud(Blueprint):
    """One text of a more important flow"""

    topic = "basket_reminders"
    start = On("loud.began")
    priority = 5

    only = send("sms", at=After(hours=1), expires=After(hours=20))


def judge(now: datetime, lane: int = Lane.FLOW) -> judging.Batch:
    return judging.judge(lane, load_plans(), limits.load(), now=now, closed={})


def due(people: list[Contact], blueprint: type[Blueprint], now: datetime) -> list[Message]:
    """Each person in the flow, with a first message due at `now`."""
    enrol_all(people, blueprint, anchor=now - HOUR)
    return list(Message.objects.filter(flow__key=blueprint.key, contact__in=people).order_by("id"))


def fresh(message: Message) -> Message:
    message.refresh_from_db()
    return message


# It works.


def test_a_claim_names_channel_address_lease_and_the_reasons() -> None:
    (message,) = due(make_contacts(1), Letter, AFTERNOON)
    batch = judge(AFTERNOON)
    assert [claim.message.pk for claim in batch.claims] == [message.pk]
    point = message.contact.points.get(channel="email")
    assert batch.claims[0].address == point.address
    fresh(message)
    assert (message.state, message.channel, message.point, message.address_digest) == (
        State.CLAIMED, "email", point, point.digest,
    )  # fmt: skip
    assert (message.token, message.attempted_at) == (batch.token, AFTERNOON)
    assert message.lease_until == AFTERNOON + timedelta(minutes=5)
    assert message.decision is not None


@pytest.mark.rule(32)
def test_what_is_claimed_is_judged_anew_when_the_person_turns_out_to_live_elsewhere() -> None:
    (person,) = make_contacts(1)
    (message,) = due([person], Text, AFTERNOON)
    assert judge(AFTERNOON).claims
    contacts.complete(person, "", source="address", now=AFTERNOON, name="Ann")
    assert fresh(message).state == State.CLAIMED
    contacts.complete(person, "", source="address", now=AFTERNOON, country="US", region="HI")
    assert fresh(message).state == State.PLANNED
    assert judge(AFTERNOON).claims == (), "in Honolulu it is eight in the morning"


def test_only_what_is_due_is_judged() -> None:
    due(make_contacts(2), Letter, AFTERNOON + timedelta(seconds=1))
    assert judge(AFTERNOON).judged == 0


def test_one_lane_at_a_time() -> None:
    due(make_contacts(1), Notice, AFTERNOON)
    assert judge(AFTERNOON, Lane.FLOW).judged == 0
    assert judge(AFTERNOON, Lane.URGENT).judged == 1


@pytest.mark.rule(37)
def test_messages_of_one_contact_are_judged_together_the_more_important_first() -> None:
    (person,) = make_contacts(1)
    (later,) = due([person], Text, AFTERNOON - HOUR)  # due first, but of less importance
    (loud,) = due([person], Loud, AFTERNOON)
    batch = judge(AFTERNOON)
    assert batch.judged == 2
    assert [claim.message.pk for claim in batch.claims] == [loud.pk]
    assert (fresh(later).state, later.reason) == (State.DROPPED, Reason.CAPPED)  # no room before it expires


@pytest.mark.rule(77)
@pytest.mark.rule(37)
def test_caps_hold_inside_one_batch() -> None:
    (person,) = make_contacts(1)
    Message.objects.bulk_create(owe(person, Letter, f"news {n}", due=AFTERNOON) for n in range(20))
    assert len(judge(AFTERNOON).claims) == 1  # 16 hours between two emails


@pytest.mark.rule(37)
@pytest.mark.parametrize(("own_cap", "goes"), [(True, 1), (False, 3)])
def test_the_caps_of_a_number_hold_for_all_who_share_it_inside_one_batch(own_cap: bool, goes: int) -> None:
    FrequencyCap.objects.create(key="texts-a-day", enabled=own_cap)
    FrequencyCap.objects.create(key="pause-between-subjects", enabled=False)
    people = make_contacts(6)
    shared = people[0].points.get(channel="sms")
    ContactPoint.objects.filter(channel="sms").update(address=shared.address, digest=shared.digest)
    due(people, Text, AFTERNOON)
    batch = judge(AFTERNOON)
    assert (batch.judged, len(batch.claims)) == (6, goes)


@pytest.mark.rule(12)
def test_of_one_person_the_new_number_is_asked_while_marketing_goes_to_the_one_in_use() -> None:
    (person,) = make_contacts(1)
    in_use = person.points.get(channel="sms").address
    tick_box(person, "sms", OTHER_PHONE, signed_in=True, at=AFTERNOON)
    owed = [owe(person, blueprint, blueprint.key, due=AFTERNOON) for blueprint in (Question, Text)]
    Message.objects.bulk_create(owed)
    claims = judge(AFTERNOON).claims
    assert {claim.message.topic: claim.address for claim in claims} == {
        Text.topic: in_use,
        Question.topic: OTHER_PHONE,
    }


@pytest.mark.rule(32)
def test_a_text_for_the_night_waits_for_the_morning() -> None:
    (message,) = due(make_contacts(1), Text, NIGHT)
    assert judge(NIGHT).claims == ()
    assert (fresh(message).state, message.reason) == (State.PLANNED, Reason.OUTSIDE_HOURS)
    assert OPENS <= message.due_at < OPENS + timedelta(minutes=30)


@pytest.mark.rule(32)
def test_the_morning_does_not_begin_with_everything_at_once() -> None:
    messages = due(make_contacts(40), Text, NIGHT)
    judge(NIGHT)
    moments = sorted(fresh(message).due_at for message in messages)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert max(gaps) < timedelta(minutes=3)
    assert moments[-1] - moments[0] > timedelta(minutes=20)


@pytest.mark.rule(33)
def test_the_channel_is_told_how_long_the_text_may_take(sms: Wires) -> None:
    write_words(Text)
    due(make_contacts(1), Text, AFTERNOON)
    tick(AFTERNOON)
    assert [outbound.valid_until for outbound in sms.calls] == [CLOSES]


@pytest.mark.rule(33)
def test_a_message_that_expires_before_the_hours_end_is_valid_until_then(sms: Wires) -> None:
    write_words(Text)
    due(make_contacts(1), Text, AFTERNOON)
    ends = AFTERNOON + HOUR
    Message.objects.update(expires_at=ends)
    tick(AFTERNOON)
    assert [outbound.valid_until for outbound in sms.calls] == [ends]


@pytest.mark.rule(33)
def test_whatever_waits_for_the_hours_may_not_arrive_after_them(sms: Wires) -> None:
    """A question whether somebody wants texts is no marketing, and would wake them just the same."""
    write_words(Question)
    due(make_contacts(1), Question, AFTERNOON)
    tick(AFTERNOON)
    assert [outbound.valid_until for outbound in sms.calls] == [CLOSES]


def test_what_binds_no_hours_may_arrive_at_any(sms: Wires) -> None:
    FlowStep.objects.create(flow=Flow.objects.get(key=Notice.key), key="only", channels=["sms"])
    write_words(Notice)
    (message,) = due(make_contacts(1), Notice, AFTERNOON)
    tick(AFTERNOON)
    assert [outbound.valid_until for outbound in sms.calls] == [message.expires_at]
    assert message.expires_at > CLOSES


@pytest.mark.rule(1)
def test_a_text_for_marketing_needs_the_kind_of_consent_that_the_place_of_the_number_accepts() -> None:
    """Customers may be texted about similar products in Germany; in New York they must have agreed in writing."""
    american, german = make_contacts(2)
    german.points.filter(channel="sms").update(
        address="+4915112345678", zones=["Europe/Berlin"], country="DE"
    )
    Consent.objects.update(basis="soft_opt_in")
    refused, goes = due([american, german], Text, AFTERNOON)
    (claim,) = judge(AFTERNOON).claims
    assert claim.message.pk == goes.pk
    assert (fresh(refused).state, refused.reason) == (State.DROPPED, Reason.WEAK_CONSENT)


@pytest.mark.rule(1, 2)
def test_a_consent_too_weak_for_a_text_is_good_for_an_email() -> None:
    due(make_contacts(1), Either, AFTERNOON)
    Consent.objects.update(basis="express")
    (claim,) = judge(AFTERNOON).claims
    assert claim.channel == "email"


@pytest.mark.rule(14)
def test_a_topic_for_adults_goes_to_who_has_proven_their_age() -> None:
    Topic.objects.update_or_create(
        key=Letter.topic, defaults={"name": "Spirits", "purpose": "marketing", "minimum_age": 21}
    )
    old, young = make_contacts(2)
    Consent.objects.filter(point__contact=old).update(proven_age=21)
    Consent.objects.filter(point__contact=young).update(proven_age=20)
    _, refused = due([old, young], Letter, AFTERNOON)
    (claim,) = judge(AFTERNOON).claims
    assert claim.message.contact == old
    assert (fresh(refused).state, refused.reason) == (State.DROPPED, Reason.NO_AGE_PROOF)


def test_who_asked_for_a_rest_hears_from_the_shop_when_it_is_over() -> None:
    back = AFTERNOON + 10 * HOUR
    waits, too_old = due(make_contacts(2), Letter, AFTERNOON)
    Contact.objects.update(paused_until=back)
    Message.objects.filter(pk=too_old.pk).update(expires_at=back)
    assert judge(AFTERNOON).claims == ()
    assert (fresh(waits).state, waits.reason, waits.due_at) == (State.PLANNED, Reason.PAUSED, back)
    assert (fresh(too_old).state, too_old.reason) == (State.DROPPED, Reason.PAUSED)
    assert len(judge(back).claims) == 1


@pytest.mark.rule(50)
def test_what_a_guard_holds_waits_for_staff_and_is_asked_about_by_nobody() -> None:
    (message,) = due(make_contacts(1), Letter, AFTERNOON)
    guard = Guard.objects.create(
        channel="email", measure="complaints", level="paused", bad=9, sent=900, since=AFTERNOON
    )
    assert judge(AFTERNOON).claims == ()
    assert (fresh(message).state, message.reason) == (State.PLANNED, Reason.GUARDED)
    assert message.due_at == message.expires_at
    guard.ended_at = AFTERNOON + HOUR
    guard.save()
    Message.objects.update(due_at=AFTERNOON + HOUR)  # what ends a guard wakes what it held
    assert len(judge(AFTERNOON + HOUR).claims) == 1


@pytest.mark.rule(37)
def test_the_cap_of_a_state_holds_where_it_is_narrower_than_all_others(settings: Any) -> None:
    settings.CROSSCHANNEL_CAPS = []
    people = make_contacts(2)
    Message.objects.bulk_create(
        owe(person, Text, f"news {n}", due=AFTERNOON) for person in people for n in range(5)
    )
    Contact.objects.filter(pk=people[0].pk).update(country="US", region="FL")
    taken = Counter(claim.message.contact_id for claim in judge(AFTERNOON).claims)
    assert taken == {people[0].pk: 3, people[1].pk: 5}


@pytest.mark.rule(37)
def test_a_cap_of_a_topic_holds_inside_one_batch(settings: Any) -> None:
    settings.CROSSCHANNEL_CAPS = []
    FrequencyCap.objects.create(
        key="reminders", topic=Letter.topic, most=2, window=timedelta(days=7), enabled=True
    )
    (person,) = make_contacts(1, topics=["basket_reminders", "news"])
    owed = [owe(person, Letter, f"{n}", due=AFTERNOON) for n in range(6)]
    for message in owed[3:]:
        message.topic = "news"
    Message.objects.bulk_create(owed)
    taken = Counter(claim.message.topic for claim in judge(AFTERNOON).claims)
    assert taken == {"basket_reminders": 2, "news": 3}


@pytest.mark.rule(13)
def test_an_implied_grant_stops_at_its_instant_even_if_the_message_was_planned_before() -> None:
    early, late = due(make_contacts(2), Letter, AFTERNOON)
    Consent.objects.filter(point__contact=early.contact).update(until=AFTERNOON + timedelta(seconds=1))
    Consent.objects.filter(point__contact=late.contact).update(until=AFTERNOON)
    (claim,) = judge(AFTERNOON).claims
    assert claim.message.pk == early.pk
    assert (fresh(late).state, late.reason) == (State.DROPPED, Reason.NO_CONSENT)


def test_the_version_of_the_flow_that_decides_is_recorded() -> None:
    (message,) = due(make_contacts(1), Letter, AFTERNOON)
    Flow.objects.filter(key=Letter.key).update(version=7)
    judge(AFTERNOON)
    assert fresh(message).flow_version == 7


def test_a_step_that_carries_a_code_since_yesterday_counts_as_one() -> None:
    (message,) = due(make_contacts(1), Coupon, AFTERNOON)
    Message.objects.update(voucher=False)  # planned before the step carried one
    judge(AFTERNOON)
    assert fresh(message).voucher


# It refuses.


def test_a_flow_that_is_off_sends_nothing_and_says_why() -> None:
    (message,) = due(make_contacts(1), Letter, AFTERNOON)
    Flow.objects.filter(key=Letter.key).update(enabled=False)
    judge(AFTERNOON)
    assert (fresh(message).state, message.reason) == (State.DROPPED, Reason.FLOW_OFF)


def test_a_step_that_was_removed_is_skipped_and_the_run_goes_on() -> None:
    (first,) = due(make_contacts(1), Pair, AFTERNOON)
    FlowStep.objects.create(flow=first.flow, key="first", removed_at=AFTERNOON)
    judge(AFTERNOON)
    assert (fresh(first).state, first.reason) == (State.DROPPED, Reason.STEP_REMOVED)
    assert Message.objects.get(step_key="second").state == State.PLANNED


def test_a_flow_that_nobody_registers_any_more_ends_its_runs() -> None:
    (message,) = due(make_contacts(1), Letter, AFTERNOON)
    gone = Flow.objects.create(key="of_last_year")
    Message.objects.update(flow=gone)
    judge(AFTERNOON)
    run = Enrolment.objects.get()
    assert (fresh(message).reason, run.state, run.end_reason) == (
        Reason.FLOW_OFF, Enrolment.State.ENDED, Reason.FLOW_OFF,
    )  # fmt: skip


def test_the_arm_that_gets_nothing_gets_nothing() -> None:
    (message,) = due(make_contacts(1), Pair, AFTERNOON)
    Enrolment.objects.update(held_out=True)
    judge(AFTERNOON)
    assert (fresh(message).state, message.reason) == (State.DROPPED, Reason.HELD_OUT)
    assert Message.objects.get(step_key="second").state == State.PLANNED


def test_a_message_of_a_run_that_has_ended_is_dropped_and_plans_no_other() -> None:
    (message,) = due(make_contacts(1), Pair, AFTERNOON)
    Enrolment.objects.update(state=Enrolment.State.ENDED)
    judge(AFTERNOON)
    assert (fresh(message).state, message.reason) == (State.DROPPED, Reason.NOT_WANTED)
    assert Message.objects.count() == 1


@pytest.mark.rule(77)
def test_after_three_days_of_silence_nothing_stale_goes_and_no_cap_breaks(email: Letters, sms: Wires) -> None:
    write_words(Pair, Letter)
    people = make_contacts(5)
    stale = due(people, Pair, AFTERNOON)
    Message.objects.bulk_create(
        owe(person, Letter, f"{n}", due=AFTERNOON + n * HOUR) for person in people for n in range(30)
    )
    Message.objects.filter(intent__in=map(str, range(30))).update(expires_at=AFTERNOON + timedelta(days=9))
    tick(AFTERNOON + timedelta(days=3))
    assert {fresh(message).reason for message in stale} == {Reason.EXPIRED}
    assert {message.reason for message in Message.objects.filter(step_key="second")} == {Reason.EXPIRED}
    assert not Enrolment.objects.filter(state=Enrolment.State.ACTIVE).exists()
    assert sms.calls == []
    assert sorted(email.reached) == sorted(f"person{person.pk}@example.com" for person in people)


# It survives.


def test_the_spread_of_the_morning_makes_nobody_miss_the_last_minute(sms: Wires) -> None:
    write_words(Text)
    messages = due(make_contacts(30), Text, NIGHT)
    Message.objects.update(expires_at=OPENS + timedelta(minutes=6))
    judge(NIGHT)
    for message in messages:
        assert fresh(message).due_at <= OPENS + timedelta(minutes=3)
    tick(OPENS + timedelta(minutes=4))
    assert len(sms.calls) == 30


class Brittle:
    """A project's policy that cannot cope with one person."""

    bad: int

    def __call__(self, candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
        if candidate.contact_id == self.bad:
            raise LookupError("what a strange person")
        return Allow()


brittle = Brittle()


def test_a_policy_that_raises_for_one_person_holds_up_nobody_else(email: Letters, settings: Any) -> None:
    settings.CROSSCHANNEL_POLICIES = ["tests.services.test_judging.brittle"]
    write_words(Letter)
    messages = due(make_contacts(3), Letter, AFTERNOON)
    brittle.bad = messages[0].contact_id
    assert tick(AFTERNOON).failed == []
    assert [fresh(message).state for message in messages] == [State.PLANNED, State.SENT, State.SENT]
    assert messages[0].reason == Reason.CONTEXT_ERROR
    brittle.bad = 0  # the project mends it
    tick(messages[0].due_at)
    assert fresh(messages[0]).state == State.SENT


def test_a_claimed_message_cannot_be_claimed_again() -> None:
    due(make_contacts(3), Letter, AFTERNOON)
    assert len(judge(AFTERNOON).claims) == 3
    assert judge(AFTERNOON + HOUR).judged == 0


def test_a_channel_of_choice_comes_first() -> None:
    due(make_contacts(1), Either, AFTERNOON)
    Contact.objects.update(primary_channel="email")
    (claim,) = judge(AFTERNOON).claims
    assert claim.channel == "email"


def test_patience_counts_from_the_plan_however_often_a_message_was_put_off() -> None:
    (message,) = due(make_contacts(1), Either, NIGHT - HOUR)
    patience = OPENS - (NIGHT - HOUR)  # with it, the text of the morning would be waited for
    FlowStep.objects.create(flow=message.flow, key="only", patience=patience - HOUR)
    Message.objects.update(due_at=NIGHT)
    (claim,) = judge(NIGHT).claims
    assert claim.channel == "email"
