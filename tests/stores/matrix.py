"""The story in one kind of store, from an empty folder to a row of the matrix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from oscar_crosschannel.testing.sms_counterpart import SmsCounterpart
from sandbox.demo.browser import Astray
from sandbox.demo.mailbox import Mailbox
from sandbox.demo.world import environment

from .kinds import Kind
from .project import Broken, Store, open_store
from .story import World, play
from .table import COLUMNS, PROOF, Results


@contextmanager
def world_of(kind: Kind, **more: str) -> Iterator[World]:
    """A stocked store of this kind, a mailbox and a phone company. `more`: further environment."""
    with (
        TemporaryDirectory(prefix="store-", ignore_cleanup_errors=True) as home,
        Mailbox() as mailbox,
        SmsCounterpart(carrier_managed=False) as phones,
    ):
        folder = Path(home)
        # a database of its own, even where the environment names one for everybody
        surroundings = environment(folder, mailbox, phones) | {"SANDBOX_DATABASE_URL": ""}
        surroundings |= {**kind.environment, **more}
        kind.build(folder, surroundings)
        with open_store(kind.settings, surroundings, folder) as store:
            store.prepare()
            yield World(store, mailbox, phones)


def judge(kind: Kind, **more: str) -> Results:
    """Play the story in a store of this kind; what is wrong, by column."""
    try:
        with world_of(kind, **more) as world:
            told = play(world, kind.front(world.store))
            return {PROOF: list(_proof(kind, world)), **told}  # afterwards: some proofs are in the orders
    except Broken as reason:
        return {PROOF: [str(reason)], **{column: ["not played to the end"] for column in COLUMNS}}


def _proof(kind: Kind, world: World) -> Iterator[str]:
    yield from _findings(kind, world)
    yield from world.store.complaints()
    yield from _unheard_orders(world.store)
    try:
        yield from kind.proof(world)
    except Astray as reason:
        yield str(reason)


def _findings(kind: Kind, world: World) -> Iterator[str]:
    """What the app's checks say of this store, against what they should say; its tables fit its models."""
    said = world.store.command("check")
    numbers = {line.partition(")")[0] for line in said.split("(oscar_crosschannel.")[1:]}
    if numbers != kind.findings:
        yield f"the checks find {sorted(numbers)}: {said}"


def _unheard_orders(store: Store) -> Iterator[str]:
    """Orders that the app was not told of. It would find most of them later, but too late for a text under way."""
    events = store.rows("oscar_crosschannel.InboxEvent")
    told = {event["subjects"]["order"] for event in events if event["name"] == "order.placed"}
    for order in store.rows("order.Order"):
        if order["id"] not in told:
            yield f"nobody told the app of order {order['number']}"
