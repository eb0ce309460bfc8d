"""From what a person said, one thing after another, to what counts now."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.consent import Action, ConsentEvent, current
from oscar_crosschannel.core.facts import Answer, ConsentFacts
from tests.core.values import DAY, HOUR, NOON

GRANT, REQUEST, DECLINE, REVOKE = Action


def said(*story: Action | tuple[Action, timedelta]) -> Answer | None:
    """The answer after a story told an hour apart; a pair carries how long its entry lasts."""
    events = []
    for hour, entry in enumerate(story):
        action, lasts = entry if isinstance(entry, tuple) else (entry, None)
        at = NOON + hour * HOUR
        events.append(ConsentEvent(action=action, at=at, until=at + lasts if lasts else None))
    answer = current(events)
    return answer.answer if answer else None


# It works


def test_the_last_word_counts() -> None:
    assert said() is None
    assert said(GRANT) is Answer.GRANTED
    assert said(GRANT, REVOKE) is Answer.REVOKED
    assert said(GRANT, REVOKE, GRANT) is Answer.GRANTED


@pytest.mark.rule(8)
def test_a_request_waits_for_its_confirmation() -> None:
    assert said((REQUEST, DAY)) is Answer.PENDING
    assert said((REQUEST, DAY), GRANT) is Answer.GRANTED
    assert said(REVOKE, (REQUEST, DAY)) is Answer.PENDING
    assert said(REVOKE, (REQUEST, DAY), GRANT) is Answer.GRANTED


@pytest.mark.rule(13)
def test_an_implied_grant_carries_its_end() -> None:
    grant = ConsentEvent(action=GRANT, at=NOON, until=NOON + 730 * DAY)
    assert current([grant]) == ConsentFacts(answer=Answer.GRANTED, until=NOON + 730 * DAY)


def test_a_request_takes_nothing_from_who_has_agreed() -> None:
    assert said(GRANT, (REQUEST, DAY)) is Answer.GRANTED
    assert said((GRANT, HOUR / 2), (REQUEST, DAY)) is Answer.PENDING


def test_an_empty_box_is_no_answer() -> None:
    assert said(DECLINE) is None
    assert said(GRANT, DECLINE) is Answer.GRANTED
    assert said((REQUEST, DAY), DECLINE) is Answer.PENDING


# It survives

stories = st.lists(st.sampled_from(Action) | st.tuples(st.sampled_from(Action), st.just(DAY)), max_size=8)


@given(stories)
def test_nothing_is_granted_that_nobody_granted(story: list[Action | tuple[Action, timedelta]]) -> None:
    actions = [entry[0] if isinstance(entry, tuple) else entry for entry in story]
    if GRANT not in actions:
        assert said(*story) is not Answer.GRANTED


@given(stories)
def test_a_revocation_always_counts(story: list[Action | tuple[Action, timedelta]]) -> None:
    assert said(*story, REVOKE) is Answer.REVOKED
