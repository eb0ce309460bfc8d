"""Which channel suits a message, as a table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oscar_crosschannel.core.channel_fit import Hint, Traits, Why, a_month, hints
from oscar_crosschannel.core.facts import EMAIL, SMS, Purpose

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

#: A message, and what speaks for which channel.
TABLE: dict[str, tuple[dict[str, Any], list[tuple[Why, tuple[str, ...]]]]] = {
    "a schedule has changed": ({"purpose": Purpose.CRITICAL, "worth": DAY}, [(Why.CRITICAL, (SMS, EMAIL))]),
    "it begins in ten minutes": ({"worth": HOUR / 6, "segments": 1, "links": 1}, [(Why.URGENT, (SMS,))]),
    "may come at any hour": ({"worth": DAY, "any_hour": True, "segments": 1}, [(Why.URGENT, (SMS,))]),
    "ends tonight, told at length": (
        {"worth": 3 * HOUR, "segments": 3},
        [(Why.URGENT_AND_LONG, (SMS,)), (Why.LONG, (EMAIL,))],
    ),
    "ends tonight, with pictures": (
        {"worth": 3 * HOUR, "segments": 1, "pictures": 2},
        [(Why.URGENT_AND_LONG, (SMS,)), (Why.VISUAL, (EMAIL,))],
    ),
    "a code for a day": ({"worth": DAY, "segments": 2, "links": 1}, []),
    "the story of the shop": (
        {"worth": 7 * DAY, "segments": 9, "pictures": 4, "links": 6},
        [(Why.PATIENT, (EMAIL,)), (Why.LONG, (EMAIL,)), (Why.VISUAL, (EMAIL,))],
    ),
    "best sellers, one line": ({"worth": DAY, "segments": 1, "links": 3}, [(Why.VISUAL, (EMAIL,))]),
    "every other day": ({"worth": DAY, "segments": 1, "a_month": 15}, [(Why.OFTEN, (EMAIL,))]),
    "a few times a month": ({"worth": DAY, "segments": 1, "a_month": 4}, []),
    "no words yet": ({"worth": DAY}, []),
}


@pytest.mark.parametrize("story", TABLE)
def test_what_speaks_for_a_channel(story: str) -> None:
    known, expected = TABLE[story]
    traits = Traits(**{"purpose": Purpose.MARKETING, **known})
    assert hints(traits) == [Hint(why, channels) for why, channels in expected]


@pytest.mark.parametrize(
    ("days", "rest", "once", "most"),
    [
        ([1], 7, False, 4),
        ([1, 2, 3, 4], 7, False, 16),
        ([1, 2, 3, 4, 5], 90, False, 5),
        ([1, 2, 3, 4, 5], 0, False, 5),  # how often it begins, nobody knows
        ([1, 2, 3], 1, True, 3),
        ([1, 31, 61, 62, 91, 121], 0, True, 2),  # spread over months
        ([], 1, False, 0),
    ],
)
def test_how_many_texts_a_flow_may_send_one_person(days: list[int], rest: int, once: bool, most: int) -> None:
    assert a_month([day * DAY for day in days], rest * DAY, once=once) == most
