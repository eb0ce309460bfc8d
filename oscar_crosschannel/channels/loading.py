"""The channels a project uses, by key."""

from __future__ import annotations

from functools import lru_cache

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from ..conf import settings
from .base import Channel


def channel(key: str) -> Channel:
    """The channel `key`; one object per process. Raises KeyError for a channel nobody defined."""
    return _load(settings.CHANNELS[key])


@lru_cache(maxsize=32)
def _load(path: str) -> Channel:
    loaded: Channel = import_string(path)()
    return loaded


def _forget(*, setting: str, **_: object) -> None:
    if setting.startswith(("CROSSCHANNEL_", "EMAIL_", "ANYMAIL")):
        _load.cache_clear()


setting_changed.connect(_forget, dispatch_uid="oscar_crosschannel.channels")
