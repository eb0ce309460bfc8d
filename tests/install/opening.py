"""From the README's guide to a shop that is open: its blocks pasted, its mailboxes and phones on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oscar_crosschannel.testing.sms_counterpart import SmsCounterpart
from sandbox.demo import world
from sandbox.demo.mailbox import Mailbox
from tests.stores.project import Store, open_store
from tests.stores.story import Pages, Results, World, play

from .guide import ROOT, Guide
from .newcomer import Project

#: What a test must tell a shop: whom it talks to, and how to be quick.
SURROUNDINGS = """
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = {port}
CROSSCHANNEL_TWILIO["BASE_URL"] = "{phones}"
CROSSCHANNEL_VOUCHER_PREFIX = "TEA"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""


@dataclass
class Surroundings:
    """The world around one shop."""

    folder: Path
    mailbox: Mailbox
    phones: SmsCounterpart
    environment: Mapping[str, str]

    def paste(self, guide: Guide, shop: Project) -> None:
        """Do what the guide says with the shop's files, with values of one's own."""
        twilio = self.phones.settings()
        values = {
            "https://shop.example": self.environment["SANDBOX_BASE_URL"],
            'ADDRESS_KEY = "…"': f'ADDRESS_KEY = "{"5eed" * 16}"',
            '"ACCOUNT_SID": "AC…"': f'"ACCOUNT_SID": "{twilio["ACCOUNT_SID"]}"',
            '"AUTH_TOKEN": "…"': f'"AUTH_TOKEN": "{twilio["AUTH_TOKEN"]}"',
            "MG…": f"MG{'0' * 32}",
        }
        shop.append("settings.py", *(_filled_in(block, values) for block in guide.settings))
        shop.append("urls.py", *guide.urls)

    @contextmanager
    def opened(self, shop: Project) -> Iterator[Store]:
        """The shop as a running process."""
        shop.append("settings.py", SURROUNDINGS.format(port=self.mailbox.port, phones=self.phones.base_url))
        shop.pip("time-machine")  # the story takes ten days
        alone = _kit_alone(self.folder)
        with open_store(
            "shop.settings", self.environment, shop.folder, python=str(shop.python), kit=alone
        ) as store:
            yield store

    def play(self, store: Store) -> Results:
        """The story of the left basket."""
        return play(World(store, self.mailbox, self.phones), Pages(store.home, store.product))


@contextmanager
def surroundings(folder: Path) -> Iterator[Surroundings]:
    """Mailboxes, phones, and an address to serve."""
    with Mailbox() as mailbox, SmsCounterpart() as phones:
        yield Surroundings(folder, mailbox, phones, world.environment(folder, mailbox, phones))


def _filled_in(block: str, values: Mapping[str, str]) -> str:
    for example, value in values.items():
        block = block.replace(example, value)
    return block


def _kit_alone(folder: Path) -> Path:
    """The inside of a store's process as a folder to import from, without this checkout around it."""
    stores = folder / "kit" / "tests" / "stores"
    stores.mkdir(parents=True, exist_ok=True)
    for name in ("serving.py", "stocking.py"):
        shutil.copy(ROOT / "tests" / "stores" / name, stores)
    return folder / "kit"
