"""When a person may be disturbed, on every day and in every zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.phones import zones_of
from oscar_crosschannel.core.timing import DayHours, Hours, LawBook, WeekRule, hours_for, spread, westernmost
from tests.core.values import BOOK, SHIPPED_HOURS, utc

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


@pytest.mark.rule(31)
def test_a_narrower_law_wins() -> None:
    def opening(region: str) -> datetime | None:
        return hours_for(rules=BOOK, zone="America/Chicago", country="US", region=region).opens(
            utc(2026, 6, 14, 5)  # a Sunday, midnight in Chicago
        )

    assert opening("") == utc(2026, 6, 14, 17)  # the shop's Sunday begins at noon
    assert opening("AL") == utc(2026, 6, 15, 14)  # no Sunday there
    assert opening("alabama") == opening("US-AL") == opening("AL")
    assert opening("KY") == utc(2026, 6, 14, 17)
    assert hours_for(rules=BOOK, zone="America/New_York", country="US", region="RI").closes(
        utc(2026, 6, 10, 16)
    ) == utc(2026, 6, 10, 22)


@pytest.mark.rule(31, 40)
def test_every_shipped_row_of_law_can_be_read_and_was_reviewed() -> None:
    laws = {key: rule for key, rule in BOOK.rows.items() if key not in ("marketing", "unsure", "default")}
    assert {"US", "FR", "US-FL", "US-TX", "US-VA"} <= laws.keys()
    assert all(rule.reviewed_on for rule in laws.values())


def test_texas_is_open_from_noon_on_sundays_and_from_nine_on_other_days() -> None:
    hours = Hours(("America/Chicago",), BOOK.law("US", "Texas"))
    assert hours.opens(utc(2026, 6, 14, 8)) == utc(2026, 6, 14, 17)
    assert hours.opens(utc(2026, 6, 15, 8)) == utc(2026, 6, 15, 14)


@pytest.mark.rule(35)
def test_an_area_code_on_a_border_gets_the_hours_of_both_zones() -> None:
    hours = hours_for(rules=BOOK, candidate_zones=zones_of("+18505550123"), country="US")
    opens = hours.opens(utc(2026, 1, 14, 8))
    assert opens == utc(2026, 1, 14, 16)  # ten o'clock in Chicago
    assert hours.closes(opens) == utc(2026, 1, 15, 1)  # eight in New York


def test_a_chosen_zone_among_the_candidates_settles_the_question() -> None:
    hours = hours_for(
        rules=BOOK,
        zone="America/New_York",
        candidate_zones=("America/Chicago", "America/New_York"),
        country="US",
    )
    assert hours.opens(utc(2026, 6, 10, 8)) == utc(2026, 6, 10, 13)  # nine o'clock in New York


def test_a_chosen_zone_that_the_phone_contradicts_narrows_the_hours() -> None:
    hours = hours_for(rules=BOOK, zone="Europe/Paris", candidate_zones=("America/New_York",), country="US")
    opens = hours.opens(utc(2026, 6, 10, 4))
    assert opens == utc(2026, 6, 10, 13)  # nine in New York
    assert hours.closes(opens) == utc(2026, 6, 10, 18)  # eight in Paris


def test_two_names_of_one_clock_are_no_uncertainty() -> None:
    british = hours_for(rules=BOOK, candidate_zones=zones_of("+447911123456"), country="GB")
    german = hours_for(rules=BOOK, country="DE")  # Berlin and Büsingen
    assert british.opens(utc(2026, 6, 10, 4)) == utc(2026, 6, 10, 8)
    assert german.opens(utc(2026, 6, 10, 4)) == utc(2026, 6, 10, 7)


@pytest.mark.rule(31)
def test_an_unknown_zone_gets_the_strict_hours_of_all_zones_of_the_country() -> None:
    opens = hours_for(rules=BOOK, country="us").opens(utc(2026, 6, 10, 12))
    assert opens == utc(2026, 6, 10, 20)  # ten o'clock in Honolulu


@pytest.mark.rule(31, 36)
def test_who_is_nowhere_gets_the_strict_hours_of_the_shop() -> None:
    hours = hours_for(rules=BOOK, fallback_zones=("Europe/Berlin",))
    assert hours.opens(utc(2026, 6, 10, 4)) == utc(2026, 6, 10, 8)


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


@pytest.mark.rule(36)
@pytest.mark.parametrize(
    "name", ["Etc/Unknown", "", "garbage", "America", "../../etc/passwd", "Ünïcode/Zöne", "\x00"]
)
def test_names_that_are_no_zone_never_raise(name: str) -> None:
    assert (
        hours_for(rules=BOOK, zone=name, candidate_zones=(name,), fallback_zones=(name,)).opens(
            utc(2026, 1, 1)
        )
        is None
    )
    known = hours_for(rules=BOOK, zone=name, candidate_zones=("Asia/Tokyo", name), country="JP")
    assert known == hours_for(rules=BOOK, candidate_zones=("Asia/Tokyo",), country="JP")


@pytest.mark.rule(36)
@pytest.mark.parametrize("number", ["+18005550123", "+15005550006", "+19005550123", "nonsense"])
def test_a_number_without_a_place_gets_the_strict_hours_of_its_country(number: str) -> None:
    assert hours_for(rules=BOOK, candidate_zones=zones_of(number), country="US") == hours_for(
        rules=BOOK, country="US"
    )


def test_nothing_known_at_all_is_never_open() -> None:
    assert hours_for(rules=BOOK).opens(utc(2026, 6, 10)) is None
    assert Hours(("Asia/Tokyo",), ()).opens(utc(2026, 6, 10)) is None


def test_naive_instants_are_refused() -> None:
    with pytest.raises(TypeError):
        Hours(("Asia/Tokyo",), (FEDERAL,)).opens(datetime(2026, 6, 10))


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"hours": {"mon-sun": "8-20"}},
        {"hours": {"someday": "08:00-20:00"}},
        {"hours": {"mon": "08:00"}},
        {"hours": "08:00-20:00"},
        {"hours": {"mon": "08:00-20:00"}, "reviewed_on": "yesterday"},
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="US-XX"):
        LawBook({**SHIPPED_HOURS, "US-XX": row})


def test_a_table_without_its_named_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="unsure"):
        LawBook({"marketing": SHIPPED_HOURS["marketing"], "default": SHIPPED_HOURS["default"]})


# It survives

walls = st.times(max_value=time(23, 45)).map(
    lambda wall: wall.replace(minute=wall.minute // 15 * 15, second=0, microsecond=0)
)
weeks = st.lists(st.none() | st.builds(DayHours, walls, walls), min_size=7, max_size=7).map(
    lambda days: WeekRule(f"drawn {days}", tuple(days))
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
    today, yesterday = rule.days[local.weekday()], rule.days[local.weekday() - 1]
    now = local.time()
    begun_today = today and today.start <= now and (now < today.end or today.end <= today.start)
    begun_yesterday = yesterday and yesterday.end <= yesterday.start and now < yesterday.end
    return bool(begun_today or begun_yesterday)


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
    at = (utc(2026, 6, 3) + after).replace(microsecond=0)
    inside = all(
        wall_is_inside(rule, at.astimezone(ZoneInfo(zone))) for zone in hours.zones for rule in hours.rules
    )
    assert is_open(hours, at) is inside


@pytest.mark.rule(31)
def test_an_address_in_another_country_adds_its_clock_and_its_law() -> None:
    phone_only = hours_for(rules=BOOK, candidate_zones=("America/New_York",), country="US")
    both = hours_for(rules=BOOK, candidate_zones=("America/New_York",), country="US", address_country="FR")
    sunday_noon_in_new_york = datetime(2026, 3, 15, 17, 0, tzinfo=UTC)
    assert phone_only.opens(sunday_noon_in_new_york) == sunday_noon_in_new_york
    opens = both.opens(sunday_noon_in_new_york)
    assert opens is not None
    assert opens.weekday() == 0, "France has no Sunday"
    assert both.zones == ("America/New_York", "Europe/Paris")


def test_the_clock_that_is_furthest_behind() -> None:
    at = datetime(2026, 3, 10, tzinfo=UTC)
    assert westernmost(("Europe/Paris", "America/New_York", "Asia/Kolkata"), at) == "America/New_York"
    assert westernmost((), at) == ""
