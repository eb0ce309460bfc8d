"""The preference center: what somebody gets from the shop, since when and why, and every way to change it.

One page with two doors. A customer finds it in their account; whoever gets our messages, behind the
link in each of them, without any log-in. Behind a link it shows no name, no order and no whole address,
for links are forwarded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.contrib.auth.decorators import login_not_required, login_required
from django.db import transaction
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy as _, override
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from ..conf import settings
from ..core import phones, tokens
from ..core.facts import EMAIL, SMS
from ..models import ContactPoint, Message
from ..services import links, preferences as center
from ..services.preferences import Preferences, Visitor
from ..services.why import texts_to
from . import because
from .pages import page, unknown_link
from .preference_form import PreferencesForm

#: What the page says after a button was pressed, by the name in its address.
_DONE: Mapping[str, str | Promise] = {
    "saved": _("Saved. This is how things stand now."),
    "stopped": _("Stopped. We send you nothing of the kind any more."),
    "going": _("The pause is over."),
}
_AGAIN = _("The words you agree to have changed in the meantime. Please look at them once more.")
#: What became of a form of which not everything could be saved.
_NOTHING = _("Nothing was saved yet:")
_ONLY_STOPS = _("What you switched off is off from now on. The rest was not saved yet:")
#: The buttons that stop everything, by their value.
_STOPS: Mapping[str, tuple[str, ...]] = {EMAIL: (EMAIL,), SMS: (SMS,), "all": (EMAIL, SMS)}


@transaction.non_atomic_requests  # a stop is committed before the rest of the form is looked at
@csrf_exempt  # the link is the proof, in any browser; to forge the request one would need it
@login_not_required
@never_cache
@xframe_options_deny
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """The page behind the link of a message. 404: none of our links; 410: its address is in use no more."""
    followed = _message(token) or _point(token)
    if followed is None:
        return unknown_link()
    visitor = center.by_link(followed) if isinstance(followed, Message) else center.by_number(followed)
    language = followed.contact.language or get_language() or ""
    if visitor is None or visitor.contact is None or visitor.proven is None:
        return page("preferences/over", language=language, status=410)
    language = visitor.contact.language or language
    with override(language), timezone.override(_clock(visitor)):
        shown = _serve(request, visitor)
        if isinstance(shown, HttpResponse):
            return shown
        texts = texts_to(visitor.proven, language=language) if visitor.proven.channel == SMS else []
        return page("preferences/link", language=language, texts=texts, **shown)


@transaction.non_atomic_requests
@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """The page in the customer's account, in the shop's own layout."""
    user: Any = request.user
    with timezone.override(_clock(visitor := center.by_account(user.pk, user.email or ""))):
        shown = _serve(request, visitor)
        if isinstance(shown, HttpResponse):
            return shown
        words = {"page_title": _("Messages from us"), "active_tab": "crosschannel", "brand": settings.BRAND}
        return render(request, "oscar_crosschannel/preferences/account.html", {**shown, **words})


def _message(token: str) -> Message | None:
    found = tokens.read(tokens.PREFERENCES, token, keys=settings.link_keys())
    messages = Message.objects.select_related("contact__merged_into", "point")
    return messages.filter(pk=found[0]).first() if found else None


def _point(token: str) -> ContactPoint | None:
    """Of the number to which we answered with this link."""
    found = tokens.read(tokens.NUMBER, token, keys=settings.link_keys())
    points = ContactPoint.objects.select_related("contact__merged_into")
    return points.filter(pk=found[0]).first() if found else None


def _clock(visitor: Visitor) -> str | None:
    zone = visitor.contact.zone if visitor.contact is not None else ""
    return zone if zone in phones.every_zone() else None


def _serve(request: HttpRequest, visitor: Visitor) -> HttpResponse | dict[str, Any]:
    """Do what was posted, and lead back here; else what the page shows."""
    now = timezone.now()
    if request.method == "POST" and request.POST.get("stop") in _STOPS:
        center.stop(visitor, _STOPS[request.POST["stop"]], now=now)
        return _back(request, "stopped")
    if request.method == "POST" and "go_on" in request.POST:
        if visitor.contact is not None:
            center.choose(visitor.contact, paused_until=None, now=now)
        return _back(request, "going")
    found = center.read(visitor, language=get_language() or "", now=now)
    if request.method != "POST":
        return _shown(request, visitor, found, PreferencesForm(visitor, found, now=now))
    form = PreferencesForm(visitor, found, now=now, data=request.POST)
    if (trouble := _save(request, visitor, form, now)) is None:
        return _back(request, "saved")
    if form.switched_off():
        visitor = center.again(visitor)
        found = center.read(visitor, language=get_language() or "", now=now)
    return _shown(request, visitor, found, form, trouble)


def _save(
    request: HttpRequest, visitor: Visitor, form: PreferencesForm, now: datetime
) -> str | Promise | None:
    """Save what can be; what could not is told beside its field, or returned. None: everything was saved.

    What somebody switches off counts whatever is wrong with the rest.
    """
    if not form.is_valid():
        center.switch_off(visitor, form.switched_off(), now=now)
        return ""
    try:
        center.save(visitor, form.wishes(_circumstances(request, visitor)), now=now)
    except center.WordsChanged:
        return _AGAIN
    except center.NotAsked as refusal:
        form.refuse(refusal.why)
        return ""
    return None


def _back(request: HttpRequest, done: str) -> HttpResponse:
    return HttpResponseRedirect(f"{request.path}?done={done}")


def _circumstances(request: HttpRequest, visitor: Visitor) -> dict[str, str]:
    """The proof around an answer. Behind a link the address of the page would let its readers in."""
    session = getattr(request, "session", None) if visitor.signed_in else None
    key = (session.session_key if session is not None else "") or ""
    if not visitor.signed_in:
        path = request.path.replace(request.path.rstrip("/").rpartition("/")[2], "…")
    else:
        path = request.path
    return {
        "page_url": links.absolute(path)[:500],
        "ip": request.META.get("REMOTE_ADDR", ""),
        "user_agent": request.headers.get("User-Agent", "")[:300],
        "session": sha256(key.encode()).hexdigest() if key else "",
    }


@dataclass(frozen=True, slots=True)
class _Cell:
    """One topic on one channel, as the page shows it."""

    channel: str
    label: str
    box: BoundField | None
    standing: str


@dataclass(frozen=True, slots=True)
class _Card:
    """One topic."""

    name: str
    description: str
    cells: tuple[_Cell, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a channel leads."""

    channel: str
    label: str
    address: str
    verified: str
    is_asked: bool  #: it waits for the yes of its owner
    blocked: str


def _shown(
    request: HttpRequest,
    visitor: Visitor,
    found: Preferences,
    form: PreferencesForm,
    trouble: str | Promise = "",
) -> dict[str, Any]:
    contact, now = visitor.contact, timezone.now()
    paused = contact.paused_until if contact is not None else None
    return {
        "form": form,
        "trouble": trouble,
        "not_saved": (_ONLY_STOPS if form.switched_off() else _NOTHING) if form.is_bound else "",
        "done": _DONE.get(request.GET.get("done", "")) if request.method != "POST" else None,
        "here": request.path,
        "cards": [
            _Card(each.words.name, each.words.description, tuple(_cells(each.choices, form)))
            for each in found.topics
        ],
        "lines": list(_lines(visitor, found)),
        "numbers": [phones.mask(number) for number in found.to_confirm],
        "asked": [phones.mask(number) for number in found.to_answer],
        "words": [
            (kind, heading, found.words[kind])
            for kind, heading in because.KINDS.items()
            if kind in found.words
        ],
        "words_language": get_language() or "",
        "paused": because.day(paused) if paused is not None and paused > now else "",
    }


def _cells(choices: tuple[center.Choice, ...], form: PreferencesForm) -> Iterator[_Cell]:
    for choice in choices:
        label = str(because.CHANNELS[choice.channel])
        yield _Cell(choice.channel, label, form.box(choice), because.standing(choice))


def _lines(visitor: Visitor, found: Preferences) -> Iterator[_Line]:
    for channel, reach in found.reaches.items():
        shown = reach.address if visitor.signed_in and channel == EMAIL else phones.mask(reach.address)
        verified = reach.point.verified_at if reach.point is not None else None
        yield _Line(
            channel,
            str(because.CHANNELS[channel]),
            shown if reach.address else "",
            because.day(verified) if verified is not None else "",
            verified is None and found.is_asked(channel),
            because.blocked(reach),
        )
