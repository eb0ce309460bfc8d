"""Rows that every installation has: the topics and the flows. Never changes what a merchant changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import connections, models, router, transaction

from ..models import Topic, Watermark
from .plans import ensure_flows
from .topics import SHIPPED


def install() -> None:
    """Create what is missing, if there are tables for it."""
    if not has_table(Topic):
        return
    Topic.objects.bulk_create(
        [
            Topic(
                key=key,
                name=topic.name,
                description=topic.description,
                purpose=topic.purpose,
                offered=topic.offered,
                position=position,
            )
            for position, (key, topic) in enumerate(SHIPPED.items())
        ],
        ignore_conflicts=True,
    )
    ensure_flows()


def install_once(name: str, make: Callable[[], object], *, now: datetime) -> None:
    """Call `make` in the first installation that gets here, and never again.

    What it made is the merchant's from then on: even a deletion stays.
    """
    if not has_table(Watermark):
        return
    with transaction.atomic():
        _, is_first = Watermark.objects.get_or_create(name=name, defaults={"at": now})
        if is_first:
            make()


def has_table(model: type[models.Model]) -> bool:
    """Whether the model's table was migrated already; `migrate auth`, for one, may run before that."""
    connection = connections[router.db_for_write(model)]
    return model._meta.db_table in connection.introspection.table_names()
