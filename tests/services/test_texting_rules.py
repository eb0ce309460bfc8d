"""Which changes go beyond the law that is known: by all that they would permit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.timing import Hours
from oscar_crosschannel.models import TextingRule
from oscar_crosschannel.services import limits, texting_rules
from tests.factories import NOON

#: A Monday.
WEEK = datetime(2026, 3, 9, tzinfo=UTC)

clocks = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
days = st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
weeks = st.dictionaries(days, st.tuples(clocks, clocks).map("-".join), max_size=7)


def open_half_hours(place: str, hours: Any) -> set[int]:
    """By the machinery that decides when to send, not by the one under test."""
    rule = texting_rules.in_force(TextingRule(place=place, hours=hours))
    assert rule.week is not None
    span = Hours(("UTC",), (rule.week,)).spans
    return {
        half
        for half in range(7 * 48)
        if span(WEEK + half * timedelta(minutes=30), WEEK + half * timedelta(minutes=30, seconds=1))
    }


@pytest.mark.rule(31)
@given(hours=weeks)
def test_hours_go_beyond_the_law_exactly_when_something_closed_opens(hours: dict[str, str]) -> None:
    row = TextingRule(place="US", hours=hours)
    opened = open_half_hours("US", hours) - open_half_hours("US", None)

    assert ("hours" in list(texting_rules.beyond(row))) == bool(opened)


@pytest.mark.rule(31)
@pytest.mark.parametrize("place", ["default", "unsure", "FR", "US-FL", "US-RI"])
def test_no_change_goes_beyond_nothing(place: str) -> None:
    assert list(texting_rules.beyond(TextingRule(place=place))) == []


@pytest.mark.parametrize(
    "narrower",
    [
        {"place": "FR", "bases": ["express_written"]},
        {"place": "FR", "hours": {}},
        {"place": "GB", "one_way": True},
        {"place": "GB", "holidays_closed": True},
        {"place": "GB", "most": 1, "most_within": timedelta(days=1)},
        {"place": "US-FL", "most": 2},
        {"place": "US-FL", "most_within": timedelta(days=2)},
        {"place": "US-GA", "hours": {"mon-sun": "00:00-24:00"}},
    ],
)
def test_what_is_narrower_is_not_beyond(narrower: dict[str, Any]) -> None:
    assert list(texting_rules.beyond(TextingRule(**narrower))) == []


def test_a_night_from_sunday_to_monday_is_part_of_both(settings: Any) -> None:
    settings.CROSSCHANNEL_TEXTING_RULES = {"IS": {"hours": {"mon-sun": "00:00-24:00"}}}
    night = TextingRule(place="IS", hours={"sun": "20:00-04:00"})
    assert list(texting_rules.beyond(night)) == []

    settings.CROSSCHANNEL_TEXTING_RULES = {"IS": {"hours": {"mon": "05:00-24:00", "tue-sun": "00:00-24:00"}}}
    assert list(texting_rules.beyond(night)) == ["hours"]


@pytest.mark.django_db
def test_what_cannot_be_read_is_not_kept() -> None:
    for wrong in ({"hours": {"someday": "8-9"}}, {"bases": ["hearsay"]}, {"most": 3}):
        with pytest.raises(ValueError, match="FR"):
            texting_rules.keep(TextingRule(place="FR", **wrong), now=NOON)
    assert not TextingRule.objects.exists()


@pytest.mark.django_db
@pytest.mark.rule(31)
def test_the_engine_reads_the_merchants_row() -> None:
    texting_rules.keep(TextingRule(place="FR", hours={"mon": "10:00-12:00"}), now=NOON)

    week = limits.load().book.rows["FR"].week
    assert week is not None
    assert [bool(day) for day in week.days] == [True] + [False] * 6
