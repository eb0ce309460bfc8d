"""`{% load crosschannel_admin %}`: what an operator must see on every page of the app's admin."""

from __future__ import annotations

from typing import Any

from django import template
from django.core.checks import run_checks

from ..models import ChannelRest
from ..models.contacts import ChannelKey

register = template.Library()


@register.inclusion_tag("oscar_crosschannel/admin/warnings.html")
def crosschannel_warnings() -> dict[str, Any]:
    """Channels whose provider is broken, and what the system checks find in the settings."""
    found = run_checks(tags=["oscar_crosschannel"])
    names = dict(ChannelKey.choices)
    return {
        "rests": [
            (names.get(rest.channel, rest.channel), rest) for rest in ChannelRest.objects.order_by("since")
        ],
        "problems": [problem for problem in found if not problem.is_silenced()],
    }
