"""Every flow that is declared has its key to itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError

from ..conf import flows
from ..core.registry import OWN
from ..models import Flow
from .findings import TAG, AppConfigs, caution, may_ask


@register(TAG, Tags.database)
def check_keys(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """No flow that was made in the admin stands in the place of a declared one."""
    if not may_ask(databases):
        return []
    declared = [blueprint.key for blueprint in flows]
    try:
        hiding = list(Flow.objects.filter(key__in=declared).exclude(trigger="").values_list("key", flat=True))
    except DatabaseError:  # before the first migration
        return []
    return [
        caution(
            41,
            f"The flow {key!r} was made in the admin, and the declared flow with this key does not run.",
            "# in python manage.py shell\n"
            "from oscar_crosschannel.models import Flow\n"
            f'Flow.objects.filter(key="{key}").update(key="{OWN}{key}")',
        )
        for key in sorted(hiding)
    ]
