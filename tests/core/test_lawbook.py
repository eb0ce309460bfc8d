"""What binds texts to a place: every row of every place where somebody may be, the narrowest of each."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.calendars import is_public_holiday
from oscar_crosschannel.core.facts import Basis
from oscar_crosschannel.core.lawbook import LawBook, Terms
from oscar_crosschannel.core.timing import DayHours
from oscar_crosschannel.core.whereabouts import Phone, locate
from tests.core.test_whereabouts import addresses, choices, numbers
from tests.core.values import BOOK, DAY, SHIPPED, texting_hours, utc

CUSTOMERS = {Basis.EXPRESS_WRITTEN, Basis.EXPRESS, Basis.SOFT_OPT_IN}


def terms(phone: str = "", **known: Any) -> Terms:
    return BOOK.terms(locate(phone=Phone.of(phone), **known))


def rows(found: Terms) -> list[str]:
    return [rule.key for rule in found.rules]


# It works: hours


@pytest.mark.rule(31)
def test_a_narrower_law_wins() -> None:
    def opening(region: str) -> datetime | None:
        return texting_hours(country="US", region=region).opens(utc(2026, 6, 14, 5))  # Sunday, midnight

    assert opening("IL") == utc(2026, 6, 14, 17)  # the shop's Sunday begins at noon
    assert opening("AL") == utc(2026, 6, 15, 14)  # no Sunday there
    assert opening("alabama") == opening("US-AL") == opening("AL")
    assert texting_hours(country="US", region="RI").closes(utc(2026, 6, 10, 16)) == utc(2026, 6, 10, 22)


@pytest.mark.rule(38)
def test_texas_opens_at_noon_on_sundays() -> None:
    (texas,) = (rule.week for rule in terms(country="US", region="Texas").rules if rule.key == "US-TX")
    assert texas is not None
    assert texas.days[6] == DayHours(time(12), time(21))
    assert texas.days[0] == DayHours(time(9), time(21))


@pytest.mark.rule(38)
@pytest.mark.parametrize(
    ("known", "holiday"),
    [
        ({"country": "FR"}, date(2026, 7, 14)),
        ({"phone": "+33612345678"}, date(2026, 5, 8)),
        ({"country": "US", "region": "AL"}, date(2026, 4, 27)),  # Confederate Memorial Day
        ({"country": "US", "region": "LA"}, date(2026, 2, 17)),  # Mardi Gras
        ({"phone": "+15045550123", "country": "US", "region": "NY"}, date(2026, 2, 17)),
    ],
)
def test_public_holidays_are_closed_where_the_row_says_so(known: dict[str, str], holiday: date) -> None:
    hours = texting_hours(**known)
    begin = datetime.combine(holiday, time(0), ZoneInfo(hours.zones[0])).astimezone(UTC)
    assert hours.spans(begin, begin + DAY) == ()
    assert hours.spans(begin - DAY, begin) or hours.spans(begin + DAY, begin + 2 * DAY)


@pytest.mark.rule(38)
@pytest.mark.parametrize(
    ("known", "open_on_sundays"),
    [
        ({"country": "FR"}, False),
        *(({"country": "US", "region": state}, False) for state in ("AL", "LA", "MS", "PA")),
        ({"phone": "+12125550123", "country": "US", "region": "La."}, False),
        ({"phone": "+12125550123", "country": "US", "region": "Luisiana"}, False),  # may be any state
        ({"country": "US", "region": "NY"}, True),
        ({"country": "DE"}, True),
        ({"country": "DE", "region": "Hessen"}, True),
    ],
)
def test_sundays_are_closed_where_the_row_says_so(known: dict[str, str], open_on_sundays: bool) -> None:
    hours = texting_hours(**known)
    sunday = datetime(2026, 6, 14, tzinfo=ZoneInfo(hours.zones[0])).astimezone(UTC)
    assert bool(hours.spans(sunday, sunday + DAY)) is open_on_sundays


@pytest.mark.rule(31)
def test_a_region_that_is_no_state_is_bound_by_the_rows_of_all() -> None:
    states = {key for key in SHIPPED if key.startswith("US-")}
    assert states <= set(rows(terms("+12125550123", country="US", region="Atlantis")))
    assert states & set(rows(terms("+12125550123", country="US"))) == set()
    somewhere = texting_hours(phone="+12125550123", country="US", region="Atlantis")
    assert somewhere.opens(utc(2026, 6, 10, 12)) == utc(2026, 6, 10, 20), "there are hours that all allow"


@pytest.mark.rule(38)
def test_a_holiday_elsewhere_is_an_ordinary_day() -> None:
    mardi_gras = utc(2026, 2, 17, 15)
    assert texting_hours(country="US", region="MS").opens(mardi_gras) == mardi_gras


@pytest.mark.rule(35)
def test_a_border_area_code_without_an_address_gets_the_hours_of_both_zones() -> None:
    hours = texting_hours(phone="+18505550123")
    opens = hours.opens(utc(2026, 1, 14, 8))
    assert opens == utc(2026, 1, 14, 16)  # ten o'clock in Chicago
    assert hours.closes(opens) == utc(2026, 1, 15, 1)  # eight in New York


@pytest.mark.rule(35)
def test_floridas_rule_comes_with_its_area_codes_and_with_its_addresses() -> None:
    assert "US-FL" in rows(terms("+18505550123"))
    assert "US-FL" in rows(terms("+13055550123", country="US", region="TX"))
    assert "US-FL" in rows(terms("+13055550123", country="FR"))
    assert "US-FL" in rows(terms("+12125550123", country="US", region="FL"))
    assert "US-FL" not in rows(terms("+12125550123", country="US", region="TX"))


@pytest.mark.rule(31)
def test_a_chosen_clock_gets_the_shops_own_hours() -> None:
    hours = texting_hours(zone="America/New_York", phone="+18505550123")
    assert hours.opens(utc(2026, 6, 10, 8)) == utc(2026, 6, 10, 13)  # nine o'clock in New York


def test_a_chosen_zone_that_the_phone_contradicts_narrows_the_hours() -> None:
    hours = texting_hours(zone="Europe/Paris", phone="+12125550123")
    opens = hours.opens(utc(2026, 6, 10, 4))
    assert opens == utc(2026, 6, 10, 13)  # nine in New York
    assert hours.closes(opens) == utc(2026, 6, 10, 18)  # eight in Paris


@pytest.mark.rule(31)
def test_an_unknown_zone_gets_the_strict_hours_of_all_zones_of_the_country() -> None:
    assert texting_hours(country="us").opens(utc(2026, 6, 10, 12)) == utc(2026, 6, 10, 20)  # ten in Honolulu


@pytest.mark.rule(31, 36)
def test_who_is_nowhere_gets_the_strict_hours_of_the_shop() -> None:
    hours = texting_hours(shop_zones=("Europe/Berlin",))
    assert hours.opens(utc(2026, 6, 10, 4)) == utc(2026, 6, 10, 8)


@pytest.mark.rule(36)
@pytest.mark.parametrize("number", ["+18005550123", "+15005550006", "+19005550123", "nonsense"])
def test_a_number_without_a_place_gets_the_strict_hours_of_the_address(number: str) -> None:
    assert texting_hours(phone=number, country="US") == texting_hours(country="US")


@pytest.mark.rule(31)
def test_an_address_in_another_country_adds_its_clock_and_its_law() -> None:
    both = texting_hours(phone="+12125550123", country="FR")
    sunday_noon_in_new_york = utc(2026, 3, 15, 17)
    alone = texting_hours(phone="+12125550123")
    assert alone.opens(sunday_noon_in_new_york) == sunday_noon_in_new_york
    opens = both.opens(sunday_noon_in_new_york)
    assert opens is not None
    assert opens.weekday() == 0, "France has no Sunday"
    assert both.zones == ("America/New_York", "Europe/Paris")


# It works: consent, caps, reviews


@pytest.mark.rule(1)
@pytest.mark.parametrize(
    ("known", "bases"),
    [
        ({"country": "US"}, {Basis.EXPRESS_WRITTEN}),
        ({"country": "CA"}, {Basis.EXPRESS_WRITTEN}),
        ({}, {Basis.EXPRESS_WRITTEN}),  # nothing known
        ({"country": "BR"}, {Basis.EXPRESS_WRITTEN}),  # a country without a row
        ({"country": "FR"}, CUSTOMERS),
        ({"country": "GB"}, CUSTOMERS),
        ({"country": "DE"}, CUSTOMERS),
        ({"country": "IT"}, {Basis.EXPRESS_WRITTEN, Basis.EXPRESS}),
        ({"phone": "+447400123456"}, CUSTOMERS),
        # two places: what both accept
        ({"phone": "+12125550123", "country": "FR"}, {Basis.EXPRESS_WRITTEN}),
        ({"phone": "+447400123456", "country": "US"}, {Basis.EXPRESS_WRITTEN}),
    ],
)
def test_each_place_says_which_consent_permits_texts(known: dict[str, str], bases: set[Basis]) -> None:
    assert terms(**known).bases == bases


@pytest.mark.rule(37)
@pytest.mark.parametrize("state", ["FL", "OK", "MD"])
def test_three_states_count_three_texts_a_day(state: str) -> None:
    (cap,) = terms("+12125550123", country="US", region=state).caps
    assert (cap.most, cap.window, cap.channels, cap.legal) == (3, DAY, {"sms"}, True)
    assert terms("+12125550123", country="US", region="TX").caps == ()


def test_where_the_sender_cannot_be_answered_texts_need_another_way_out() -> None:
    assert terms(country="FR").one_way
    assert not terms(country="US").one_way
    assert terms("+33612345678", country="US").one_way


@pytest.mark.rule(40)
def test_every_shipped_row_was_reviewed_and_names_its_source() -> None:
    assert {"US", "FR", "CA", "GB", "US-FL", "US-TX", "US-VA"} <= BOOK.rows.keys()
    assert all(rule.reviewed_on and rule.source for rule in BOOK.rows.values())


@pytest.mark.rule(40)
def test_rows_that_nobody_looked_at_for_long_are_named() -> None:
    def dated(on: str) -> dict[str, Any]:
        return {"hours": {"mon-sat": "09:00-20:00"}, "reviewed_on": on}

    book = LawBook({**SHIPPED, "XB": dated("2026-01-01"), "XA": dated("2025-06-01"), "XC": {"name": "Never"}})
    half_a_year = timedelta(days=180)
    assert [rule.key for rule in book.stale(date(2026, 6, 30), half_a_year)] == ["XA"]
    assert [rule.key for rule in book.stale(date(2026, 7, 1), half_a_year)] == ["XA", "XB"]


def test_a_week_tells_what_all_rows_leave_of_each_day_and_which_rows_do() -> None:
    week = terms("+13055550123", country="US", region="AL").week()
    assert week[0].hours == DayHours(time(10), time(20))
    assert [rule.key for rule in week[0].rules] == ["unsure", "US-AL", "US-FL"]
    assert week[6].hours is None
    assert [rule.key for rule in week[6].rules] == ["US-AL"]


def test_a_week_of_rows_that_share_no_hour_is_closed() -> None:
    book = LawBook({**SHIPPED, "unsure": {"hours": {"mon-sun": "22:00-02:00"}}})
    week = book.terms(locate(country="US")).week()
    assert {day.hours for day in week} == {None}
    late = LawBook({**SHIPPED, "marketing": {"hours": {"mon-sun": "20:00-02:00"}}})
    (monday, *_) = late.terms(locate(country="FR")).week()
    assert monday.hours == DayHours(time(20), time(22))


# It refuses


@pytest.mark.parametrize(
    "row",
    [
        {"hours": {"mon-sun": "8-20"}},
        {"hours": {"someday": "08:00-20:00"}},
        {"hours": {"mon": "08:00"}},
        {"hours": "08:00-20:00"},
        {"hours": {"mon": "08:00-20:00"}, "reviewed_on": "yesterday"},
        {"bases": ["a nod"]},
        {"bases": 3},
        {"most": 3},
        {"most": "many", "most_within": 24},
        {"holidays_closed": True},  # nobody knows the holidays of XX
        {"hour": {"mon": "08:00-20:00"}},
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="US-XX"):
        LawBook({**SHIPPED, "US-XX": row})


@pytest.mark.parametrize("key", ["marketing", "unsure", "default"])
def test_a_table_without_its_named_rows_is_refused(key: str) -> None:
    without = {name: row for name, row in SHIPPED.items() if name != key}
    with pytest.raises(ValueError, match=key):
        LawBook(without)
    with pytest.raises(ValueError, match=key):
        LawBook({**SHIPPED, key: {"hours": None, "bases": None}})


# It survives

instants = st.builds(
    lambda day, minutes: day + timedelta(minutes=minutes),
    st.sampled_from([utc(2026, 2, 14), utc(2026, 3, 6), utc(2026, 5, 7), utc(2026, 7, 2), utc(2026, 10, 30)]),
    st.integers(0, 4 * 24 * 60),
)


@pytest.mark.rule(31, 35, 38)
@given(numbers, addresses, choices, instants)
def test_what_is_open_is_open_by_every_law_on_every_clock(
    phone: str, address: dict[str, str], zone: str, at: datetime
) -> None:
    """Read plainly: the wall clock of each zone is inside each row's hours, and the day is no closed holiday."""
    where = locate(phone=Phone.of(phone), zone=zone, **address)
    found = BOOK.terms(where)
    opens = found.hours.opens(at)
    if opens is None:
        return
    laws = {rule.key for place in where.places for rule in BOOK.law(place)}
    assert laws <= set(rows(found))
    for rule in found.rules:
        for name in where.zones:
            local = opens.astimezone(ZoneInfo(name))
            hours = rule.week.days[local.weekday()] if rule.week else None
            if rule.week:
                assert hours is not None, rule.key
                assert hours.start <= local.time() < hours.end, rule.key
            closed = SHIPPED[rule.key].get("holidays_closed", False)
            assert not (closed and is_public_holiday(rule.key, local.date()))


@pytest.mark.rule(31, 35)
@given(numbers, addresses, choices, instants)
def test_knowing_more_never_opens_what_the_law_of_a_place_closes(
    phone: str, address: dict[str, str], zone: str, at: datetime
) -> None:
    """On the clocks that count once all is known, each source's laws keep binding."""
    known = BOOK.terms(locate(phone=Phone.of(phone), zone=zone, **address))
    for less in (terms(phone), terms(**address) if "country" in address else terms()):
        if less.hours.zones:
            assert set(rows(less)[1:]) - {"default"} <= set(rows(known)[1:])
            assert known.bases <= less.bases
            assert set(less.caps) <= set(known.caps)
