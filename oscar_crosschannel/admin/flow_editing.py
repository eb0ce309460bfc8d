"""The page on which a merchant changes a flow: everything about it on one form, saved at once.

If the change means something to people inside, the page says what, and asks.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from ..core.plan import Tuning
from ..models import Flow
from ..services import tuning as tuning_services
from ..services.flow_versions import Outline
from ..services.plans import PlannedFlow
from . import flow_changes, meanwhile, titles
from .doors import CHANGE_FLOW, page, planned_or_404, require
from .flow_forms import FlowEditing

#: Inputs of a page that a confirmation does not send again.
_NOT_AGAIN = ("csrfmiddlewaretoken", "do")


def edit(model_admin: Any, request: HttpRequest, flow_id: int) -> HttpResponse:
    """GET shows the form, POST saves it or resets one step; what touches people inside is asked first."""
    require(request, CHANGE_FLOW)
    if request.method == "POST":
        with transaction.atomic():
            return _post(model_admin, request, flow_id)
    planned = planned_or_404(flow_id)
    flow = Flow.objects.prefetch_related("steps").get(pk=flow_id)
    return _show(model_admin, request, FlowEditing(planned, flow, user=request.user))


def _post(model_admin: Any, request: HttpRequest, flow_id: int) -> HttpResponse:
    planned_or_404(flow_id)
    flow = tuning_services.lock(flow_id)
    planned = planned_or_404(flow_id)  # as it is now that nobody else changes it
    if (key := request.POST.get("reset")) is not None:
        return _reset(model_admin, request, planned, flow, key)
    editing = FlowEditing(planned, flow, request.POST, user=request.user)
    is_valid = editing.is_valid()
    if editing.was_overtaken:
        messages.warning(request, meanwhile.sentence(flow, name=str(flow)))
    elif is_valid and request.POST.get("do") != "edit":
        return _save(model_admin, request, editing, editing.tuning(), editing.flow_form.wanted_outline())
    return _show(model_admin, request, editing)


def _reset(
    model_admin: Any, request: HttpRequest, planned: PlannedFlow, flow: Flow, key: str
) -> HttpResponse:
    editing = FlowEditing(planned, flow, user=request.user)
    wanted = editing.without(key)
    objections = editing.objections(wanted)
    if not objections and planned.declared.step(key) is not None and request.POST.get("do") != "edit":
        return _save(model_admin, request, editing, wanted, None)
    for sentence in objections:
        messages.error(request, gettext("Nothing was reset. %(why)s") % {"why": sentence})
    return _show(model_admin, request, editing)


def _save(
    model_admin: Any, request: HttpRequest, editing: FlowEditing, wanted: Tuning, outline: Outline | None
) -> HttpResponse:
    told = editing.changes(wanted, outline)
    if not told:
        messages.info(request, gettext("Nothing was changed."))
        return to_flow(editing.flow)
    now = timezone.now()
    before, after = editing.before_plan, editing.as_it_would_run(wanted, outline).plan
    effect = tuning_services.foresee(editing.flow.pk, before, after, now=now)
    meaning = flow_changes.meaning(effect, before, after)
    if meaning and request.POST.get("do") != "confirm":
        return _ask(model_admin, request, editing.planned, told, meaning)
    retuned = tuning_services.retune(
        editing.flow, editing.declared, wanted, now=now, outline=outline, author=request.user.pk
    )
    if editing.why:
        told.append(gettext("promotes nevertheless: %(why)s") % {"why": editing.why})
    model_admin.log_change(request, editing.flow, "; ".join(told))
    messages.success(request, saved(retuned.replanned))
    for sentence in editing.unsaid_codes(after):
        messages.warning(request, sentence)
    return to_flow(editing.flow)


def to_flow(flow: Flow) -> HttpResponse:
    """Back to the page of a flow."""
    return HttpResponseRedirect(reverse("admin:oscar_crosschannel_flow_change", args=[flow.pk]))


def saved(replanned: int) -> str:
    """That a change was saved, and what follows it."""
    if not replanned:
        return gettext("Saved. People inside follow the flow as it is now.")
    return ngettext(
        "Saved. %(count)d planned message follows the change.",
        "Saved. %(count)d planned messages follow the change.",
        replanned,
    ) % {"count": replanned}


def _ask(
    model_admin: Any, request: HttpRequest, planned: PlannedFlow, changes: list[str], meaning: Any
) -> HttpResponse:
    """What the change means, and whether it is meant; the form goes along, unseen."""
    title = titles.plan(planned.plan)
    context = {
        "title": gettext("What it means for people inside"),
        "flow_title": title,
        "flow_id": planned.flow_id,
        "changes": changes,
        "meaning": meaning,
        "sent": [(name, value) for name, value in request.POST.items() if name not in _NOT_AGAIN],
    }
    return page(model_admin, request, "flow/confirm.html", context)


def _show(model_admin: Any, request: HttpRequest, editing: FlowEditing) -> HttpResponse:
    title = titles.plan(editing.planned.plan)
    context = {
        "title": gettext("Change “%(flow)s”") % {"flow": title},
        "flow_title": title,
        "flow_id": editing.flow.pk,
        "editing": editing,
        "is_own": bool(editing.flow.trigger),
        "has_errors": editing.has_errors,
    }
    return page(model_admin, request, "flow/edit.html", context)
