"""Filters beside the lists. Their choices are known beforehand, so that a large table costs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from ..models import Flow
from . import sentences, titles


class ChoiceFilter(admin.SimpleListFilter):
    """Rows whose `parameter_name` has the chosen value; what nobody offered is ignored."""

    def choice(self) -> str | None:
        """The chosen value, if it is one of those offered."""
        value = self.value()
        return value if value in dict(self.lookup_choices) else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.choice()
        return queryset if value is None else queryset.filter(**{str(self.parameter_name): value})


class StateFilter(ChoiceFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(str(state.value), capfirst(str(word))) for state, word in sentences.STATES.items()]


class ReasonFilter(ChoiceFilter):
    template = "admin/oscar_crosschannel/closed_filter.html"
    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(code.value, capfirst(sentences.reason(code))) for code in sentences.REASONS]


class ChannelFilter(ChoiceFilter):
    title = _("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(key, capfirst(str(word))) for key, word in sentences.CHANNELS.items()]


class FlowFilter(ChoiceFilter):
    title = _("flow")
    parameter_name = "flow"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Iterable[tuple[str, str]]:
        return [(str(row.pk), titles.flow(row)) for row in Flow.objects.order_by("key")]


class EmptyFilter(ChoiceFilter):
    """Rows by whether `field` is empty."""

    field: str
    filled: sentences.Words
    empty: sentences.Words

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, Any]]:
        return [("no", self.filled), ("yes", self.empty)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.choice()
        return queryset if value is None else queryset.filter(**{f"{self.field}__isnull": value == "yes"})


class AccountFilter(EmptyFilter):
    title = _("account")
    parameter_name = "guest"
    field = "user"
    filled, empty = _("With an account"), _("Guests")


class LiftedFilter(EmptyFilter):
    title = _("force")
    parameter_name = "in_force"
    field = "lifted_at"
    filled, empty = _("Lifted"), _("In force")
