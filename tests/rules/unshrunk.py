"""A pytest plugin for the runs on a broken app: a property that fails need not find its shortest example.

Shrinking would take most of the time, and nobody reads the example.
"""

from __future__ import annotations

import hypothesis
import pytest


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """After tests/conftest.py has loaded its own profile, which this one continues."""
    hypothesis.settings.register_profile(
        "unshrunk", phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate]
    )
    hypothesis.settings.load_profile("unshrunk")
