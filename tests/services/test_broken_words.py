"""A merchant's words that break are never sent by half: others are said instead, or the message waits for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.template.autoreload import reset_loaders

from oscar_crosschannel import signals
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.outbound import Content, Refused
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import BrokenWords, Copy, Enrolment, Flow, FlowVersion, Message
from oscar_crosschannel.services import (
    broken_words,
    copies,
    earlier_words,
    flow_versions,
    promotion,
    tuning,
)
from oscar_crosschannel.services.dispatch import tick
from oscar_crosschannel.services.rendering import CopyKey
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.stage import CHANNELS, Asked, Letter, Letters, Text, Wires, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

AFTERNOON = NOON + timedelta(hours=4)
HOUR = timedelta(hours=1)
BROKEN = "Hello {% nonsense %} {{ name }}"


@pytest.fixture
def files(tmp_path: Path, settings: Any) -> Path:
    """Where the files of the letter are; Django finds them there."""
    templates = deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [tmp_path]
    settings.TEMPLATES = templates
    home = tmp_path / "oscar_crosschannel" / "messages" / "letter" / "only"
    home.mkdir(parents=True)
    return home


@pytest.fixture
def alerts() -> Any:
    heard: list[tuple[str, str]] = []

    def hear(sender: Any, code: str, detail: str, **kwargs: Any) -> None:
        heard.append((code, detail))

    signals.alert.connect(hear)
    yield heard
    signals.alert.disconnect(hear)


def say(flow: type, text: str, *, at: Any = AFTERNOON) -> None:
    """The merchant keeps new words for the first step of a flow, as the editor does, but unchecked."""
    row = tuning.lock(Flow.objects.get(key=flow.key).pk)
    step, channel = ("first", "email") if flow is Asked else ("only", "sms" if flow is Text else "email")
    draft = Copy(flow=row, step_key=step, channel=channel, language="en", text=text)
    copies.keep(row, draft, now=at)


def reset(flow: type) -> None:
    """The merchant takes back what they wrote for a flow of one email."""
    row = tuning.lock(Flow.objects.get(key=flow.key).pk)
    copies.keep(row, Copy(flow=row, step_key="only", channel="email", language="en"), now=AFTERNOON)


def missed(at: Any) -> None:
    """One more message goes out at this time, in the words of before, for the current ones are gone."""
    enrol_all(make_contacts(1), Letter, anchor=at - HOUR)
    tick(at)


def deploy(file: Path, words: str) -> None:
    """A file comes with a new release, whose processes have read no template yet."""
    file.write_text(words)
    reset_loaders()


def states() -> list[tuple[int, str]]:
    return [(message.state, message.reason) for message in Message.objects.order_by("pk")]


def said(channel: Letters | Wires) -> list[str]:
    """The texts that went out, without what the frame puts below an email."""
    return [call.content.text.partition("\n\n--\n")[0] for call in channel.calls]


# It works.


def test_the_words_that_come_with_the_flow_are_said_instead(email: Letters, files: Path) -> None:
    (files / "email.txt").write_text("Hello from the file, {{ name|default:'friend' }}")
    write_words(Letter, text=BROKEN)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    assert tick(AFTERNOON).failed == []
    assert said(email) == ["Hello from the file, friend"]
    assert states() == [(State.SENT, "")]
    assert not BrokenWords.objects.get().is_silent


def test_where_nothing_ships_the_merchants_words_before_are_said(email: Letters) -> None:
    write_words(Letter, text="What was said before")
    say(Letter, "Yesterday's words")
    say(Letter, BROKEN)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    assert said(email) == ["Yesterday's words"]


def test_of_several_versions_the_last_that_makes_a_message_is_taken(email: Letters) -> None:
    write_words(Letter, text="The good old words")
    say(Letter, "{% bad %}")
    say(Letter, "{% worse %}")
    say(Letter, BROKEN)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    assert said(email) == ["The good old words"]


def test_what_the_channel_refuses_for_its_form_falls_back_as_well(
    sms: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compose(words: Mapping[str, str], *, purpose: Purpose, language: str) -> Content:
        if "STOP" not in words["text"]:
            raise Refused("A marketing text must say how to stop.")
        return Content(text=words["text"])

    monkeypatch.setattr(sms, "compose", compose)
    write_words(Text, text="A bargain. Reply STOP to opt out")
    say(Text, "A bargain")
    enrol_all(make_contacts(1), Text, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    assert said(sms) == ["A bargain. Reply STOP to opt out"]


def test_with_nothing_to_say_the_message_waits_and_goes_out_once_the_words_are_mended(email: Letters) -> None:
    write_words(Letter, text=BROKEN)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    message = Message.objects.get()
    assert (message.state, message.reason) == (State.PLANNED, Reason.NO_WORDS)
    assert HOUR <= message.due_at - AFTERNOON < HOUR + timedelta(minutes=1)
    assert (message.calls, message.attempted_at) == (0, None)  # it takes nobody's room under a cap

    soon = AFTERNOON + timedelta(minutes=5)
    say(Letter, "All is well", at=soon)
    assert not BrokenWords.objects.exists()
    tick(soon)
    assert said(email) == ["All is well"]


def test_a_step_without_any_words_waits_as_well(email: Letters) -> None:
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    assert states() == [(State.PLANNED, Reason.NO_WORDS)]
    say(Letter, "There they are", at=AFTERNOON)
    tick(AFTERNOON + timedelta(minutes=1))
    assert said(email) == ["There they are"]


def test_staff_are_told_once_however_many_messages_break(
    email: Letters, alerts: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    write_words(Letter, text=BROKEN)
    people = make_contacts(6)
    enrol_all(people, Letter, anchor=AFTERNOON - HOUR)
    with caplog.at_level(logging.ERROR):
        tick(AFTERNOON)
        tick(AFTERNOON + 2 * HOUR)
    assert alerts == [("words_broken", "the words of letter/only/email/en are broken; messages wait")]
    assert caplog.messages == ["words_broken: the words of letter/only/email/en are broken; messages wait"]
    assert BrokenWords.objects.get().is_silent

    say(Letter, BROKEN + ", still", at=AFTERNOON + 3 * HOUR)
    tick(AFTERNOON + 3 * HOUR)
    assert len(alerts) == 2, "other words are another matter"


def test_a_change_that_leaves_the_words_as_they_are_tells_nobody_anew(
    email: Letters, alerts: list[tuple[str, str]]
) -> None:
    write_words(Letter, text=BROKEN)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    flow = tuning.lock(Flow.objects.get(key=Letter.key).pk)
    flow_versions.begin(flow, now=AFTERNOON)
    flow_versions.raise_version(flow, author=None, now=AFTERNOON)
    tick(AFTERNOON + 2 * HOUR)
    assert len(alerts) == 1


def test_what_waits_for_a_file_goes_out_once_it_is_deployed_anew(
    email: Letters, files: Path, alerts: list[tuple[str, str]]
) -> None:
    (files / "subject.txt").write_text("Hello")
    (files / "email.txt").write_text("{{ name|nonsense }}")
    enrol_all(make_contacts(2), Letter, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    assert (email.calls, states()) == ([], [(State.PLANNED, Reason.NO_WORDS)] * 2)
    assert alerts == [("words_broken", "the words of letter/only/email/en are broken; messages wait")]
    later = AFTERNOON + 2 * HOUR
    assert broken_words.forget_mended(now=later) == 0

    (files / "email.txt").write_text("Hello, all is well")
    tick(later)
    assert said(email) == ["Hello, all is well"] * 2
    assert broken_words.forget_mended(now=later) == 1
    assert not BrokenWords.objects.exists()


def test_changes_of_other_things_do_not_push_the_last_good_words_out_of_reach(email: Letters) -> None:
    write_words(Letter, text="The good old words")
    say(Letter, BROKEN)
    flow = tuning.lock(Flow.objects.get(key=Letter.key).pk)
    for _each in range(earlier_words.MOST + 5):
        flow_versions.begin(flow, now=AFTERNOON)
        flow_versions.raise_version(flow, author=None, now=AFTERNOON)
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    assert said(email) == ["The good old words"]


def test_words_that_are_missing_are_told_once_while_earlier_ones_are_said(
    email: Letters, files: Path, alerts: list[tuple[str, str]]
) -> None:
    write_words(Letter, text="What was said before")
    reset(Letter)
    missed(AFTERNOON)
    tomorrow = AFTERNOON + timedelta(days=1)
    assert broken_words.forget_mended(now=tomorrow) == 0
    missed(tomorrow)
    assert said(email) == ["What was said before"] * 2
    assert alerts == [
        ("words_broken", "the words of letter/only/email/en are broken; others are sent instead")
    ]

    deploy(files / "subject.txt", "Hello")
    assert broken_words.forget_mended(now=tomorrow) == 0
    deploy(files / "email.txt", "Hello from the file")
    assert broken_words.forget_mended(now=tomorrow) == 1


def test_words_that_are_missing_are_forgotten_when_others_serve_or_nobody_is_written_to(
    email: Letters, settings: Any
) -> None:
    write_words(Letter, text="What was said before")
    reset(Letter)
    missed(AFTERNOON)
    later = AFTERNOON + 2 * HOUR
    BrokenWords.objects.update(language="en-gb")
    Copy.objects.create(
        flow=Flow.objects.get(key=Letter.key), step_key="only", channel="email", language="en"
    )
    assert broken_words.forget_mended(now=later) == 1

    Copy.objects.all().delete()
    missed(later)
    Flow.objects.filter(key=Letter.key).update(enabled=False)
    assert broken_words.forget_mended(now=later) == 0, "it was noticed just now"
    assert broken_words.forget_mended(now=later + 2 * HOUR) == 1

    Flow.objects.filter(key=Letter.key).update(enabled=None)
    missed(later + HOUR)
    settings.CROSSCHANNEL_CHANNELS = {"sms": CHANNELS["sms"]}
    assert broken_words.forget_mended(now=later + 3 * HOUR) == 1, "the shop sends no email any more"


# It refuses.


def test_a_file_that_cannot_be_read_promotes_nothing(files: Path) -> None:
    key = CopyKey(0, Letter.key, "only", "email", "en")
    deploy(files / "email.txt", "{{ voucher.code }}")
    assert [found.name for found in promotion.mentions_in_file(key, "text")] == ["voucher"]
    deploy(files / "email.txt", "{{ voucher.code }} {% nonsense %}")
    assert list(promotion.mentions_in_file(key, "text")) == []


def test_of_a_flow_with_thousands_of_versions_only_the_latest_are_read() -> None:
    write_words(Letter, text="The good old words")
    say(Letter, BROKEN)
    flow = Flow.objects.get(key=Letter.key)
    now = FlowVersion.objects.get(flow=flow, number=flow.version)
    key, broken = CopyKey(flow.pk, flow.key, "only", "email", "en"), Copy.objects.get(flow=flow)

    def instead(versions: int) -> list[Copy | None]:
        FlowVersion.objects.filter(flow=flow, number__gt=now.number).delete()
        numbers = range(now.number + 1, now.number + versions + 1)
        FlowVersion.objects.bulk_create(
            FlowVersion(flow=flow, number=number, made_at=AFTERNOON, state=now.state) for number in numbers
        )
        return earlier_words.EarlierWords().instead(key, broken)

    assert len(instead(earlier_words.READ - 2)) == 1
    assert instead(earlier_words.READ) == []


def test_words_that_the_merchant_went_back_from_are_not_said_in_the_place_of_a_broken_file(
    email: Letters, files: Path
) -> None:
    write_words(Letter, text="Ten percent off, this week only")
    reset(Letter)
    (files / "subject.txt").write_text("Hello")
    (files / "email.txt").write_text("{{ name|nonsense }}")
    enrol_all(make_contacts(1), Letter, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    assert (email.calls, states()) == ([], [(State.PLANNED, Reason.NO_WORDS)])


def test_what_waits_for_words_ends_when_it_is_no_longer_worth_sending(email: Letters) -> None:
    write_words(Asked, text="{{ name }}")
    say(Asked, BROKEN)
    Copy.objects.filter(step_key="first").update(text=BROKEN)
    flow_versions.FlowVersion.objects.all().delete()
    enrol_all(make_contacts(1), Asked, anchor=AFTERNOON - HOUR)
    tick(AFTERNOON)
    (message,) = Message.objects.all()
    message.refresh_from_db()
    tick(message.expires_at)
    message.refresh_from_db()
    assert (message.state, message.reason) == (State.DROPPED, Reason.EXPIRED)
    assert Enrolment.objects.get().step_key == "second"


# It survives.


NASTY = (
    "{% nonsense %}", "{% if name %}", "{% endif %}", "{{ name|unheard }}", "{% for x in %}{% endfor %}",
    "{% for x in name %}", "{{ }}", "{% %}", "{{ name.__class__ }}{% if %}", "{% include 'admin/base.html' %}",
)  # fmt: skip


def test_broken_words_harm_no_other_message_of_the_chunk(email: Letters) -> None:
    """Everybody reads words in a language of their own, and all but the first are broken."""
    write_words(Letter, text="All is well")
    flow = Flow.objects.get(key=Letter.key)
    people = make_contacts(len(NASTY) + 2)
    for number, (person, words) in enumerate(zip(people, NASTY, strict=False)):
        person.language = f"x{number}"
        person.save()
        place = {"flow": flow, "step_key": "only", "channel": "email", "language": person.language}
        Copy.objects.create(**place, subject="Hello", text=words)
    enrol_all(people, Letter, anchor=AFTERNOON - HOUR)
    assert tick(AFTERNOON).failed == []
    assert said(email) == ["All is well"] * 2
    assert states() == [(State.PLANNED, Reason.NO_WORDS)] * len(NASTY) + [(State.SENT, "")] * 2
