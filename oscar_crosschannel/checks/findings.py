"""The form of a finding: its tag, its number, and a hint that can be pasted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning as Caution
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from ..models import Message

#: Tag of every check here.
TAG = "oscar_crosschannel"

AppConfigs = Sequence[AppConfig] | None


def error(number: int, message: str, hint: str) -> CheckMessage:
    """A finding that keeps the project from starting."""
    return Error(message, hint=hint, id=f"{TAG}.E{number:03}")


def caution(number: int, message: str, hint: str) -> CheckMessage:
    """A finding that the project can live with."""
    return Caution(message, hint=hint, id=f"{TAG}.W{number:03}")


def serious(number: int, message: str, hint: str) -> CheckMessage:
    """An error; on a developer's machine a warning, so that a fresh installation migrates."""
    return (caution if django_settings.DEBUG else error)(number, message, hint)


def with_entries(name: str, **entries: Any) -> str:
    """The line that adds entries to a setting that is a mapping, and leaves the others alone."""
    kept = f"**{name}, " if hasattr(django_settings, name) else ""
    added = ", ".join(f'"{key}": {written(value)}' for key, value in entries.items())
    return f"{name} = {{{kept}{added}}}"


def written(value: Any) -> str:
    """`value` as people write it into settings."""
    if isinstance(value, str) and "\\" not in value and '"' not in value:
        return f'"{value}"'
    return repr(value)


def connection() -> BaseDatabaseWrapper:
    """The database that the app's rows are in."""
    return connections[router.db_for_write(Message)]


def may_ask(databases: Sequence[str] | None) -> bool:
    """Whether this run of the checks may query: only what was named on the command line is asked."""
    return connection().alias in (databases or ())
