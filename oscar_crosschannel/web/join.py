"""Where a booked event is joined: the link in messages and calendars, which stays the same if the event moves on."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..conf import settings
from ..core import tokens
from ..oscar import events
from .pages import page, unknown_link


@never_cache
@login_not_required
@require_safe
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Send on to where the event is held now. 410: it is cancelled, or the booking is."""
    found = tokens.read(tokens.JOIN, token, keys=settings.link_keys())
    if found is None:
        return unknown_link()
    booked = events.find(found[0])
    if booked is None or booked[1].cancelled_at is not None or not booked[1].join_link:
        return page("join/closed", status=410, cancelled=bool(booked and booked[1].cancelled_at))
    return HttpResponseRedirect(booked[1].join_link)
