"""Rules that grow old."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from oscar_crosschannel.models import TextingRule
from oscar_crosschannel.services import setup

from .pasting import found, paste
from .test_databases import ASKED, make_offer, only_the_cart

__all__ = ["only_the_cart"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_the_cart")]


@pytest.fixture(autouse=True)
def _installed(settings: Any) -> None:
    setup.install()
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)


@pytest.mark.rule(40)
def test_rules_that_nobody_compared_with_the_law_for_half_a_year_are_named(settings: Any) -> None:
    today: date = timezone.localdate()
    hours = {"hours": {"mon-sat": "09:00-20:00"}}
    settings.CROSSCHANNEL_TEXTING_RULES = {
        "XA": {**hours, "reviewed_on": f"{today - timedelta(days=181)}"},
        "XB": {**hours, "reviewed_on": f"{today - timedelta(days=179)}"},
        "XC": hours,
        "XD": {**hours, "reviewed_on": today},  # a date is as good as its words
    }
    old = found(**ASKED)["W015"]

    assert "in XA were" in old.msg
    paste(old, settings)
    assert found(**ASKED) == {}


@pytest.mark.rule(40)
def test_a_look_in_the_admin_counts(settings: Any) -> None:
    settings.CROSSCHANNEL_REVIEW_RULES_AFTER = timedelta(days=-1)
    assert "FR, " in found(**ASKED)["W015"].msg
    assert "in the admin" in str(found(**ASKED)["W015"].hint)

    tomorrow = timezone.localdate() + timedelta(days=1)
    TextingRule.objects.create(place="FR", reviewed_on=tomorrow)
    assert "FR, " not in found(**ASKED)["W015"].msg


def test_nothing_is_asked_of_a_database_that_was_not_named(settings: Any) -> None:
    settings.CROSSCHANNEL_REVIEW_RULES_AFTER = timedelta(days=-1)

    assert found() == {}
