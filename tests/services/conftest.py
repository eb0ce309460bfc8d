"""The engine on its stage: scripted channels, the real shop, words for every flow."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.stage import CHANNELS, Letters, Wires, letters, wires


@pytest.fixture
def stage(settings: Any) -> None:
    """Scripted channels; the shop behind the engine is the real one."""
    settings.CROSSCHANNEL_CHANNELS = CHANNELS
    letters.cache_clear()
    wires.cache_clear()


@pytest.fixture
def email(stage: None) -> Letters:
    """The provider of email."""
    return letters()


@pytest.fixture
def sms(stage: None) -> Wires:
    """The provider of texts."""
    return wires()
