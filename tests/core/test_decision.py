"""From a candidate and its facts to one outcome."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from oscar_crosschannel.core.decision import (
    Decision,
    Drop,
    Finding,
    Objection,
    Outcome,
    Send,
    Wait,
    decide,
    decide_together,
    trace_from_json,
)
from oscar_crosschannel.core.facts import EMAIL, SMS, Answer, Block, Candidate, ConsentFacts, Facts, Purpose
from oscar_crosschannel.core.policies import DEFAULT_CAPS, DEFAULT_POLICIES
from oscar_crosschannel.core.rulings import Allow, Defer, Reason, Ruling
from oscar_crosschannel.core.timing import DayHours, Hours, WeekRule
from tests.core.values import DAY, HOUR, NOON, REVOKED, candidate, facts, point, reserved, sent, utc

DAYTIME = Hours(("America/New_York",), (WeekRule("9-20", (DayHours(time(9), time(20)),) * 7),))
MIDNIGHT = utc(2026, 6, 11, 4)
MORNING = utc(2026, 6, 11, 13)
PENDING = ConsentFacts(answer=Answer.PENDING, until=NOON + DAY)
CAPPED_TODAY = tuple(sent(NOON - n * HOUR, SMS) for n in (20, 100, 200))


def night(**changes: Any) -> Facts:
    return facts(now=MIDNIGHT, hours={SMS: DAYTIME}, **changes)


def outcome(decision: Decision) -> tuple[object, ...]:
    """A decision without its trace."""
    match decision:
        case Send():
            return ("send", decision.channel)
        case Wait():
            return ("wait", decision.until, decision.channel, decision.reason)
        case Drop():
            return ("drop", decision.reason)


def decided(known: Facts | None = None, **changes: Any) -> tuple[object, ...]:
    return outcome(decide(candidate(**changes), known or facts()))


BOTH = {"channels": (SMS, EMAIL)}


# One channel


def test_what_nothing_speaks_against_goes_now_to_the_contacts_address() -> None:
    decision = decide(candidate(), facts(points={EMAIL: point(EMAIL, id=77)}))
    assert decision == Send(EMAIL, 77, (Finding(EMAIL, Outcome.OPEN, NOON),))


@pytest.mark.rule(32)
def test_a_text_at_night_waits_for_the_morning_and_is_not_dropped() -> None:
    assert decided(night(), channels=(SMS,)) == ("wait", MORNING, SMS, Reason.OUTSIDE_HOURS)


@pytest.mark.rule(32)
def test_what_waited_for_the_morning_is_judged_by_the_facts_of_the_morning() -> None:
    text = candidate(channels=(SMS,))
    assert isinstance(decide(text, night()), Wait)
    morning = replace(night(), now=MORNING)
    assert isinstance(decide(text, morning), Send)
    assert outcome(decide(replace(text, wanted=False), morning)) == ("drop", Reason.NOT_WANTED)
    revoked = replace(morning, points={SMS: point(SMS, consents={"deals": REVOKED})})
    assert outcome(decide(text, revoked)) == ("drop", Reason.NO_CONSENT)
    blocked = replace(morning, points={SMS: point(SMS, blocked=Block.EVERYTHING)})
    assert outcome(decide(text, blocked)) == ("drop", Reason.SUPPRESSED)


@pytest.mark.rule(34)
@pytest.mark.parametrize(
    ("evening", "morning"),
    [
        (utc(2026, 3, 8, 2), utc(2026, 3, 8, 13)),  # the night loses an hour
        (utc(2026, 11, 1, 2), utc(2026, 11, 1, 14)),  # the night gains one
    ],
)
def test_the_morning_comes_at_nine_after_a_change_of_clocks(evening: datetime, morning: datetime) -> None:
    known = facts(now=evening, hours={SMS: DAYTIME})
    text = candidate(channels=(SMS,), expires_at=evening + DAY)
    assert outcome(decide(text, known)) == ("wait", morning, SMS, Reason.OUTSIDE_HOURS)


def test_waiting_ends_when_all_is_open_at_once() -> None:
    """The cap frees at night, so it is the morning after."""
    known = facts(caps=DEFAULT_CAPS, hours={SMS: DAYTIME}, sent=(sent(NOON - 12 * HOUR, SMS),))
    decision = decide(candidate(channels=(SMS,)), known)
    assert outcome(decision) == ("wait", MORNING, SMS, Reason.OUTSIDE_HOURS)
    assert decision.trace[0].objections == (
        Objection("inside_hours", Reason.OUTSIDE_HOURS),
        Objection("within_caps", Reason.CAPPED),
    )


@pytest.mark.rule(8)
def test_a_pending_opt_in_is_waited_for() -> None:
    known = night(points={SMS: point(SMS, consents={"deals": PENDING})})
    assert decided(known, channels=(SMS,)) == ("wait", PENDING.until, SMS, Reason.AWAITING_OPT_IN)


@pytest.mark.rule(8)
def test_a_pending_opt_in_holds_no_message_that_is_denied_anyway() -> None:
    known = facts(points={SMS: point(SMS, consents={"deals": PENDING}, blocked=Block.MARKETING)})
    assert decided(known, channels=(SMS,)) == ("drop", Reason.SUPPRESSED)


@pytest.mark.rule(8)
def test_a_request_that_runs_out_before_the_morning_is_judged_anew_when_it_does() -> None:
    ends = MORNING - 5 * HOUR
    request = ConsentFacts(answer=Answer.PENDING, until=ends)
    known = night(points={SMS: point(SMS, consents={"deals": request})})
    assert decided(known, channels=(SMS,)) == ("wait", ends, SMS, Reason.AWAITING_OPT_IN)
    assert decided(replace(known, now=ends), channels=(SMS,)) == ("drop", Reason.NO_CONSENT)


@pytest.mark.rule(8)
def test_nobody_waits_for_an_opt_in_that_would_come_to_nothing() -> None:
    known = night(points={SMS: point(SMS, consents={"deals": PENDING})})
    assert decided(known, channels=(SMS,), expires_at=MORNING) == ("drop", Reason.OUTSIDE_HOURS)


def test_who_has_no_address_is_told_apart_from_who_did_not_agree() -> None:
    assert decided(facts(points={}), channels=(SMS,)) == ("drop", Reason.NO_POINT)
    assert decided(facts(points={SMS: point(SMS, consents={})}), channels=(SMS,)) == (
        "drop",
        Reason.NO_CONSENT,
    )


def test_a_message_expires() -> None:
    assert decided(expires_at=NOON) == ("drop", Reason.EXPIRED)
    assert decided(expires_at=NOON + timedelta(seconds=1)) == ("send", EMAIL)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (night(), Reason.OUTSIDE_HOURS),
        (facts(caps=DEFAULT_CAPS, sent=CAPPED_TODAY), Reason.CAPPED),
        (facts(closed={SMS: NOON + 2 * DAY}), Reason.CHANNEL_CLOSED),
    ],
)
def test_what_would_only_open_after_it_expired_is_dropped_for_what_kept_it(
    known: Facts, reason: Reason
) -> None:
    assert decided(known, channels=(SMS,), expires_at=known.now + 4 * HOUR) == ("drop", reason)


def test_a_wait_ends_before_the_message_expires() -> None:
    assert decided(night(), channels=(SMS,), expires_at=MORNING) == ("drop", Reason.OUTSIDE_HOURS)
    assert decided(night(), channels=(SMS,), expires_at=MORNING + timedelta(seconds=1))[0] == "wait"


def test_two_policies_that_never_agree_are_not_asked_for_ever() -> None:
    def even_hours(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
        return Allow() if at.hour % 2 == 0 else Defer(at + HOUR, Reason.CAPPED)

    def odd_hours(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
        return Allow() if at.hour % 2 == 1 else Defer(at + HOUR, Reason.OUTSIDE_HOURS)

    decision = decide(candidate(), facts(), (*DEFAULT_POLICIES, even_hours, odd_hours))
    assert outcome(decision) == ("drop", Reason.NO_OPEN_TIME)


# Across channels


def test_the_first_channel_that_may_go_is_taken() -> None:
    assert decided(**BOTH) == ("send", SMS)
    assert decided(channels=(EMAIL, SMS)) == ("send", EMAIL)


def test_what_the_contact_prefers_comes_before_what_the_step_prefers() -> None:
    assert decided(facts(primary_channel=EMAIL), **BOTH) == ("send", EMAIL)


def test_a_preference_for_a_channel_that_the_step_does_not_use_changes_nothing() -> None:
    assert decided(facts(primary_channel=EMAIL), channels=(SMS,)) == ("send", SMS)


def test_the_next_channel_serves_when_the_first_cannot() -> None:
    assert decided(facts(points={EMAIL: point(EMAIL)}), **BOTH) == ("send", EMAIL)
    assert decided(excluded=frozenset({SMS}), **BOTH) == ("send", EMAIL)


def test_the_next_channel_serves_when_the_first_would_have_to_wait() -> None:
    assert decided(night(), **BOTH) == ("send", EMAIL)


def test_a_patient_step_waits_for_the_better_channel() -> None:
    until_nine = MORNING - NOON
    assert decided(night(), patience=until_nine, **BOTH) == ("wait", MORNING, SMS, Reason.OUTSIDE_HOURS)
    assert decided(night(), patience=until_nine - timedelta(seconds=1), **BOTH) == ("send", EMAIL)


def test_a_patient_step_waits_for_a_confirmation() -> None:
    known = facts(points={SMS: point(SMS, consents={"deals": PENDING}), EMAIL: point(EMAIL)})
    assert decided(known, **BOTH) == ("send", EMAIL)
    assert decided(known, patience=HOUR, **BOTH) == ("wait", NOON + HOUR, SMS, Reason.AWAITING_OPT_IN)
    assert decided(known, patience=2 * DAY, **BOTH) == ("wait", NOON + DAY, SMS, Reason.AWAITING_OPT_IN)
    later = replace(known, now=NOON + HOUR)
    assert decided(later, patience=HOUR, **BOTH) == ("send", EMAIL)
    declined = replace(later, points={SMS: point(SMS, consents={"deals": REVOKED}), EMAIL: point(EMAIL)})
    assert decided(declined, patience=2 * DAY, **BOTH) == ("send", EMAIL)


def test_nobody_waits_for_a_confirmation_that_would_come_to_nothing() -> None:
    number = point(SMS, consents={"deals": PENDING}, blocked=Block.EVERYTHING)
    known = facts(points={SMS: number, EMAIL: point(EMAIL)})
    assert decided(known, patience=2 * DAY, **BOTH) == ("send", EMAIL)


def test_patience_counts_from_the_plan_whatever_has_moved_the_message_since() -> None:
    moved: dict[str, Any] = {"due_at": MIDNIGHT, "planned_at": NOON, **BOTH}
    assert decided(night(), patience=MORNING - MIDNIGHT, **moved) == ("send", EMAIL)
    assert decided(night(), patience=MORNING - NOON, **moved)[0] == "wait"


def test_when_all_must_wait_the_earliest_is_waited_for() -> None:
    known = night(closed={EMAIL: MORNING - HOUR})
    assert decided(known, **BOTH) == ("wait", MORNING - HOUR, EMAIL, Reason.CHANNEL_CLOSED)
    assert decided(night(closed={EMAIL: MORNING}), **BOTH) == ("wait", MORNING, SMS, Reason.OUTSIDE_HOURS)


def test_a_drop_names_the_reason_of_the_channel_that_came_closest() -> None:
    no_number = facts(points={EMAIL: point(EMAIL, blocked=Block.EVERYTHING)})
    assert decided(no_number, **BOTH) == ("drop", Reason.SUPPRESSED)
    assert decided(no_number, wanted=False, **BOTH) == ("drop", Reason.SUPPRESSED)
    assert decided(facts(points={EMAIL: point(EMAIL)}), wanted=False, **BOTH) == ("drop", Reason.NOT_WANTED)
    assert decided(channels=()) == ("drop", Reason.NO_POINT)


def test_who_would_get_nothing_anyway_does_not_count_as_held_out() -> None:
    assert decided(held_out=True) == ("drop", Reason.HELD_OUT)
    assert decided(facts(points={EMAIL: point(EMAIL, consents={})}), held_out=True) == (
        "drop",
        Reason.NO_CONSENT,
    )


def test_critical_news_goes_out_on_both_channels_at_night() -> None:
    legs = [
        candidate(id=n, purpose=Purpose.CRITICAL, intent="new time", channels=(leg,), leg=leg, priority=0)
        for n, leg in enumerate((EMAIL, SMS))
    ]
    decisions = decide_together(legs, night(caps=DEFAULT_CAPS, sent=CAPPED_TODAY))
    assert [outcome(each) for each in decisions.values()] == [("send", EMAIL), ("send", SMS)]


# The trace


def test_the_trace_tells_what_was_tried_and_what_spoke_against_it() -> None:
    known = night(closed={EMAIL: MORNING}, points={EMAIL: point(EMAIL), SMS: point(SMS, consents={})})
    assert decide(candidate(condition_met=False, **BOTH), known).trace == (
        Finding(
            SMS,
            Outcome.DENIED,
            MIDNIGHT,
            (Objection("consented", Reason.NO_CONSENT), Objection("still_wanted", Reason.CONDITION)),
        ),
        Finding(EMAIL, Outcome.DENIED, MIDNIGHT, (Objection("still_wanted", Reason.CONDITION),)),
    )


@pytest.mark.parametrize("known", [facts(), night(), facts(points={})])
def test_a_trace_can_be_stored_and_read_again(known: Facts) -> None:
    decision = decide(candidate(**BOTH), known)
    assert trace_from_json(json.loads(json.dumps(decision.as_json()))) == decision.trace


# Together


def test_the_more_important_takes_the_slot() -> None:
    cart = candidate(id=1, intent="cart", priority=40)
    news = candidate(id=2, intent="news", priority=60, due_at=NOON - HOUR)
    decisions = decide_together([news, cart], facts(caps=DEFAULT_CAPS))
    assert outcome(decisions[1]) == ("send", EMAIL)
    assert outcome(decisions[2]) == ("wait", NOON + 16 * HOUR, EMAIL, Reason.CAPPED)


def test_of_equals_the_one_that_was_due_first_goes() -> None:
    first = candidate(id=9, intent="a", due_at=NOON - HOUR)
    second = candidate(id=3, intent="b")
    decisions = decide_together([second, first], facts(caps=DEFAULT_CAPS))
    assert [key for key, decision in decisions.items() if isinstance(decision, Send)] == [9]


def test_two_codes_in_one_batch_are_one_too_many() -> None:
    codes = [
        candidate(id=n, intent=str(n), channels=(channel,), offers_voucher=True)
        for n, channel in ((1, SMS), (2, EMAIL))
    ]
    decisions = decide_together(codes, facts())
    assert [outcome(each) for each in decisions.values()] == [
        ("send", SMS),
        ("drop", Reason.VOUCHER_TOO_SOON),
    ]


def test_the_same_promotion_in_one_batch_is_said_once() -> None:
    pair = [candidate(id=1, channels=(EMAIL,)), candidate(id=2, channels=(SMS,))]
    decisions = decide_together(pair, facts())
    assert [outcome(each) for each in decisions.values()] == [("send", EMAIL), ("drop", Reason.DUPLICATE)]


def test_a_candidate_that_waits_keeps_its_slot_at_its_new_time() -> None:
    cart = candidate(id=1, intent="cart", channels=(SMS,), priority=40)
    news = candidate(id=2, intent="news", channels=(EMAIL,), priority=60)
    later = NOON + 2 * HOUR
    decisions = decide_together([cart, news], facts(caps=DEFAULT_CAPS, closed={SMS: later}))
    assert outcome(decisions[1]) == ("wait", later, SMS, Reason.CHANNEL_CLOSED)
    assert outcome(decisions[2]) == ("wait", later, EMAIL, Reason.SLOT_RESERVED)


def test_a_candidate_that_is_dropped_gives_its_slot_up() -> None:
    cart = candidate(id=1, intent="cart", priority=40, wanted=False)
    news = candidate(id=2, intent="news", priority=60)
    own_slot = reserved(NOON, id=1, priority=40, intent="cart")
    known = facts(caps=DEFAULT_CAPS, reserved=(own_slot,))
    assert outcome(decide(news, known)) == ("wait", NOON + timedelta(minutes=1), EMAIL, Reason.SLOT_RESERVED)
    assert outcome(decide_together([cart, news], known)[2]) == ("send", EMAIL)


def test_a_candidate_does_not_wait_for_itself() -> None:
    own_slot = reserved(NOON, id=100, priority=50, intent="spring sale")
    assert decided(facts(caps=DEFAULT_CAPS, reserved=(own_slot,))) == ("send", EMAIL)
