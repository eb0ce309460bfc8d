"""Law, caps and guards as they are in force: shipped, changed by the project, changed by the merchant."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel.core.facts import Basis, Cap
from oscar_crosschannel.core.policies import DEFAULT_CAPS
from oscar_crosschannel.core.whereabouts import Confidence, Source
from oscar_crosschannel.models import Contact, ContactPoint, FrequencyCap, Guard, TextingRule
from oscar_crosschannel.models.consents import ConsentEvent
from oscar_crosschannel.services import limits
from oscar_crosschannel.services.limits import TextingTimes, texting_times
from tests.factories import NOON, make_contacts

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def someone(phone: str, zones: list[str], **about: Any) -> tuple[Contact, ContactPoint]:
    (contact,) = make_contacts(1)
    for name, value in about.items():
        setattr(contact, name, value)
    contact.save()
    point = contact.points.get(channel="sms")
    point.address, point.zones = phone, zones
    point.save()
    return contact, point


def floridian(**about: Any) -> tuple[Contact, ContactPoint]:
    return someone("+18505550123", ["America/New_York", "America/Chicago"], **about)


def cap(key: str) -> Cap | None:
    return next((each for each in limits.load().caps if each.key == key), None)


# It works.


def test_four_statements_load_all_there_is() -> None:
    with CaptureQueriesContext(connection) as queries:
        limits.load()
    assert len(queries) == 4


def test_without_rows_all_is_as_shipped() -> None:
    loaded = limits.load()
    assert (loaded.caps, loaded.guarded) == (DEFAULT_CAPS, frozenset())
    assert loaded.book is limits.load().book, "read once, however many ticks"


def test_the_merchants_row_changes_what_it_names_and_inherits_the_rest() -> None:
    TextingRule.objects.create(
        place="US-FL", hours={"mon-fri": "09:00-18:00"}, most=2, most_within=timedelta(hours=36)
    )
    rule = limits.load().book.rows["US-FL"]
    assert rule.week is not None
    assert rule.week.days[5] is None
    assert rule.cap is not None
    assert (rule.cap.most, rule.cap.window) == (2, timedelta(hours=36))
    assert (rule.name, rule.reviewed_on) == ("Florida", date(2026, 11, 1))


def test_the_merchants_row_counts_on_top_of_the_projects(settings: Any) -> None:
    settings.CROSSCHANNEL_TEXTING_RULES = {"FR": {"holidays_closed": False, "one_way": False}}
    assert not limits.load().book.rows["FR"].one_way
    TextingRule.objects.create(
        place="FR",
        one_way=True,
        bases=["express_written"],
        reviewed_on=date(2026, 12, 1),
        source="our lawyer",
    )
    rule = limits.load().book.rows["FR"]
    assert rule.week is not None
    assert rule.week.calendar == ""
    assert (rule.one_way, rule.bases) == (True, {Basis.EXPRESS_WRITTEN})
    assert (rule.reviewed_on, rule.source) == (date(2026, 12, 1), "our lawyer")


@pytest.mark.parametrize(
    ("one_way", "phone", "country", "place"),
    [
        ((), "+33612345678", "FR", "FR"),
        ((), "+18505550123", "US", None),
        (("US-FL",), "+18505550123", "US", "US-FL"),
        (("US-FL", "US"), "+18505550123", "US", "US"),
        (("default",), "+18505550123", "US", "default"),
    ],
)
def test_a_place_without_replies_counts_where_the_shop_knows_its_numbers(
    one_way: tuple[str, ...], phone: str, country: str, place: str | None
) -> None:
    TextingRule.objects.bulk_create(TextingRule(place=key, one_way=True) for key in one_way)
    _, point = someone(phone, [])
    ContactPoint.objects.filter(pk=point.pk).update(country=country)
    rule = limits.one_way_place()
    assert (rule.key if rule else None) == place
    ContactPoint.objects.update(current=False)
    rule = limits.one_way_place()
    assert (rule.key if rule else None) == ("default" if place == "default" else None)


def test_a_place_of_the_merchants_own_is_as_strict_as_an_unknown_one_where_it_says_nothing() -> None:
    TextingRule.objects.create(place="BR", hours={"mon-sat": "09:00-20:00"})
    rule = limits.load().book.rows["BR"]
    assert rule.bases == {Basis.EXPRESS_WRITTEN}


@pytest.mark.rule(37)
def test_the_merchant_changes_a_shipped_cap_and_switches_one_off() -> None:
    FrequencyCap.objects.create(key="texts-a-month", most=8)
    FrequencyCap.objects.create(key="pause-between-emails", window=timedelta(hours=48), enabled=True)
    FrequencyCap.objects.create(key="messages-a-week", enabled=False)
    assert cap("texts-a-month") == Cap(
        key="texts-a-month", name="texts a month", most=8, window=30 * DAY, channels=frozenset({"sms"})
    )
    changed = cap("pause-between-emails")
    assert changed is not None
    assert (changed.most, changed.window) == (1, 2 * DAY)
    assert cap("messages-a-week") is None


@pytest.mark.rule(37)
def test_the_merchant_adds_caps_of_a_topic_a_channel_and_over_all() -> None:
    FrequencyCap.objects.create(
        key="news", name="News", channel="email", topic="news", most=1, window=7 * DAY, enabled=True
    )
    FrequencyCap.objects.create(key="all", most=9, window=30 * DAY, enabled=True)
    FrequencyCap.objects.create(key="off", most=1, window=30 * DAY, enabled=False)
    assert cap("news") == Cap(
        key="news",
        name="News",
        most=1,
        window=7 * DAY,
        channels=frozenset({"email"}),
        topics=frozenset({"news"}),
    )
    assert cap("all") == Cap(key="all", name="all", most=9, window=30 * DAY)
    assert cap("off") is None


def test_a_projects_caps_have_keys_of_their_own(settings: Any) -> None:
    settings.CROSSCHANNEL_CAPS = [{"name": "One a Year", "most": 1, "window": 365 * DAY, "topics": ["news"]}]
    FrequencyCap.objects.create(key="one-a-year", most=2)
    assert limits.load().caps == (
        Cap(key="one-a-year", name="One a Year", most=2, window=365 * DAY, topics=frozenset({"news"})),
    )


def test_what_counts_is_remembered_for_the_longest_window_and_twice_as_long_for_who_wants_fewer() -> None:
    assert limits.load().memory() == 30 * DAY
    FrequencyCap.objects.create(key="once", most=1, window=40 * DAY, enabled=True)
    assert limits.load().memory() == 80 * DAY
    TextingRule.objects.create(place="US-FL", most=9, most_within=timedelta(days=90))
    assert limits.load().memory() == 90 * DAY


def test_a_channel_is_guarded_while_a_guard_pauses_it() -> None:
    numbers = {"bad": 3, "sent": 100, "since": NOON}
    Guard.objects.create(channel="email", measure="bounces", level="warned", **numbers)
    assert limits.load().guarded == frozenset()
    guard = Guard.objects.create(channel="email", measure="complaints", level="paused", **numbers)
    assert limits.load().guarded == {"email"}
    guard.ended_at = NOON
    guard.save()
    assert limits.load().guarded == frozenset()


def times_of(contact: Contact, point: ContactPoint) -> TextingTimes:
    return texting_times(contact, point, limits.load(), NOON)


@pytest.mark.rule(35)
def test_a_persons_times_come_with_every_reason() -> None:
    times = times_of(*floridian())
    assert times.where.confidence is Confidence.SEVERAL_CLOCKS
    assert times.where.zones == ("America/Chicago", "America/New_York")
    assert [clue.source for clue in times.where.clues] == [Source.AREA_CODE]
    assert [rule.key for rule in times.rules] == ["unsure", "US", "US-FL"]
    monday, sunday = times.week[0], times.week[6]
    assert monday.hours is not None
    assert f"{monday.hours.start:%H:%M}-{monday.hours.end:%H:%M}" == "10:00-20:00"
    assert [rule.key for rule in monday.rules] == ["unsure", "US-FL"]
    assert sunday.hours is not None
    assert sunday.hours.start.hour == 12
    assert len(times.spans) == 7
    assert times.spans[0] == (NOON + 3 * HOUR, NOON + 12 * HOUR)  # ten in Chicago, eight in New York


@pytest.mark.rule(38)
def test_a_persons_times_name_the_holidays_that_close_a_day() -> None:
    contact, point = someone("+33612345678", ["Europe/Paris"])
    ContactPoint.objects.filter(pk=point.pk).update(country="FR")
    point.refresh_from_db()
    bastille = NOON.replace(year=2026, month=7, day=10)
    times = texting_times(contact, point, limits.load(), bastille)
    assert [(day, rule.key) for day, rule in times.holidays] == [(date(2026, 7, 14), "FR")]
    assert not any(start.date() == date(2026, 7, 14) for start, _ in times.spans)


# It refuses.


@pytest.mark.rule(37)
def test_a_legal_cap_can_be_tightened_and_not_switched_off() -> None:
    FrequencyCap.objects.create(key="texts-a-day-by-law", most=2, enabled=False)
    changed = cap("texts-a-day-by-law")
    assert changed is not None
    assert (changed.most, changed.legal) == (2, True)


def test_a_row_for_a_cap_that_the_project_no_longer_has_is_no_cap() -> None:
    FrequencyCap.objects.create(key="of-last-year", most=2, enabled=True)
    assert limits.load().caps == DEFAULT_CAPS


def test_a_setting_that_cannot_be_read_is_named(settings: Any) -> None:
    settings.CROSSCHANNEL_TEXTING_RULES = {"FR": "closed"}
    with pytest.raises(ValueError, match="FR"):
        limits.load()


def test_the_kinds_of_consent_are_those_of_the_ledger() -> None:
    assert {basis.value for basis in Basis} == set(ConsentEvent.Basis.values)


# It survives.


def test_a_person_whose_clocks_share_no_open_hour_has_no_times() -> None:
    times = times_of(*floridian(zone="Asia/Tokyo"))
    assert times.spans == ()
    assert times.week[0].hours is not None, "each clock has its hours, and they do not meet"
