"""Consents from elsewhere: a file is looked at first, taken when staff say so, and its history stays. And erasures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy as _, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..core import consent_files
from ..core.consent_files import COLUMNS, FileProblem, RowProblem, UnreadableFile
from ..models import ConsentImport, Contact, Erasure, Suppression, Topic
from ..services import contacts, erasing, importing, persons
from ..services.import_judging import Judged, Taking
from . import acting, people, titles
from .acting import NoteForm
from .longlists import LongListed
from .reading import ReadingAdmin, StoryAdmin, badge
from .sentences import Words

#: Rows that are judged while somebody waits for the page, and of these shown.
MOST_JUDGED, MOST_SHOWN = 2000, 100

TAKINGS: Mapping[Taking, tuple[Words, str]] = {
    Taking.GRANTED: (_("agreement"), "good"),
    Taking.UNPROVEN: (_("kept without proof"), "doubt"),
    Taking.REVOKED: (_("stop"), "open"),
    Taking.UNCHANGED: (_("known before"), "quiet"),
    Taking.REFUSED: (_("refused"), "bad"),
}

PROBLEMS: Mapping[RowProblem, Words] = {
    RowProblem.TOO_LONG: _("the row has more cells than the first line has columns"),
    RowProblem.NO_ADDRESS: _("there is no address"),
    RowProblem.BAD_EMAIL: _("this is no email address"),
    RowProblem.BAD_PHONE: _("this is no phone number that is in use"),
    RowProblem.NO_PREFIX: _(
        "nobody knows the country of this number: write it with “+”, or fill the column country"
    ),
    RowProblem.SHORTENED: _(
        "a spreadsheet has shortened this number: make the column text, and enter it again"
    ),
    RowProblem.NO_MOBILE: _("this number cannot be texted: it is a landline or a service number"),
    RowProblem.BAD_OWNER: _("in the column email there is no email address"),
    RowProblem.UNKNOWN_CHANNEL: _("the channel is neither email nor sms"),
    RowProblem.UNKNOWN_ACTION: _("the action is neither grant nor stop"),
    RowProblem.UNKNOWN_TOPIC: _("a topic of this key does not exist"),
    RowProblem.UNKNOWN_VERSION: _("no words of this version are known for the channel"),
    RowProblem.OTHER_TOPICS: _("the words of this version name other topics"),
    RowProblem.BAD_BASIS: _("this kind of consent is not known"),
    RowProblem.BAD_TIME: _("the time cannot be read: write 2026-03-10 or 2026-03-10T14:00"),
    RowProblem.FUTURE: _("the time lies in the future"),
    RowProblem.BAD_DATE: _("a date cannot be read: write 2026-03-10"),
    RowProblem.STOPPED: _("the person said stop; only they can agree again"),
    RowProblem.BLOCKED: _("the address is on the suppression list; an import does not lift that"),
    RowProblem.NO_PROOF: _("it could not be proven, so it permits nothing"),
}

FILE_PROBLEMS: Mapping[FileProblem, Words] = {
    FileProblem.EMPTY: _("There is nothing in this file."),
    FileProblem.NO_ADDRESS: _(
        "No column is called “address”. The first line must name the columns, as the template does."
    ),
    FileProblem.TWICE: _("Two columns have the same name."),
    FileProblem.BROKEN: _(
        "A cell begins with a quotation mark and never ends. Export the file again as CSV."
    ),
}


class UploadForm(forms.Form):
    """The file; what it would do is shown before anything is done."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV as a spreadsheet saves it, with the columns of the template; at most 20 MB."),
        widget=forms.ClearableFileInput({"accept": ".csv,.txt,.tsv,text/csv"}),
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > importing.LARGEST:
            raise forms.ValidationError(gettext("The file is too large: divide it."))
        return file


@admin.register(ConsentImport)
class ConsentImportAdmin(StoryAdmin):
    list_display = (
        "file_name",
        "at",
        "by",
        "standing",
        "granted",
        "unproven",
        "revoked",
        "unchanged",
        "refused",
    )
    ordering = ("-pk",)
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("oscar_crosschannel.run_import")

    def get_urls(self) -> list[URLPattern]:
        doors: dict[str, tuple[Callable[..., Any], str]] = {
            "template.csv": (template, "template"),
            "<int:import_id>/confirm/": (confirm, "confirm"),
            "<int:import_id>/problems.csv": (problems, "problems"),
        }
        return [
            path(route, self.admin_site.admin_view(partial(view, model_admin=self)), name=_name(name))
            for route, (view, name) in doors.items()
        ] + super().get_urls()

    @admin.display(description=_("how it stands"))
    def standing(self, row: ConsentImport) -> str:
        return _standing(row)

    def heading(self, row: ConsentImport) -> str:
        return row.file_name

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        is_posted = request.method == "POST"
        form = UploadForm(request.POST, request.FILES) if is_posted else UploadForm()
        if form.is_valid() and (row := self._kept(request, form)) is not None:
            return HttpResponseRedirect(titles.page(row))
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Import consents"),
            "form": form,
            "columns": list(COLUMNS),
            "topics": Topic.objects.order_by("key"),
            "template_url": reverse(f"admin:{_name('template')}"),
        }
        return TemplateResponse(request, "admin/oscar_crosschannel/consentimport/upload.html", context)

    def _kept(self, request: HttpRequest, form: forms.Form) -> ConsentImport | None:
        file = form.cleaned_data["file"]
        try:
            row = importing.keep(
                file.read(), name=file.name, by=request.user.get_username(), now=timezone.now()
            )
        except UnreadableFile as refused:
            form.add_error("file", str(FILE_PROBLEMS[refused.problem]))
            return None
        self.log_addition(request, row, gettext("looked at the file; nothing was taken yet"))
        return row

    def story(self, row: ConsentImport, now: datetime) -> Mapping[str, Any]:
        waits = row.confirmed_at is None and row.content is not None
        earlier = importing.earlier(row)
        facts = [
            (gettext("By"), row.by),
            (gettext("At"), row.at),
            (gettext("Rows"), row.rows),
            (gettext("About, if a row does not say"), ", ".join(row.topics)),
            (gettext("Taken so far"), row.taken if row.confirmed_at and not row.finished_at else ""),
            (gettext("Same file before"), titles.link(earlier, str(earlier.confirmed_at)) if earlier else ""),
            (gettext("Confirmed"), row.confirmed_at),
            (gettext("Finished"), row.finished_at),
        ]
        return {
            "import": row,
            "badge": badge(_standing(row), "open" if waits else "quiet"),
            "facts": [(name, value) for name, value in facts if value not in ("", None)],
            "history": acting.history(row),
            "counts": [(TAKINGS[taking][0], getattr(row, taking)) for taking in Taking] if row.taken else [],
            "problems": [(line, _sentence(code)) for line, code in row.problems[:MOST_SHOWN]],
            "problems_url": _url("problems", row),
            "preview": _preview(row, now) if waits else None,
            "confirm_url": _url("confirm", row),
        }

    def earlier(self, request: HttpRequest, row: ConsentImport) -> Mapping[str, Any]:
        return {"may_import": self.has_add_permission(request)}


@admin.register(Erasure)
class ErasureAdmin(LongListed, ReadingAdmin):
    list_display = ("whom", "at", "cause", "by")
    fields = ("whom", "at", "cause", "by", "counts")
    readonly_fields = ("whom",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(erase_address, model_admin=self))
        return [path("address/", view, name=ADDRESS), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "may_erase": _may_erase(request)})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        left = Contact.objects.filter(pk=OuterRef("contact_id")).values("pk")
        # no EXISTS, for which PostgreSQL may read all contacts at once
        rows: QuerySet[Any] = super().get_queryset(request).annotate(left=Subquery(left[:1]))
        return rows

    @admin.display(description=_("contact"))
    def whom(self, erasure: Any) -> str:
        """By number: of an erased contact that is still there, nothing else is left."""
        number = f"#{erasure.contact_id}"
        return titles.link(Contact(pk=erasure.contact_id), number) if erasure.left else number


# ------------------------------------------------------------------------- an address without a contact

#: Name of the page.
ADDRESS = "oscar_crosschannel_erasure_address"


class AddressForm(NoteForm):
    """An address that belongs to no contact, but that an import or a stop may have left rows of."""

    address = forms.CharField(
        label=_("Address"),
        max_length=254,
        help_text=_("A whole email address, or a number as +12125550123."),
        widget=forms.TextInput({"class": "vTextField", "autocomplete": "off"}),
    )
    field_order = ("address", "note")

    def clean_address(self) -> str:
        channel, address = persons.named(self.cleaned_data["address"].strip())
        if users := contacts.find_by_address(channel, address):
            raise forms.ValidationError(_belongs_to(users))
        if not any(erasing.foreseen_at(channel, address).values()):
            raise forms.ValidationError(
                gettext("Nothing is kept about this address, or it was erased before.")
            )
        return address


@require_http_methods(["GET", "HEAD", "POST"])
def erase_address(request: HttpRequest, model_admin: ErasureAdmin) -> HttpResponse:
    """Asked for, shown, and done when staff are sure."""
    if not _may_erase(request):
        raise PermissionDenied
    form = AddressForm(request.POST if request.method == "POST" else None)
    is_seen = form.is_valid()
    if is_seen and "sure" in request.POST:
        return _erase_address(request, model_admin, form.cleaned_data)
    if is_seen:
        form.fields["address"].widget.attrs["readonly"] = True
    request.current_app = model_admin.admin_site.name
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": gettext("Erase an address without a contact"),
        "form": form,
        "about": list(_foreseen(form.cleaned_data["address"])) if is_seen else [],
    }
    return TemplateResponse(request, "admin/oscar_crosschannel/erasure/address.html", context)


def _erase_address(request: HttpRequest, model_admin: ErasureAdmin, said: Mapping[str, Any]) -> HttpResponse:
    channel, address = persons.named(said["address"])
    now, by = timezone.now(), request.user.get_username()
    with transaction.atomic():
        done = erasing.erase_address(channel, address, cause="request", by=by, now=now)
        if done is not None:
            block = Suppression.objects.get(channel=channel, digest=contacts.digest(channel, address))
            model_admin.log_change(request, block, gettext("erased the address: %(note)s") % said)
    if done is None:
        messages.warning(request, gettext("Nothing was done: it was erased, or somebody uses it, by now."))
    else:
        messages.success(request, gettext("The address is erased."))
    return HttpResponseRedirect(reverse("admin:oscar_crosschannel_erasure_changelist"))


def _foreseen(address: str) -> Iterator[str]:
    channel, _same = persons.named(address)
    found = erasing.foreseen_at(channel, address)
    yield gettext("%(address)s belongs to nobody we know, and is forgotten.") % {"address": address}
    if found["inbox"]:
        yield ngettext(
            "%(count)d thing that was heard of it is emptied.",
            "%(count)d things that were heard of it are emptied.",
            found["inbox"],
        ) % {"count": found["inbox"]}
    if found["ledger"]:
        yield ngettext(
            "%(count)d agreement or stop stays as evidence, under a code that cannot be turned back into an address.",
            "%(count)d agreements or stops stay as evidence, under a code that cannot be turned back into an address.",
            found["ledger"],
        ) % {"count": found["ledger"]}
    yield gettext("The code also keeps it from being written to, or imported, until its owner agrees anew.")
    yield gettext("Nobody can take this back.")


def _belongs_to(users: Sequence[Contact]) -> SafeString:
    named = Contact.objects.filter(pk__in=[user.pk for user in users]).prefetch_related("points")
    linked = format_html_join(
        ", ", "{}", ((titles.link(user, people.label(user)),) for user in named.order_by("pk"))
    )
    words = gettext("Somebody uses this address; erase the person on their page: {people}")
    return format_html(words, people=linked)


def _may_erase(request: HttpRequest) -> bool:
    app = Erasure._meta.app_label
    return request.user.has_perms([f"{app}.view_erasure", f"{app}.erase_person"])


# ---------------------------------------------------------------------------------------------- doors


@require_safe
def template(request: HttpRequest, model_admin: ConsentImportAdmin) -> HttpResponse:
    """A file to fill in, as this country's spreadsheets open it."""
    _require(request, model_admin)
    return HttpResponse(consent_files.template(_separator()), **_as_csv("consents.csv"))


@require_POST
def confirm(request: HttpRequest, import_id: int, model_admin: ConsentImportAdmin) -> HttpResponse:
    """Let it be taken."""
    _require(request, model_admin)
    row = _found(import_id)
    if importing.confirm(row.pk, now=timezone.now()):
        model_admin.log_change(request, row, gettext("had it imported"))
        words = gettext("The file is being taken. This page shows how far it is; long files take their time.")
        messages.success(request, words)
    else:
        messages.warning(request, gettext("Nothing was done: it was confirmed before, or thrown away."))
    return HttpResponseRedirect(titles.page(row))


@require_safe
def problems(
    request: HttpRequest, import_id: int, model_admin: ConsentImportAdmin
) -> HttpResponse | StreamingHttpResponse:
    """The rows that are not taken as agreements, with why: to be corrected, and imported again."""
    _require(request, model_admin)
    row = _found(import_id)
    file = importing.open_file(row) if row.confirmed_at is None else None
    separator = _separator()
    if file is None:
        told = [[str(line), consent_files.harmless(_sentence(code))] for line, code in row.problems]
        content = consent_files.written([["line", "problem"], *told], separator)
        return HttpResponse(content, **_as_csv("problems.csv"))
    judged = importing.preview(file, now=timezone.now(), topics=row.topics)
    lines = _with_reasons((each for each in judged if each.problem is not None), file.columns)
    return StreamingHttpResponse(consent_files.pieces(lines, separator), **_as_csv("problems.csv"))


def _with_reasons(judged: Iterator[Judged], columns: Sequence[str]) -> Iterator[list[str]]:
    yield ["line", "problem", *columns]
    for each in judged:
        cells = [consent_files.harmless(each.row[name]) for name in columns]
        yield [str(each.row.line), consent_files.harmless(why(each)), *cells]


def _as_csv(name: str) -> dict[str, Any]:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return {"content_type": "text/csv; charset=utf-8", "headers": headers}


def _require(request: HttpRequest, model_admin: ConsentImportAdmin) -> None:
    if not model_admin.has_add_permission(request):
        raise PermissionDenied


def _found(import_id: int) -> ConsentImport:
    row = ConsentImport.objects.filter(pk=import_id).first()
    if row is None:
        raise Http404
    return row


def _name(door: str) -> str:
    return f"oscar_crosschannel_consentimport_{door}"


def _url(door: str, row: ConsentImport) -> str:
    return reverse(f"admin:{_name(door)}", args=[row.pk])


# ---------------------------------------------------------------------------------------------- words


def _preview(row: ConsentImport, now: datetime) -> Mapping[str, Any]:
    """How the first rows would be taken."""
    file = importing.open_file(row)
    assert file is not None
    counts = dict.fromkeys(Taking, 0)
    shown: list[tuple[Any, ...]] = []
    for judged in importing.preview(file, now=now, topics=row.topics, most=MOST_JUDGED):
        counts[judged.taking] += 1
        if len(shown) < MOST_SHOWN:
            shown.append(_shown(judged))
    return {
        "counts": [(TAKINGS[taking][0], count) for taking, count in counts.items() if count],
        "rows": shown,
        "judged": min(row.rows, MOST_JUDGED),
        "more": row.rows > MOST_JUDGED,
        "ignored": ", ".join(file.ignored),
        "has_problems": counts[Taking.REFUSED] or counts[Taking.UNPROVEN] or row.rows > MOST_JUDGED,
    }


def _shown(judged: Judged) -> tuple[Any, ...]:
    words, tone = TAKINGS[judged.taking]
    about = ", ".join(judged.topics)
    return judged.row.line, judged.address or judged.row.address, about, badge(words, tone), why(judged)


def why(judged: Judged) -> str:
    """What is wrong with a row; empty if nothing is."""
    if judged.problem is None:
        return ""
    if judged.missing:
        words = {"columns": ", ".join(judged.missing)}
        return gettext("it could not be proven, so it permits nothing; missing: %(columns)s") % words
    return _sentence(judged.problem)


def _sentence(code: str) -> str:
    return str(PROBLEMS[RowProblem(code)]) if code in PROBLEMS else code


def _standing(row: ConsentImport) -> str:
    if row.finished_at is not None:
        return gettext("done")
    if row.confirmed_at is not None:
        return gettext("%(taken)d of %(rows)d rows taken") % {"taken": row.taken, "rows": row.rows}
    return gettext("waits for your yes") if row.content is not None else gettext("thrown away")


def _separator() -> str:
    """Spreadsheets part cells by a semicolon where numbers have a comma."""
    return ";" if formats.get_format("DECIMAL_SEPARATOR") == "," else ","
