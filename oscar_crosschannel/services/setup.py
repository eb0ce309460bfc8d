"""Rows that every installation has: the topics and the flows. Never changes what a merchant changed."""

from __future__ import annotations

from ..core.facts import Purpose
from ..models import Topic
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
    """Create what is missing."""
    Topic.objects.bulk_create(
        [
            Topic(key=key, name=name, description=words, purpose=purpose)
            for key, name, words, purpose in TOPICS
        ],
        ignore_conflicts=True,
    )
    ensure_flows()
