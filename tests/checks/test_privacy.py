"""What becomes of people's data is said in words that are known, and evidence is kept long enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from .pasting import found, paste


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ON_ACCOUNT_DELETION", "forget", "E070"),
        ("RETAIN_CONSENTS", timedelta(days=365), "W071"),
        ("RETAIN_REVOCATIONS", timedelta(days=5 * 365), "W071"),
    ],
)
@pytest.mark.rule(15)
def test_what_would_break_a_promise_is_named_and_its_cure_silences_it(
    name: str, value: Any, expected: str, settings: Any
) -> None:
    before = set(found())
    setattr(settings, f"CROSSCHANNEL_{name}", value)
    after = found()
    assert set(after) - before == {expected}
    assert name in after[expected].msg
    paste(after[expected], settings)
    assert set(found()) == before


def test_the_defaults_are_long_enough() -> None:
    assert not {"E070", "W071"} & set(found())
