"""What the log says when something breaks, and what it must not say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError

from oscar_crosschannel.management.commands import crosschannel_run
from oscar_crosschannel.models import Message
from oscar_crosschannel.services import dispatch
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.stage import Letter, Letters

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.rule(73)
def test_words_that_cannot_be_rendered_do_not_print_their_context(
    email: Letters, caplog: pytest.LogCaptureFixture, settings: Any, tmp_path: Path
) -> None:
    words = tmp_path / "oscar_crosschannel" / "messages" / "letter" / "only"
    words.mkdir(parents=True)
    (words / "subject.txt").write_text("Hello")
    (words / "email.txt").write_text(
        "{{ name|default:nickname }}"
    )  # the engine's error quotes all it was given
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    (run,) = enrol_all(make_contacts(1), Letter, anchor=NOON - timedelta(hours=1))
    dispatch.tick(NOON)
    assert Message.objects.get(enrolment=run).reason == "no_words"
    assert "VariableDoesNotExist" in caplog.text
    assert "/cc/" not in caplog.text
    assert "unsubscribe_url" not in caplog.text


def test_the_loop_goes_on_when_a_pass_fails(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CROSSCHANNEL_TICK_SECONDS = 0.01
    passes: list[int] = []

    def fail_twice(now: object) -> dispatch.Report:
        passes.append(1)
        if len(passes) < 3:
            raise OperationalError("the database restarts")
        raise KeyboardInterrupt

    monkeypatch.setattr(crosschannel_run.dispatch, "tick", fail_twice)
    monkeypatch.setattr(crosschannel_run.Command, "_stop_politely", lambda self, stopping: None)
    with pytest.raises(KeyboardInterrupt):
        call_command("crosschannel_run")
    assert len(passes) == 3


def test_a_pass_that_took_all_the_time_to_the_next_is_followed_at_once(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """A tick that stays for texts which wait for their turn must not be followed by as long a rest."""
    settings.CROSSCHANNEL_TICK_SECONDS = 3600
    passes: list[int] = []

    def take_an_hour(now: object) -> dispatch.Report:
        passes.append(1)
        if len(passes) == 3:
            raise KeyboardInterrupt
        return dispatch.Report()

    monkeypatch.setattr(crosschannel_run.dispatch, "tick", take_an_hour)
    monkeypatch.setattr(crosschannel_run.time, "monotonic", lambda: 3600.0 * len(passes))
    monkeypatch.setattr(crosschannel_run.Command, "_stop_politely", lambda self, stopping: None)
    with pytest.raises(KeyboardInterrupt):
        call_command("crosschannel_run")


def test_once_says_that_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(now: object) -> dispatch.Report:
        raise OperationalError("the database restarts")

    monkeypatch.setattr(crosschannel_run.dispatch, "tick", fail)
    with pytest.raises(OperationalError):
        call_command("crosschannel_run", "--once")
