"""The page and its buttons. With DEBUG only: anybody may become anybody here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import get_user_model, login, logout
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST

from oscar_crosschannel.services.previews import in_new_windows
from sandbox.shop.people import STAFF

from . import beginning, engine, happenings, mails, outlooks, phones, readers
from .happenings import Happening
from .readers import Reader

#: Where the list of what happened last stands in the session.
TOLD = "outbox_told"
MORNING = 9

View = Callable[..., HttpResponse]


def _sandbox_only(view: View) -> View:
    """No such page outside DEBUG; in English, like the sentences of the sandbox."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.DEBUG:
            raise Http404
        with translation.override("en"):
            return view(request, *args, **kwargs)

    return guarded


def _button(view: View) -> View:
    """Changes something. Never in a transaction: the engine has its own, and calls the shop back."""
    return transaction.non_atomic_requests(_sandbox_only(require_POST(view)))


@dataclass(frozen=True, slots=True)
class _Leap:
    """A button that moves the time."""

    key: str
    label: str
    until: datetime | None  #: None: until something falls due


@_sandbox_only
@require_GET
def outbox(request: HttpRequest) -> HttpResponse:
    """Everybody at the left, one person's inbox and phone at the right, the clock above."""
    now = timezone.now()
    people = readers.everybody()
    if not people:
        raise Http404("The shop is empty: manage.py seed_shop")
    inboxes = mails.everything()
    reader = _chosen(request.GET.get("who") or _yourself(request, people), people)
    inbox = _inbox(reader, inboxes)
    screen = phones.screen(reader.phone) if reader.phone else []
    planned = outlooks.outlooks(people, now)
    context = {
        "now": now,
        "shop_zone": settings.TIME_ZONE,
        "leaps": _leaps(reader, now),
        "told": _told(request),
        "people": [_card(each, inboxes, planned, now) for each in people],
        "reader": _card(reader, inboxes, planned, now),
        "first": people[0],
        "inbox": inbox,
        "opened": _opened(request.GET.get("mail", ""), inbox),
        "screen": screen,
        "can_reply": phones.here() is not None,
        "mail_host": getattr(settings, "EMAIL_HOST", "") if "smtp" in settings.EMAIL_BACKEND else "",
        "staff": STAFF[0],
    }
    return render(request, "shop/outbox.html", context)


@_sandbox_only
@require_GET
@xframe_options_sameorigin
def mail_html(_request: HttpRequest, mail_id: str) -> HttpResponse:
    """The HTML of an email alone, for the frame of the page; its links open outside the frame."""
    mail = mails.find(mail_id)
    if mail is None or not mail.html:
        raise Http404
    return HttpResponse(in_new_windows(mail.html))


@_button
def leap(request: HttpRequest) -> HttpResponse:
    """Move the time, and let the engine do on the way what falls due."""
    reader = _chosen(request.POST.get("who", ""), readers.everybody())
    began = timezone.now()
    chosen = next((leap for leap in _leaps(reader, began) if leap.key == request.POST.get("leap")), None)
    if chosen is None:
        return HttpResponse("There is no such button.", status=400)
    _remember(request, chosen.label, began, engine.advance(chosen.until))
    return _back(reader, "told")


@_button
def reply(request: HttpRequest) -> HttpResponse:
    """Text the shop from somebody's phone."""
    reader = _chosen(request.POST.get("who", ""), readers.everybody())
    words, running = request.POST.get("words", "").strip(), phones.here()
    if running is None or not reader.phone or not words:
        return HttpResponse("Nothing to text, or no phone that could.", status=400)
    if not running.reply(reader.phone, words):
        return HttpResponse("The shop refused the text; its terminal says why.", status=502)
    engine.work()
    return _back(reader, "phone")


@_button
def become(request: HttpRequest) -> HttpResponse:
    """Be a customer of the sandbox, the staff, or a visitor whom nobody knows, and go to the shop."""
    username, target = request.POST.get("username", ""), request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        target = "/"
    logout(request)
    if username:
        user = get_object_or_404(get_user_model(), username=username, is_active=True)
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return _with_an_empty_basket(HttpResponseRedirect(target))


@_button
def start_over(request: HttpRequest) -> HttpResponse:
    """Everything as on the first day."""
    logout(request)
    beginning.start_over()
    return _with_an_empty_basket(redirect("outbox"))


def _with_an_empty_basket(response: HttpResponse) -> HttpResponse:
    """Another person has another browser: a visitor's basket must not become part of theirs."""
    oscar: Any = settings  # its settings have no types
    response.delete_cookie(oscar.OSCAR_BASKET_COOKIE_OPEN)
    return response


def next_morning(now: datetime, zone: str) -> datetime:
    """The next 9:00 on the wall clock of `zone`."""
    local = now.astimezone(ZoneInfo(zone))
    morning = local.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    return morning if morning > local else morning + timedelta(days=1)


def _leaps(reader: Reader, now: datetime) -> list[_Leap]:
    return [
        _Leap("hour", "+1 hour", now + timedelta(hours=1)),
        _Leap("morning", f"To 9:00 {_where(reader)}", next_morning(now, reader.zone)),
        _Leap("day", "+24 hours", now + timedelta(hours=24)),
        _Leap("next", "To what is next", None),
    ]


def _where(reader: Reader) -> str:
    return f"in {reader.place}" if reader.place else f"in {reader.zone.rpartition('/')[2].replace('_', ' ')}"


def _chosen(key: str, people: Sequence[Reader]) -> Reader:
    """Who was asked for; else the first."""
    return next((reader for reader in people if key in (*reader.emails, *reader.phones)), people[0])


def _yourself(request: HttpRequest, people: Sequence[Reader]) -> str:
    """Whom a visitor wants to see first: who they are in the shop, or the newest guest."""
    if request.user.is_authenticated:
        return str(request.user.email)
    guests = (reader for reader in people if reader.contact and not reader.contact.user_id)
    return next((guest.key for guest in guests), "")


def _card(
    reader: Reader,
    inboxes: Sequence[mails.Mail],
    planned: Mapping[str, outlooks.Outlook],
    now: datetime,
) -> dict[str, Any]:
    return {
        "who": reader,
        "sleeps": reader.sleeps(now),
        "mails": len(_inbox(reader, inboxes)),
        "texts": sum(bubble.is_ours for bubble in phones.screen(reader.phone)) if reader.phone else 0,
        "outlook": planned[reader.key],
    }


def _inbox(reader: Reader, inboxes: Sequence[mails.Mail]) -> list[mails.Mail]:
    """Somebody's emails, the newest first."""
    return [mail for mail in reversed(inboxes) if set(mail.to) & set(reader.emails)]


def _opened(mail_id: str, inbox: Sequence[mails.Mail]) -> mails.Mail | None:
    """The email that was asked for; else the newest."""
    return next((mail for mail in inbox if mail.id == mail_id), inbox[0] if inbox else None)


def _remember(request: HttpRequest, label: str, began: datetime, happened: Sequence[Happening]) -> None:
    request.session[TOLD] = {
        "label": label,
        "began": began.isoformat(),
        "ended": timezone.now().isoformat(),
        "happenings": [each.as_json() for each in happened],
    }


def _told(request: HttpRequest) -> dict[str, Any] | None:
    """What happened at the last leap."""
    stored = request.session.get(TOLD)
    if stored is None:
        return None
    return {
        "label": stored["label"],
        "began": datetime.fromisoformat(stored["began"]),
        "ended": datetime.fromisoformat(stored["ended"]),
        "happenings": [happenings.from_json(each) for each in stored["happenings"]],
    }


def _back(reader: Reader, fragment: str) -> HttpResponse:
    query = urlencode({"who": reader.key})
    return HttpResponseRedirect(f"{reverse('outbox')}?{query}#{fragment}")
