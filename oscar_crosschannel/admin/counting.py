"""Numbers for pages, at a price that does not grow with the tables.

To count ten million rows takes seconds, so nothing here does. What a page needs to know is read
from the newest rows, through the primary key, and the page says how far back that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import formats

from ..models import Enrolment

#: So many of the newest rows are looked through at most; on PostgreSQL that takes 50 to 100 ms.
WINDOW = 200_000
#: Up to here rows are counted one by one.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back the newest rows of a table go that are cheap to look through."""

    first: int  #: primary key of the oldest of them, or less
    since: datetime  #: everything from here on is among them

    def within(self, rows: QuerySet[Any], stamp: str) -> QuerySet[Any]:
        """Those of `rows` within reach; `stamp` names their instant."""
        return rows.filter(pk__gte=self.first, **{f"{stamp}__gte": self.since})


def reach(rows: QuerySet[Any], stamp: str, since: datetime) -> Reach:
    """As far back as `since`, or as the newest `WINDOW` of all `rows` of a table go.

    Three statements at most, each one row of an index.
    """
    first = newest(rows) - WINDOW + 1
    if not has_before(rows, first):
        return Reach(first, since)
    oldest = rows.filter(pk__gte=first).order_by("pk").values_list(stamp, flat=True).first()
    return Reach(first, max(since, oldest or since))


def newest(rows: QuerySet[Any]) -> int:
    """The highest primary key; 0 in an empty table. One row of an index."""
    return rows.order_by("-pk").values_list("pk", flat=True).first() or 0


def has_before(rows: QuerySet[Any], first: int) -> bool:
    """Whether a table has rows below this primary key. One row of an index."""
    oldest = rows.order_by("pk").values_list("pk", flat=True).first()
    return oldest is not None and oldest < first


def counted(rows: QuerySet[Any]) -> int:
    """How many rows there are; `MOST` + 1 stands for any more."""
    return rows.order_by("-pk").values("pk")[: MOST + 1].count()


def estimated(rows: QuerySet[Any]) -> int | None:
    """How many rows a whole table has by the database's own statistics.

    None: it has none, or `rows` are only some of the table's, of which the statistics say nothing.
    """
    connection = connections[rows.db]
    if rows.query.where or connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [rows.model._meta.db_table]
        )
        (number,) = cursor.fetchone()
    return int(number) if number > MOST else None


def people_inside() -> Coalesce:
    """For a list of flows: how many people are inside each. Reads the index of open runs only."""
    runs = Enrolment.objects.filter(flow=OuterRef("pk"), state=Enrolment.State.ACTIVE)
    per_flow = runs.order_by().values("flow").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(per_flow), 0, output_field=IntegerField())


def written(number: int) -> str:
    """A number as people write it: "10,000,000"."""
    return formats.number_format(number, use_l10n=True, force_grouping=True)
