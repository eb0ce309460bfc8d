"""Twilio's status words and error codes in our words."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, strategies as st

from oscar_crosschannel.channels.sms_backends.codes import Code, Outcome, code_of, status_of
from oscar_crosschannel.core.lifecycle import Status
from oscar_crosschannel.core.outbound import Effect


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("accepted", Status.QUEUED),
        ("scheduled", Status.QUEUED),
        ("queued", Status.QUEUED),
        ("sending", Status.SENDING),
        ("sent", Status.SENT),
        ("delivered", Status.DELIVERED),
        ("undelivered", Status.UNDELIVERED),
        ("failed", Status.FAILED),
        ("canceled", Status.FAILED),
        ("read", Status.READ),
    ],
)
def test_a_status_is_translated(word: str, status: Status) -> None:
    assert status_of(word) is status


@pytest.mark.rule(68)
@given(st.text())
def test_a_status_outside_the_list_is_none_of_ours(word: str) -> None:
    assert status_of(f"{word}?") is None


def test_a_failure_that_is_in_doubt_is_no_failure() -> None:
    assert status_of("undelivered", 30410) is None
    assert status_of("undelivered", "30410") is None
    assert status_of("delivered", 30410) is Status.DELIVERED
    assert status_of("undelivered", 30008) is Status.UNDELIVERED


@pytest.mark.rule(27)
@pytest.mark.parametrize(
    ("code", "effect", "times"),
    [
        (21610, Effect.OPTED_OUT, 1),
        (21614, Effect.UNUSABLE, 1),
        (21635, Effect.UNUSABLE, 1),
        (30004, Effect.UNUSABLE, 2),
        (30005, Effect.UNUSABLE, 2),
        (30006, Effect.UNUSABLE, 1),
        (30007, Effect.NONE, 1),
        (30008, Effect.NONE, 1),
    ],
)
def test_a_code_tells_about_the_number_once_it_came_often_enough(
    code: int, effect: Effect, times: int
) -> None:
    assert code_of(code).effect is code_of(str(code)).effect is effect
    assert code_of(code).times == times


@pytest.mark.rule(56)
@pytest.mark.parametrize("code", [20003, 30002, 30032, 30033, 30034, 21703, 21704, 21705])
def test_codes_about_the_sender_stop_the_channel(code: int) -> None:
    assert code_of(code).outcome is Outcome.SENDER_BROKEN


@pytest.mark.rule(55)
def test_an_unknown_code_is_a_refusal_that_alerts() -> None:
    assert code_of("99999") == Code(code="99999", outcome=Outcome.REFUSED, alert=True, known=False)


@pytest.mark.rule(55)
def test_a_project_changes_a_shipped_code_in_part(settings: Any) -> None:
    settings.CROSSCHANNEL_TWILIO_CODES = {"30008": {"effect": "unusable", "times": 3}}
    changed = code_of(30008)
    assert (changed.effect, changed.times, changed.outcome) == (Effect.UNUSABLE, 3, Outcome.REFUSED)
    assert changed.meaning == "Unknown error of the carrier"


@pytest.mark.parametrize("entry", [{"outcome": "maybe"}, {"effect": "sad"}, {"tries": 3}])
def test_a_mistake_in_the_projects_table_is_named(settings: Any, entry: dict[str, Any]) -> None:
    settings.CROSSCHANNEL_TWILIO_CODES = {"30008": entry}
    with pytest.raises(ImproperlyConfigured, match="30008"):
        code_of(30008)
