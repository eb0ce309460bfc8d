"""A search engine for Haystack that asks the shop's own database.

Oscar lists its catalogue through Haystack, whose "simple" engine cannot tell categories apart
and finds no product at all. For forty products the database is engine enough, and is never stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Q
from haystack.backends import BaseEngine, BaseSearchBackend, BaseSearchQuery
from haystack.models import SearchResult
from oscar.core.loading import get_model

#: Oscar's names of the orders that customers can choose → our columns.
_COLUMNS = {"title_exact": "title", "price": "stockrecords__price"}


class DatabaseQuery(BaseSearchQuery):
    """Translates what Oscar's views and search form ask for."""

    def build_query(self) -> Q:
        wanted = Q()
        for field, value in _conditions(self.query_filter):
            if field == "category__in":
                wanted &= Q(categories__in=value)
            elif field == "content":
                for word in str(getattr(value, "query_string", value)).split():
                    wanted &= Q(title__icontains=word) | Q(description__icontains=word)
        return wanted


class DatabaseBackend(BaseSearchBackend):
    """Finds public products; keeps no index."""

    def update(self, index: Any, iterable: Any, commit: bool = True) -> None: ...

    def remove(self, obj_or_string: Any) -> None: ...

    def clear(self, models: Any = None, commit: bool = True) -> None: ...

    def search(
        self,
        query: Q,
        *,
        start_offset: int = 0,
        end_offset: int | None = None,
        sort_by: Sequence[str] = (),
        **_unused: Any,
    ) -> dict[str, Any]:
        found = get_model("catalogue", "Product").objects.browsable().filter(query).distinct()
        shown = found.order_by(*map(_column, sort_by), "-date_created", "-pk")[start_offset:end_offset]
        return {"results": [_result(product) for product in shown], "hits": found.count()}


class Engine(BaseEngine):
    backend = DatabaseBackend
    query = DatabaseQuery


def _conditions(node: Any) -> Iterator[tuple[str, Any]]:
    for child in node.children:
        if isinstance(child, tuple):
            yield child
        else:
            yield from _conditions(child)


def _column(order: str) -> str:
    name = order.removeprefix("-")
    return order[: len(order) - len(name)] + _COLUMNS.get(name, name)


def _result(product: Any) -> SearchResult:
    result = SearchResult("catalogue", "product", product.pk, 0)
    result._object = product  # noqa: SLF001 - as Haystack's simple engine does, to spare a query each
    return result
