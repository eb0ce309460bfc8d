"""Who waits for a product is told by one of two: Oscar, or the flow that is on for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError
from django.db.models import Q

from ..conf import flows
from ..models import Flow
from ..oscar import product_alerts
from .findings import TAG, AppConfigs, caution, may_ask


@register(TAG, Tags.database)
def check_product_alerts(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """The flow that tells what is back does so, in a shop whose customers ask for it."""
    if not may_ask(databases) or not getattr(django_settings, "OSCAR_EAGER_ALERTS", True):
        return []
    keys = {flow.key for flow in flows if flow.plan().start.event == product_alerts.BACK}
    try:
        silent = Flow.objects.filter(Q(enabled=False) | Q(shadow=True), key__in=keys)
        idle = sorted(keys - set(silent.values_list("key", flat=True)))
        is_asked_for = apps.get_model("customer", "ProductAlert").objects.exists()
    except DatabaseError:  # before the first migration
        return []
    if not idle or not is_asked_for:
        return []
    return [
        caution(
            42,
            "Oscar itself mails who waits for a product, so nobody ever hears of it from the flow "
            f"{', '.join(idle)}, although that is on.",
            "# Or, in the admin under Flows, switch the flow off.\nOSCAR_EAGER_ALERTS = False",
        )
    ]
