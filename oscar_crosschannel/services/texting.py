"""Whether the shop can text anybody at all."""

from __future__ import annotations

from ..channels.loading import channel
from ..conf import settings
from ..core.facts import SMS


def is_possible() -> bool:
    """Whether a provider of texts is behind the channel."""
    return SMS in settings.CHANNELS and channel(SMS).reaches_people()
