"""The page behind the link of a confirmation email: one button, and the box that was ticked counts."""

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
from ..core import phones, tokens
from ..core.consent import Unasked
from ..core.facts import SMS
from ..models import ConsentEvent
from ..services import consents
from . import because
from .pages import page, unknown_link


@csrf_exempt  # the link is the proof, in any browser; to forge the request one would need it
@login_not_required
@never_cache
@xframe_options_deny
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST confirms. 404: none of our links; 410: used, overtaken or too old."""
    found = tokens.read(tokens.CONFIRM, token, keys=settings.link_keys())
    asked = (
        ConsentEvent.objects.select_related("contact", "text").filter(pk=found[0]).first() if found else None
    )
    if asked is None:
        return unknown_link()
    now = timezone.now()
    if request.method == "POST":
        confirmed = consents.confirm_link(
            asked.pk,
            now=now,
            ip=request.META.get("REMOTE_ADDR", ""),
            user_agent=request.headers.get("User-Agent", ""),
        )
        return _answer("confirm/done" if confirmed else "confirm/over", asked)
    is_open = consents.open_request(asked.pk, now=now) is not None
    return _answer("confirm/ask" if is_open else "confirm/over", asked)


def _answer(name: str, asked: ConsentEvent) -> HttpResponse:
    language = asked.contact.language if asked.contact else ""
    came_of_it = ConsentEvent.objects.filter(request=asked).order_by("pk")
    last = came_of_it.exclude(action=ConsentEvent.Action.EXPIRE).last()
    with override(language or get_language()):
        is_unasked = last is not None and last.action == ConsentEvent.Action.UNASKED
        trouble = because.not_asked(Unasked(last.mechanism)) if last is not None and is_unasked else ""
    return page(
        name,
        language=language,
        status=410 if name == "confirm/over" else 200,
        number=phones.mask(asked.address) if asked.channel == SMS else "",
        words=asked.text.words if asked.text else "",
        # the number itself is asked next
        texted=last is not None and last.action == ConsentEvent.Action.REQUEST,
        trouble=trouble,
    )
