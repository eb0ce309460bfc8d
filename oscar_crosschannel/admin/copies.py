"""Pages about words: which there are, editing them beside what people would read, and sending a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import formats, timezone, translation
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext, gettext_lazy as _

from ..conf import settings
from ..core import phones
from ..core.facts import SMS
from ..core.outbound import Content, Receipt
from ..core.plan import Step
from ..models import Contact, Copy, Flow
from ..services import copies, previews, rendering, trials, tuning, unfolding
from ..services.copies import Problem, Source
from ..services.plans import PlannedFlow
from ..services.rendering import CopyKey
from . import acting, flow_changes, meanwhile, overriding, people, place_names, sentences, titles
from .doors import CHANGE_COPY, SEND_TEST, VIEW_CONTACT, VIEW_COPY, page, planned_or_404, require

#: Contacts that a search offers.
OFFERED = 8

_PARTS = flow_changes.PARTS

_SOURCES = {
    Source.OWN: (_("your words"), "open"),
    Source.BASE: (_("your words, from the language without its region"), "open"),
    Source.SHOP: (_("your words, in the shop’s own language"), "open"),
    Source.FILE: (_("shipped words"), "quiet"),
    Source.EMPTY: (_("left out"), "quiet"),
    Source.NONE: (_("none"), "doubt"),
}


# ------------------------------------------------------------------------------------ which there are


@dataclass(frozen=True, slots=True)
class Row:
    """One message in one language, in a list."""

    channel: str
    language: str
    url: str
    sources: Sequence[tuple[str, str, str]]  #: part, where its words come from, tone


def listing(model_admin: Any, request: HttpRequest, flow_id: int) -> HttpResponse:
    """Every step, channel and language, with where the words come from."""
    require(request, VIEW_COPY, CHANGE_COPY)
    planned = planned_or_404(flow_id)
    steps: dict[str, dict[str, list[Row]]] = {}
    names: dict[str, str] = {}
    for words in copies.of_flow(planned):
        names[words.step.key] = titles.step(words.step.key, words.step.title)
        kind = "used" if words.in_use else "other"
        groups = steps.setdefault(words.step.key, {"used": [], "other": []})
        groups[kind].append(_row(words))
    title = titles.plan(planned.plan)
    context = {
        "title": gettext("Words of “%(flow)s”") % {"flow": title},
        "flow_title": title,
        "flow_id": flow_id,
        "steps": [(names[key], groups) for key, groups in steps.items()],
    }
    return page(model_admin, request, "copy/list.html", context)


def _row(words: copies.Words) -> Row:
    key = words.key
    return Row(
        channel=capfirst(sentences.channels([key.channel])),
        language=copies.languages()[key.language],
        url=_url("words", key),
        sources=[
            (str(_PARTS[part]), str(_SOURCES[source][0]), _SOURCES[source][1])
            for part, source in words.sources.items()
        ],
    )


def _url(name: str, key: CopyKey) -> str:
    place = [key.flow_id, key.step_key, key.channel, key.language]
    return reverse(f"admin:oscar_crosschannel_flow_{name}", args=place)


# ---------------------------------------------------------------------------------------------- editing


class CopyForm(forms.Form):
    """The parts of one message. Empty takes the shipped words, if there are any."""

    def __init__(self, data: QueryDict | None = None, *, copy: Copy | None, parts: Sequence[str]) -> None:
        kept = {part: getattr(copy, part) if copy is not None else None for part in parts}
        initial = {part: words or "" for part, words in kept.items()}
        left_out = {"leave_out": kept.get("html") == ""}
        super().__init__(data, initial=initial | left_out, label_suffix="", use_required_attribute=False)
        self.parts = parts
        for part in parts:
            self.fields[part] = _part_field(part)
        if "html" in parts:
            self.fields["leave_out"] = forms.BooleanField(
                required=False, label=_("Send the text alone, without HTML")
            )

    def words(self) -> dict[str, str | None]:
        """The parts as rows keep them. None takes the file, '' leaves the part out."""
        found: dict[str, str | None] = {part: self.cleaned_data[part] or None for part in self.parts}
        if self.cleaned_data.get("leave_out"):
            found["html"] = ""
        return found


def _part_field(part: str) -> forms.CharField:
    rows = {"subject": 1, "text": 9, "html": 18}[part]
    return forms.CharField(
        label=_PARTS[part],
        required=False,
        strip=False,
        max_length=100_000,
        widget=forms.Textarea({"rows": rows, "spellcheck": "true", "class": f"cc-words cc-words-{part}"}),
    )


@dataclass(slots=True)
class Desk:
    """One message on the editor's desk."""

    planned: PlannedFlow
    step: Step
    key: CopyKey

    @property
    def place(self) -> str:
        """Which message this is: "Code, SMS, English"."""
        names = [
            titles.step(self.key.step_key, self.step.title),
            sentences.channels([self.key.channel]),
            self.language,
        ]
        return ", ".join(names)

    @property
    def log_name(self) -> str:
        """What the log calls this message, in whichever language it is written."""
        return f"{self.key.flow_key}/{self.key.step_key}/{self.key.channel}/{self.key.language}"

    @property
    def language(self) -> str:
        return copies.languages()[self.key.language]

    @property
    def parts(self) -> list[str]:
        return copies.parts_of(self.key.channel)


def _desk(flow_id: int, step: str, channel: str, language: str) -> Desk:
    planned = planned_or_404(flow_id)
    declared = copies.steps(planned).get(step)
    if declared is None or channel not in settings.CHANNELS or language not in copies.languages():
        raise Http404
    return Desk(planned, declared, CopyKey(flow_id, planned.plan.key, step, channel, language))


def words(model_admin: Any, request: HttpRequest, flow_id: int, **place: str) -> HttpResponse:
    """GET shows the words in force, POST shows, resets or keeps new ones, as its button says."""
    require(request, VIEW_COPY, CHANGE_COPY)
    desk = _desk(flow_id, **place)
    if request.method != "POST":
        copy = copies.find(desk.key)
        return _editor(model_admin, request, desk, CopyForm(copy=copy, parts=desk.parts), copy)
    if request.POST.get("do") in ("save", "reset"):
        require(request, CHANGE_COPY)
        with transaction.atomic():
            return _change(model_admin, request, desk)
    copy = copies.find(desk.key)
    written = _begun(request.POST, desk) if request.POST.get("do") == "start" else request.POST
    return _editor(model_admin, request, desk, CopyForm(written, copy=copy, parts=desk.parts), copy)


def _begun(data: QueryDict, desk: Desk) -> QueryDict:
    """The form with the shipped words in its empty fields, to be changed."""
    filled = data.copy()
    for part in desk.parts:
        if not filled.get(part, "").strip():
            filled[part] = unfolding.unfolded(desk.key, part)
    return filled


def _change(model_admin: Any, request: HttpRequest, desk: Desk) -> HttpResponse:
    key = desk.key
    flow = tuning.lock(key.flow_id)
    # the flow as it is now that nobody else changes it
    desk = _desk(key.flow_id, key.step_key, key.channel, key.language)
    copy = copies.find(key)
    if request.POST["do"] == "reset":
        return _reset(model_admin, request, desk, flow, copy)
    now_shown = meanwhile.shown([CopyForm(copy=copy, parts=desk.parts)])
    together = meanwhile.merged(request.POST, now_shown)
    form = CopyForm(together or request.POST, copy=copy, parts=desk.parts)
    if together is not None:
        messages.warning(request, meanwhile.sentence(flow, name=desk.log_name))
    elif form.is_valid():
        draft = copies.draft(desk.key, form.words())
        found = copies.problems(desk.planned, desk.step, draft, now=timezone.now())
        why = _why_nevertheless(request, form, found)
        if why or not found:
            return _keep(model_admin, request, desk, flow, draft, why=why)
        _blame(form, found)
    return _editor(model_admin, request, desk, form, copy)


def _reset(model_admin: Any, request: HttpRequest, desk: Desk, flow: Flow, copy: Copy | None) -> HttpResponse:
    nothing = copies.draft(desk.key, {})
    found = copies.problems(desk.planned, desk.step, nothing, now=timezone.now())
    if not found:
        return _keep(model_admin, request, desk, flow, nothing)
    for problem in found:
        messages.error(request, gettext("Nothing was reset. %(why)s") % {"why": told(problem)})
    return _editor(model_admin, request, desk, CopyForm(copy=copy, parts=desk.parts), copy)


def _why_nevertheless(request: HttpRequest, form: CopyForm, found: Sequence[Problem]) -> str:
    """Why words are kept of which nothing is wrong but that they promote."""
    is_all = all(problem.is_promotion for problem in found)
    return overriding.reason(form, request.user) if found and is_all else ""


def _keep(
    model_admin: Any, request: HttpRequest, desk: Desk, flow: Flow, draft: Copy, *, why: str = ""
) -> HttpResponse:
    kept = copies.keep(flow, draft, now=timezone.now(), author=request.user.pk)
    if kept.changed:
        parts = ", ".join(_part_told(part, kept.after[part]) for part in kept.changed)
        message = gettext("Words of %(place)s: %(parts)s") % {"place": desk.place, "parts": parts}
        if why:
            message = gettext("%(change)s; promotes nevertheless: %(why)s") % {"change": message, "why": why}
        _log(model_admin, request, flow, desk.log_name, message)
        messages.success(request, gettext("Saved. The next message says it in these words."))
    else:
        messages.info(request, gettext("Nothing was changed."))
    return HttpResponseRedirect(_url("words", desk.key))


def _log(model_admin: Any, request: HttpRequest, flow: Flow, name: str, words: str) -> Any:
    """Written down with the flow, under the name of one of its messages; None where the project keeps no log."""
    entry = model_admin.log_change(request, flow, words)
    if entry is not None:
        entry.object_repr = name[:200]
        entry.save(update_fields=["object_repr"])
    return entry


def _part_told(part: str, after: str | None) -> str:
    name = {"part": _PARTS[part]}
    if after is None:
        return gettext("%(part)s as shipped") % name
    if not after:
        return gettext("%(part)s left out") % name
    return gettext("%(part)s “%(words)s”") % {**name, "words": Truncator(" ".join(after.split())).chars(60)}


def _blame(form: CopyForm, found: Sequence[Problem]) -> None:
    for problem in found:
        words = {"line": problem.line, "sentence": told(problem)}
        sentence = gettext("Line %(line)d: %(sentence)s") % words if problem.line else told(problem)
        form.add_error(problem.part or None, sentence)


def told(problem: Problem) -> str:
    """What is wrong with words, and in which place if not everywhere."""
    if not problem.place:
        return problem.sentence
    words = {"place": place_names.name(problem.place), "why": problem.sentence}
    return gettext("With the link for people who cannot reply (%(place)s): %(why)s") % words


# ---------------------------------------------------------------------------------------------- preview


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose eyes the preview is for, and who else was found."""

    contact: Contact | None
    searched: str
    found: Sequence[tuple[int, str]]

    @property
    def name(self) -> str:
        return people.label(self.contact) if self.contact is not None else ""


def _reader(request: HttpRequest) -> Reader:
    """The contact chosen by a button or earlier, unless staff may not see contacts."""
    if not request.user.has_perm(VIEW_CONTACT):
        return Reader(None, "", ())
    asked = request.POST if request.method == "POST" else request.GET
    chosen = asked.get("choose", asked.get("who", ""))
    contact = None
    if acting.is_id(chosen):
        contact = Contact.objects.filter(pk=chosen, merged_into=None).prefetch_related("points").first()
    searched = "" if "choose" in asked else asked.get("find", "").strip()
    return Reader(contact, searched, list(_found(searched)))


def _found(searched: str) -> Iterator[tuple[int, str]]:
    if searched:
        matching = people.matching(searched).filter(merged_into=None).prefetch_related("points")
        for contact in matching.order_by("-pk")[:OFFERED]:
            yield contact.pk, people.label(contact)


def _editor(
    model_admin: Any, request: HttpRequest, desk: Desk, form: CopyForm, copy: Copy | None
) -> HttpResponse:
    now = timezone.now()
    reader = _reader(request)
    draft = _drafted(desk, form, copy)
    if form.is_bound and not form.errors:
        found = copies.problems(desk.planned, desk.step, draft, now=now)
        _why_nevertheless(request, form, found)
        _blame(form, found)
    may_change = request.user.has_perm(CHANGE_COPY)
    for field in form.fields.values():
        field.disabled = not may_change and not form.is_bound
    with translation.override(desk.key.language):
        names = copies.known_names(desk.planned, desk.step, desk.key.channel, now=now)
    title = titles.plan(desk.planned.plan)
    shipped = previews.preview(desk.planned, desk.step, copies.draft(desk.key, {}), None, now=now)
    _show_shipped(form, shipped)
    context = {
        "title": desk.place,
        "flow_title": title,
        "flow_id": desk.key.flow_id,
        "step": titles.step(desk.key.step_key, desk.step.title),
        "desk": desk,
        "form": form,
        "is_own": copy is not None,
        "come": [part for part in desk.parts if rendering.has_file(desk.key, part)],
        "seen": meanwhile.token(meanwhile.shown([CopyForm(copy=copy, parts=desk.parts)])),
        "variables": _variables(desk, names),
        "syntax": _SYNTAX,
        "reader": reader,
        "preview": _preview(desk, form, draft, reader, now),
        "shipped": shipped if copy is not None and shipped.content is not None else None,
        "can_start": shipped.content is not None and not all(form[part].value() for part in desk.parts),
        "is_sms": desk.key.channel == SMS,
        "test_url": _url("test", desk.key),
        "list_url": reverse("admin:oscar_crosschannel_flow_words_list", args=[desk.key.flow_id]),
        "others": _others(desk),
    }
    return page(model_admin, request, "copy/edit.html", context)


def _preview(desk: Desk, form: CopyForm, draft: Copy, reader: Reader, now: datetime) -> previews.Preview:
    """What people would read; of words that cannot go out, why."""
    if form.errors:
        sentences_told = [str(sentence) for errors in form.errors.values() for sentence in errors]
        return previews.Preview(None, " ".join(sentences_told), is_real=False, weight=None)
    return previews.preview(desk.planned, desk.step, draft, reader.contact, now=now)


def _show_shipped(form: CopyForm, shipped: previews.Preview) -> None:
    """What an empty field says, as its placeholder. HTML would say little there."""
    for part in ("subject", "text"):
        if part in form.fields and shipped.content is not None:
            form.fields[part].widget.attrs["placeholder"] = getattr(shipped.content, part)


def _drafted(desk: Desk, form: CopyForm, copy: Copy | None) -> Copy:
    if form.is_bound and form.is_valid():
        return copies.draft(desk.key, form.words())
    return copy if copy is not None else copies.draft(desk.key, {})


def _others(desk: Desk) -> list[tuple[str, str, bool]]:
    """The same message in the other languages."""
    key = desk.key
    return [
        (
            name,
            _url("words", CopyKey(key.flow_id, key.flow_key, key.step_key, key.channel, code)),
            code == key.language,
        )
        for code, name in copies.languages().items()
    ]


#: The language of copy, as a help text shows it.
_SYNTAX = {
    "variable": "{{ name }}",
    "if": "{% if name %}",
    "endif": "{% endif %}",
    "for": "{% for one in list %}",
    "endfor": "{% endfor %}",
}

#: What every message knows.
_COMMON = {
    "brand": _("Name of the shop"),
    "name": _("First name; empty if it is not known"),
    "postal_address": _("Postal address of the shop"),
    "unsubscribe_url": _("Leads to the page that unsubscribes; empty where there is nothing to unsubscribe from"),
    "preferences_url": _("Leads to the page on which people choose what they get"),
    "topic": _("What the message is about, as people choose it"),
    "join_texts_url": _("Leads to the page on which one signs up for texts, which counts for this email; empty in a shop that sends none"),
    "why_url": _("Leads to the page that says why somebody got this message"),
    "voucher.code": _("The exclusive code"),
    "voucher.valid_until": _("Until when the code works; written as you like, such as {{ voucher.valid_until|date:'j F, H:i' }}"),
}  # fmt: skip


def _variables(desk: Desk, names: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What may be used: name, meaning, an example."""
    meanings = {**_COMMON, **desk.planned.about.glossary}
    return [
        (written, str(meanings.get(name, "")), example)
        for name, written, example in _flat(names)
        if name != "trap_url"
    ]


def _flat(names: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Names one level deep: as the glossary has them, as copy writes them, and an example."""
    for name, value in names.items():
        inside = value[0] if isinstance(value, (list, tuple)) and value else value
        if not isinstance(inside, Mapping):
            yield name, name, _shortly(value)
            continue
        if inside is not value:
            yield name, name, f"{{% for one in {name} %}}"
        owner = name if inside is value else "one"
        for field, example in inside.items():
            yield f"{name}.{field}", f"{owner}.{field}", _shortly(example)


def _shortly(value: Any) -> str:
    if isinstance(value, datetime):
        value = formats.date_format(timezone.localtime(value), "DATETIME_FORMAT")
    return Truncator("" if value is None else str(value)).chars(60)


# ------------------------------------------------------------------------------------------ a test send


class TestForm(forms.Form):
    """Where a test goes."""

    address = forms.CharField(label=_("Send it to"), max_length=254)

    def __init__(self, data: QueryDict | None, *, channel: str, address: str) -> None:
        super().__init__(data, initial={"address": address}, label_suffix="", use_required_attribute=False)
        self._channel = channel
        is_phone = channel == SMS
        self.fields["address"].widget.attrs |= {
            "type": "tel" if is_phone else "email",
            "autocomplete": "tel" if is_phone else "email",
            "placeholder": "+1 212 555 0123" if is_phone else "you@example.com",
        }
        self.fields["address"].label = _("Phone number") if is_phone else _("Email address")

    def clean_address(self) -> str:
        try:
            return trials.addressed(self._channel, self.cleaned_data["address"])
        except trials.NotAllowed as refusal:
            raise forms.ValidationError(str(refusal)) from refusal


@transaction.non_atomic_requests
def test(model_admin: Any, request: HttpRequest, flow_id: int, **place: str) -> HttpResponse:
    """GET asks for an address, POST asks whether it is meant, and a second POST sends.

    Never in a transaction: what was written down must be there before the provider is called.
    """
    require(request, SEND_TEST)
    desk = _desk(flow_id, **place)
    now = timezone.now()
    copy = copies.find(desk.key) or copies.draft(desk.key, {})
    reader = _reader(request)
    data = request.POST if request.method == "POST" else None
    form = TestForm(data, channel=desk.key.channel, address=_own_address(request, desk.key.channel))
    is_valid = form.is_bound and form.is_valid()
    country = phones.country_of(form.cleaned_data["address"]) if is_valid and desk.key.channel == SMS else ""
    shown = previews.preview(desk.planned, desk.step, copy, reader.contact, country=country, now=now)
    if is_valid and shown.content is not None and request.POST.get("do") == "send":
        return _send(model_admin, request, desk, shown, form.cleaned_data["address"])
    context = {
        "title": gettext("Test of “%(place)s”") % {"place": desk.place},
        "flow_title": titles.plan(desk.planned.plan),
        "flow_id": flow_id,
        "desk": desk,
        "form": form,
        "reader": reader,
        "preview": shown,
        "is_sms": desk.key.channel == SMS,
        "back": _url("words", desk.key),
        "confirm": is_valid and shown.content is not None,
        "address": form.cleaned_data["address"] if is_valid else "",
        "last_test": _last_test(request, desk),
    }
    return page(model_admin, request, "copy/test.html", context)


def _own_address(request: HttpRequest, channel: str) -> str:
    return "" if channel == SMS else str(getattr(request.user, "email", ""))


def _send(
    model_admin: Any, request: HttpRequest, desk: Desk, shown: previews.Preview, address: str
) -> HttpResponse:
    """Written down before the call, so that no test goes out that nobody can find, and none twice."""
    assert shown.content is not None
    words = {"place": desk.place, "to": phones.mask(address)}
    with transaction.atomic():
        flow = tuning.lock(desk.key.flow_id)
        if request.POST.get("last_test", "") != _last_test(request, desk):
            messages.warning(request, gettext("You have sent this test already; nothing was sent again."))
            return HttpResponseRedirect(_url("words", desk.key))
        entry = _log(
            model_admin, request, flow, _test_name(desk), gettext("Test of %(place)s to %(to)s") % words
        )
    went_out, sentence = _tried(desk, shown.content, address)
    if entry is not None:
        entry.change_message = gettext("Test of %(place)s: %(outcome)s") % {
            "place": desk.place,
            "outcome": sentence,
        }
        entry.save(update_fields=["change_message"])
    (messages.success if went_out else messages.error)(request, sentence)
    return HttpResponseRedirect(_url("words", desk.key))


def _tried(desk: Desk, content: Content, address: str) -> tuple[bool, str]:
    """Whether the provider took it, and what to tell."""
    try:
        result = trials.send(desk.planned, desk.key, content, address, now=timezone.now())
    except trials.NotAllowed as refusal:
        return False, str(refusal)
    return isinstance(result, Receipt), trials.outcome(result, address)


def _test_name(desk: Desk) -> str:
    return f"{desk.log_name}/test"


def _last_test(request: HttpRequest, desk: Desk) -> str:
    """The user's latest test of this message, as the log knows it: a page that asks for another sends one."""
    tests = LogEntry.objects.filter(user_id=request.user.pk or 0, object_repr=_test_name(desk)[:200])
    return str(tests.order_by("-pk").values_list("pk", flat=True).first() or "")
