"""The flows a project knows."""

from __future__ import annotations

import pytest

from oscar_crosschannel.core.plan import After, Blueprint, On, send
from oscar_crosschannel.core.registry import Registry


class Welcome(Blueprint):
    """Welcome"""

    topic = "deals"
    start = On("user.registered", once=True)
    hello = send("email", at=After(minutes=0))


def test_a_flow_is_found_by_its_key() -> None:
    registry = Registry()
    assert registry.register(Welcome) is Welcome, "it works as a decorator"
    assert isinstance(registry.get("welcome"), Welcome)
    assert [flow.key for flow in registry] == ["welcome"]


def test_a_shop_replaces_a_flow_by_its_key() -> None:
    class Ours(Welcome):
        """Our own"""

        key = "welcome"

    registry = Registry()
    registry.register(Welcome)
    registry.register(Ours)
    assert [type(flow) for flow in registry] == [Ours]


def test_keys_of_merchants_own_flows_are_not_declared() -> None:
    class Theirs(Welcome):
        """Not ours"""

        key = "own-welcome"

    with pytest.raises(ValueError, match="admin"):
        Registry().register(Theirs)


def test_an_unknown_flow_is_none_and_taking_it_away_is_harmless() -> None:
    registry = Registry()
    registry.unregister("welcome")
    assert registry.get("welcome") is None
    registry.register(Welcome)
    registry.unregister("welcome")
    assert list(registry) == []
