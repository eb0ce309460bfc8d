"""What staff do to people, messages and runs: asked on a page of its own, done on POST, and written down.

The rows are changed by services, which hold the locks and tell what became of it; what is promised
here in numbers is what was true when the page was made, and what is reported is what was done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from . import titles
from .sentences import Words

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin

#: Of one row's history, its page shows so many entries.
LATEST = 20
#: Rows that one request may ask for; a page of a list has fewer.
MOST_ROWS = 100


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it: for the person who did it, and for those who look later."""

    told: str
    went_well: bool = True
    #: what the log says about which row
    log: Sequence[tuple[Model, str]] = ()
    #: a file that it made, instead of the page to go on with
    file: HttpResponse | None = None


class NoteForm(forms.Form):
    """Why; others read it later."""

    note = forms.CharField(
        label=_("Why"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "class": "cc-words"}),
        help_text=_("Kept with the history; other staff can read it."),
    )


class Act(ABC):
    """One thing that staff may do to rows of one model, chosen by their ids in the address."""

    #: last part of the address, beside the pages of `of`
    key: ClassVar[str]
    #: model whose admin has the page
    of: ClassVar[type[Model]]
    permission: ClassVar[str]
    title: ClassVar[Words]
    form_class: ClassVar[type[forms.Form]] = NoteForm

    def __init__(self, rows: Sequence[Any], now: datetime) -> None:
        self.rows = rows
        self.now = now

    @staticmethod
    @abstractmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        """The rows that the address names, in a fixed order."""

    def heading(self) -> str:
        """What its page is called; the button is called as the act."""
        return str(self.title)

    @abstractmethod
    def about(self) -> Iterable[str]:
        """What it would do, in numbers."""

    def objection(self) -> str:
        """Why it cannot be done; empty if it can."""
        return ""

    def form(self, data: Any = None) -> forms.Form:
        """What is to be said with it."""
        return self.form_class(data)

    @abstractmethod
    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        """Do it; `said` is the valid form, `actor` the user's name."""

    @abstractmethod
    def page(self) -> str:
        """Where to go afterwards."""

    @classmethod
    def is_allowed(cls, user: Any) -> bool:
        """Whether the user may do it, and may see what it is done to."""
        app = cls.of._meta.app_label
        view = get_permission_codename("view", cls.of._meta)
        return bool(user.has_perms([f"{app}.{view}", f"{app}.{cls.permission}"]))

    @classmethod
    def url_name(cls) -> str:
        return f"{cls.of._meta.app_label}_{cls.of._meta.model_name}_{cls.key}"

    @classmethod
    def url(cls, *ids: int) -> str:
        """Its page for these rows; without ids, what they are appended to."""
        address = reverse(f"admin:{cls.url_name()}")
        return f"{address}?{urlencode([('id', each) for each in ids])}" if ids else address


class ActingAdmin(_ModelAdmin):
    """A model to whose rows staff may do something beyond looking."""

    acts: Sequence[type[Act]] = ()

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"{act.key}/",
                self.admin_site.admin_view(partial(_page, model_admin=self, kind=act)),
                name=act.url_name(),
            )
            for act in self.acts
        ]
        return pages + super().get_urls()


@require_http_methods(["GET", "HEAD", "POST"])
def _page(request: HttpRequest, model_admin: ActingAdmin, kind: type[Act]) -> HttpResponse:
    if not kind.is_allowed(request.user):
        raise PermissionDenied
    rows = list(kind.choose(_ids(request)))
    if not rows:
        raise Http404
    act = kind(rows, timezone.now())
    form = act.form(request.POST if request.method == "POST" else None)
    if form.is_valid() and not act.objection():
        return _do(request, model_admin, act, form)
    return _ask(request, model_admin, act, form)


def _ids(request: HttpRequest) -> list[int]:
    given = request.GET.getlist("id")[:MOST_ROWS]
    return [int(each) for each in given if is_id(each)]


def is_id(written: str) -> bool:
    """Whether this could be the id of a row; Python and databases refuse very long numbers."""
    return written.isdecimal() and len(written) < 19


def _do(request: HttpRequest, model_admin: ActingAdmin, act: Act, form: forms.Form) -> HttpResponse:
    with transaction.atomic():
        done = act.do(form.cleaned_data, request.user.get_username())
        for row, words in done.log:
            _write_down(request.user, row, words)
    if done.file is not None:
        return done.file
    level = messages.SUCCESS if done.went_well else messages.WARNING
    model_admin.message_user(request, done.told, level)
    return redirect(act.page())


def _ask(request: HttpRequest, model_admin: ActingAdmin, act: Act, form: forms.Form) -> HttpResponse:
    request.current_app = model_admin.admin_site.name
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": act.of._meta,
        "title": act.heading(),
        "act": act.title,
        "about": list(act.about()),
        "objection": act.objection(),
        "form": form,
        "back": act.page(),
    }
    return TemplateResponse(request, "admin/oscar_crosschannel/act.html", context)


def _write_down(user: Any, row: Model, words: str) -> None:
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=get_content_type_for_model(row),
        object_id=str(row.pk),
        object_repr=str(row)[:200],
        action_flag=CHANGE,
        change_message=words,
    )


def written_about(model: type[Model], ids: Iterable[int]) -> QuerySet[LogEntry]:
    """What staff did to these rows, the latest first."""
    kind = get_content_type_for_model(model)
    entries = LogEntry.objects.filter(content_type=kind, object_id__in=[str(each) for each in ids])
    return entries.select_related("user").order_by("-action_time", "-pk")


def history(row: Model) -> Sequence[LogEntry]:
    """The latest of it, for the row's page."""
    return list(written_about(type(row), [row.pk])[:LATEST])


def back_to(row: Model) -> str:
    """The page of a row; the admin's start where the project has none for it."""
    return titles.page(row) or reverse("admin:index")
