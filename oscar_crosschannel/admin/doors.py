"""What the pages around a flow share: who may come in, which flow it is, and how a page is put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from ..models import Flow
from ..services.plans import PlannedFlow, load_plans

#: What staff must be allowed to do something here.
VIEW_FLOW, CHANGE_FLOW, ADD_FLOW, DELETE_FLOW, VIEW_COPY, CHANGE_COPY, SEND_TEST, VIEW_CONTACT, VIEW_RUN = (
    "oscar_crosschannel.view_flow",
    "oscar_crosschannel.change_flow",
    "oscar_crosschannel.add_flow",
    "oscar_crosschannel.delete_flow",
    "oscar_crosschannel.view_copy",
    "oscar_crosschannel.change_copy",
    "oscar_crosschannel.send_test",
    "oscar_crosschannel.view_contact",
    "oscar_crosschannel.view_enrolment",
)

View = Callable[..., HttpResponse]


def door(model_admin: Any, route: str, view: View, name: str) -> URLPattern:
    """A page below a flow's own; the view is called with the flow's admin first."""
    # the wrapper keeps what decorators wrote on the view
    inside: View = model_admin.admin_site.admin_view(update_wrapper(partial(view, model_admin), view))
    found: URLPattern = path(f"<int:flow_id>/{route}", inside, name=f"oscar_crosschannel_flow_{name}")
    return found


def require(request: HttpRequest, *permissions: str) -> None:
    """403 unless the user has one of these."""
    if not any(request.user.has_perm(permission) for permission in permissions):
        raise PermissionDenied


def planned_or_404(flow_id: int) -> PlannedFlow:
    """The flow as it runs now; a flow that the project no longer declares has nothing to edit."""
    planned = load_plans().get(flow_id)
    if planned is None:
        raise Http404
    return planned


def page(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
) -> TemplateResponse:
    """A page in the admin's frame."""
    request.current_app = model_admin.admin_site.name
    everything = {
        **model_admin.admin_site.each_context(request),
        "opts": Flow._meta,
        "may": allowed(request),
        **context,
    }
    return TemplateResponse(request, f"admin/oscar_crosschannel/{template}", everything)


def allowed(request: HttpRequest) -> dict[str, bool]:
    """For templates: which buttons there are."""
    user = request.user
    return {
        "change_flow": user.has_perm(CHANGE_FLOW),
        "add_flow": user.has_perm(ADD_FLOW),
        "delete_flow": user.has_perm(DELETE_FLOW),
        "view_copy": user.has_perm(VIEW_COPY) or user.has_perm(CHANGE_COPY),
        "change_copy": user.has_perm(CHANGE_COPY),
        "send_test": user.has_perm(SEND_TEST),
        "view_contact": user.has_perm(VIEW_CONTACT),
        "view_run": user.has_perm(VIEW_RUN),
    }
