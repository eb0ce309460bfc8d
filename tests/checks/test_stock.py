"""A shop whose customers wait for products, and whose flow for that never speaks, is told why."""

from __future__ import annotations

from typing import Any

import pytest
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.models import Flow

from .pasting import found, paste

ProductAlert = get_model("customer", "ProductAlert")
ASKED = {"databases": ["default"]}

pytestmark = pytest.mark.django_db


@pytest.fixture
def _waiting(settings: Any) -> None:
    settings.OSCAR_EAGER_ALERTS = True
    ProductAlert.objects.create(product=factories.create_product(), email="rosa@example.com")


@pytest.mark.usefixtures("_waiting")
def test_a_flow_that_oscar_forestalls_is_named_and_the_hint_is_the_cure(settings: Any) -> None:
    message = found(**ASKED)["W042"]
    assert "back_in_stock" in message.msg
    assert "W042" not in found(), "nothing is asked of a database that was not named"

    paste(message, settings)
    assert "W042" not in found(**ASKED)


@pytest.mark.usefixtures("_waiting")
@pytest.mark.parametrize("state", [{"enabled": False}, {"shadow": True}])
def test_a_flow_that_is_off_may_be_silent(state: dict[str, bool]) -> None:
    Flow.objects.update_or_create(key="back_in_stock", defaults=state)
    assert "W042" not in found(**ASKED)


def test_where_nobody_ever_waits_nothing_is_said(settings: Any) -> None:
    settings.OSCAR_EAGER_ALERTS = True
    assert "W042" not in found(**ASKED)
