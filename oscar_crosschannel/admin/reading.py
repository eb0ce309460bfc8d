"""What all pages of this app's admin share: they can be looked at, and change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from ..core.lifecycle import State
from . import acts, people, sentences
from .longlists import LongListed

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class ReadingAdmin(_ModelAdmin):
    """Shows rows to staff with the view permission; nobody adds, changes or deletes any."""

    actions: Any = None
    list_per_page = 50
    # each of these would count the whole ledger on every page
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class FoundByPerson(LongListed, ReadingAdmin):
    """Rows of a long table, searched by the name or an address of the contact they belong to."""

    #: Path from the row to the contact.
    person = "contact"
    search_fields = ("pk",)  # shows the box; `get_search_results` does the work
    search_help_text = _("First name, beginning of an email, or last 7 digits of a phone number")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term.strip():
            found = people.found(search_term.strip())
            if len(found) > people.MOST:
                words = _("Many people match; these are %(count)d of them. Type more to find a certain one.")
                self.message_user(request, words % {"count": people.MOST}, messages.WARNING)
            queryset = queryset.filter(**{f"{self.person}__in": people.lives(found[: people.MOST])})
        return queryset, False


class StoryAdmin(ReadingAdmin):
    """A row whose page tells a story instead of listing its fields.

    The template is `admin/oscar_crosschannel/<model>/change_form.html`.
    """

    def heading(self, row: Any) -> str:
        """Title of the page."""
        return str(row)

    def story(self, row: Any, now: datetime) -> Mapping[str, Any]:
        """What the template shows."""
        raise NotImplementedError

    def earlier(self, request: HttpRequest, row: Any) -> Mapping[str, Any]:
        """What the template shows beside it, as the page's address asks."""
        return {}

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return []

    def render_change_form(  # noqa: PLR0917 -- Django's signature
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        told = {
            "title": self.heading(obj),
            "subtitle": None,
            "acts": acts.allowed(request.user),
            **self.story(obj, timezone.now()),
            **self.earlier(request, obj),
        }
        return super().render_change_form(request, context | told, add, change, form_url, obj)


def badge(text: sentences.Words, tone: str) -> SafeString:
    """A word in the colour of its tone."""
    return format_html('<span class="cc-badge cc-{}">{}</span>', tone, capfirst(str(text)))


def state_badge(state: int) -> SafeString:
    """A message's state as a coloured word."""
    return badge(sentences.STATES[State(state)], sentences.TONES[State(state)])
