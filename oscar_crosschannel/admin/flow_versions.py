"""Versions of a flow: who changed what and when, what differs, and going back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import ndiff
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext

from ..models import Copy, Flow, FlowVersion, Topic
from ..services import copies, flow_versions, own_flows, tuning as tuning_services
from ..services.flow_versions import Standing
from ..services.plans import PlannedFlow
from . import copies as copy_pages, flow_changes, outline_forms, step_forms, titles
from .doors import CHANGE_COPY, CHANGE_FLOW, VIEW_COPY, VIEW_FLOW, page, planned_or_404, require
from .flow_editing import saved, to_flow
from .flow_forms import FlowEditing

#: Versions on one page.
PER_PAGE = 30


@dataclass(frozen=True, slots=True)
class Row:
    """A version in the list."""

    version: FlowVersion
    changes: Sequence[str]
    is_current: bool


def listing(model_admin: Any, request: HttpRequest, flow_id: int) -> HttpResponse:
    """Who changed what, the latest first."""
    require(request, VIEW_FLOW, CHANGE_FLOW)
    planned = planned_or_404(flow_id)
    asked = request.GET.get("before", "")
    rows = FlowVersion.objects.filter(flow_id=flow_id).select_related("author").order_by("-number")
    if asked.isdecimal() and len(asked) < 10:
        rows = rows.filter(number__lt=int(asked))
    found = list(rows[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    title = titles.plan(planned.plan)
    context = {
        "title": gettext("Versions of “%(flow)s”") % {"flow": title},
        "flow_title": title,
        "flow_id": flow_id,
        "rows": list(_rows(planned, shown, found, with_words=_may_read(request))),
        "earlier": shown[-1].number if len(found) > PER_PAGE else "",
    }
    return page(model_admin, request, "flow/versions.html", context)


def _rows(
    planned: PlannedFlow, shown: Sequence[FlowVersion], found: Sequence[FlowVersion], *, with_words: bool
) -> Iterator[Row]:
    offers = flow_changes.offer_names()
    stood = {version.number: flow_versions.from_json(version) for version in found}
    for position, version in enumerate(shown):
        earlier = found[position + 1] if position + 1 < len(found) else None
        changes: Sequence[str] = (
            flow_changes.differences(
                planned.declared, stood[earlier.number], stood[version.number], offers, with_words=with_words
            )
            if earlier is not None
            else ()
        )
        yield Row(version, changes, version.number == planned.plan.version)


@dataclass(frozen=True, slots=True)
class Passage:
    """One part of the words that is not the same, line by line."""

    place: str
    lines: Sequence[tuple[str, str]]  #: "+", "-" or " ", and the line


def one(model_admin: Any, request: HttpRequest, flow_id: int, number: int) -> HttpResponse:
    """GET tells what a version changed and what has changed since; POST goes back to it."""
    require(request, VIEW_FLOW, CHANGE_FLOW)
    if request.method == "POST":
        with transaction.atomic():
            return _go_back(model_admin, request, flow_id, number)
    flow = Flow.objects.prefetch_related("steps").filter(pk=flow_id).first()
    return _show(model_admin, request, planned_or_404(flow_id), flow, number)


def _show(
    model_admin: Any, request: HttpRequest, planned: PlannedFlow, flow: Flow | None, number: int
) -> HttpResponse:
    if flow is None:
        raise Http404
    version = _version(flow, number)
    with_words = _may_read(request)
    back = _Back(planned, flow, version, user=request.user)
    earlier = FlowVersion.objects.filter(flow=flow, number__lt=number).order_by("-number").first()
    before = flow_versions.from_json(earlier) if earlier else None
    title = titles.plan(planned.plan)
    context = {
        "title": gettext("Version %(number)d of “%(flow)s”") % {"number": number, "flow": title},
        "flow_title": title,
        "flow_id": flow.pk,
        "version": version,
        "is_current": number == flow.version,
        "earlier": earlier,
        "changes": flow_changes.differences(
            planned.declared, before, back.past, back.offers, with_words=with_words
        )
        if before
        else (),
        "passages": _passages(before, back.past) if before and with_words else (),
        "going_back": back.changes(with_words=with_words),
        "passages_back": _passages(back.present, back.wanted) if with_words else (),
        "objections": back.objections,
        "meaning": back.meaning(),
        "may_go_back": back.is_allowed(request.user),
    }
    return page(model_admin, request, "flow/version.html", context)


def _go_back(model_admin: Any, request: HttpRequest, flow_id: int, number: int) -> HttpResponse:
    require(request, CHANGE_FLOW)
    planned_or_404(flow_id)
    flow = tuning_services.lock(flow_id)
    planned = planned_or_404(flow_id)  # as it is now that nobody else changes it
    version = _version(flow, number)
    back = _Back(planned, flow, version, user=request.user)
    if back.touches_words:
        require(request, CHANGE_COPY)
    if back.objections:
        for sentence in back.objections:
            messages.error(request, gettext("Nothing was changed. %(why)s") % {"why": sentence})
        return _show(model_admin, request, planned, flow, number)
    told = back.changes()
    if not told:
        messages.info(request, gettext("Nothing was changed."))
        return to_flow(flow)
    wanted = back.wanted
    retuned = tuning_services.retune(
        flow,
        planned.declared,
        wanted.tuning,
        now=timezone.now(),
        outline=wanted.outline if flow.trigger else None,
        words=wanted.words,
        author=request.user.pk,
    )
    went_back = gettext("back to version %(number)d") % {"number": number}
    model_admin.log_change(request, flow, "; ".join([went_back, *told]))
    messages.success(request, saved(retuned.replanned))
    return to_flow(flow)


class _Back:
    """Going back to a version: what would be then."""

    def __init__(self, planned: PlannedFlow, flow: Flow, version: FlowVersion, *, user: Any) -> None:
        self._planned, self._flow = planned, flow
        self._editing = FlowEditing(planned, flow, user=user)
        self.offers = self._editing.offer_names
        self.present = flow_versions.standing(flow)
        self.past = flow_versions.from_json(version)
        declared = {step.key for step in planned.declared.steps}
        self.wanted: Standing = flow_versions.going_back(
            self.present, self.past, declared=declared, offers=self.offers
        )

    @property
    def touches_words(self) -> bool:
        return any(True for _each in flow_changes.words_changed(self.present, self.wanted))

    def is_allowed(self, user: Any) -> bool:
        """Words are not put back by who may not change them."""
        return bool(user.has_perm(CHANGE_FLOW) and (not self.touches_words or user.has_perm(CHANGE_COPY)))

    def changes(self, *, with_words: bool = True) -> list[str]:
        return flow_changes.differences(
            self._planned.declared, self.present, self.wanted, self.offers, with_words=with_words
        )

    @cached_property
    def objections(self) -> list[str]:
        """What would be refused if somebody wrote it down today."""
        wanted = self.wanted
        rows = flow_versions.rows_of(self._flow.pk, wanted.words)
        found = self._editing.objections(wanted.tuning, rows, wanted.outline)
        return [*self._against_outline(), *found, *self._closed_offers(), *self._flaws(rows)]

    def _against_outline(self) -> Iterator[str]:
        topic = self.wanted.outline.topic
        if self._flow.trigger and not Topic.objects.filter(key=topic).exists():
            yield gettext("Its topic “%(topic)s” is gone.") % {"topic": topic}
        elif self._flow.trigger and not own_flows.fits(self._flow.trigger, topic):
            yield outline_forms.needs_marketing()

    def _closed_offers(self) -> Iterator[str]:
        open_now = {offer.pk for offer in self._editing.offers if step_forms.is_open(offer)}
        for key, each in self.wanted.tuning.steps.items():
            if each.offer_id is not None and each.offer_id not in open_now and not each.removed:
                words = {"step": titles.step(key, each.title or ""), "offer": self.offers[each.offer_id]}
                yield f"{words['step']}: {step_forms.closed(words['offer'])}"

    def _flaws(self, rows: Sequence[Copy]) -> Iterator[str]:
        """Where words that come back do not make a message any more."""
        asked, now = self._after, timezone.now()
        steps = {
            step.key: step
            for step in tuning_services.restored(self._planned.declared, self.wanted.tuning).steps
        }
        for row in rows:
            place = (row.step_key, row.channel, row.language, row.variant)
            step = steps.get(row.step_key)
            if step is None or self.present.words.get(place) == self.wanted.words[place]:
                continue
            for problem in copies.problems(asked, step, row, now=now, may_promote=True):
                yield f"{flow_changes.place_words(place, self.wanted)}: {copy_pages.told(problem)}"

    def meaning(self) -> Sequence[str]:
        before, after = self._editing.before_plan, self._after.plan
        effect = tuning_services.foresee(self._flow.pk, before, after, now=timezone.now())
        return flow_changes.meaning(effect, before, after)

    @cached_property
    def _after(self) -> PlannedFlow:
        return self._editing.as_it_would_run(self.wanted.tuning, self.wanted.outline)


def _version(flow: Flow, number: int) -> FlowVersion:
    found: FlowVersion | None = (
        FlowVersion.objects.filter(flow=flow, number=number).select_related("author").first()
    )
    if found is None:
        raise Http404
    return found


def _may_read(request: HttpRequest) -> bool:
    """Whether words are shown."""
    return any(request.user.has_perm(permission) for permission in (VIEW_COPY, CHANGE_COPY))


def _passages(before: Standing, after: Standing) -> list[Passage]:
    return [
        Passage(f"{flow_changes.place_words(place, after)}: {name}", _lines(old, new))
        for place, name, old, new in flow_changes.words_changed(before, after)
    ]


def _lines(old: str, new: str) -> list[tuple[str, str]]:
    """Both texts as one, each line with where it stands; hints of where in a line are left out."""
    return [
        (line[0], line[2:]) for line in ndiff(old.splitlines(), new.splitlines()) if not line.startswith("?")
    ]
