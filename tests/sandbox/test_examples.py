"""What the README tells store developers to write, run as it stands there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core import mail
from oscar.test import factories

from oscar_crosschannel import After, Event, api, send
from oscar_crosschannel.conf import flows
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import ContactPoint, InboxEvent, Message
from oscar_crosschannel.services import dispatch
from tests.factories import LONG_AGO, NOON, enrol_all, make_contacts
from tests.oscar.conftest import make_user

EXAMPLES = Path(__file__).parents[2] / "sandbox" / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("ex*.py"))


def load(name: str) -> ModuleType:
    return importlib.reload(importlib.import_module(f"sandbox.examples.{name}"))


@pytest.fixture
def how_was_it(settings: Any) -> Iterator[Any]:
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [EXAMPLES / "templates"]}]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    yield load("ex1_flow").HowWasIt
    flows.unregister("how_was_it")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_takes_no_more_than_twenty_lines(name: str) -> None:
    lines = (EXAMPLES / f"{name}.py").read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.startswith(("from ", "import ", '"""'))]
    assert len(code) <= 20


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_shows_the_example_that_is_tested(name: str) -> None:
    readme = (EXAMPLES.parents[1] / "README.md").read_text()
    assert (EXAMPLES / f"{name}.py").read_text().strip() in readme


def test_the_flow_asks_three_days_after_the_order(transactional_db: None, how_was_it: Any) -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    person = api.contact_for(email="ada@example.com", language="en")
    api.publish(Event(name="order.placed", key="order:1", occurred_at=now, email="ada@example.com"))
    InboxEvent.objects.update(not_before=now)
    dispatch.tick(now)
    dispatch.tick(now + timedelta(days=2))
    assert mail.outbox == []
    dispatch.tick(now + timedelta(days=3, minutes=1))
    (message,) = mail.outbox
    assert message.to == ["ada@example.com"]
    assert message.subject == "How was it?"
    assert "/cc/l/" in message.body
    assert person is not None


def test_the_trigger_takes_a_review_into_the_inbox(db: None) -> None:
    example = load("ex2_trigger")
    user = make_user("ada@example.com")
    review = factories.create_product().reviews.create(score=5, title="Fine", body="Very fine.", user=user)
    example.review_written(review=review, user=user)
    entry = InboxEvent.objects.get(name="review.written")
    assert (entry.key, entry.user_id) == (f"review:{review.pk}", user.pk)


def test_the_policy_lets_marketing_rest_on_new_year(
    transactional_db: None, how_was_it: Any, settings: Any
) -> None:
    settings.CROSSCHANNEL_POLICIES = ["sandbox.examples.ex3_policy.not_on_new_year"]
    how_was_it.topic = "weekly_deals"
    flows.register(how_was_it)
    holiday = datetime(2027, 1, 1, 15, tzinfo=UTC)
    people = make_contacts(1, topics=["weekly_deals"], channels=["email"])
    enrol_all(people, how_was_it, anchor=holiday - timedelta(days=3))
    dispatch.tick(holiday)
    message = Message.objects.get()
    assert message.state == State.PLANNED
    assert message.due_at >= datetime(2027, 1, 2, tzinfo=UTC)


def test_the_channel_writes_postcards(
    transactional_db: None, how_was_it: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = load("ex4_channel")
    monkeypatch.setattr(example.Postcards, "folder", tmp_path / "cards")
    settings.CROSSCHANNEL_CHANNELS = {"post": "sandbox.examples.ex4_channel.Postcards"}
    folder = tmp_path / "oscar_crosschannel" / "messages" / "how_was_it" / "ask"
    folder.mkdir(parents=True)
    (folder / "post.txt").write_text("Greetings from {{ brand }}.")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    monkeypatch.setattr(how_was_it, "ask", send("post", at=After(days=3)))
    (person,) = make_contacts(1, channels=[])
    ContactPoint.objects.create(
        contact=person, channel="post", address="1 Alder Street", digest="1 Alder Street", created_at=LONG_AGO
    )
    enrol_all([person], how_was_it, anchor=NOON - timedelta(days=3))
    dispatch.tick(NOON)
    (card,) = (tmp_path / "cards").iterdir()
    assert card.read_text() == "1 Alder Street\n\nGreetings from Quillbrook."
