"""Celery's doors to the services: ids in, nothing out.

The broker carries hints only: losing every message loses nothing, getting one twice does nothing.
"""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from . import signals
from .services import dispatch


@shared_task(name="oscar_crosschannel.tick", ignore_result=True)
def tick() -> None:
    """One pass of the engine; run it every 30 seconds."""
    signals.tick_started.send(sender=None)
    dispatch.tick(timezone.now())
