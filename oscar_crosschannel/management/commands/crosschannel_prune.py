"""Throw away what is older than the settings say."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from ...services import retention


class Command(BaseCommand):
    help = "Throws away what is older than the settings say. crosschannel_run and Celery do so once a day."

    def handle(self, *args: Any, **options: Any) -> None:
        done = retention.prune(timezone.now())
        self.stdout.write(", ".join(f"{count} {kind}" for kind, count in sorted(done.items())))
