"""Celery's doors to the services: ids in, nothing out; and the row by which Celery's beat opens them.

The broker carries hints only: losing every message loses nothing, getting one twice does nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.apps import apps
from django.utils import timezone

from . import signals
from .conf import settings
from .services import dispatch, retention, setup

#: A tick that waited longer in the broker is thrown away by the worker, so that a backlog after a
#: downtime is a few ticks, not thousands. Much longer than any queue that still moves: a busy worker
#: that threw away every tick would never send.
TICK_EXPIRES = timedelta(minutes=10)
#: The next day's finds what this one left.
PRUNE_EXPIRES = timedelta(hours=12)


@shared_task(name="oscar_crosschannel.tick", ignore_result=True)
def tick() -> None:
    """One pass of the engine; run it every 30 seconds."""
    signals.tick_started.send(sender=None)
    dispatch.tick(timezone.now())


@shared_task(name="oscar_crosschannel.prune", ignore_result=True)
def prune() -> None:
    """Throw away what is older than the settings say; run it once a day."""
    retention.prune(timezone.now())


def install_schedule(*, now: datetime) -> None:
    """Let django-celery-beat, where it is installed, run `tick` every `TICK_SECONDS`, and `prune` every day.

    Once: whatever its admin makes of the rows, a deletion too, survives later deploys.
    """
    if not apps.is_installed("django_celery_beat"):
        return
    if setup.has_table(apps.get_model("django_celery_beat", "PeriodicTask")):
        setup.install_once("schedule", _schedule_tick, now=now)
        setup.install_once("schedule-prune", _schedule_prune, now=now)


def _schedule_tick() -> None:
    _schedule(
        tick.name,
        {"every": max(1, round(settings.TICK_SECONDS)), "period": "seconds"},
        expires=TICK_EXPIRES,
        description="Decides, sends and records what is due. Not needed beside crosschannel_run.",
    )


def _schedule_prune() -> None:
    _schedule(
        prune.name,
        {"every": 1, "period": "days"},
        expires=PRUNE_EXPIRES,
        description="Throws away what is older than the settings say. Not needed beside crosschannel_run.",
    )


def _schedule(name: str, every: dict[str, Any], *, expires: timedelta, description: str) -> None:
    # the models themselves: their signals are how a running beat hears of a new row
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    IntervalSchedule = apps.get_model("django_celery_beat", "IntervalSchedule")
    # not unique: a shop may have this interval twice already
    interval = IntervalSchedule.objects.filter(**every).first() or IntervalSchedule.objects.create(**every)
    PeriodicTask.objects.get_or_create(
        name=name,
        defaults={
            "task": name,
            "interval": interval,
            "expire_seconds": int(expires.total_seconds()),
            "description": description,
        },
    )
