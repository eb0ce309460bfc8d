"""Every code that is stored has words."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Any

import pytest

from oscar_crosschannel.admin import sentences
from oscar_crosschannel.core import clicks
from oscar_crosschannel.core.decision import Finding, Objection, Outcome
from oscar_crosschannel.core.facts import Answer, Purpose
from oscar_crosschannel.core.lifecycle import State, Status
from oscar_crosschannel.core.policies import DEFAULT_POLICIES
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models.contacts import ChannelKey
from oscar_crosschannel.services.conditions import CONDITIONS
from tests.admin.ledger import NOW


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (Reason, sentences.REASONS),
        (State, sentences.STATES),
        (State, sentences.TONES),
        (Status, sentences.STATUSES),
        (Purpose, sentences.PURPOSES),
        (Answer, sentences.ANSWERS),
        (Answer, sentences.ANSWER_TONES),
    ],
)
def test_every_member_has_words(codes: type[Enum], words: dict[Any, Any]) -> None:
    assert set(codes) == set(words)
    assert all(str(text).strip() for text in words.values())


def test_every_channel_and_condition_has_a_name() -> None:
    assert set(ChannelKey.values) <= set(sentences.CHANNELS)
    assert set(CONDITIONS) <= set(sentences.CONDITIONS)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_reads_with_channels_and_without(reason: Reason) -> None:
    for keys in ((), ("sms",), ("email", "sms")):
        assert "%" not in sentences.reason(reason, keys)


@pytest.mark.parametrize("policy", [*(policy.__name__ for policy in DEFAULT_POLICIES), "decide"])
def test_every_objection_of_the_shipped_rules_has_words(policy: str) -> None:
    words = sentences.objection(Objection(policy, Reason.NO_CONSENT), "sms")

    assert words == f"{sentences.POLICIES[policy]}: no consent for SMS"


def test_a_stores_own_rule_is_called_by_its_name() -> None:
    assert sentences.objection(Objection("no_mondays", Reason.CONDITION), "sms").startswith("no_mondays: ")


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_words(outcome: Outcome) -> None:
    assert sentences.finding(Finding("sms", outcome, NOW), NOW)


def test_every_sign_of_a_scanner_has_words() -> None:
    signs = clicks.suspicions(
        method="HEAD", user_agent="curl", at=NOW, sent_at=NOW, other_links_at=[NOW], trapped=True
    )

    assert set(signs) == set(sentences.SUSPICIONS)


@pytest.mark.parametrize(
    ("delay", "words"),
    [
        (timedelta(0), "at once"),
        (timedelta(minutes=1), "1 minute after"),
        (timedelta(hours=25), "1 day 1 hour after"),
        (timedelta(minutes=-10), "10 minutes before"),
        (timedelta(seconds=20), "less than a minute after"),
    ],
)
def test_delays_read_as_people_say_them(delay: timedelta, words: str) -> None:
    assert sentences.from_anchor(delay) == words


def test_todays_times_come_without_the_date() -> None:
    assert sentences.moment(NOW + timedelta(hours=2), NOW) == "10 a.m."
    assert sentences.moment(NOW + timedelta(days=2), NOW) == "March 12, 2026, 8 a.m."


def test_a_code_that_nobody_knows_any_more_is_shown_as_it_is() -> None:
    assert sentences.reason("gone_for_good") == "gone_for_good"
