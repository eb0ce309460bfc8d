"""When a person may be disturbed, on every day and in every zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.calendars import is_public_holiday
from oscar_crosschannel.core.timing import DayHours, Hours, WeekRule, clock, spread, westernmost
from tests.core.values import utc

ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/St_Johns",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Havana",
    "Pacific/Kiritimati",
    "America/Adak",
)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def every_day(start: str, end: str, name: str = "every day") -> WeekRule:
    return WeekRule(name, (DayHours(time.fromisoformat(start), time.fromisoformat(end)),) * 7)


FEDERAL = every_day("08:00", "21:00", "federal")


def is_open(hours: Hours, at: datetime) -> bool:
    return hours.opens(at, guard=timedelta(0)) == at


# It works


@pytest.mark.rule(31)
@pytest.mark.parametrize(
    ("wall", "allowed"),
    [(time(7, 59, 59), False), (time(8), True), (time(20, 59, 59), True), (time(21), False)],
)
@pytest.mark.parametrize("zone", ZONES)
def test_the_federal_window_begins_and_ends_on_the_second(zone: str, wall: time, allowed: bool) -> None:
    at = datetime.combine(date(2026, 6, 10), wall, ZoneInfo(zone)).astimezone(UTC)
    assert is_open(Hours((zone,), (FEDERAL,)), at) is allowed


@pytest.mark.rule(31)
def test_a_closed_window_opens_the_next_morning() -> None:
    hours = Hours(("America/New_York",), (FEDERAL,))
    assert hours.opens(utc(2026, 6, 11, 1)) == utc(2026, 6, 11, 12)
    assert hours.closes(utc(2026, 6, 11, 12)) == utc(2026, 6, 12, 1)
    assert hours.closes(utc(2026, 6, 11, 1)) is None


@pytest.mark.rule(34)
@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("America/New_York", (2026, 3, 8)),
        ("America/New_York", (2026, 11, 1)),
        ("America/St_Johns", (2026, 3, 8)),
        ("America/St_Johns", (2026, 11, 1)),
        ("Australia/Lord_Howe", (2026, 10, 4)),  # half an hour
    ],
)
def test_a_window_follows_the_clocks_over_a_change(zone: str, around: tuple[int, int, int]) -> None:
    hours = Hours((zone,), (FEDERAL,))
    change = date(*around)
    offsets = set()
    for day in (change - timedelta(days=1), change, change + timedelta(days=1)):
        opens = hours.opens(datetime.combine(day, time(4), ZoneInfo(zone)).astimezone(UTC))
        assert opens is not None
        closes = hours.closes(opens)
        assert closes is not None
        assert opens.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == datetime.combine(day, time(8))
        assert closes.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == datetime.combine(day, time(21))
        offsets.add(opens.time())
    assert len(offsets) == 2, "the clocks did change, or this test shows nothing"


@pytest.mark.rule(34)
def test_both_days_of_2026_on_which_american_clocks_change() -> None:
    hours = Hours(("America/New_York",), (FEDERAL,))
    assert hours.opens(utc(2026, 3, 7, 6)) == utc(2026, 3, 7, 13)
    assert hours.opens(utc(2026, 3, 8, 6)) == utc(2026, 3, 8, 12)
    assert hours.opens(utc(2026, 10, 31, 6)) == utc(2026, 10, 31, 12)
    assert hours.opens(utc(2026, 11, 1, 6)) == utc(2026, 11, 1, 13)


@pytest.mark.rule(34)
def test_zones_may_be_off_by_half_an_hour() -> None:
    assert Hours(("Asia/Kolkata",), (FEDERAL,)).opens(utc(2026, 6, 10, 0)) == utc(2026, 6, 10, 2, 30)
    assert Hours(("America/St_Johns",), (FEDERAL,)).opens(utc(2026, 6, 10, 8)) == utc(2026, 6, 10, 10, 30)


@pytest.mark.rule(34)
def test_a_window_may_cross_midnight() -> None:
    hours = Hours(("America/New_York",), (every_day("18:00", "02:00"),))
    assert is_open(hours, utc(2026, 6, 11, 5, 59))  # 01:59
    assert not is_open(hours, utc(2026, 6, 11, 6))
    assert hours.opens(utc(2026, 6, 11, 6)) == utc(2026, 6, 11, 22)
    assert hours.closes(utc(2026, 6, 11, 22)) == utc(2026, 6, 12, 6)


def test_a_window_that_crosses_midnight_belongs_to_the_day_on_which_it_began() -> None:
    friday = WeekRule("friday night", (None,) * 4 + (DayHours(time(20), time(3)),) + (None,) * 2)
    hours = Hours(("America/New_York",), (friday,))
    assert hours.opens(utc(2026, 6, 10)) == utc(2026, 6, 13)  # Friday 20:00
    assert hours.closes(utc(2026, 6, 13, 6)) == utc(2026, 6, 13, 7)  # Saturday 03:00


def test_a_long_window_is_found_from_the_far_side_of_the_date_line() -> None:
    hours = Hours(("Pacific/Pago_Pago",), (every_day("20:00", "19:00"),))
    evening = utc(2026, 6, 10, 5)  # 18:00 on the ninth; open since 20:00 on the eighth
    assert hours.closes(evening) == utc(2026, 6, 10, 6)


@pytest.mark.rule(34)
@pytest.mark.parametrize(
    ("start", "end", "before", "opens", "closes"),
    [
        # 02:30 does not exist on 8 March: the later start, the earlier end.
        ("02:30", "12:00", (2026, 3, 8, 6), (2026, 3, 8, 7, 30), (2026, 3, 8, 16)),
        ("12:00", "02:30", (2026, 3, 7, 16), (2026, 3, 7, 17), (2026, 3, 8, 6, 30)),
        # 01:30 exists twice on 1 November: the second for the start, the first for the end.
        ("01:30", "12:00", (2026, 11, 1, 5), (2026, 11, 1, 6, 30), (2026, 11, 1, 17)),
        ("12:00", "01:30", (2026, 10, 31, 15), (2026, 10, 31, 16), (2026, 11, 1, 5, 30)),
    ],
)
def test_a_wall_time_in_a_change_of_clocks_is_read_the_strict_way(
    start: str, end: str, before: tuple[int, ...], opens: tuple[int, ...], closes: tuple[int, ...]
) -> None:
    hours = Hours(("America/New_York",), (every_day(start, end),))
    assert hours.opens(utc(*before)) == utc(*opens)
    assert hours.closes(utc(*opens)) == utc(*closes)


def test_a_window_until_24_00_ends_at_midnight() -> None:
    hours = Hours(("America/New_York",), (every_day("08:00", "00:00"),))
    assert hours.closes(utc(2026, 6, 10, 16)) == utc(2026, 6, 11, 4)


@pytest.mark.rule(38)
@pytest.mark.parametrize(
    ("calendar", "holiday"),
    [
        ("FR", date(2026, 4, 6)),  # Easter Monday
        ("FR", date(2026, 5, 14)),  # Ascension
        ("FR", date(2027, 5, 17)),  # Whit Monday, the year after
        ("US-LA", date(2026, 2, 17)),  # Mardi Gras
        ("US-AL", date(2026, 7, 3)),  # observed: the Fourth is a Saturday
        ("US-AL", date(2026, 7, 4)),
    ],
)
def test_a_public_holiday_is_closed_from_midnight_to_midnight(calendar: str, holiday: date) -> None:
    zone = "Europe/Paris" if calendar == "FR" else "America/Chicago"
    midnight = datetime.combine(holiday, time(0), ZoneInfo(zone)).astimezone(UTC)
    whole_days = WeekRule("whole days", (DayHours(time(0), time(0)),) * 7)
    free, closed = Hours((zone,), (whole_days,)), Hours((zone,), (replace(whole_days, calendar=calendar),))
    for minutes in range(0, 24 * 60, 30):
        assert is_open(free, midnight + minutes * MINUTE)
        assert not is_open(closed, midnight + minutes * MINUTE)


@pytest.mark.rule(38)
def test_a_night_before_a_holiday_ends_at_midnight() -> None:
    nights = WeekRule("nights", (DayHours(time(20), time(3)),) * 7, "FR")
    hours = Hours(("Europe/Paris",), (nights,))
    assert hours.closes(utc(2026, 12, 24, 22)) == utc(2026, 12, 24, 23)  # midnight in Paris
    assert hours.opens(utc(2026, 12, 24, 23)) == utc(2026, 12, 26, 19)
    assert hours.closes(utc(2026, 12, 26, 20)) == utc(2026, 12, 27, 2)


def test_what_is_open_is_cut_to_the_asked_time() -> None:
    hours = Hours(("America/New_York",), (FEDERAL,))
    noon = utc(2026, 6, 10, 16)
    assert hours.spans(noon, noon + timedelta(days=1)) == (
        (noon, utc(2026, 6, 11, 1)),
        (utc(2026, 6, 11, 12), noon + timedelta(days=1)),
    )


def test_two_names_of_one_clock_are_one_and_a_change_to_come_makes_two() -> None:
    assert clock("Europe/London") == clock("Europe/Jersey")
    assert clock("America/New_York") == clock("America/Detroit")
    assert clock("America/Phoenix") != clock("America/Denver")
    assert clock("America/Havana") != clock("America/New_York"), "the same winter, at another hour"
    assert clock("America/Vancouver") != clock("America/Dawson_Creek"), "the same from autumn 2026 on"


def test_whole_days_join_into_one_open_time() -> None:
    hours = Hours(("Asia/Kolkata",), (every_day("00:00", "00:00"),))
    closes = hours.closes(utc(2026, 6, 10, 18, 29))
    assert closes is not None
    assert closes - utc(2026, 6, 10) > timedelta(days=9)


@pytest.mark.rule(31)
def test_only_what_is_open_in_every_zone_is_open() -> None:
    hours = Hours(("America/New_York", "America/Los_Angeles"), (FEDERAL,))
    opens = hours.opens(utc(2026, 6, 10, 6))
    assert opens == utc(2026, 6, 10, 15)  # 08:00 in the west
    assert hours.closes(opens) == utc(2026, 6, 11, 1)  # 21:00 in the east


@pytest.mark.rule(33)
def test_the_last_minutes_are_too_late_to_begin() -> None:
    hours = Hours(("America/New_York",), (FEDERAL,))
    closing = utc(2026, 6, 11, 1)
    assert hours.opens(closing - 5 * MINUTE) == closing - 5 * MINUTE
    assert hours.opens(closing - 5 * MINUTE + SECOND) == utc(2026, 6, 11, 12)


def test_jitter_is_the_same_every_time_and_spreads_neighbours() -> None:
    most = timedelta(minutes=30)
    waits = [spread(key, most) for key in range(1000, 1060)]
    assert waits == [spread(key, most) for key in range(1000, 1060)]
    assert all(timedelta(0) <= wait < most for wait in waits)
    for begin in range(0, 30, 5):
        in_five_minutes = [wait for wait in waits if begin * MINUTE <= wait < (begin + 5) * MINUTE]
        assert 8 <= len(in_five_minutes) <= 12


# It refuses


@pytest.mark.rule(36)
def test_zones_without_a_common_hour_never_open() -> None:
    hours = Hours(("Pacific/Guam", "America/Puerto_Rico"), (every_day("10:00", "20:00"),))
    assert hours.opens(utc(2026, 6, 10)) is None
    assert hours.closes(utc(2026, 6, 10)) is None


def test_nothing_known_at_all_is_never_open() -> None:
    assert Hours((), (FEDERAL,)).opens(utc(2026, 6, 10)) is None
    assert Hours(("Asia/Tokyo",), ()).opens(utc(2026, 6, 10)) is None


def test_naive_instants_are_refused() -> None:
    with pytest.raises(TypeError):
        Hours(("Asia/Tokyo",), (FEDERAL,)).opens(datetime(2026, 6, 10))


# It survives

walls = st.times(max_value=time(23, 45)).map(
    lambda wall: wall.replace(minute=wall.minute // 15 * 15, second=0, microsecond=0)
)
weeks = st.builds(
    lambda days, calendar: WeekRule(f"drawn {days}", tuple(days), calendar),
    st.lists(st.none() | st.builds(DayHours, walls, walls), min_size=7, max_size=7),
    st.sampled_from(["", "US-AL"]),  # where Columbus Day and All Saints' are near the changes of clocks
)
hours_drawn = st.builds(
    Hours,
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=2, unique=True).map(tuple),
    st.lists(weeks, min_size=1, max_size=2).map(tuple),
)
#: Around both American changes, Lord Howe's, and Havana's (at midnight).
instants = st.sampled_from([utc(2026, 3, 6), utc(2026, 10, 2), utc(2026, 10, 30)]).flatmap(
    lambda start: st.timedeltas(timedelta(0), timedelta(days=4)).map(
        lambda after: (start + after).replace(microsecond=0)
    )
)


def wall_is_inside(rule: WeekRule, local: datetime) -> bool:
    """The plain reading of a rule, by the wall clock alone."""
    if rule.calendar and is_public_holiday(rule.calendar, local.date()):
        return False
    today, yesterday = rule.days[local.weekday()], rule.days[local.weekday() - 1]
    now = local.time()
    begun_today = today and today.start <= now and (now < today.end or today.end <= today.start)
    begun_yesterday = yesterday and yesterday.end <= yesterday.start and now < yesterday.end
    if rule.calendar and is_public_holiday(rule.calendar, local.date() - timedelta(days=1)):
        begun_yesterday = None
    return bool(begun_today or begun_yesterday)


@pytest.mark.rule(34, 38)
@given(hours_drawn, instants)
def test_an_open_instant_is_inside_every_window_by_the_wall_clock(hours: Hours, at: datetime) -> None:
    opens = hours.opens(at, guard=timedelta(0))
    for instant in (opens, hours.closes(opens) and hours.closes(opens) - SECOND) if opens else ():
        for zone in hours.zones:
            for rule in hours.rules:
                assert wall_is_inside(rule, instant.astimezone(ZoneInfo(zone)))


@given(hours_drawn, instants, st.timedeltas(timedelta(0), timedelta(hours=2)))
def test_opening_is_the_earliest_there_is_and_stays_put(hours: Hours, at: datetime, guard: timedelta) -> None:
    opens = hours.opens(at, guard=guard)
    if opens is None:
        return
    assert opens >= at
    assert hours.opens(opens, guard=guard) == opens
    closes = hours.closes(opens)
    assert closes is not None
    assert closes - opens >= guard
    between = at + (opens - at) / 2
    assert hours.opens(between, guard=guard) == opens


@given(hours_drawn, st.timedeltas(timedelta(0), timedelta(days=8)))
def test_no_open_time_is_missed_on_days_without_a_change(hours: Hours, after: timedelta) -> None:
    at = (utc(2026, 6, 26) + after).replace(microsecond=0)  # until Independence Day, observed the day before
    inside = all(
        wall_is_inside(rule, at.astimezone(ZoneInfo(zone))) for zone in hours.zones for rule in hours.rules
    )
    assert is_open(hours, at) is inside


def test_the_clock_that_is_furthest_behind() -> None:
    at = datetime(2026, 3, 10, tzinfo=UTC)
    assert westernmost(("Europe/Paris", "America/New_York", "Asia/Kolkata"), at) == "America/New_York"
    assert westernmost((), at) == ""
