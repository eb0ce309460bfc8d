"""A store as a process of its own, seen from outside: `with open_store(settings, home, ...) as store:`.

    store.home               its address; browsers go there
    store.product            path of the page of what it sells (after `prepare`)
    store.work(now)          let it be `now`, and run one pass of the engine
    store.orders()           what was bought
    store.command(...)       a management command

Knows neither pytest nor Django: the store may run in another Python with another Django.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

#: The checkout, which every store's process can import from.
ROOT = Path(__file__).resolve().parents[2]


class Broken(Exception):
    """The store's process has died, or could not do what was asked; the message has its last words."""


class Store:
    """A running store. What it can be asked for is `tests.stores.serving.StoreProcess`."""

    def __init__(self, process: subprocess.Popen[str], home: str, log: Path) -> None:
        self.home = home
        self.product = ""
        self._process = process
        self._log = log

    def prepare(self) -> None:
        """Tables without migrations, and something to sell."""
        self.ask("make_tables")
        self.stock()

    def stock(self) -> None:
        """Something to sell, in tables that exist already."""
        self.product = self.ask("stock")["product"]

    def work(self, now: datetime) -> None:
        """Let it be `now` in this store, and let its engine do what is due."""
        self.ask("work", now=now.isoformat())

    def rows(self, model: str) -> list[Mapping[str, Any]]:
        """All rows of a model, by its label ("order.Order"), oldest first."""
        rows: list[Mapping[str, Any]] = self.ask("rows", model=model)
        return rows

    def orders(self) -> list[Mapping[str, Any]]:
        """Oscar's orders, oldest first; `codes`: those that took something off."""
        codes = self.ask("codes")
        return [{**order, "codes": codes[order["number"]]} for order in self.rows("order.Order")]

    def command(self, *arguments: str) -> str:
        """What a management command prints. Raises Broken when it fails."""
        return str(self.ask("command", arguments=list(arguments)))

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Have the process do something; see `tests.stores.serving.StoreProcess`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([verb, arguments]) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Broken(f"the store is gone\n{self.last_words()}") from None
        return self.answer()

    def answer(self) -> Any:
        """The next answer of the process."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Broken(f"the store has died\n{self.last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Broken(f"{answer['error']}\n{self.last_words()}")
        return answer["answer"]

    def complaints(self) -> list[str]:
        """What the app itself reported as an error."""
        return [line for line in self._log.read_text().splitlines() if "ERROR oscar_crosschannel" in line]

    def last_words(self) -> str:
        """What the process complained of last."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-40:])


@contextmanager
def open_store(
    settings: str,
    environment: Mapping[str, str],
    folder: Path,
    *,
    python: str = sys.executable,
    kit: Path = ROOT,
) -> Iterator[Store]:
    """Run the project whose settings module is `settings`, and end it.

    `environment`: what the settings ask of it, at least SANDBOX_BASE_URL, the address to serve (see
    `sandbox.demo.world.environment`). `folder`: working directory, importable, and home of the log.
    `python`: which interpreter; Oscar and this app must be installed there. `kit`: where this
    process finds `tests.stores`.
    """
    log = folder / "store.log"
    with log.open("w") as complaints:
        process = subprocess.Popen(
            [python, "-m", "tests.stores.serving"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            cwd=folder,
            env=surroundings(settings, environment, folder, kit),
        )
        try:
            store = Store(process, environment["SANDBOX_BASE_URL"], log)
            store.answer()  # when it is open
            yield store
        finally:
            process.kill()  # it holds nothing that anybody wants to keep
            process.communicate()


def surroundings(
    settings: str, environment: Mapping[str, str], folder: Path, kit: Path = ROOT
) -> dict[str, str]:
    """The environment of a process of the project."""
    return {
        **os.environ,
        **environment,
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": os.pathsep.join(map(str, (folder, kit))),
        "PYTHONUNBUFFERED": "1",
    }
