"""What a provider says of a call only rises, in whatever order it arrives."""

from __future__ import annotations

from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.lifecycle import OPEN, RECALLABLE, State, Status, rises

reports = st.lists(st.sampled_from([status for status in Status if status > Status.NOT_SENT]), max_size=8)


def told(*story: Status, begin: Status = Status.INTENDED) -> Status:
    """The status after callbacks came in this order."""
    return reduce(lambda old, new: new if rises(old, new) else old, story, begin)


# It works


@pytest.mark.rule(68)
def test_callbacks_in_any_order_end_delivered() -> None:
    story = (Status.QUEUED, Status.SENDING, Status.SENT, Status.DELIVERED)
    assert {told(*order) for order in permutations(story)} == {Status.DELIVERED}


@pytest.mark.rule(68)
def test_an_end_is_not_taken_back() -> None:
    assert told(Status.UNDELIVERED, Status.QUEUED) is Status.UNDELIVERED
    assert told(Status.UNDELIVERED, Status.DELIVERED) is Status.UNDELIVERED
    assert told(Status.FAILED, Status.READ) is Status.FAILED
    assert told(Status.DELIVERED, Status.DEFERRED) is Status.DELIVERED


def test_what_was_delivered_may_be_read() -> None:
    assert told(Status.DELIVERED, Status.READ) is Status.READ


def test_the_late_truth_lifts_a_call_that_seemed_not_sent() -> None:
    assert told(Status.DELIVERED, begin=Status.NOT_SENT) is Status.DELIVERED


@pytest.mark.rule(19, 53)
def test_a_stop_recalls_only_what_no_provider_has_seen() -> None:
    assert {State.PLANNED, State.CLAIMED} == RECALLABLE
    assert RECALLABLE < OPEN
    assert State.SENDING in OPEN - RECALLABLE


# It refuses


@pytest.mark.parametrize("status", [Status.INTENDED, Status.NOT_SENT])
def test_no_report_says_that_nothing_happened(status: Status) -> None:
    assert not any(rises(old, status) for old in Status)


# It survives


@pytest.mark.rule(67)
@given(reports)
def test_a_doubled_report_changes_nothing(story: list[Status]) -> None:
    end = told(*story)
    assert told(*story, *story[-1:]) is end
    assert told(*story, *(status for status in story if status < Status.FAILED)) is end


@pytest.mark.rule(68)
@given(reports)
def test_the_status_never_falls(story: list[Status]) -> None:
    steps = [told(*story[:length]) for length in range(len(story) + 1)]
    assert steps == sorted(steps)
