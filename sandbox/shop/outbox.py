"""Shows the emails that Django's file backend has written, so that no mail server is needed."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin

#: What the backend writes below every message.
_END = b"\n" + b"-" * 79 + b"\n"


def outbox(request: HttpRequest) -> HttpResponse:
    """All emails, the newest first."""
    numbered = list(enumerate(_messages()))
    return render(request, "shop/outbox.html", {"messages_sent": reversed(numbered)})


def outbox_message(request: HttpRequest, number: int) -> HttpResponse:
    """One email as its reader sees it, with its headers."""
    message = _message(number)
    text = message.get_body(("plain",))
    context = {
        "number": number,
        "headers": message.items(),
        "text": text.get_content() if text else "",
        "has_html": message.get_body(("html",)) is not None,
    }
    return render(request, "shop/outbox_message.html", context)


@xframe_options_sameorigin
def outbox_html(_request: HttpRequest, number: int) -> HttpResponse:
    """The HTML part alone, for the frame of the page above; its links open outside the frame."""
    html = _message(number).get_body(("html",))
    if html is None:
        raise Http404
    return HttpResponse(html.get_content().replace("<head>", '<head><base target="_blank">', 1))


def _message(number: int) -> EmailMessage:
    messages = list(_messages())
    if number >= len(messages):
        raise Http404
    return messages[number]


def _messages() -> Iterator[EmailMessage]:
    folder = Path(getattr(settings, "EMAIL_FILE_PATH", None) or settings.HOME / "outbox")
    for path in sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime):
        for raw in path.read_bytes().split(_END):
            if raw.strip():
                yield message_from_bytes(raw, EmailMessage, policy=modern)
