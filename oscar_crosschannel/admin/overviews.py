"""Things of which all that there can be are listed on a page of their own, whether or not they have a row yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst

from .editing import EditingAdmin


class OverviewAdmin(EditingAdmin):
    """Its list is the template `list.html` in the folder of the model, shown with what `overview` says."""

    def overview(self, request: HttpRequest) -> Mapping[str, Any]:
        """All there is, as the template shows it."""
        raise NotImplementedError

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": capfirst(self.opts.verbose_name_plural),
            **self.overview(request),
        }
        template = f"admin/{self.opts.app_label}/{self.opts.model_name}/list.html"
        return TemplateResponse(request, template, context)


class OpeningAdmin(OverviewAdmin):
    """Any of them has a page, which `open/` leads to, and a row once it is changed."""

    def asked(self, words: QueryDict) -> str:
        """The key of what was typed."""
        raise NotImplementedError

    def unknown(self, key: str) -> str:
        """The sentence for who typed what there is not."""
        raise NotImplementedError

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_open"
        return [path("open/", self.admin_site.admin_view(self.open), name=name), *super().get_urls()]

    def open(self, request: HttpRequest) -> HttpResponse:
        """Leads to the page of what was typed."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        key = self.asked(request.GET)
        if self.sheet.find(key, lock=False) is None:
            messages.error(request, self.unknown(key))
            return self._back()
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(page, args=[quote(key)]))
