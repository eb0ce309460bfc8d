"""The README's section on installing: every line in it is needed, and none is missing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import global_settings, settings as django_settings

from tests.install import guide

from .pasting import found
from .test_databases import ASKED, make_offer

pytestmark = pytest.mark.django_db

_SETTING = re.compile(r"^(CROSSCHANNEL_\w+) =", re.MULTILINE)
_OPTIONAL = ("CROSSCHANNEL_SMS_BACKEND", "CROSSCHANNEL_TWILIO")
NAMES = [name for name in _SETTING.findall("\n".join(guide.read().settings)) if name not in _OPTIONAL]


@pytest.fixture(autouse=True)
def _as_the_guide_says(settings: Any) -> None:
    """A shop in production that has what the guide names, and nothing else of ours."""
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    settings.DEFAULT_FROM_EMAIL = global_settings.DEFAULT_FROM_EMAIL
    for name in dir(django_settings):
        if name.startswith("CROSSCHANNEL_") and name not in NAMES:
            delattr(settings, name)


def test_a_shop_that_follows_the_guide_hears_nothing() -> None:
    assert len(NAMES) == 8
    assert found(**ASKED) == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_forgotten_setting_is_asked_for(name: str, settings: Any) -> None:
    delattr(settings, name)

    assert name in "".join(str(finding.hint) for finding in found(**ASKED).values())
