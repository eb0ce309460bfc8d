"""The way out of a message: one click in the mailbox (RFC 8058), or one button on a page."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from ..conf import settings
from ..core import phones, tokens
from ..core.facts import EMAIL
from ..models import Message
from ..services import consents, links
from ..services.why import channel_of, topic_words
from .pages import page, unknown_link


@csrf_exempt  # mailbox providers send no cookie; to forge the request one would need the link
@login_not_required
@never_cache
@xframe_options_deny
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST stops the topic of the message, or with `everything` all marketing on its channel.

    Never redirects and may be repeated. 404: the link is none of ours.
    """
    found = tokens.read(tokens.UNSUBSCRIBE, token, keys=settings.link_keys())
    message = _message(found[0]) if found else None
    if message is None:
        return unknown_link()
    if request.method != "POST":
        return _answer("unsubscribe/ask", message)
    one_click = request.POST.get("List-Unsubscribe") == "One-Click"
    everything = not one_click and "everything" in request.POST
    if address := _address(message):
        consents.revoke(
            channel_of(message),
            address,
            topics=None if everything else [message.topic],
            source="one_click" if one_click else "page",
            mechanism="link",
            message_id=message.pk,
            now=timezone.now(),
        )
    if one_click:
        return HttpResponse("OK", content_type="text/plain")
    return _answer("unsubscribe/done", message, everything=everything)


def _message(message_id: int) -> Message | None:
    return Message.objects.select_related("contact", "point").filter(pk=message_id).first()


def _address(message: Message) -> str:
    """Where the message went; if that is not known any more, where its contact is reached now."""
    if message.point is not None:
        return message.point.address
    point = message.contact.points.filter(channel=channel_of(message), current=True).first()
    return point.address if point else ""


def _answer(name: str, message: Message, *, everything: bool = False) -> HttpResponse:
    language = message.contact.language or get_language() or ""
    return page(
        name,
        language=language,
        topic=topic_words(message, language=language).name,
        by_email=channel_of(message) == EMAIL,
        address=phones.mask(_address(message)),
        everything=everything,
        why_path=links.why_path(message.pk),
        preferences_path=links.preferences_path(message.pk),
    )
