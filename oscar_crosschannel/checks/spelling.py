"""Settings are spelled right, and those that name code name code that is there."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, register
from django.utils.module_loading import import_string

from ..conf import Settings, settings
from .findings import TAG, AppConfigs, caution, error

_PREFIX = "CROSSCHANNEL_"


@register(TAG)
def check_names(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """A setting with a typing error would silently be its default."""
    known = sorted(name for name in Settings.__annotations__ if name.isupper())
    found = [name for name in dir(django_settings) if name.startswith(_PREFIX)]
    return [
        caution(39, f"{name} is not a setting of this app.", _spelled_right(name, known))
        for name in found
        if name.removeprefix(_PREFIX) not in known
    ]


@register(TAG)
def check_paths(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Settings that name code name code that is there."""
    return [
        error(
            10,
            f"CROSSCHANNEL_{name}: {path!r} cannot be imported: {reason}",
            f"# Correct the dotted path, or go back to the default:\nCROSSCHANNEL_{name} = "
            f"{getattr(Settings, name)!r}",
        )
        for name, path in _named_code()
        if (reason := _import_problem(path))
    ]


def _named_code() -> Iterator[tuple[str, str]]:
    yield "SMS_BACKEND", settings.SMS_BACKEND
    if settings.EMAIL_BACKEND:
        yield "EMAIL_BACKEND", settings.EMAIL_BACKEND
    yield from (("CHANNELS", path) for path in settings.CHANNELS.values())
    yield from (("POLICIES", path) for path in settings.POLICIES)


def _import_problem(path: str) -> str:
    try:
        import_string(path)
    except ImportError as problem:
        return str(problem)
    return ""


def _spelled_right(name: str, known: list[str]) -> str:
    close = get_close_matches(name.removeprefix(_PREFIX), known, n=1)
    if not close:
        return f"del {name}"
    return f"# Better: correct the name where it is set.\n{_PREFIX}{close[0]} = {name}\ndel {name}"
