"""Rows that every installation has: the topics and the flows. Never changes what a merchant changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import connections, models, router, transaction

from ..core.facts import Purpose
from ..models import Topic, Watermark
from .plans import ensure_flows

#: key, name, description, purpose; merchants edit the words of the rows.
TOPICS = (
    ("weekly_deals", "Weekly deals", "New things and offers, once or twice a week.", Purpose.MARKETING),
    (
        "basket_reminders",
        "Basket reminders",
        "A nudge when something was left in the basket.",
        Purpose.MARKETING,
    ),
    ("events", "Events", "Reminders of events booked in the shop.", Purpose.REQUESTED),
    ("order_updates", "Order updates", "What happens with an order.", Purpose.TRANSACTIONAL),
    ("service", "Service", "Confirmations of what was asked for on these pages.", Purpose.TRANSACTIONAL),
)


def install() -> None:
    """Create what is missing, if there are tables for it."""
    if not has_table(Topic):
        return
    Topic.objects.bulk_create(
        [
            Topic(key=key, name=name, description=words, purpose=purpose)
            for key, name, words, purpose in TOPICS
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
