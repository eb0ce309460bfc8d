"""What holds for every candidate, every contact and every instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from oscar_crosschannel.core.decision import Decision, Drop, Outcome, Send, Wait, decide, trace_from_json
from oscar_crosschannel.core.facts import (
    EMAIL,
    SMS,
    Answer,
    Basis,
    Block,
    Candidate,
    ConsentFacts,
    Facts,
    Purpose,
)
from oscar_crosschannel.core.policies import DEFAULT_POLICIES, Policy, inside_hours, reachable
from oscar_crosschannel.core.rulings import Allow, Defer, Deny, Hold, Reason, Ruling
from oscar_crosschannel.core.timing import Hours
from tests.core.drawing import CHANNELS, HOURS, cases, spans

Case = tuple[Candidate, Facts]


# Policies that a shop could add, with the promises that every policy makes


def closed_until(hours_from_now: int) -> Policy:
    def still_closed(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
        opens = facts.now + timedelta(hours=hours_from_now)
        return Defer(opens, Reason.CHANNEL_CLOSED) if at < opens else Allow()

    return still_closed


def denies_from(hours_from_now: int) -> Policy:
    def over(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
        return Deny(Reason.CONDITION) if at >= facts.now + timedelta(hours=hours_from_now) else Allow()

    return over


def holds_for(hours_from_now: int) -> Policy:
    def unconfirmed(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
        until = min(facts.now + timedelta(hours=hours_from_now), candidate.expires_at)
        return Hold(until, Reason.AWAITING_OPT_IN) if at < until else Deny(Reason.NO_CONSENT)

    return unconfirmed


def within(hours: Hours) -> Policy:
    def own_hours(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
        everybody = replace(candidate, purpose=Purpose.MARKETING)
        return inside_hours(everybody, channel, replace(facts, hours={channel: hours}), at)

    return own_hours


added_policies = st.one_of(
    st.integers(0, 60).map(closed_until),
    st.integers(-1, 60).map(denies_from),
    st.integers(1, 60).map(holds_for),
    HOURS.map(within),
)
some_policies = st.sets(st.sampled_from(DEFAULT_POLICIES)).map(
    lambda chosen: (reachable, *chosen - {reachable})
)


def openness(decision: Decision) -> tuple[int, datetime | None]:
    """How open the only channel of a decision is; a greater value is tighter."""
    match decision:
        case Send():
            return (0, None)
        case Wait(until=until) if decision.trace[0].outcome is Outcome.OPEN:
            return (1, until)
        case Wait():
            return (2, None)
        case _:
            return (3, None)


def tighter_or_equal(after: Decision, before: Decision) -> bool:
    (rank_after, at_after), (rank_before, at_before) = openness(after), openness(before)
    if rank_after == rank_before == 1:
        assert at_after is not None
        assert at_before is not None
        return at_after >= at_before
    return rank_after >= rank_before


# Policies


@given(cases(), st.permutations(DEFAULT_POLICIES))
def test_the_order_of_policies_changes_nothing(case: Case, shuffled: list[Policy]) -> None:
    assert decide(*case, shuffled) == decide(*case)


@pytest.mark.slow
@settings(max_examples=300)
@given(cases(), some_policies, st.sampled_from(DEFAULT_POLICIES) | added_policies, st.sampled_from(CHANNELS))
def test_a_further_policy_only_tightens_a_channel(
    case: Case, chosen: tuple[Policy, ...], further: Policy, channel: str
) -> None:
    candidate, facts = replace(case[0], channels=(channel,)), case[1]
    before = decide(candidate, facts, chosen)
    after = decide(candidate, facts, (*chosen, further))
    assert tighter_or_equal(after, before)


@given(cases(), spans(timedelta(days=2)))
def test_the_default_policies_keep_their_promises(case: Case, later: timedelta) -> None:
    candidate, facts = case
    at = facts.now + later
    for policy in DEFAULT_POLICIES:
        for channel in CHANNELS:
            ruling = policy(candidate, channel, facts, at)
            assert ruling == policy(candidate, channel, facts, at)
            if isinstance(ruling, Defer):
                assert ruling.until > at
                for skipped in (at + (ruling.until - at) / 2, ruling.until - timedelta(microseconds=1)):
                    assert not isinstance(policy(candidate, channel, facts, skipped), Allow)


# Decisions


def with_points(facts: Facts, **changes: Any) -> Facts:
    points = {channel: replace(point, **changes) for channel, point in facts.points.items()}
    return replace(facts, points=points)


no_grants = st.sampled_from([None, Answer.PENDING, Answer.REVOKED])


@given(cases(), no_grants, st.none() | spans(timedelta(days=3)))
def test_no_grant_no_marketing(case: Case, answer: Answer | None, lasts: timedelta | None) -> None:
    candidate, facts = replace(case[0], purpose=Purpose.MARKETING), case[1]
    until = facts.now + lasts if lasts else None
    consents = {candidate.topic: ConsentFacts(answer=answer, until=until)} if answer else {}
    decision = decide(candidate, with_points(facts, consents=consents))
    assert not isinstance(decision, Send)
    if isinstance(decision, Wait):
        held = {each.reason for finding in decision.trace for each in finding.objections}
        assert Reason.AWAITING_OPT_IN in held


@pytest.mark.rule(13)
@given(cases(), spans(timedelta(days=3)))
def test_nothing_is_sent_or_planned_for_after_a_grant_ends(case: Case, lasts: timedelta) -> None:
    # what a guard holds has no time yet: it is judged again when it is let go
    candidate, facts = replace(case[0], purpose=Purpose.MARKETING), replace(case[1], guarded=frozenset())
    ends = facts.now + lasts
    consents = {candidate.topic: ConsentFacts(answer=Answer.GRANTED, until=ends)}
    decision = decide(candidate, with_points(facts, consents=consents))
    assert isinstance(decision, Drop) or (
        facts.now < ends if isinstance(decision, Send) else decision.until < ends
    )


@pytest.mark.rule(1)
@given(cases(), st.sampled_from(Basis))
def test_no_text_for_marketing_on_a_consent_that_the_place_does_not_accept(case: Case, basis: Basis) -> None:
    candidate = replace(case[0], purpose=Purpose.MARKETING, channels=(SMS, EMAIL))
    grant = {candidate.topic: ConsentFacts(answer=Answer.GRANTED, basis=basis)}
    accepted = {SMS: frozenset({Basis.EXPRESS_WRITTEN, Basis.EXPRESS})}
    decision = decide(candidate, with_points(replace(case[1], bases=accepted), consents=grant))
    if basis not in accepted[SMS]:
        assert isinstance(decision, Drop) or decision.channel != SMS


@pytest.mark.rule(14)
@given(cases(), st.none() | st.integers(0, 30))
def test_nothing_for_adults_goes_to_who_has_not_proven_their_age(case: Case, age: int | None) -> None:
    candidate = replace(case[0], purpose=Purpose.MARKETING, minimum_age=21)
    grant = {candidate.topic: ConsentFacts(answer=Answer.GRANTED, proven_age=age)}
    decision = decide(candidate, with_points(case[1], consents=grant))
    assert isinstance(decision, Drop) or (age is not None and age >= 21)


@pytest.mark.rule(50)
@given(cases())
def test_no_marketing_goes_out_by_a_channel_that_a_guard_paused_or_in_a_pause_of_the_person(
    case: Case,
) -> None:
    candidate = replace(case[0], purpose=Purpose.MARKETING)
    guarded = decide(candidate, replace(case[1], guarded=frozenset({EMAIL})))
    assert not isinstance(guarded, Send) or guarded.channel != EMAIL
    back = case[1].now + timedelta(days=1)
    paused = decide(candidate, replace(case[1], paused_until=back))
    assert not isinstance(paused, Send)
    if isinstance(paused, Wait) and paused.reason not in (Reason.AWAITING_OPT_IN, Reason.GUARDED):
        assert paused.until >= back


@pytest.mark.rule(26)
@given(cases(), st.sampled_from(Block))
def test_a_suppressed_address_is_never_used(case: Case, block: Block) -> None:
    candidate, facts = case
    decision = decide(candidate, with_points(facts, blocked=block))
    if block is Block.EVERYTHING or candidate.purpose is Purpose.MARKETING:
        assert isinstance(decision, Drop)


@pytest.mark.slow
@settings(max_examples=300)
@given(cases())
def test_a_wait_ends_at_an_instant_at_which_all_is_open(case: Case) -> None:
    candidate, facts = case
    decision = decide(candidate, facts)
    if not isinstance(decision, Wait):
        return
    assert facts.now < decision.until <= candidate.expires_at
    finding = next(each for each in decision.trace if each.channel == decision.channel)
    if finding.outcome is Outcome.HELD:
        assert decision.reason in (Reason.AWAITING_OPT_IN, Reason.GUARDED)
        return
    assert decision.until < candidate.expires_at
    rulings = [policy(candidate, decision.channel, facts, decision.until) for policy in DEFAULT_POLICIES]
    assert rulings == [Allow()] * len(DEFAULT_POLICIES)


@given(cases())
def test_a_send_goes_where_nothing_speaks_against_it(case: Case) -> None:
    candidate, facts = case
    decision = decide(candidate, facts)
    if isinstance(decision, Send):
        assert decision.channel in candidate.channels
        assert decision.point_id == facts.points[decision.channel].id
        rulings = [policy(candidate, decision.channel, facts, facts.now) for policy in DEFAULT_POLICIES]
        assert rulings == [Allow()] * len(DEFAULT_POLICIES)


@pytest.mark.rule(31, 39)
@given(cases())
def test_no_text_that_must_keep_hours_goes_out_outside_of_them(case: Case) -> None:
    candidate, facts = case
    decision = decide(candidate, facts)
    if isinstance(decision, Send) and candidate.purpose is Purpose.MARKETING:
        hours = facts.hours.get(decision.channel)
        assert hours is None or hours.opens(facts.now) == facts.now


@given(cases(), spans(timedelta(days=2)))
def test_patience_never_loses_a_message(case: Case, patience: timedelta) -> None:
    candidate, facts = case
    hurried = decide(replace(candidate, patience=timedelta(0)), facts)
    patient = decide(replace(candidate, patience=patience), facts)
    assert isinstance(patient, Drop) is isinstance(hurried, Drop)
    if isinstance(patient, Wait) and isinstance(hurried, Send):
        assert patient.until <= facts.now + patience


@given(cases())
def test_every_decision_explains_itself_and_can_be_stored(case: Case) -> None:
    decision = decide(*case)
    assert trace_from_json(decision.as_json()) == decision.trace
    for finding in decision.trace:
        at_once = finding.outcome is Outcome.OPEN and finding.at == case[1].now
        assert bool(finding.objections) is not at_once
