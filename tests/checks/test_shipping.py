"""A shop whose words for its parcels nobody understands is told so."""

from __future__ import annotations

from typing import Any

import pytest
from oscar.core.loading import get_model

from .pasting import found, paste

ShippingEventType = get_model("order", "ShippingEventType")
ASKED = {"databases": ["default"]}
POST = {"name": "Post", "number": r"\d{9}", "url": "https://post.example/{number}"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"CROSSCHANNEL_SHIPPING_EVENTS": {"shipped": "gone"}}, "E090"),
        ({"CROSSCHANNEL_SHIPPING_STATUSES": {"Shipped": "shiped"}}, "E090"),
        ({"CROSSCHANNEL_SHIPPING_STATUSES": {"Shipped": "shipped", "Verschickt": "shipped"}}, "W091"),
        ({"CROSSCHANNEL_CARRIERS": {"post": {**POST, "url": "http://post.example/{number}"}}}, "E094"),
        ({"CROSSCHANNEL_CARRIERS": {"post": {**POST, "url": "https://post.example/"}}}, "E094"),
        ({"CROSSCHANNEL_CARRIERS": {"post": {**POST, "number": "["}}}, "E094"),
        ({"CROSSCHANNEL_CARRIERS": {"post": {**POST, "colour": "yellow"}}}, "E094"),
        ({"CROSSCHANNEL_TRACKING_NUMBER": "("}, "E094"),
    ],
)
def test_what_cannot_be_understood_is_named_and_its_hint_is_the_cure(
    changes: dict[str, Any], expected: str, settings: Any
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    messages = found()
    assert list(messages) == [expected]

    paste(messages[expected], settings)
    assert found() == {}


@pytest.mark.django_db
def test_types_that_the_shop_does_not_have_are_named(settings: Any) -> None:
    ShippingEventType.objects.create(name="Shipped")
    settings.CROSSCHANNEL_SHIPPING_EVENTS = {"shipped": "shipped", "unterwegs": "shipped"}
    message = found(**ASKED)["W092"]
    assert "'unterwegs'" in message.msg

    paste(message, settings)
    assert not {"W092", "W093"} & set(found(**ASKED))


@pytest.mark.django_db
def test_a_shop_whose_types_say_nothing_of_parcels_is_told(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_model("order", "Line"), "pipeline", {"Pending": ()})
    ShippingEventType.objects.create(name="Unterwegs")
    message = found(**ASKED)["W093"]

    paste(message, settings)
    assert not {"W092", "W093"} & set(found(**ASKED))


@pytest.mark.django_db
def test_a_shop_without_any_types_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_model("order", "Line"), "pipeline", {"Pending": ()})
    assert not {"W092", "W093"} & set(found(**ASKED))


@pytest.mark.django_db
def test_a_shop_that_tells_of_its_parcels_itself_is_left_alone(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_model("order", "Line"), "pipeline", {"Pending": ()})
    ShippingEventType.objects.create(name="Shipped")
    settings.CROSSCHANNEL_SHIPPING_EVENTS = settings.CROSSCHANNEL_SHIPPING_STATUSES = {}
    assert not {"W092", "W093"} & set(found(**ASKED))
