"""Where the box “Text me when it ships” goes. Its link is shown to the buyer alone."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from ..conf import settings
from ..core import tokens
from ..oscar import order_texts as service
from .pages import page, unknown_link
from .sign_up import back_to


@csrf_protect
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def order_texts(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows the box, POST takes the number. 404: none of our links."""
    found = tokens.read(tokens.ORDER_TEXTS, token, keys=settings.link_keys())
    order = service.find(found[0]) if found else None
    if order is None:
        return unknown_link()
    trouble = None
    if request.method == "POST":
        taken = service.take(request, order, now=timezone.now())
        if not isinstance(taken, service.Trouble):
            topics = service.chosen(request)
            return page(
                "order_texts/done",
                number=taken,
                order_number=order.number,
                about_order=service.ORDERS in topics,
                before_event=service.EVENTS in topics,
                back=back_to(request),
            )
        trouble = taken
    return page(
        "order_texts/ask",
        offer=service.shown_again(request, order, trouble),
        csrf_token=get_token(request),
        back=back_to(request),
    )
