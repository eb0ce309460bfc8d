"""Lists of tables that may hold millions of rows: newest first, page after page by primary key.

Django's own list counts all rows for every page and skips through all pages before the one it
shows. Here a page is one range of an index, wherever it lies, and numbers are told as they are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib.admin.views.main import ChangeList
from django.db.models import F, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.options import Options
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext

from . import counting

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    _Admin = ModelAdmin[Any]
else:
    _Admin = object

#: In a page's address: the primary key below which it begins.
BEFORE = "before"


class LongList(ChangeList):
    """A page of the newest rows, or of those before a given one.

    Most filters have no index of their own, which would cost every message that is sent. They look
    through `counting.WINDOW` rows, and offer to go on from there.
    """

    is_long = True

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        for params in (self.params, self.filter_params):
            params.pop(BEFORE, None)  # no filter, and filters start from the newest
        return super().get_queryset(request, exclude_parameters)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        if self.query and not self._searches_rows():
            # not by the index of the primary key: of few rows, all may lie at its far end
            return [(F("pk") + 0).desc()]
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        before = request.GET.get(BEFORE, "")
        self.before = int(before) if before.isdecimal() and len(before) < 19 else None
        self._found = self._within_reach(self.queryset)
        found = self._found.filter(pk__lt=self.before) if self.before else self._found
        page = list(found[: self.list_per_page + 1])
        self.older = page[-2].pk if len(page) > self.list_per_page else None
        self.result_list = page[: self.list_per_page]
        # what Django's templates ask for
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.multi_page = self.can_show_all = False
        self.show_admin_actions = bool(self.result_list)
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)

    def _within_reach(self, found: QuerySet[Any]) -> QuerySet[Any]:
        self.further = None
        if not self._searches_rows():
            return found
        everything = self.model_admin.model.objects.all()
        first = (self.before or counting.newest(everything) + 1) - counting.WINDOW
        if counting.has_before(everything, first):
            self.further = first
        return found.filter(pk__gte=first)

    def _searches_rows(self) -> bool:
        """Whether rows have to be looked through: for a filter, unless a search has found the few in question."""
        admin = cast("LongListed", self.model_admin)
        if self.query:
            return not admin.search_uses_index
        return not admin.filters_use_index and bool(self.get_filters_params())

    @property
    def older_url(self) -> str:
        """The next page; empty on the last."""
        return self._url(self.older)

    @property
    def further_url(self) -> str:
        """Where to go on looking, when nothing more was found within reach."""
        return self._url(self.further) if self.older is None else ""

    @property
    def newest_url(self) -> str:
        """The first page; empty on it."""
        return self.get_query_string() if self.before else ""

    def _url(self, before: int | None) -> str:
        return self.get_query_string({BEFORE: before}) if before else ""

    @cached_property
    def summary(self) -> str:
        """How many there are, as far as that is known: "17 messages", "about 10,000,000 messages"."""
        if self.before:
            return ""
        number = len(self.result_list) if self.older is None else counting.counted(self._found)
        if number <= counting.MOST:
            return _number_of(number, self.opts)
        is_whole = not self.query and not self.get_filters_params()
        if is_whole and (estimate := counting.estimated(self.root_queryset)):
            return gettext("about %(number)s") % {"number": _number_of(estimate, self.opts)}
        return gettext("more than %(number)s") % {"number": _number_of(counting.MOST, self.opts)}

    @property
    def looked_through(self) -> str:
        """How many rows a filter has looked through, when there are more; else empty."""
        return counting.written(counting.WINDOW) if self.further else ""


def _number_of(number: int, opts: Options[Any]) -> str:
    name = opts.verbose_name if number == 1 else opts.verbose_name_plural
    return f"{counting.written(number)} {name}"


class LongListed(_Admin):
    """A model whose table may be long."""

    ordering = ("-pk",)
    sortable_by = ()
    #: Whether a search reads few rows; one that has to look through all does so as filters do.
    search_uses_index = True
    #: Whether filters read few rows, because an index holds all that this list can show.
    filters_use_index = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LongList
