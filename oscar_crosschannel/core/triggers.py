"""What merchants may start and stop flows of their own with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from .plan import About, Context, On


class Silent(About):
    """Nothing to say but what every message can."""

    def example(self) -> Context:
        return Context()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """An event in words a merchant knows, and what messages that follow it can say.

    One that nothing can be said about, such as somebody buying, may still stop flows.
    """

    event: str
    title: Any  #: "Somebody leaves a basket"; a string, or lazily translated
    about: About = field(default_factory=Silent)
    starts: bool = True  #: flows may begin with it
    stops: bool = True  #: flows may end with it
    #: what follows belongs to something the person ordered or asked for; else it is advertising, and a flow
    #: that begins with it is about a marketing topic
    is_service: bool = False
    one_run: bool = False  #: see `On`
    again_after: timedelta = timedelta(0)  #: unless the merchant says otherwise
    anchor: str = ""  #: see `On`
    same: str = ""  #: of a stop, see `On`

    def __post_init__(self) -> None:
        self.start()  # what cannot begin a flow is refused where it is declared

    def start(self, *, once: bool = False, again_after: timedelta | None = None) -> On:
        """How a flow of a merchant's own begins with it."""
        rest = self.again_after if again_after is None else again_after
        return On(self.event, one_run=self.one_run, again_after=rest, once=once, anchor=self.anchor)

    def stop(self) -> On:
        """How a flow of a merchant's own ends with it."""
        return On(self.event, same=self.same)


class Triggers:
    """Triggers by event, in the order in which merchants choose among them."""

    def __init__(self) -> None:
        self._triggers: dict[str, Trigger] = {}

    def register(self, *triggers: Trigger) -> None:
        """Offer these to merchants. The same event twice replaces the earlier one."""
        self._triggers |= {trigger.event: trigger for trigger in triggers}

    def unregister(self, event: str) -> None:
        """Take one away; people inside flows that begin with it leave with their next message."""
        self._triggers.pop(event, None)

    def get(self, event: str) -> Trigger | None:
        return self._triggers.get(event)

    def __iter__(self) -> Iterator[Trigger]:
        return iter(self._triggers.values())
