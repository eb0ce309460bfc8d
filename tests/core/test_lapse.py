"""What time does to a consent."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.lapse import age_on, months_after


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (datetime(2026, 11, 23, 9, 30, tzinfo=UTC), 6, datetime(2027, 5, 23, 9, 30, tzinfo=UTC)),
        (datetime(2024, 2, 29, tzinfo=UTC), 24, datetime(2026, 2, 28, tzinfo=UTC)),
        (datetime(2026, 8, 31, tzinfo=UTC), 6, datetime(2027, 2, 28, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), 1, datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_months_end_on_the_same_day_or_the_last_of_a_shorter_one(
    start: datetime, months: int, end: datetime
) -> None:
    assert months_after(start, months) == end


@pytest.mark.rule(14)
@pytest.mark.parametrize(
    ("day", "age"),
    [(date(2026, 2, 28), 17), (date(2026, 3, 1), 18), (date(2008, 2, 29), 0), (date(2028, 2, 29), 20)],
)
def test_a_year_of_life_is_full_on_the_birthday(day: date, age: int) -> None:
    assert age_on(date(2008, 2, 29), day) == age


@pytest.mark.rule(14)
@pytest.mark.parametrize("born_on", [date(2027, 1, 1), date(1850, 1, 1)])
def test_nobody_is_born_tomorrow_or_in_another_century(born_on: date) -> None:
    with pytest.raises(ValueError, match="born"):
        age_on(born_on, date(2026, 11, 23))


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(0, 240))
def test_months_never_go_back(start: datetime, months: int) -> None:
    assert start <= months_after(start, months) < months_after(start, months + 1)
