"""What people write back that is neither a word we know nor a doubt: it changes nothing, and staff read it."""

from __future__ import annotations

from collections.abc import Collection

from ..core.events import Event
from ..core.keywords import is_by_machine
from ..models import InboxEvent


def keep(event: Event) -> None:
    """Have staff read `event`, which is in the inbox already; not what no person wrote."""
    if not is_by_machine(event.data["body"]):
        InboxEvent.objects.filter(name=event.name, key=event.key).update(unread=True)


def was_read(ids: Collection[int]) -> list[int]:
    """Staff have read these; returns the ids of those that nobody had before."""
    unread = InboxEvent.objects.filter(unread=True)
    return [pk for pk in sorted(ids) if unread.filter(pk=pk).update(unread=False)]
