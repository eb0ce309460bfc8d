"""What people agreed to: the ledger, and the words they saw. None of it can be changed here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext, gettext_lazy as _

from ..models import ConsentEvent, ConsentText, Topic, Watermark
from ..services import evidence
from ..services.contacts import known_as
from . import sentences, stories
from .filters import ChannelFilter
from .longlists import LongListed
from .reading import ReadingAdmin, badge


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
                    "proven_age", "way_out_offered", "brand", "actor", "received_at", "provider_id", "message_id",
                )
            },
        ),
        (_("Seal"), {"fields": ("seals", "previous_digest", "digest")}),
    )  # fmt: skip

    readonly_fields = ("seals",)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"subtitle": _examined(), **(extra_context or {})})

    @admin.display(description=_("entries for this address"))
    def seals(self, event: ConsentEvent) -> SafeString:
        rows = evidence.ledger(event.channel, event.address, event.contact_id)
        if wrong := evidence.altered(event.channel, event.address, event.contact_id):
            ids = ", ".join(map(str, wrong))
            return format_html("{} {}", badge(_("altered"), "bad"), gettext("entries %(ids)s") % {"ids": ids})
        since = rows.order_by("pk").values_list("at", flat=True)[0]
        words = gettext("%(count)d entries since %(since)s are as they were written") % {
            "count": rows.count(),
            "since": sentences.moment(since, timezone.now()),
        }
        return format_html("{} {}", badge(_("unbroken"), "good"), words)

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


def _examined() -> str:
    """What the last examination of the whole ledger found."""
    marks = dict(
        Watermark.objects.filter(name__in=[evidence.WHOLE, evidence.BROKEN]).values_list("name", "at")
    )
    if (at := marks.get(evidence.BROKEN)) is not None:
        told = gettext(
            "Some entries are not as they were written: found on %(at)s by crosschannel_verify, which names them."
        )
        return told % {"at": _moment(at)}
    first = ConsentEvent.objects.order_by("pk").values_list("at", flat=True).first()
    if (at := marks.get(evidence.WHOLE)) is not None and first is not None:
        told = gettext("Unbroken since %(first)s; last examined as a whole on %(at)s.")
        return told % {"first": _moment(first), "at": _moment(at)}
    return gettext("Never examined as a whole: crosschannel_verify does so.")


def _moment(at: datetime) -> str:
    return formats.date_format(timezone.localtime(at), "DATETIME_FORMAT")


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
