"""What the flows about events say, and what they may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from oscar_crosschannel.blueprints import events
from oscar_crosschannel.core.plan import Blueprint
from oscar_crosschannel.core.sms import Encoding, segments, smart_encode
from oscar_crosschannel.services import promotion
from oscar_crosschannel.services.rendering import FILES, CopyKey

FLOWS: list[type[Blueprint]] = [
    events.EventInvitation,
    events.EventBooking,
    events.EventReminder,
    events.EventChange,
    events.EventLink,
    events.EventCancellation,
    events.EventUnbooked,
]
IN_YORK = {"links": {}, "place": "Assembly Rooms, Blake Street, York"}
TEXTS = [
    ("event_reminder/soon", {}),
    ("event_reminder/soon", IN_YORK),
    ("event_change/change", {}),
    ("event_change/change", IN_YORK),
    ("event_change/change", {"moved": False, "relocated": True, **IN_YORK}),
    ("event_change/change", {"relocated": True, **IN_YORK}),
    ("event_change/change", {"relocated": True}),
    ("event_change/change", {"moved": False}),
    ("event_change/change", {"moved": False, "relocated": True}),
    ("event_cancellation/cancel", {}),
]


@pytest.mark.parametrize(("name", "said"), TEXTS)
@pytest.mark.rule(81)
def test_texts_about_events_cost_one_segment(name: str, said: dict[str, object]) -> None:
    known = {
        **events.AboutEvent().example().values,
        "brand": "Quillbrook",
        "title": "Tea tasting for beginners: Darjeeling",
        "links": {"join": "https://quillbrook.example/cc/l/AQVHaNx4-4mxWnco/"},
    }
    text = render(f"{name}/sms.txt", known | said)
    found = segments(smart_encode(text))
    assert (found.encoding, found.count) == (Encoding.GSM7, 1), text


@pytest.mark.parametrize("part", ["sms.txt", "email.txt", "email.html"])
def test_another_time_and_place_are_both_told(part: str) -> None:
    known = events.AboutEvent().example().values
    words = render(f"event_change/change/{part}", {**known, "moved": True, "relocated": True, **IN_YORK})
    assert known["starts_short" if part == "sms.txt" else "starts"] in words
    assert IN_YORK["place"] in words
    if part != "sms.txt":
        assert "at another time and place" in words


@pytest.mark.parametrize("changed", ["moved", "relocated", ""])
def test_a_text_about_a_change_says_how_to_join(changed: str) -> None:
    """No reminder follows it so shortly before the start."""
    link = "https://quillbrook.example/cc/l/AQVHaNx4-4mxWnco/"
    known = events.AboutEvent().example().values | {"moved": changed == "moved"}
    said = {"relocated": changed == "relocated", "links": {"join": link}}
    assert render("event_change/change/sms.txt", known | said).endswith(f"Join: {link}")


def render(name: str, words: Mapping[str, Any]) -> str:
    with translation.override("en"):
        return str(render_to_string(f"oscar_crosschannel/messages/{name}", dict(words))).strip()


@pytest.mark.parametrize("flow", FLOWS)
def test_the_glossary_names_all_that_can_be_said(flow: type[Blueprint]) -> None:
    example = flow().example()
    assert example is not None
    assert set(flow.glossary) == {*example.values, *(f"links.{name}" for name in example.links)}


@pytest.mark.rule(39)
@pytest.mark.parametrize("flow", [each for each in FLOWS if each is not events.EventInvitation])
def test_words_that_reach_people_at_night_promote_nothing(flow: type[Blueprint]) -> None:
    for step in flow.plan().steps:
        for channel in step.channels:
            key = CopyKey(1, flow.key, step.key, channel, "en")
            for part in FILES.get(channel, {"text": ""}):
                assert not list(promotion.mentions_in_file(key, part))
