"""Each rule that a message must pass, on its own."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import pytest

from oscar_crosschannel.core import policies
from oscar_crosschannel.core.facts import (
    EMAIL,
    SMS,
    Answer,
    Basis,
    Block,
    Candidate,
    Cap,
    ConsentFacts,
    Facts,
    Purpose,
    Sent,
)
from oscar_crosschannel.core.policies import DEFAULT_CAPS, TURN
from oscar_crosschannel.core.rulings import Allow, Defer, Deny, Hold, Reason
from oscar_crosschannel.core.timing import DayHours, Hours, WeekRule
from tests.core.values import DAY, GRANTED, HOUR, NOON, REVOKED, candidate, facts, point, reserved, sent, utc

ALLOWED = Allow()
NINE_TO_EIGHT = Hours(("America/New_York",), (WeekRule("9-20", (DayHours(time(9), time(20)),) * 7),))
NEVER = Hours((), ())
MIDNIGHT = utc(2026, 6, 11, 4)


def with_consent(answer: ConsentFacts | None, channel: str = EMAIL, topic: str = "deals") -> Facts:
    return facts(points={channel: point(channel, consents={topic: answer} if answer else {})})


def capped(
    *history: Sent, caps: tuple[Cap, ...] = DEFAULT_CAPS, channel: str = EMAIL, **changes: Any
) -> object:
    """The ruling of `within_caps` at noon, after these messages."""
    known = facts(caps=caps, sent=history)
    return policies.within_caps(candidate(**changes), channel, known, NOON)


# reachable


def test_an_address_is_needed() -> None:
    known = facts(points={EMAIL: point(EMAIL)})
    assert policies.reachable(candidate(), EMAIL, known, NOON) == ALLOWED
    assert policies.reachable(candidate(), SMS, known, NOON) == Deny(Reason.NO_POINT)


def test_an_address_that_the_provider_refused_is_not_tried_again() -> None:
    refused = candidate(excluded=frozenset({SMS}))
    assert policies.reachable(refused, SMS, facts(), NOON) == Deny(Reason.REFUSED)
    assert policies.reachable(refused, EMAIL, facts(), NOON) == ALLOWED


# consented


def test_marketing_goes_to_who_agreed() -> None:
    assert policies.consented(candidate(), EMAIL, with_consent(GRANTED), NOON) == ALLOWED


@pytest.mark.rule(2)
def test_one_channel_does_not_answer_for_the_other() -> None:
    known = facts(points={EMAIL: point(EMAIL), SMS: point(SMS, consents={})})
    assert policies.consented(candidate(), SMS, known, NOON) == Deny(Reason.NO_CONSENT)


@pytest.mark.rule(2)
def test_one_topic_does_not_answer_for_another() -> None:
    known = with_consent(GRANTED, topic="order updates")
    assert policies.consented(candidate(), EMAIL, known, NOON) == Deny(Reason.NO_CONSENT)


@pytest.mark.parametrize("answer", [None, REVOKED])
def test_who_did_not_agree_gets_no_marketing(answer: ConsentFacts | None) -> None:
    assert policies.consented(candidate(), EMAIL, with_consent(answer), NOON) == Deny(Reason.NO_CONSENT)


@pytest.mark.rule(13)
def test_an_implied_grant_stops_at_its_instant() -> None:
    known = with_consent(ConsentFacts(answer=Answer.GRANTED, until=NOON))
    assert policies.consented(candidate(), EMAIL, known, NOON - timedelta(microseconds=1)) == ALLOWED
    assert policies.consented(candidate(), EMAIL, known, NOON) == Deny(Reason.NO_CONSENT)


@pytest.mark.rule(8)
@pytest.mark.parametrize(
    ("request_ends", "held_until"),
    [(NOON + DAY, NOON + DAY), (NOON + 9 * DAY, NOON + 3 * DAY), (None, NOON + 3 * DAY)],
)
def test_a_pending_request_holds_until_it_or_the_message_expires(
    request_ends: datetime | None, held_until: datetime
) -> None:
    known = with_consent(ConsentFacts(answer=Answer.PENDING, until=request_ends))
    assert policies.consented(candidate(), EMAIL, known, NOON) == Hold(held_until, Reason.AWAITING_OPT_IN)


@pytest.mark.rule(8)
def test_a_request_that_ran_out_denies() -> None:
    known = with_consent(ConsentFacts(answer=Answer.PENDING, until=NOON))
    assert policies.consented(candidate(), EMAIL, known, NOON) == Deny(Reason.NO_CONSENT)


@pytest.mark.parametrize(
    ("purpose", "answer", "ruling"),
    [
        (Purpose.REQUESTED, None, ALLOWED),
        (Purpose.REQUESTED, REVOKED, Deny(Reason.NO_CONSENT)),
        (
            Purpose.REQUESTED,
            ConsentFacts(answer=Answer.PENDING),
            Hold(NOON + 3 * DAY, Reason.AWAITING_OPT_IN),
        ),
        (Purpose.TRANSACTIONAL, REVOKED, ALLOWED),
        (Purpose.CRITICAL, REVOKED, ALLOWED),
    ],
)
def test_other_purposes_need_less(purpose: Purpose, answer: ConsentFacts | None, ruling: object) -> None:
    assert policies.consented(candidate(purpose=purpose), EMAIL, with_consent(answer), NOON) == ruling


@pytest.mark.parametrize(
    ("channel", "answer", "by_name", "ruling"),
    [
        (SMS, Answer.REVOKED, True, Deny(Reason.NO_CONSENT)),
        (SMS, Answer.PENDING, True, Deny(Reason.NO_CONSENT)),  # somebody typed the number anew
        (SMS, Answer.PENDING, False, ALLOWED),
        (SMS, Answer.REVOKED, False, ALLOWED),  # whoever stops everything is on the suppression list
        (EMAIL, Answer.REVOKED, True, ALLOWED),
    ],
)
def test_texts_about_orders_can_be_declined_by_name(
    channel: str, answer: Answer, by_name: bool, ruling: object
) -> None:
    stopped = ConsentFacts(answer=answer, stopped_by_name=by_name)
    known = facts(points={channel: point(channel, consents={candidate().topic: stopped})})
    assert policies.consented(candidate(purpose=Purpose.TRANSACTIONAL), channel, known, NOON) == ruling


CUSTOMER = ConsentFacts(answer=Answer.GRANTED, basis=Basis.SOFT_OPT_IN)
WRITTEN_ONLY = frozenset({Basis.EXPRESS_WRITTEN})


@pytest.mark.rule(1)
@pytest.mark.parametrize("basis", Basis)
def test_marketing_texts_need_a_grant_of_a_kind_that_the_place_accepts(basis: Basis) -> None:
    grant = ConsentFacts(answer=Answer.GRANTED, basis=basis)
    points = {SMS: point(SMS, consents={"deals": grant})}
    ruling = policies.consented(candidate(), SMS, facts(points=points, bases={SMS: WRITTEN_ONLY}), NOON)
    assert ruling == (ALLOWED if basis is Basis.EXPRESS_WRITTEN else Deny(Reason.WEAK_CONSENT))


@pytest.mark.rule(1)
def test_a_customer_may_be_texted_where_the_law_says_so_and_mailed_anyway() -> None:
    points = {channel: point(channel, consents={"deals": CUSTOMER}) for channel in (EMAIL, SMS)}
    strict = facts(points=points, bases={SMS: WRITTEN_ONLY})
    lenient = facts(points=points, bases={SMS: WRITTEN_ONLY | {Basis.SOFT_OPT_IN}})
    assert policies.consented(candidate(), SMS, lenient, NOON) == ALLOWED
    assert policies.consented(candidate(), SMS, strict, NOON) == Deny(Reason.WEAK_CONSENT)
    assert policies.consented(candidate(), EMAIL, strict, NOON) == ALLOWED
    asked_for = candidate(purpose=Purpose.REQUESTED)
    assert policies.consented(asked_for, SMS, strict, NOON) == ALLOWED


# old_enough


def aged(age: int | None, **changes: Any) -> Facts:
    return with_consent(ConsentFacts(**{"answer": Answer.GRANTED, "proven_age": age, **changes}))


@pytest.mark.rule(14)
@pytest.mark.parametrize(("age", "allowed"), [(None, False), (20, False), (21, True), (70, True)])
def test_a_topic_for_adults_goes_to_who_has_proven_their_age(age: int | None, allowed: bool) -> None:
    ruling = policies.old_enough(candidate(minimum_age=21), EMAIL, aged(age), NOON)
    assert ruling == (ALLOWED if allowed else Deny(Reason.NO_AGE_PROOF))


@pytest.mark.rule(14)
def test_a_proof_of_age_counts_on_its_own_address_and_topic() -> None:
    elsewhere = with_consent(ConsentFacts(answer=Answer.GRANTED, proven_age=50), topic="order updates")
    for purpose in (Purpose.MARKETING, Purpose.REQUESTED):
        spirits = candidate(minimum_age=21, purpose=purpose)
        assert policies.old_enough(spirits, EMAIL, elsewhere, NOON) == Deny(Reason.NO_AGE_PROOF)
        assert policies.old_enough(spirits, SMS, aged(50), NOON) == Deny(Reason.NO_AGE_PROOF)


@pytest.mark.rule(14)
def test_age_is_asked_of_nobody_for_other_topics_receipts_and_requests_yet_to_be_confirmed() -> None:
    assert policies.old_enough(candidate(), EMAIL, aged(None), NOON) == ALLOWED
    receipt = candidate(minimum_age=21, purpose=Purpose.TRANSACTIONAL)
    assert policies.old_enough(receipt, EMAIL, aged(None), NOON) == ALLOWED
    pending = aged(None, answer=Answer.PENDING)
    assert policies.old_enough(candidate(minimum_age=21), EMAIL, pending, NOON) == ALLOWED


# not_paused, not_guarded


def test_who_asked_for_a_rest_hears_no_marketing_until_then_and_all_the_rest() -> None:
    shared = facts(points={SMS: point(SMS, paused_until=NOON + DAY), EMAIL: point(EMAIL)})
    assert policies.not_paused(candidate(), SMS, shared, NOON) == Defer(NOON + DAY, Reason.PAUSED)
    assert policies.not_paused(candidate(), EMAIL, shared, NOON) == ALLOWED
    known = facts(paused_until=NOON + DAY)
    assert policies.not_paused(candidate(), EMAIL, known, NOON) == Defer(NOON + DAY, Reason.PAUSED)
    assert policies.not_paused(candidate(), EMAIL, known, NOON + DAY) == ALLOWED
    assert policies.not_paused(candidate(purpose=Purpose.TRANSACTIONAL), EMAIL, known, NOON) == ALLOWED
    assert policies.not_paused(candidate(), EMAIL, facts(), NOON) == ALLOWED


@pytest.mark.rule(50)
def test_a_guarded_channel_holds_its_marketing_until_staff_let_it_go() -> None:
    known = facts(guarded=frozenset({EMAIL}))
    assert policies.not_guarded(candidate(), EMAIL, known, NOON) == Hold(NOON + 3 * DAY, Reason.GUARDED)
    assert policies.not_guarded(candidate(), SMS, known, NOON) == ALLOWED
    assert policies.not_guarded(candidate(purpose=Purpose.TRANSACTIONAL), EMAIL, known, NOON) == ALLOWED


# not_suppressed


@pytest.mark.rule(26)
@pytest.mark.parametrize("purpose", Purpose)
def test_a_blocked_address_gets_nothing_whatever_was_agreed(purpose: Purpose) -> None:
    known = facts(points={SMS: point(SMS, blocked=Block.EVERYTHING)})
    assert policies.not_suppressed(candidate(purpose=purpose), SMS, known, NOON) == Deny(Reason.SUPPRESSED)


@pytest.mark.rule(26)
@pytest.mark.parametrize("purpose", Purpose)
def test_an_address_blocked_for_marketing_gets_the_rest(purpose: Purpose) -> None:
    known = facts(points={SMS: point(SMS, blocked=Block.MARKETING)})
    ruling = policies.not_suppressed(candidate(purpose=purpose), SMS, known, NOON)
    assert ruling == (Deny(Reason.SUPPRESSED) if purpose is Purpose.MARKETING else ALLOWED)


# still_wanted, not_duplicate, not_held_out, voucher_gap, channel_open


def test_a_run_that_ended_sends_nothing() -> None:
    assert policies.still_wanted(candidate(), EMAIL, facts(), NOON) == ALLOWED
    assert policies.still_wanted(candidate(wanted=False), EMAIL, facts(), NOON) == Deny(Reason.NOT_WANTED)


def test_a_step_waits_for_no_condition_that_failed() -> None:
    assert policies.still_wanted(candidate(condition_met=False), EMAIL, facts(), NOON) == Deny(
        Reason.CONDITION
    )


def test_nothing_is_said_twice_on_whatever_channel() -> None:
    known = facts(sent=(sent(NOON - 90 * DAY, SMS, intent="spring sale"),))
    assert policies.not_duplicate(candidate(), EMAIL, known, NOON) == Deny(Reason.DUPLICATE)
    assert policies.not_duplicate(candidate(intent="autumn sale"), EMAIL, known, NOON) == ALLOWED


def test_what_somebody_else_was_told_at_the_same_number_is_no_repetition() -> None:
    known = facts(sent=(sent(NOON - DAY, SMS, intent="spring sale", same_contact=False),))
    assert policies.not_duplicate(candidate(), SMS, known, NOON) == ALLOWED


def test_critical_news_is_said_once_on_each_channel() -> None:
    alert = candidate(purpose=Purpose.CRITICAL, intent="alert", leg=SMS)
    known = facts(sent=(sent(NOON, EMAIL, intent="alert", purpose=Purpose.CRITICAL),))
    assert policies.not_duplicate(alert, SMS, known, NOON) == ALLOWED
    assert policies.not_duplicate(alert, EMAIL, known, NOON) == Deny(Reason.DUPLICATE)


def test_who_is_held_out_gets_no_marketing_and_all_the_rest() -> None:
    held_out = candidate(held_out=True)
    assert policies.not_held_out(held_out, EMAIL, facts(), NOON) == Deny(Reason.HELD_OUT)
    receipt = candidate(held_out=True, purpose=Purpose.TRANSACTIONAL)
    assert policies.not_held_out(receipt, EMAIL, facts(), NOON) == ALLOWED


def test_one_exclusive_code_in_thirty_days() -> None:
    known = facts(sent=(sent(NOON - 30 * DAY + HOUR, offers_voucher=True),))
    another = candidate(offers_voucher=True)
    assert policies.voucher_gap(another, SMS, known, NOON) == Deny(Reason.VOUCHER_TOO_SOON)
    assert policies.voucher_gap(another, SMS, known, NOON + HOUR) == ALLOWED
    assert policies.voucher_gap(candidate(), SMS, known, NOON) == ALLOWED


@pytest.mark.rule(56)
def test_a_broken_channel_makes_its_messages_wait() -> None:
    known = facts(closed={SMS: NOON + HOUR})
    assert policies.channel_open(candidate(), SMS, known, NOON) == Defer(NOON + HOUR, Reason.CHANNEL_CLOSED)
    assert policies.channel_open(candidate(), SMS, known, NOON + HOUR) == ALLOWED
    assert policies.channel_open(candidate(), EMAIL, known, NOON) == ALLOWED


# inside_hours


@pytest.mark.rule(31, 32)
def test_a_text_at_night_waits_for_the_morning() -> None:
    known = facts(hours={SMS: NINE_TO_EIGHT})
    assert policies.inside_hours(candidate(), SMS, known, NOON) == ALLOWED
    morning = utc(2026, 6, 11, 13)
    assert policies.inside_hours(candidate(), SMS, known, MIDNIGHT) == Defer(morning, Reason.OUTSIDE_HOURS)
    assert policies.inside_hours(candidate(), EMAIL, known, MIDNIGHT) == ALLOWED


@pytest.mark.rule(36)
def test_zones_without_a_common_hour_are_a_reason() -> None:
    known = facts(hours={SMS: NEVER})
    assert policies.inside_hours(candidate(), SMS, known, NOON) == Deny(Reason.NO_OPEN_HOURS)


@pytest.mark.rule(39)
@pytest.mark.parametrize(
    ("purpose", "any_hour", "agreed", "waits"),
    [
        (Purpose.MARKETING, False, True, True),
        (Purpose.MARKETING, True, True, True),
        (Purpose.REQUESTED, False, True, True),
        (Purpose.REQUESTED, True, False, True),
        (Purpose.REQUESTED, True, True, False),
        (Purpose.TRANSACTIONAL, False, False, False),
        (Purpose.CRITICAL, False, False, False),
    ],
)
def test_hours_and_legal_caps_are_waived_for_few(
    purpose: Purpose, any_hour: bool, agreed: bool, waits: bool
) -> None:
    texts = tuple(sent(MIDNIGHT - n * HOUR, SMS) for n in (1, 2, 3))
    answer = ConsentFacts(answer=Answer.GRANTED, any_hour=agreed)
    points = {SMS: point(SMS, consents={candidate().topic: answer})}
    known = facts(points=points, hours={SMS: NINE_TO_EIGHT}, caps=DEFAULT_CAPS, sent=texts)
    asking = candidate(purpose=purpose, any_hour=any_hour)
    for policy in (policies.inside_hours, policies.within_caps):
        assert isinstance(policy(asking, SMS, known, MIDNIGHT), Defer) is waits


@pytest.mark.rule(39)
@pytest.mark.parametrize("answer", [Answer.REVOKED, Answer.PENDING, None])
def test_any_hour_lasts_as_long_as_the_consent(answer: Answer | None) -> None:
    consents = {candidate().topic: ConsentFacts(answer=answer, any_hour=True)} if answer else {}
    known = facts(points={SMS: point(SMS, consents=consents)}, hours={SMS: NINE_TO_EIGHT})
    asking = candidate(purpose=Purpose.REQUESTED, any_hour=True)
    assert isinstance(policies.inside_hours(asking, SMS, known, MIDNIGHT), Defer)


# held_until_morning


def test_what_the_shop_holds_waits_for_the_morning_on_every_channel() -> None:
    known = facts(hours={SMS: NINE_TO_EIGHT}, held=frozenset({"deals"}))
    parcel = candidate(purpose=Purpose.TRANSACTIONAL, expires_at=MIDNIGHT + DAY)
    waits = Defer(utc(2026, 6, 11, 13), Reason.OUTSIDE_HOURS)
    for channel in (SMS, EMAIL):
        assert policies.held_until_morning(parcel, channel, known, MIDNIGHT) == waits
        assert policies.held_until_morning(parcel, channel, known, NOON) == ALLOWED
        assert policies.held_until_morning(parcel, channel, facts(), MIDNIGHT) == ALLOWED


@pytest.mark.parametrize(
    "changes",
    [
        {"topic": "order_updates"},
        {"purpose": Purpose.CRITICAL},
        {"expires_at": MIDNIGHT + 2 * HOUR},
    ],
    ids=["another topic", "critical", "too late in the morning"],
)
def test_nothing_else_is_held_nor_anything_until_it_is_too_late(changes: dict[str, Any]) -> None:
    known = facts(hours={SMS: NINE_TO_EIGHT}, held=frozenset({"deals"}))
    asking = candidate(**{"purpose": Purpose.TRANSACTIONAL, "expires_at": MIDNIGHT + DAY, **changes})
    assert policies.held_until_morning(asking, SMS, known, MIDNIGHT) == ALLOWED


# within_caps


def every(gap: timedelta, count: int, channel: str, **changes: Any) -> tuple[Sent, ...]:
    """`count` messages before noon, the last of them one `gap` ago."""
    return tuple(sent(NOON - n * gap, channel, **changes) for n in range(1, count + 1))


@pytest.mark.parametrize(
    ("history", "changes", "frees"),
    [
        (every(DAY, 4, EMAIL), {}, NOON + 3 * DAY),  # 4 emails a week
        (every(2 * DAY, 3, EMAIL), {}, None),
        (every(2 * DAY, 2, EMAIL, campaign=True), {"campaign": True}, NOON + 3 * DAY),  # of which 2 campaigns
        (every(2 * DAY, 2, EMAIL, campaign=True), {}, None),
        (every(15 * HOUR, 1, EMAIL), {}, NOON + HOUR),  # 16 hours between emails
        (every(16 * HOUR, 1, EMAIL), {}, None),
        (every(7 * DAY, 4, SMS), {"channels": (SMS,)}, NOON + 2 * DAY),  # 4 texts in 30 days
        (every(8 * DAY, 4, SMS), {"channels": (SMS,)}, None),
        (every(23 * HOUR, 1, SMS), {"channels": (SMS,)}, NOON + HOUR),  # 1 text a day
        (every(24 * HOUR, 1, SMS), {"channels": (SMS,)}, None),
        (every(30 * HOUR, 3, SMS) + every(40 * HOUR, 2, EMAIL), {}, NOON + 7 * DAY - 90 * HOUR),  # 5 a week
        (every(3 * HOUR, 1, SMS), {}, NOON + HOUR),  # 4 hours between two subjects
        (every(4 * HOUR, 1, SMS), {}, None),
        (every(3 * HOUR, 1, SMS, intent="spring sale"), {}, None),
    ],
)
def test_the_default_caps(history: tuple[Sent, ...], changes: dict[str, Any], frees: datetime | None) -> None:
    channel = changes.get("channels", (EMAIL,))[0]
    ruling = capped(*history, channel=channel, **changes)
    assert ruling == (Defer(frees, Reason.CAPPED) if frees else ALLOWED)


@pytest.mark.rule(37)
def test_the_legal_cap_counts_the_number_whoever_it_belongs_to_and_whatever_it_was() -> None:
    others = (
        sent(NOON - 23 * HOUR, SMS, same_contact=False, purpose=Purpose.TRANSACTIONAL),
        sent(NOON - 2 * HOUR, SMS, same_contact=False, purpose=Purpose.REQUESTED),
        sent(NOON - HOUR, SMS, purpose=Purpose.CRITICAL),
    )
    assert capped(*others, channel=SMS) == Defer(NOON + HOUR, Reason.CAPPED)
    assert capped(*others[1:], channel=SMS) == ALLOWED
    elsewhere = tuple(sent(NOON - HOUR, SMS, same_contact=False, digest="bob's number") for _ in range(9))
    assert capped(*elsewhere, channel=SMS) == ALLOWED


@pytest.mark.rule(37)
def test_a_text_to_somebody_else_at_the_same_number_takes_room_and_an_email_does_not() -> None:
    text, email = (sent(NOON - HOUR, channel, same_contact=False) for channel in (SMS, EMAIL))
    assert capped(text, channel=SMS) == Defer(NOON + 23 * HOUR, Reason.CAPPED)
    assert capped(text, channel=EMAIL) == ALLOWED
    assert capped(email, channel=EMAIL) == ALLOWED
    elsewhere = sent(NOON - HOUR, SMS, same_contact=False, digest="bob's number")
    assert capped(elsewhere, channel=SMS) == ALLOWED


def test_one_number_gets_one_code_whoever_it_belongs_to() -> None:
    code = sent(NOON - DAY, SMS, same_contact=False, offers_voucher=True)
    known, another = facts(sent=(code,)), candidate(offers_voucher=True)
    assert policies.voucher_gap(another, SMS, known, NOON) == Deny(Reason.VOUCHER_TOO_SOON)
    assert policies.voucher_gap(another, EMAIL, known, NOON) == ALLOWED
    assert policies.voucher_gap(another, SMS, known, NOON + 30 * DAY) == ALLOWED


@pytest.mark.rule(37)
def test_a_requested_message_is_bound_by_law_and_not_by_custom() -> None:
    texts = every(HOUR, 2, SMS)
    assert capped(*texts, channel=SMS, purpose=Purpose.REQUESTED) == ALLOWED
    assert capped(*every(HOUR, 3, SMS), channel=SMS, purpose=Purpose.REQUESTED) == Defer(
        NOON + 21 * HOUR, Reason.CAPPED
    )


def test_only_marketing_uses_up_the_shops_own_caps() -> None:
    receipts = every(HOUR, 9, EMAIL, purpose=Purpose.TRANSACTIONAL)
    assert capped(*receipts) == ALLOWED


def test_a_cap_of_nothing_never_has_room() -> None:
    ruling = capped(caps=(Cap(name="no marketing", most=0, window=DAY),))
    assert isinstance(ruling, Defer)
    assert ruling.until.year == 9999


@pytest.mark.rule(34)
def test_a_day_is_twenty_four_hours_over_a_change_of_clocks() -> None:
    before = utc(2026, 3, 7, 20)
    known = facts(caps=DEFAULT_CAPS, sent=(sent(before, SMS),))
    same_wall_time = utc(2026, 3, 8, 19)  # the clocks went forward in between
    ruling = policies.within_caps(candidate(), SMS, known, same_wall_time)
    assert ruling == Defer(before + timedelta(hours=24), Reason.CAPPED)


NEWS_WEEKLY = Cap(name="news once a week", most=1, window=7 * DAY, topics=frozenset({"news"}))


@pytest.mark.rule(37)
def test_a_cap_of_a_topic_counts_that_topic_on_every_channel() -> None:
    news = sent(NOON - DAY, SMS, topic="news")
    assert capped(news, caps=(NEWS_WEEKLY,), topic="news") == Defer(NOON + 6 * DAY, Reason.CAPPED)
    assert capped(news, caps=(NEWS_WEEKLY,), topic="deals") == ALLOWED
    assert capped(sent(NOON - DAY, SMS, topic="deals"), caps=(NEWS_WEEKLY,), topic="news") == ALLOWED


def test_who_wants_fewer_messages_gets_half_and_the_law_stays_as_it_is() -> None:
    halved = {cap.key: (cap.most, cap.window) for cap in policies.fewer(DEFAULT_CAPS)}
    assert halved == {
        "emails-a-week": (2, 7 * DAY),
        "campaign-emails-a-week": (1, 7 * DAY),
        "pause-between-emails": (1, timedelta(hours=32)),
        "texts-a-month": (2, 30 * DAY),
        "texts-a-day": (1, 2 * DAY),
        "messages-a-week": (2, 7 * DAY),
        "pause-between-subjects": (1, 8 * HOUR),
        "texts-a-day-by-law": (3, DAY),
    }


# slot_free


def slot(known: Facts, asking: Candidate | None = None, at: datetime = NOON) -> object:
    return policies.slot_free(asking or candidate(), EMAIL, known, at)


def test_a_more_important_message_keeps_its_slot() -> None:
    known = facts(caps=DEFAULT_CAPS, sent=every(DAY + HOUR, 3, EMAIL), reserved=(reserved(NOON + 20 * HOUR),))
    assert slot(known) == Defer(NOON + 20 * HOUR, Reason.SLOT_RESERVED)


def test_room_for_both_is_room() -> None:
    known = facts(caps=DEFAULT_CAPS, sent=every(DAY + HOUR, 2, EMAIL), reserved=(reserved(NOON + 20 * HOUR),))
    assert slot(known) == ALLOWED


def test_a_pause_is_kept_before_a_more_important_message_too() -> None:
    known = facts(caps=DEFAULT_CAPS, reserved=(reserved(NOON + 10 * HOUR),))
    assert slot(known) == Defer(NOON + 10 * HOUR, Reason.SLOT_RESERVED)
    assert slot(facts(caps=DEFAULT_CAPS, reserved=(reserved(NOON + 16 * HOUR),))) == ALLOWED


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"priority": 90}, "it is less important"),
        ({"priority": 50}, "it is as important and comes later"),
        ({"due_at": NOON + 25 * HOUR}, "it is due in more than a day"),
        ({"purpose": Purpose.TRANSACTIONAL}, "caps do not bind it"),
        ({"channels": ()}, "it has no way to go"),
        ({"channels": (SMS,), "intent": "spring sale"}, "it goes by another channel"),
    ],
)
def test_no_slot_is_kept_for_a_message_that(changes: dict[str, Any], why: str) -> None:
    one_a_day = (Cap(name="one email a day", most=1, window=DAY, channels=frozenset({EMAIL})),)
    other = reserved(**{"due_at": NOON + 10 * HOUR, **changes})
    assert slot(facts(caps=one_a_day, reserved=(other,))) == ALLOWED, why


def test_no_slot_is_kept_for_a_message_that_is_capped_anyway() -> None:
    known = facts(caps=DEFAULT_CAPS, sent=every(DAY + HOUR, 4, EMAIL), reserved=(reserved(NOON + 10 * HOUR),))
    assert slot(known) == ALLOWED


def test_slots_are_kept_for_several() -> None:
    cap = (Cap(name="two a week", most=2, window=7 * DAY),)
    both = (
        reserved(NOON + 2 * HOUR),
        reserved(NOON + 20 * HOUR, id=2, intent="basket:7:code", channels=(SMS,)),
    )
    assert slot(facts(caps=cap, reserved=both[:1])) == ALLOWED
    assert slot(facts(caps=cap, reserved=both)) == Defer(NOON + 20 * HOUR, Reason.SLOT_RESERVED)
    after_the_first = NOON + 3 * HOUR
    assert slot(facts(caps=cap, reserved=both), at=after_the_first) == Defer(
        NOON + 20 * HOUR, Reason.SLOT_RESERVED
    )


def test_the_slot_of_a_topic_is_kept_from_its_own_topic_only() -> None:
    news = facts(caps=(NEWS_WEEKLY,), reserved=(reserved(NOON + 10 * HOUR, topic="news"),))
    assert slot(news, candidate(topic="news")) == Defer(NOON + 10 * HOUR, Reason.SLOT_RESERVED)
    assert slot(news, candidate(topic="deals")) == ALLOWED


def test_a_more_important_message_that_is_already_due_has_its_turn_first() -> None:
    known = facts(caps=DEFAULT_CAPS, reserved=(reserved(NOON - HOUR),))
    assert slot(known) == Defer(NOON + TURN, Reason.SLOT_RESERVED)
    assert slot(known, at=NOON + TURN) == ALLOWED


def test_the_slot_is_kept_on_the_channel_that_the_contact_prefers() -> None:
    texts = (Cap(name="one text a day", most=1, window=DAY, channels=frozenset({SMS})),)
    other = reserved(NOON + HOUR, channels=(EMAIL, SMS))
    at_sms = facts(caps=texts, reserved=(other,), primary_channel=SMS)
    assert policies.slot_free(candidate(), SMS, at_sms, NOON) == Defer(NOON + HOUR, Reason.SLOT_RESERVED)
    assert policies.slot_free(candidate(), SMS, facts(caps=texts, reserved=(other,)), NOON) == ALLOWED
