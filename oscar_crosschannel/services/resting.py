"""Channels whose provider is broken: they rest, the queue waits, the operator hears of it once."""

from __future__ import annotations

import logging
from datetime import datetime

from .. import signals
from ..conf import settings
from ..core.outbound import SenderBroken
from ..models import ChannelRest

logger = logging.getLogger(__name__)


class Rests:
    """The resting channels as one tick knows them."""

    def __init__(self, until: dict[str, datetime]) -> None:
        self._until = until

    @classmethod
    def load(cls) -> Rests:
        return cls(dict(ChannelRest.objects.values_list("channel", "until")))

    def closed(self, now: datetime) -> dict[str, datetime]:
        """Channels closed at `now`, until when."""
        return {channel: until for channel, until in self._until.items() if until > now}

    def rest(self, channel: str, error: SenderBroken, *, now: datetime) -> None:
        """Close the channel; what is queued stays queued until it is no longer worth sending."""
        until = now + settings.CHANNEL_REST
        self._until[channel] = until
        _, fell_ill = ChannelRest.objects.update_or_create(
            channel=channel,
            defaults={"until": until, "code": error.code, "detail": error.detail},
            create_defaults={"until": until, "since": now, "code": error.code, "detail": error.detail},
        )
        if fell_ill:
            logger.error("channel %s is broken (code %s) and rests until %s", channel, error.code, until)
            signals.alert.send_robust(sender=None, code="channel_broken", detail=f"{channel}: {error.detail}")

    def recovered(self, channel: str) -> None:
        """A message went through: the channel works again."""
        if self._until.pop(channel, None) is not None:
            ChannelRest.objects.filter(channel=channel).delete()
