"""Once Twilio is chosen it must be able to work, and texting keeps its manners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, register

from ..conf import is_loopback, settings
from ..services import law
from .findings import TAG, AppConfigs, caution, error, with_entries

_TWILIO = "oscar_crosschannel.channels.sms_backends.twilio.TwilioBackend"
#: Who answers STOP and HELP: the provider, or this app.
_OPT_OUT_REPLIES = ("carrier_managed", "app_managed")


@register(TAG)
def check_twilio(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Credentials, one sender, and no counterpart in production."""
    return list(_twilio_problems(settings.TWILIO)) if settings.SMS_BACKEND == _TWILIO else []


@register(TAG)
def check_opt_out_replies(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """It is decided who answers STOP: nobody, or two, would be against the carriers' rules."""
    if settings.SMS_OPT_OUT_REPLIES in _OPT_OUT_REPLIES:
        return []
    return [
        error(
            21,
            f"CROSSCHANNEL_SMS_OPT_OUT_REPLIES is {settings.SMS_OPT_OUT_REPLIES!r}.",
            'CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "carrier_managed"  # or "app_managed"',
        )
    ]


@register(TAG)
def check_budget(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The budgets for texts are numbers of segments."""
    return [
        error(
            84,
            f"CROSSCHANNEL_{name} is {value!r}: a budget is a whole number of segments, or None for no limit.",
            f"CROSSCHANNEL_{name} = None  # or 500",
        )
        for name in ("SMS_BUDGET_DAILY", "SMS_BUDGET_MONTHLY")
        if (value := getattr(settings, name)) is not None
        and (not isinstance(value, int) or isinstance(value, bool) or value < 0)
    ]


@register(TAG)
def check_hours(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The table of rules for texts can be read."""
    try:
        law.book()
    except ValueError as problem:
        return [
            error(
                11,
                f"CROSSCHANNEL_TEXTING_RULES cannot be read: {problem}",
                "# Correct the row, or go back to the shipped table:\nCROSSCHANNEL_TEXTING_RULES = {}",
            )
        ]
    return []


def _twilio_problems(config: Mapping[str, Any]) -> Iterator[CheckMessage]:
    has_key = config.get("API_KEY") and config.get("API_SECRET")
    if not config.get("ACCOUNT_SID") or not (config.get("AUTH_TOKEN") or has_key):
        yield error(
            6,
            "Twilio is chosen without credentials: no text will be sent.",
            with_entries("CROSSCHANNEL_TWILIO", ACCOUNT_SID="AC…", AUTH_TOKEN="…"),  # noqa: S106 - to be filled in
        )
    elif not config.get("AUTH_TOKEN"):
        yield caution(
            18,
            "Twilio signs its webhooks with the auth token: without it, STOP, YES and delivery reports "
            "are turned away.",
            with_entries("CROSSCHANNEL_TWILIO", AUTH_TOKEN="…") + "  # also beside an API key",  # noqa: S106
        )
    if config.get("FROM") and config.get("MESSAGING_SERVICE_SID"):
        yield error(
            7,
            "CROSSCHANNEL_TWILIO has both FROM and MESSAGING_SERVICE_SID: who sends the texts?",
            with_entries("CROSSCHANNEL_TWILIO", FROM="") + "  # the messaging service does",
        )
    elif not config.get("FROM") and not config.get("MESSAGING_SERVICE_SID"):
        yield error(
            7,
            "CROSSCHANNEL_TWILIO has neither FROM nor MESSAGING_SERVICE_SID: who sends the texts?",
            with_entries("CROSSCHANNEL_TWILIO", MESSAGING_SERVICE_SID="MG…")
            + '  # or "FROM": "+12065550100"',
        )
    base = str(config.get("BASE_URL", ""))
    if base and not django_settings.DEBUG and not is_loopback(urlsplit(base).hostname or ""):
        yield error(
            8,
            "CROSSCHANNEL_TWILIO names a BASE_URL on another machine: it is for tests only.",
            with_entries("CROSSCHANNEL_TWILIO", BASE_URL=""),
        )
