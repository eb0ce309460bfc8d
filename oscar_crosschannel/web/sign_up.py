"""Where the sign-up form goes, from whichever page of the shop; and a page with nothing but the form."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from ..core.facts import EMAIL, SMS
from ..oscar import sign_ups
from .pages import page


@csrf_protect
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """GET shows the form. POST answers the same to everybody, whether an address is known or not."""
    if request.method != "POST":
        return _form(request, sign_ups.blank(request))
    filled = sign_ups.read(request)
    if filled.troubles:
        return _form(request, sign_ups.blank(request, filled.troubles))
    sign_ups.take(request, filled, now=timezone.now())
    return page(
        "sign_up/done",
        signed_in=request.user.is_authenticated,
        by_email=EMAIL in filled.addresses,
        by_text=SMS in filled.addresses,
        back=back_to(request),
    )


def back_to(request: HttpRequest) -> str:
    """The page of the shop that the form stood on; empty if it names any other place."""
    place = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        place, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return place if is_ours else ""


def _form(request: HttpRequest, form: sign_ups.SignUp) -> HttpResponse:
    return page(
        "sign_up/ask",
        form=form,
        csrf_token=get_token(request),
        back=back_to(request),
        prefix="cc_sign_up",
        is_whole=True,
    )
