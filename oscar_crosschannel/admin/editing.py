"""Things that staff change on a page of their own: one form, what is inherited, and who changed what.

The rows are changed by services. What a row does not say is inherited and shows as a placeholder; a
thing that nobody changed may have no row yet. Two people who edit at once lose no word (`meanwhile`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext

from . import acting, meanwhile
from .sentences import Words

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin

#: Inputs of a page that a confirmation does not send again.
_NOT_AGAIN = ("csrfmiddlewaretoken", "do")
#: Of long words, a change in the history shows so many characters.
_SHOWN = 120


class SheetForm(forms.Form):
    """One section of a sheet."""

    def __init__(self, data: QueryDict | None, *, title: Words = "", **kwargs: Any) -> None:
        super().__init__(data, label_suffix="", use_required_attribute=False, **kwargs)
        self.title = title
        #: field → what it would be if nobody had changed it, in words; only of those that were changed
        self.changed: dict[str, str] = {}

    @property
    def groups(self) -> Sequence[tuple[Words, Sequence[tuple[forms.BoundField, str]]]]:
        """Fields that belong together, under a title; each with what it would be unchanged."""
        return [(self.title, self.rows())]

    def rows(self, *, before: str = "", since: str = "") -> list[tuple[forms.BoundField, str]]:
        """The fields from one to before another."""
        names = list(self.fields)
        chosen = names[names.index(since) if since else 0 : names.index(before) if before else None]
        return [(self[name], self.changed.get(name, "")) for name in chosen]


class Sheet(ABC):
    """One thing on the editor's desk."""

    #: Its own page has all that `sheet.html` has.
    template: ClassVar[str] = "sheet.html"

    def __init__(self, row: Any, *, user: Any, now: datetime) -> None:
        self.row = row  #: perhaps not saved yet
        self.user = user
        self.now = now

    @staticmethod
    @abstractmethod
    def find(key: str, *, lock: bool) -> Any:
        """The row known by this key, or by its primary key; None when there is no such thing.

        With `lock` it is saved, and nobody else changes it until the transaction ends.
        """

    @staticmethod
    def blank() -> Any:
        """A row to be made. Only for what staff may add."""
        raise NotImplementedError

    @abstractmethod
    def title(self) -> str:
        """What the page is called."""

    @abstractmethod
    def forms(self, data: QueryDict | None) -> Sequence[SheetForm]:
        """The sections of the page."""

    @abstractmethod
    def told(self) -> Mapping[str, str]:
        """What it says now, in words: name of a value → value. An edit is logged as what differs."""

    @abstractmethod
    def keep(self, sections: Sequence[Any]) -> str:
        """Write down what the valid forms say; returns what the log tells beside the changes."""

    def meaning(self, sections: Sequence[Any]) -> Sequence[str]:
        """What keeping the valid forms would mean to people, a sentence each: staff are asked before."""
        return ()

    def changes(self, sections: Sequence[Any]) -> Sequence[str]:
        """What the valid forms would change, a sentence each: shown where staff are asked."""
        return ()

    def followed(self) -> str:
        """What came of keeping the forms, a sentence for whoever saved them."""
        return ""

    def buttons(self) -> Sequence[tuple[str, Words]]:
        """What else can be done with one press: name → what the button says."""
        return ()

    def press(self, button: str) -> str:
        """Do what one of the `buttons` says; returns what the log tells beside the changes."""
        raise NotImplementedError

    def history(self) -> Sequence[Any]:
        """What staff did to it, the latest first."""
        return acting.history(self.row)

    def facts(self) -> Sequence[tuple[str, Any]]:
        """What stands above the forms."""
        return ()

    def lead(self) -> str:
        """A sentence above the forms."""
        return ""

    def help(self) -> str:
        """A sentence below the forms."""
        return ""

    def more(self, sections: Sequence[Any]) -> Mapping[str, Any]:
        """What a template of its own shows beside."""
        return {}


class EditingAdmin(_ModelAdmin):
    """A model whose rows have a sheet each."""

    sheet: ClassVar[type[Sheet]]
    actions: Any = None
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        sheet = self._on_desk(request, self.sheet.blank())
        if request.method != "POST":
            return self._show(request, sheet, sheet.forms(None))
        with transaction.atomic():
            return self._post(request, sheet, self._add)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        is_post = request.method == "POST"
        if is_post and not self.has_change_permission(request):
            raise PermissionDenied
        with transaction.atomic():
            row = self.sheet.find(unquote(object_id), lock=is_post)
            if row is None:
                messages.warning(request, gettext("What you were looking for is not there (any more)."))
                return self._back()
            sheet = self._on_desk(request, row)
            if is_post:
                return self._post(request, sheet, self._change)
            return self._show(request, sheet, sheet.forms(None))

    def _on_desk(self, request: HttpRequest, row: Any) -> Sheet:
        return self.sheet(row, user=request.user, now=timezone.now())

    def _post(
        self,
        request: HttpRequest,
        sheet: Sheet,
        keep: Callable[[HttpRequest, Sheet, Callable[[], str]], HttpResponse],
    ) -> HttpResponse:
        asked = request.POST.get("do", "")
        if asked in dict(sheet.buttons()):
            return keep(request, sheet, lambda: sheet.press(asked))
        together = None
        if keep == self._change:  # what is added, nobody else has on their desk
            together = meanwhile.merged(request.POST, meanwhile.shown(sheet.forms(None)))
        sections = sheet.forms(together or request.POST)
        are_valid = all([section.is_valid() for section in sections])  # noqa: C419 - every error shows at once
        if together is not None:
            messages.warning(request, meanwhile.sentence(sheet.row))
        elif are_valid and asked == "save" and (meaning := sheet.meaning(sections)):
            return self._ask(request, sheet, meaning, sheet.changes(sections))
        elif are_valid and asked in {"save", "confirm"}:
            return keep(request, sheet, lambda: sheet.keep(sections))
        return self._show(request, sheet, sections)

    def _add(self, request: HttpRequest, sheet: Sheet, keep: Callable[[], str]) -> HttpResponse:
        told = keep()
        values = [f"{name}: {value}" for name, value in sheet.told().items() if value]
        self.log_addition(request, sheet.row, "; ".join(filter(None, [*values, told])))
        messages.success(request, gettext("“%(title)s” was added.") % {"title": sheet.title()})
        return self._back()

    def _change(self, request: HttpRequest, sheet: Sheet, keep: Callable[[], str]) -> HttpResponse:
        before = sheet.told()
        told = keep()
        if found := differences(before, sheet.told()):
            self.log_change(request, sheet.row, "; ".join(filter(None, [*found, told])))
            saved = gettext("“%(title)s” was saved.") % {"title": sheet.title()}
            messages.success(request, " ".join(filter(None, [saved, sheet.followed()])))
        else:
            messages.info(request, gettext("Nothing was changed."))
        return self._back()

    def _back(self) -> HttpResponse:
        return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))

    def _ask(
        self, request: HttpRequest, sheet: Sheet, meaning: Sequence[str], changes: Sequence[str]
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": capfirst(sheet.title()),
            "meaning": meaning,
            "changes": changes,
            "sent": [
                (name, value)
                for name, values in request.POST.lists()
                if name not in _NOT_AGAIN
                for value in values
            ],
        }
        return TemplateResponse(request, "admin/oscar_crosschannel/confirm.html", context)

    def _show(self, request: HttpRequest, sheet: Sheet, sections: Sequence[SheetForm]) -> HttpResponse:
        request.current_app = self.admin_site.name
        is_new = sheet.row.pk is None and self.has_add_permission(request)
        may_change = is_new or self.has_change_permission(request)
        for section in sections:
            for field in section.fields.values():
                field.disabled = not may_change
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": capfirst(sheet.title()),
            "sheet": sheet,
            "sections": sections,
            "has_errors": any(section.errors for section in sections),
            "seen": meanwhile.token(meanwhile.shown(sheet.forms(None))),
            "may_change": may_change,
            "buttons": sheet.buttons() if may_change else (),
            "delete_url": self._delete_url(request, sheet.row),
            "history": sheet.history(),
            **sheet.more(sections),
        }
        return TemplateResponse(request, f"admin/oscar_crosschannel/{sheet.template}", context)

    def _delete_url(self, request: HttpRequest, row: Any) -> str:
        if row.pk is None or not self.has_delete_permission(request, row):
            return ""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_delete", args=[quote(row.pk)])


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What is not the same between two tellings of a sheet, a sentence each: old → new."""
    changes = [_difference(name, before.get(name, ""), words) for name, words in after.items()]
    return [change for change in changes if change]


def _difference(name: str, before: str, after: str) -> str:
    if before == after:
        return ""
    words = {"name": name, "before": _shortly(before), "after": _shortly(after)}
    return gettext("%(name)s: %(before)s → %(after)s") % words


def _shortly(words: str) -> str:
    return Truncator(" ".join(words.split())).chars(_SHOWN) or gettext("nothing")
