from __future__ import annotations

from typing import Any

import pytest

from .pasting import HOST


@pytest.fixture(autouse=True)
def _healthy(settings: Any) -> None:
    """A shop in production; the sandbox itself is a developer's."""
    settings.CROSSCHANNEL_BASE_URL = f"https://{HOST}"
