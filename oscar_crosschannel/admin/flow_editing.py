"""The page on which a merchant changes a flow: everything about it on one form, saved at once."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from oscar.core.loading import get_model

from ..core.plan import Tuning
from ..models import Flow
from ..services import tuning as tuning_services
from ..services.plans import PlannedFlow
from . import meanwhile, titles
from .doors import CHANGE_FLOW, page, planned_or_404, require
from .flow_forms import FlowEditing, changes

ConditionalOffer = get_model("offer", "ConditionalOffer")


def edit(model_admin: Any, request: HttpRequest, flow_id: int) -> HttpResponse:
    """GET shows the form, POST saves it or resets one step."""
    require(request, CHANGE_FLOW)
    planned = planned_or_404(flow_id)
    if request.method == "POST":
        with transaction.atomic():
            return _post(model_admin, request, planned)
    flow = Flow.objects.prefetch_related("steps").get(pk=flow_id)
    return _show(model_admin, request, planned, FlowEditing(planned, flow))


def _post(model_admin: Any, request: HttpRequest, planned: PlannedFlow) -> HttpResponse:
    flow = tuning_services.lock(planned.flow_id)
    if (key := request.POST.get("reset")) is not None:
        return _reset(model_admin, request, planned, flow, key)
    editing = FlowEditing(planned, flow, request.POST)
    is_valid = editing.is_valid()
    if editing.was_overtaken:
        messages.warning(request, meanwhile.sentence(flow, name=str(flow)))
    elif is_valid:
        return _save(model_admin, request, planned, flow, editing.tuning())
    return _show(model_admin, request, planned, editing)


def _reset(
    model_admin: Any, request: HttpRequest, planned: PlannedFlow, flow: Flow, key: str
) -> HttpResponse:
    editing = FlowEditing(planned, flow)
    wanted = editing.without(key)
    objections = editing.objections(wanted)
    if not objections:
        return _save(model_admin, request, planned, flow, wanted)
    for sentence in objections:
        messages.error(request, gettext("Nothing was reset. %(why)s") % {"why": sentence})
    return _show(model_admin, request, planned, editing)


def _save(
    model_admin: Any, request: HttpRequest, planned: PlannedFlow, flow: Flow, wanted: Tuning
) -> HttpResponse:
    declared = planned.blueprint.plan()
    told = changes(declared, FlowEditing(planned, flow).before, wanted, _offer_names())
    if told:
        retuned = tuning_services.retune(flow, planned.blueprint, wanted, now=timezone.now())
        model_admin.log_change(request, flow, "; ".join(told))
        messages.success(request, _saved(retuned.replanned))
    else:
        messages.info(request, gettext("Nothing was changed."))
    return HttpResponseRedirect(reverse("admin:oscar_crosschannel_flow_change", args=[flow.pk]))


def _saved(replanned: int) -> str:
    if not replanned:
        return gettext("Saved. People inside follow the flow as it is now.")
    return ngettext(
        "Saved. %(count)d planned message follows the change.",
        "Saved. %(count)d planned messages follow the change.",
        replanned,
    ) % {"count": replanned}


def _show(model_admin: Any, request: HttpRequest, planned: PlannedFlow, editing: FlowEditing) -> HttpResponse:
    title = titles.flow(planned.plan.key)
    context = {
        "title": gettext("Change “%(flow)s”") % {"flow": title},
        "flow_title": title,
        "flow_id": planned.flow_id,
        "editing": editing,
        "has_errors": editing.has_errors,
    }
    return page(model_admin, request, "flow/edit.html", context)


def _offer_names() -> dict[int, str]:
    vouchers = ConditionalOffer.objects.filter(offer_type=ConditionalOffer.VOUCHER)
    return dict(vouchers.values_list("pk", "name"))
