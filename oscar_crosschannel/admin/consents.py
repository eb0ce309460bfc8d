"""What people agreed to: the ledger, the words they saw, and the topics. None of it can be changed here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext_lazy as _

from ..models import ConsentEvent, ConsentText, Topic
from ..services.contacts import known_as
from . import stories
from .filters import ChannelFilter
from .longlists import LongListed
from .reading import ReadingAdmin


@admin.register(ConsentEvent)
class ConsentEventAdmin(LongListed, ReadingAdmin):
    list_display = ("at", "address", "what", "source", "mechanism")
    list_filter = (ChannelFilter, "action", ("at", admin.DateFieldListFilter))
    search_fields = ("address",)  # shows the box; `get_search_results` does the work
    search_help_text = _("A whole email address or phone number")
    fieldsets = (
        (None, {"fields": ("at", "action", "topic", "channel", "address", "contact", "text", "verbatim", "request")}),
        (
            _("Proof"),
            {
                "fields": (
                    "basis", "jurisdiction", "expires_at", "source", "mechanism", "default_state",
                    "address_given", "page_url", "ip", "user_agent", "session", "order_number",
                    "age_check", "brand", "actor", "received_at", "provider_id", "message_id",
                )
            },
        ),
        (_("Seal"), {"fields": ("previous_digest", "digest")}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        name = Topic.objects.filter(key=OuterRef("topic")).values("name")[:1]
        events: QuerySet[Any] = super().get_queryset(request).annotate(topic_name=Subquery(name))
        return events

    @admin.display(description=_("what"))
    def what(self, event: Any) -> str:
        return capfirst(stories.consent(event, event.topic_name or ""))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term:
            spellings = {known_as(channel, search_term) for channel in ("email", "sms")}
            queryset = queryset.filter(address__in=spellings)
        return queryset, False


@admin.register(ConsentText)
class ConsentTextAdmin(ReadingAdmin):
    list_display = ("beginning", "channel", "language", "created_at")
    list_filter = (ChannelFilter, "language")
    ordering = ("-id",)
    sortable_by = ()
    fields = ("words", "topics", "channel", "language", "created_at", "digest")

    @admin.display(description=_("words"))
    def beginning(self, text: ConsentText) -> str:
        return Truncator(text.words).chars(100)


@admin.register(Topic)
class TopicAdmin(ReadingAdmin):
    list_display = ("name", "description", "purpose", "key")
    ordering = ("name",)
