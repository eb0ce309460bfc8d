"""The sending ledger is proven on two databases, each in one mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, register
from django.db.backends.base.base import BaseDatabaseWrapper

from .findings import TAG, AppConfigs, caution, connection, error, may_ask

#: Seconds a transaction on SQLite waits for another one; Django's 5 are too few beside a worker.
SQLITE_TIMEOUT = 20

_SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": SQLITE_TIMEOUT,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
}


@register(TAG)
def check_database(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """What the settings of the database say, without opening it."""
    return problems_of(connection())


@register(TAG, Tags.database)
def check_open_database(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What only the server knows: its default isolation, the journal of the file."""
    if not may_ask(databases):
        return []
    database = connection()
    if database.vendor == "postgresql":
        name = database.settings_dict["NAME"]
        level = _ask(database, "SHOW transaction_isolation")
        return _check_isolation(
            level, f"# in psql\nALTER DATABASE {name} SET default_transaction_isolation TO 'read committed';"
        )
    if database.vendor == "sqlite" and _ask(database, "PRAGMA journal_mode") not in ("wal", "memory"):
        return [
            caution(
                17,
                "SQLite runs without its write-ahead log: readers and the worker block each other.",
                _sqlite_hint(database),
            )
        ]
    return []


def problems_of(database: BaseDatabaseWrapper) -> list[CheckMessage]:
    """What the settings of this database say."""
    options = database.settings_dict.get("OPTIONS", {})
    if database.vendor == "sqlite":
        return list(_check_sqlite_options(options, _sqlite_hint(database)))
    if database.vendor == "postgresql":
        level = options.get("isolation_level")
        hint = f'del DATABASES["{database.alias}"]["OPTIONS"]["isolation_level"]'
        return [] if level is None else _check_isolation(getattr(level, "name", str(level)), hint)
    return [
        error(
            1,
            f"The sending ledger does not work on {database.display_name}.",
            f'DATABASES["{database.alias}"]["ENGINE"] = "django.db.backends.postgresql"'
            "  # or sqlite3, for a small shop",
        )
    ]


def _check_sqlite_options(options: Mapping[str, Any], hint: str) -> Iterator[CheckMessage]:
    wrong = []
    if str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
        # measured: with Django's default a view that reads before it writes loses half its writes
        wrong.append('"transaction_mode" must be "IMMEDIATE"')
    if options.get("timeout", 0) < SQLITE_TIMEOUT:
        wrong.append(f'"timeout" must be at least {SQLITE_TIMEOUT}')
    if wrong:
        yield error(
            2,
            f'SQLite would answer "database is locked" while the worker writes: {" and ".join(wrong)}.',
            hint,
        )


def _sqlite_hint(database: BaseDatabaseWrapper) -> str:
    """The project's other options stay as they are."""
    own = dict(database.settings_dict.get("OPTIONS", {}).items())
    lines = [f'    "{key}": {value!r},' for key, value in {**own, **_SQLITE_OPTIONS}.items()]
    opening = f'DATABASES["{database.alias}"]["OPTIONS"] = {{'
    return "\n".join([opening, *lines, "}"])


def _check_isolation(level: str, hint: str) -> list[CheckMessage]:
    if level.lower().replace("_", " ") == "read committed":
        return []
    return [
        error(
            3,
            f"PostgreSQL works in isolation level {level!r}; the engine's locks need READ COMMITTED.",
            hint,
        )
    ]


def _ask(database: BaseDatabaseWrapper, question: str) -> str:
    with database.cursor() as cursor:
        cursor.execute(question)
        return str(cursor.fetchone()[0]).lower()
