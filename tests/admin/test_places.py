"""A merchant changes when people may be texted: narrower at will, wider only knowingly."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import TextingRule
from oscar_crosschannel.services import limits
from tests.admin import ledger
from tests.admin.ledger import NOW
from tests.admin.test_flow_editing import filled, parsed, refused, words
from tests.admin.test_topics import staff

LIST = "/admin/oscar_crosschannel/textingrule/"


@pytest.fixture
def editor() -> Client:
    return staff("view_textingrule", "change_textingrule")


def url(place: str) -> str:
    return reverse("admin:oscar_crosschannel_textingrule_change", args=[place])


def opened(client: Client, place: str) -> dict[str, str]:
    return filled(parsed(client.get(url(place))))


def saved(client: Client, place: str, **changes: str) -> Any:
    return client.post(url(place), {**opened(client, place), **changes, "do": "save"})


def rule(place: str) -> Any:
    return limits.load().book.rows[place]


def history(place: str) -> list[str]:
    row = TextingRule.objects.get(place=place)
    entries = LogEntry.objects.filter(object_id=str(row.pk), content_type__model="textingrule")
    return [entry.get_change_message() for entry in entries]


def listed(client: Client) -> dict[str, str]:
    """Place → the rest of its line."""
    page = parsed(client.get(LIST))
    return {
        " ".join(row.select("th a")[0].get_text().split()): " ".join(row.get_text(" ").split())
        for row in page.select("tbody tr")
    }


# It works.


def test_every_place_is_on_one_list_in_sentences(editor: Client) -> None:
    rows = listed(editor)

    assert list(rows)[:3] == [
        "Your own hours, where a person’s clock is known",
        "Your own hours, where it is not known",
        "Countries that are not on this list",
    ]
    assert "Mon–Sat 9 a.m.–8 p.m., Sun noon–8 p.m." in rows["Your own hours, where a person’s clock is known"]
    assert "Mon–Sat 8 a.m.–10 p.m., Sun closed, public holidays closed" in rows["France"]
    assert "at most 3 in 1 day" in rows["Florida (United States)"]
    names = list(rows)
    assert names.index("United States") < names.index("Alabama (United States)") < len(names) - 1
    assert TextingRule.objects.count() == 0


def test_hours_are_narrowed_day_by_day(editor: Client) -> None:
    answer = saved(editor, "FR", mon_from="10:00", mon_to="18:00", sat_from="", sat_to="")

    assert answer.status_code == 302
    assert TextingRule.objects.get().hours == {"mon": "10:00-18:00", "tue-fri": "08:00-22:00"}
    hours = rule("FR").week.days
    assert (f"{hours[0].start:%H:%M}", hours[5], hours[6]) == ("10:00", None, None)
    assert history("FR") == [
        "Hours: Mon–Sat 8 a.m.–10 p.m., Sun closed → Mon 10 a.m.–6 p.m., Tue–Fri 8 a.m.–10 p.m., Sat–Sun closed"
    ]
    assert listed(editor)["France"].startswith("France Changed Mon 10 a.m.")
    assert "changed shipped: Mon–Sat 8 a.m.–10 p.m., Sun closed" in words(editor.get(url("FR")))


def test_as_shipped_again(editor: Client) -> None:
    saved(editor, "FR", mon_from="10:00", most="1", most_within_number="7", most_within_unit="days")
    editor.post(url("FR"), {**opened(editor, "FR"), "do": "reset"})

    assert limits.changes(TextingRule.objects.get()) == {}
    assert listed(editor)["France"].startswith("France Mon–Sat 8 a.m.")


def test_hours_that_end_at_midnight(editor: Client) -> None:
    saved(editor, "marketing", sat_to="00:00")

    assert TextingRule.objects.get().hours == {
        "mon-fri": "09:00-20:00", "sat": "09:00-24:00", "sun": "12:00-20:00",
    }  # fmt: skip
    assert "Sat 9 a.m.–midnight" in listed(editor)["Your own hours, where a person’s clock is known"]
    assert opened(editor, "marketing")["sat_to"] == "00:00"


def test_a_country_of_the_merchants_own(editor: Client) -> None:
    answer = editor.get(f"{LIST}open/", {"country": "BR", "state": ""})
    assert answer["Location"] == url("BR")
    assert TextingRule.objects.count() == 0, "to look at a place changes nothing"

    saved(editor, "BR", sun_from="", sun_to="", holidays_closed="yes", source="Procon")
    brazil = rule("BR")
    assert (brazil.week.days[6], brazil.week.calendar, brazil.source) == (None, "BR", "Procon")
    assert listed(editor)["Brazil"].startswith("Brazil Yours Mon–Sat 8 a.m.")

    editor.post(url("BR"), {**opened(editor, "BR"), "do": "reset"})
    assert "Brazil" not in listed(editor)


def test_a_state_adds_to_its_country(editor: Client) -> None:
    for typed in ("ga", "Georgia"):
        location = editor.get(f"{LIST}open/", {"country": "US", "state": typed})["Location"]
        assert location == url("US-GA")
    page = words(editor.get(location))
    assert "A state adds to the rules of its country." in page

    saved(editor, "US-GA", most="2", most_within_number="1", most_within_unit="days")
    assert (rule("US-GA").cap.most, rule("US-GA").week) == (2, None)
    assert "Those of the country" in listed(editor)["Georgia (United States)"]


@pytest.mark.rule(40)
def test_a_rule_is_compared_with_the_law(editor: Client) -> None:
    editor.post(url("US-FL"), {**opened(editor, "US-FL"), "do": "reviewed"})

    assert rule("US-FL").reviewed_on == date(2026, 3, 10)
    assert history("US-FL") == ["Compared with the law on: Nov. 1, 2026 → March 10, 2026"]


@pytest.mark.rule(40)
def test_old_rules_ask_for_a_look_and_many_are_marked_at_once(time_machine: Any) -> None:
    time_machine.move_to(datetime(2027, 6, 1, 12, tzinfo=UTC), tick=False)
    editor = staff("view_textingrule", "change_textingrule")
    assert all("Look again" in row for row in listed(editor).values())

    editor.post(LIST, {"place": ["FR", "US-FL", "no place"]})

    rows = listed(editor)
    assert [name for name, row in rows.items() if "Look again" not in row] == [
        "France",
        "Florida (United States)",
    ]
    assert history("FR") == ["compared with the law"]


def test_what_waits_for_hours_is_judged_by_the_new_ones(editor: Client) -> None:
    ann = ledger.person("Ann", phone="+12125550123")
    later = NOW + timedelta(hours=6)
    waiting = ledger.message(ledger.run(ann), "whistle", State.PLANNED, Reason.OUTSIDE_HOURS, due_at=later)
    other = ledger.message(ledger.run(ann, number=1), "steam", State.PLANNED, Reason.PAUSED, due_at=later)

    saved(editor, "marketing", tue_from="07:00")

    waiting.refresh_from_db()
    other.refresh_from_db()
    assert (waiting.due_at, other.due_at) == (NOW, later)


# It refuses.


@pytest.mark.rule(31)
@pytest.mark.parametrize(
    ("place", "changes", "told"),
    [
        ("FR", {"sun_from": "10:00", "sun_to": "12:00"}, "hours that are closed in the shipped rule"),
        ("US", {"mon_to": "21:01"}, "hours that are closed in the shipped rule"),
        ("FR", {"holidays_closed": "no"}, "public holidays"),
        ("US", {"bases": "express_written+express"}, "a consent that the shipped rule does not accept"),
        ("US-FL", {"most": "4"}, "more texts"),
        ("US-FL", {"most_within_number": "12", "most_within_unit": "hours"}, "more texts"),
        ("FR", {"one_way": "no"}, "texts without another way out"),
        ("default", {"mon_to": "23:00"}, "hours that are closed in the shipped rule"),
        ("unsure", {"sun_from": "09:00"}, "hours that are closed in the shipped rule"),
        ("BR", {"mon_to": "23:00"}, "hours that are closed in the shipped rule"),
    ],
)  # fmt: skip
def test_more_than_the_law_takes_a_tick_and_a_source(
    editor: Client, place: str, changes: dict[str, str], told: str
) -> None:
    before = rule(place) if place in limits.load().book.rows else None
    answer = saved(editor, place, **changes)
    assert f"This permits more than the shipped rule: {told}" in refused(answer)
    assert "Name the source that permits it." in refused(answer)
    assert before is None or rule(place) == before

    data = {**filled(parsed(answer)), "beyond": "on", "source": "Our lawyer, 3 March", "do": "save"}
    assert editor.post(url(place), data).status_code == 302
    assert rule(place) != before
    assert history(place)[0].endswith("permitted knowingly")

    # what was permitted is not asked again
    assert saved(editor, place, reviewed_on="2026-03-09").status_code == 302


def test_the_shops_own_hours_are_no_law(editor: Client) -> None:
    assert saved(editor, "marketing", mon_from="06:00", mon_to="23:00").status_code == 302
    monday = rule("marketing").week.days[0]
    assert f"{monday.start:%H:%M}" == "06:00"


def test_half_a_window_and_half_a_limit_are_none(editor: Client) -> None:
    assert "Say from when until when" in refused(saved(editor, "FR", mon_to=""))
    assert "Say both, how many and within what time." in refused(saved(editor, "FR", most="2"))
    assert "Enter a time as on a clock" in refused(saved(editor, "FR", mon_from="half past"))


def test_what_is_no_place_has_no_page(editor: Client) -> None:
    for place in ("XX", "FRA", "US-", "US-ZZ", "../US", "marketing2", "99999999"):
        answer = editor.get(url(place), follow=True)
        assert "What you were looking for is not there" in words(answer)
    answer = editor.get(f"{LIST}open/", {"country": "US", "state": "<b>"}, follow=True)
    assert "is no place that is known" in words(answer)


def test_staff_who_may_only_look_change_nothing(merchant: Client) -> None:
    assert "France" in listed(merchant)
    assert parsed(merchant.get(url("FR"))).select("#content button, .submit-row") == []

    assert merchant.post(LIST, {"place": ["FR"]}).status_code == 403
    assert merchant.post(url("FR"), {"do": "reset"}).status_code == 403
    assert staff(name="none").get(LIST).status_code == 403
    assert not TextingRule.objects.exists()


# It survives.


def test_two_who_change_one_place_at_once(editor: Client) -> None:
    mine = opened(editor, "FR")
    saved(staff("view_textingrule", "change_textingrule", name="eve"), "FR", mon_from="11:00")

    answer = editor.post(url("FR"), {**mine, "fri_to": "18:00", "do": "save"})

    assert "Eve changed this while you were editing" in refused(answer)
    both = filled(parsed(answer))
    assert (both["mon_from"], both["fri_to"]) == ("11:00", "18:00")


def test_each_kind_of_place_has_a_page(editor: Client) -> None:
    for place in ("marketing", "unsure", "default", "DE", "US-WA", "GG"):
        assert editor.get(url(place)).status_code == 200
