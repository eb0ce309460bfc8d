"""Pages for what merchants make themselves: a flow from scratch, and a step of their own in any flow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from ..models import Flow
from ..services import copies, flow_versions, own_flows, promotion, tuning as tuning_services
from ..services.plans import PlannedFlow
from . import flow_changes, sentences, titles
from .doors import CHANGE_COPY, CHANGE_FLOW, page, planned_or_404, require
from .flow_editing import to_flow
from .flow_forms import FlowEditing, no_code
from .outline_forms import NewFlowForm
from .step_forms import StepForm

#: Prefix of the form of a step that has no key yet. Keys have no dot.
_NEW = "new.step"


def add(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """GET asks what the flow is about, POST makes it: off, and without steps."""
    form = NewFlowForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        with transaction.atomic():
            flow = own_flows.create(
                form.outline(), form.cleaned_data["trigger"], author=request.user.pk, now=timezone.now()
            )
            model_admin.log_addition(request, flow, _told(flow))
        messages.success(
            request,
            gettext("“%(flow)s” was made. It is off, and has no steps yet: this is the first.")
            % {"flow": flow.title},
        )
        return HttpResponseRedirect(reverse("admin:oscar_crosschannel_flow_add_step", args=[flow.pk]))
    context = {"title": gettext("A new flow"), "form": form}
    return page(model_admin, request, "flow/add.html", context)


def _told(flow: Flow) -> str:
    words = flow_changes.outline_words(flow_versions.outline_of(flow))
    begins = {gettext("Begins when"): titles.event(flow.trigger)}
    return "; ".join(f"{name}: {value}" for name, value in {**begins, **words}.items())


def add_step(model_admin: Any, request: HttpRequest, flow_id: int) -> HttpResponse:
    """GET asks what the step is, POST makes it. In a flow that is not off, it is off until it has words."""
    require(request, CHANGE_FLOW)
    planned_or_404(flow_id)
    with transaction.atomic():
        flow = tuning_services.lock(flow_id)
        editing = FlowEditing(planned_or_404(flow_id), flow, user=request.user)
        form = editing.step_form(request.POST if request.method == "POST" else None, _NEW)
        del form.fields["on"]
        if form.is_bound and form.is_valid() and _makes_sense(editing, form):
            return _add_step(model_admin, request, editing, form)
    title = titles.plan(editing.planned.plan)
    context = {
        "title": gettext("A new step"),
        "flow_title": title,
        "flow_id": flow_id,
        "step": form,
        "steps": [
            (titles.step(step.key, step.title), sentences.from_anchor(step.delay))
            for step in editing.before_plan.steps
        ],
    }
    return page(model_admin, request, "flow/add_step.html", context)


def _makes_sense(editing: FlowEditing, form: StepForm) -> bool:
    step = form.tuned()
    for sentence in editing.faults(editing.with_step(_NEW, step)):
        form.add_error(None, sentence)
    if step.voucher and editing.planned.purpose in promotion.MAY_NOT_PROMOTE:
        form.add_error("voucher", no_code())
    return not form.errors


def _add_step(model_admin: Any, request: HttpRequest, editing: FlowEditing, form: StepForm) -> HttpResponse:
    flow, declared = editing.flow, editing.declared
    step = replace(form.tuned(), removed=editing.before_plan.enabled)
    key = own_flows.free_step_key(flow, declared, step.title or "")
    wanted = editing.with_step(key, step)
    tuning_services.retune(flow, declared, wanted, now=timezone.now(), author=request.user.pk)
    model_admin.log_change(request, flow, "; ".join(editing.changes(wanted)))
    words = {"step": step.title}
    if step.removed:
        told = gettext("“%(step)s” was added, and is off. Write its words, then switch it on.") % words
    else:
        told = gettext("“%(step)s” was added. Write its words; then the flow can be switched on.") % words
    messages.success(request, told)
    if not request.user.has_perm(CHANGE_COPY):
        return to_flow(flow)
    return HttpResponseRedirect(reverse("admin:oscar_crosschannel_flow_words_list", args=[flow.pk]))


def against_deleting(flow: Flow) -> str:
    """Why a flow stays; empty if it may be deleted."""
    if not flow.trigger:
        return gettext("It comes with the shop’s code. Switch it off instead.")
    if own_flows.is_in_use(flow):
        return gettext("People have been inside, and what they got is kept with it. Switch it off instead.")
    return ""


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a flow needs before it can be switched on."""

    sentence: str
    url: str = ""  #: of the page on which it is done


def before_it_is_on(planned: PlannedFlow, flow: Flow) -> list[Lacking]:
    """What a flow of the merchant's own needs before it can be switched on."""
    if not flow.trigger or planned.plan.enabled:
        return []
    if not planned.plan.steps:
        return [Lacking(gettext("Add a step."), _url("add_step", flow.pk))]
    return [_without_words(planned, lack) for lack in copies.lacking(planned, planned.plan)]


def _without_words(planned: PlannedFlow, lack: copies.Lack) -> Lacking:
    step = planned.plan.step(lack.step_key)
    words = {
        "step": titles.step(lack.step_key, step.title if step else ""),
        "channel": sentences.channels([lack.channel]),
        "languages": ", ".join(lack.languages),
    }
    sentence = gettext("Write the words of “%(step)s” for %(channel)s: %(languages)s.") % words
    return Lacking(sentence, _url("words_list", planned.flow_id))


def _url(name: str, flow_id: int) -> str:
    return reverse(f"admin:oscar_crosschannel_flow_{name}", args=[flow_id])
