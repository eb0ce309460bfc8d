from __future__ import annotations

from typing import Any

from django.apps import AppConfig

from oscar_crosschannel.signals import tick_started
from sandbox import clock


class ShopConfig(AppConfig):
    """Lets the engine, a long-running process, look at the sandbox's clock before every tick."""

    name = "sandbox.shop"

    def ready(self) -> None:
        tick_started.connect(_follow_clock, dispatch_uid="sandbox.clock")


def _follow_clock(**_arguments: Any) -> None:
    clock.refresh()
