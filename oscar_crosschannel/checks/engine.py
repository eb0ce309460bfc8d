"""The engine can decide, and it runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError
from django.utils import timezone
from django.utils.timesince import timesince

from ..conf import settings
from ..models import InboxEvent
from ..services import limits
from .findings import TAG, AppConfigs, caution, error, may_ask

#: An engine ticks every few seconds; whoever runs it from cron does so at least this often.
LATE_AFTER = timedelta(hours=1)


@register(TAG)
def check_time_zones(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Legal hours and delays are reckoned with instants, not with times on a wall."""
    if django_settings.USE_TZ:
        return []
    return [
        error(
            20,
            "USE_TZ is off: without time zones nobody's hours of texting are known, and nothing can be sent.",
            "USE_TZ = True",
        )
    ]


@register(TAG)
def check_caps(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The project's caps on frequency can be read, and bind channels that exist."""
    if settings.CAPS is None:
        return []
    try:
        wrong = ", ".join(repr(cap.name) for cap in limits.configured_caps() if not _is_cap(cap))
    except (AttributeError, TypeError, ValueError) as problem:
        wrong = str(problem)
    if not wrong:
        return []
    return [
        error(
            19,
            f"CROSSCHANNEL_CAPS cannot be read: {wrong}",
            "from datetime import timedelta\n"
            'CROSSCHANNEL_CAPS = [{"name": "texts a day", "most": 1, "window": timedelta(hours=24), '
            '"channels": ["sms"]}]',
        )
    ]


@register(TAG, Tags.database)
def check_engine_runs(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Whatever happens in the shop is worked off within minutes, where an engine runs."""
    if not may_ask(databases):
        return []
    now = timezone.now()
    # an event that failed waits for its next try, but not because nobody is there
    waiting = InboxEvent.objects.filter(processed_at=None, tries=0, not_before__lt=now - LATE_AFTER)
    try:
        oldest = waiting.order_by("not_before").first()
    except DatabaseError:  # before the first migration
        return []
    if oldest is None:
        return []
    return [
        caution(
            38,
            f"The engine does not run: what happened {timesince(oldest.not_before, now)} ago still waits to be "
            "worked off, and nothing is sent.",
            "# in a terminal, and in production as a service of its own\npython manage.py crosschannel_run",
        )
    ]


def _is_cap(cap: Any) -> bool:
    """Whether the values of a `Cap` from the settings are of the kinds it declares."""
    return (
        isinstance(cap.most, int)
        and isinstance(cap.window, timedelta)
        and cap.channels <= settings.CHANNELS.keys()
    )
