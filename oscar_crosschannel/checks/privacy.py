"""What becomes of people's data is said in words that are known, and evidence is kept as long as laws ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.checks import CheckMessage, register

from ..conf import Settings, settings
from ..services import erasing
from .findings import TAG, AppConfigs, caution, error

#: Years that laws ask for, by setting: 16 CFR 310.5(b), and Virginia's SB 1339 of 2025.
_YEARS = {"RETAIN_CONSENTS": 5, "RETAIN_REVOCATIONS": 10}


@register(TAG)
def check_account_deletion(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """What a deleted account means is one of three things."""
    modes = (erasing.ERASE, erasing.ANONYMISE, erasing.KEEP)
    if settings.ON_ACCOUNT_DELETION in modes:
        return []
    return [
        error(
            70,
            f"CROSSCHANNEL_ON_ACCOUNT_DELETION is {settings.ON_ACCOUNT_DELETION!r}, and not one of {', '.join(modes)}.",
            f'CROSSCHANNEL_ON_ACCOUNT_DELETION = "{Settings.ON_ACCOUNT_DELETION}"',
        )
    ]


@register(TAG)
def check_retention(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Who has to prove a consent needs it for years."""
    return [
        caution(
            71,
            f"CROSSCHANNEL_{name} is shorter than {years} years, for which laws ask shops to keep this evidence.",
            f"from datetime import timedelta\nCROSSCHANNEL_{name} = timedelta(days={years * 366})",
        )
        for name, years in _YEARS.items()
        if getattr(settings, name) < timedelta(days=years * 365)
    ]
