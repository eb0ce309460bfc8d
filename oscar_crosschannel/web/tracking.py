"""Links in messages: count the request, and send the visitor on."""

from __future__ import annotations

import logging
from uuid import uuid4

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..conf import settings
from ..core import tokens
from ..core.events import Event
from ..models import Message
from ..services import inbox
from ..services.clicks import SETTLE
from .pages import unknown_link

logger = logging.getLogger(__name__)


@never_cache
@login_not_required
@require_safe
def click(request: HttpRequest, token: str) -> HttpResponse:
    """Note one request for a link, whoever made it, and redirect to the path stored with the message.

    Whether a person clicked is judged later, together with what else was opened at that time.
    """
    found = tokens.read(tokens.CLICK, token, keys=settings.link_keys())
    path = _path(*found) if found else None
    if found is None or path is None:
        return unknown_link()
    message_id, link = found
    now = timezone.now()
    event = Event(
        name="link.clicked",
        key=uuid4().hex,
        occurred_at=now,
        not_before=now + SETTLE,
        data={
            "message": message_id,
            "link": link,
            "method": request.method,
            "user_agent": request.headers.get("User-Agent", "")[:300],
        },
    )
    try:
        inbox.record(event, now=now)
    except DatabaseError:
        logger.exception("a click on message %d was not recorded", message_id)  # the visitor still arrives
    return HttpResponseRedirect(settings.BASE_URL + path)


def _path(message_id: int, link: int) -> str | None:
    paths = Message.objects.filter(pk=message_id).values_list("links", flat=True).first() or []
    path = paths[link] if link < len(paths) else None
    return path if isinstance(path, str) and path.startswith("/") else None
