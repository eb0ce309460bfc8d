"""Rules for texts are law, and law changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError
from django.utils import timezone

from ..conf import settings
from ..services import limits
from .findings import TAG, AppConfigs, caution, may_ask


@register(TAG, Tags.database)
def check_age_of_rules(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Somebody compared every rule with the law lately: in the admin, in the settings, or in the app's release."""
    if not may_ask(databases):
        return []
    today = timezone.localdate()
    try:
        old = [rule.key for rule in limits.load().book.stale(today, settings.REVIEW_RULES_AFTER)]
    except (DatabaseError, ValueError):  # before the first migration; or another check says what is wrong
        return []
    if not old:
        return []
    return [
        caution(
            15,
            f"The rules for texts in {', '.join(old)} were last compared with the law more than "
            f"{settings.REVIEW_RULES_AFTER.days} days ago.",
            _reviewed(old, today),
        )
    ]


def _reviewed(old: Collection[str], today: date) -> str:
    """How the project's own rows get today's date; the others are marked by those who looked at them."""
    own = [key for key in old if key in settings.TEXTING_RULES]
    lines = ["# After a look at the law:"]
    lines += [f'CROSSCHANNEL_TEXTING_RULES["{key}"]["reviewed_on"] = "{today}"' for key in own]
    if len(own) < len(old):
        lines.append(
            "# Other rows: in the admin, under “Rules for texts by place”, or with the app's next version"
        )
    return "\n".join(lines)
