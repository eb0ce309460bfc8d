"""The inbox: what happened in the shop, and whether it was worked off."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy as _

from ..models import InboxEvent
from .filters import ChoiceFilter
from .longlists import LongListed
from .reading import ReadingAdmin, badge

_CONDITIONS = {
    "waiting": Q(processed_at=None),
    "failing": Q(processed_at=None) & ~Q(error=""),
    "aside": Q(processed_at__isnull=False) & ~Q(error=""),
}


class ConditionFilter(ChoiceFilter):
    title = _("condition")
    parameter_name = "condition"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, Any]]:
        return [
            ("waiting", _("Waiting")),
            ("failing", _("Failed, tried again")),
            ("aside", _("Failed, set aside")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        condition = self.choice()
        return queryset if condition is None else queryset.filter(_CONDITIONS[condition])


@admin.register(InboxEvent)
class InboxEventAdmin(LongListed, ReadingAdmin):
    list_display = ("name", "key", "standing", "occurred_at", "processed_at")
    list_filter = (ConditionFilter, ("occurred_at", admin.DateFieldListFilter))
    search_fields = ("key", "name")
    search_uses_index = False
    fields = (
        "standing", "name", "key", "occurred_at", "not_before", "processed_at", "tries", "error",
        "user_id", "email", "phone", "subjects", "data", "answers",
    )  # fmt: skip
    readonly_fields = ("standing",)

    @admin.display(description=_("what became of it"))
    def standing(self, event: InboxEvent) -> SafeString:
        if event.error and event.processed_at:
            words = gettext("given up after %(tries)d tries: %(error)s")
            tone, state = "bad", gettext("set aside")
        elif event.error:
            words = gettext("tried %(tries)d times so far, and tried again: %(error)s")
            tone, state = "doubt", gettext("failing")
        elif event.processed_at:
            words, tone, state = "", "quiet", gettext("worked off")
        else:
            words, tone, state = "", "open", gettext("waiting")
        return format_html(
            "{} {}", badge(state, tone), words % {"tries": event.tries, "error": event.error[:200]}
        )
