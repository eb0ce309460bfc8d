"""The flows a project knows. A registry is a value; the app's own is `oscar_crosschannel.conf.flows`."""

from __future__ import annotations

from collections.abc import Iterator

from .plan import Blueprint

#: How the keys of flows begin that merchants make themselves, so that none ever hides a declared one.
OWN = "own-"


class Registry:
    """Blueprints by key."""

    def __init__(self) -> None:
        self._blueprints: dict[str, Blueprint] = {}

    def register(self, blueprint: type[Blueprint]) -> type[Blueprint]:
        """Add a flow; usable as a class decorator. The same key twice replaces the earlier flow.

        Raises ValueError for a key that belongs to merchants.
        """
        if blueprint.key.startswith(OWN):
            raise ValueError(f"Keys that begin with {OWN!r} are those of flows made in the admin.")
        self._blueprints[blueprint.key] = blueprint()
        return blueprint

    def unregister(self, key: str) -> None:
        """Remove a flow; people inside it end with their next message."""
        self._blueprints.pop(key, None)

    def get(self, key: str) -> Blueprint | None:
        return self._blueprints.get(key)

    def __iter__(self) -> Iterator[Blueprint]:
        return iter(self._blueprints.values())
