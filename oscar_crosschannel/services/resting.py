"""Channels whose provider is broken: they rest, the queue waits, the operator hears of it once.

After the rest one worker puts the channel on trial with one message at a time, until one goes through.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ..conf import settings
from ..core.outbound import SenderBroken
from ..models import ChannelRest
from . import alerts

#: How long the others wait while one worker has a channel on trial.
TRIAL = timedelta(minutes=1)


class Rests:
    """The resting channels as one tick knows them."""

    def __init__(self, until: dict[str, datetime]) -> None:
        self._until = until
        self._mine: set[str] = set()

    @classmethod
    def load(cls) -> Rests:
        return cls(dict(ChannelRest.objects.values_list("channel", "until")))

    def closed(self, now: datetime) -> dict[str, datetime]:
        """Channels closed at `now`, until when."""
        return {channel: until for channel, until in self._until.items() if until > now}

    def on_trial(self, channel: str) -> bool:
        """Whether nothing went through since the channel broke."""
        return channel in self._until

    def lets_through(self, channel: str, now: datetime) -> bool:
        """Whether this worker may send: the channel works, or is this worker's to try."""
        until = self._until.get(channel)
        if until is None or until > now:
            return until is None
        if channel not in self._mine and not self._begin_trial(channel, until, now):
            self._until[channel] = now + TRIAL
            return False
        return True

    def _begin_trial(self, channel: str, until: datetime, now: datetime) -> bool:
        unchanged = ChannelRest.objects.filter(channel=channel, until=until)
        if not unchanged.update(until=now + TRIAL):
            return False
        self._mine.add(channel)
        return True

    def rest(self, channel: str, error: SenderBroken, *, now: datetime) -> None:
        """Close the channel; what is queued stays queued until it is no longer worth sending."""
        until = now + settings.CHANNEL_REST
        self._until[channel] = until
        self._mine.discard(channel)
        _, fell_ill = ChannelRest.objects.update_or_create(
            channel=channel,
            defaults={"until": until, "code": error.code, "detail": error.detail},
            create_defaults={"until": until, "since": now, "code": error.code, "detail": error.detail},
        )
        if fell_ill:
            alerts.tell("channel_broken", f"{channel} is broken (code {error.code}) and rests until {until}")

    def recovered(self, channel: str) -> None:
        """A message went through: the channel works again."""
        if self._until.pop(channel, None) is not None:
            ChannelRest.objects.filter(channel=channel).delete()
