"""Where an email that invites to texts leads: the words, the number, and one button.

Opening it changes nothing, for scanners open every link. What comes of it is credited to the email.
"""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language, override
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from ..conf import settings
from ..core import tokens
from ..core.consent import Unasked
from ..models import Contact, Message
from ..oscar import invitations
from ..oscar.sign_ups import SignUp
from ..services import preferences as center
from . import because
from .pages import page, unknown_link


@csrf_exempt  # the link is the proof, in any browser; to forge the request one would need it
@login_not_required
@never_cache
@xframe_options_deny
@require_http_methods(["GET", "HEAD", "POST"])
def join_texts(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST signs up. 404: none of our links; 410: its address is in use no more."""
    found = tokens.read(tokens.JOIN_TEXTS, token, keys=settings.link_keys())
    messages = Message.objects.select_related("contact__merged_into", "point")
    message = messages.filter(pk=found[0]).first() if found else None
    if message is None:
        return unknown_link()
    visitor = center.by_link(message)
    if visitor is None or visitor.contact is None:
        return page("preferences/over", language=message.contact.language, status=410)
    with override(visitor.contact.language or get_language()):
        return _serve(request, visitor.contact, message.pk)


def _serve(request: HttpRequest, contact: Contact, message_id: int) -> HttpResponse:
    if request.method != "POST":
        return _ask(invitations.form(request, contact))
    trouble = invitations.take(request, contact, message_id=message_id, now=timezone.now())
    if isinstance(trouble, Unasked):
        return _ask(invitations.form(request, contact), because.not_asked(trouble))
    if trouble:
        return _ask(invitations.form(request, contact, trouble))
    signed_in = request.user.is_authenticated and request.user.pk == contact.user_id
    return page("sign_up/done", signed_in=signed_in, by_text=True)


def _ask(form: SignUp, refusal: str = "") -> HttpResponse:
    return page("join_texts/ask", form=form, refusal=refusal, prefix="cc_join", is_whole=True)
