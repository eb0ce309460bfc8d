"""The page behind the basket link of a message: shows what was left, and brings it back on a click.

Opening it changes nothing, because mail scanners open every link. Whoever presses the button gets
the things into the basket of their own session; nobody is logged in by a link.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from ..conf import settings
from ..core import tokens
from ..core.events import Event
from ..models import Contact, Message
from ..oscar import baskets, recovery
from ..oscar.safety import safe
from ..services import contacts, inbox, links, vouchers
from .pages import page, unknown_link

#: What a basket is that a link filled: `Belonging` says for whom.
RESTORED = "restored"


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def recover(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows the basket of the message, POST restores it. 404: forged; 410: too late, or nothing left."""
    message = _message_of(token)
    if message is None:
        return unknown_link()
    basket_id = _basket_of(message)
    content = None if _is_expired(message) else recovery.left_in(basket_id)
    if content is None:
        return page("recovery/gone", status=410, **_ways(message))
    if request.method == "POST":
        return _restore(request, message, basket_id)
    return page(
        "recovery/ask",
        csrf_token=get_token(request),
        **_ways(message),
        **content.words(),
    )


def _ways(message: Message) -> dict[str, Any]:
    """What a text has no room for beside its one link."""
    return {"why_path": links.why_path(message.pk), "preferences_path": links.preferences_path(message.pk)}


def _restore(request: Any, message: Message, basket_id: int) -> HttpResponse:
    with transaction.atomic():
        result = recovery.restore(request, basket_id)
        _tell(request, result)
        if result.restored and (code := _code_of(message)):
            recovery.apply_voucher(request, code)
    with safe("basket.recovered"), transaction.atomic():
        contact = contacts.followed(message.contact)
        if result.restored:
            # so that buying it ends the run, under whatever email; its contents stay the visitor's own
            contacts.remember(RESTORED, request.basket.pk, contact)
        _publish(message, contact, basket_id)
    return redirect(settings.BASKET_URL)


def _tell(request: HttpRequest, result: recovery.Restoration) -> None:
    for missing in result.missing:
        messages.warning(request, f"{missing.title}: {missing.reason}")
    if result.restored:
        words = ngettext(
            "%(count)d product is back in your basket.",
            "%(count)d products are back in your basket.",
            result.restored,
        )
        messages.success(request, words % {"count": result.restored})
    else:
        messages.warning(request, _("Nothing of your basket can be bought at the moment."))


def _publish(message: Message, contact: Contact, basket_id: int) -> None:
    """Coming back is activity: the run's next message counts from here. It is the addressee's run,
    whoever the visitor is.
    """
    now, user_id = timezone.now(), contact.user_id
    inbox.publish(
        Event(
            name="basket.recovered",
            key=f"message:{message.pk}",
            occurred_at=now,
            user_id=user_id,
            subjects={"basket": basket_id},
        ),
        Event(
            name="basket.active",
            # its own key, because a request of the person's tells more of them
            key=f"basket:{basket_id}:recovered",
            occurred_at=now,
            user_id=user_id,
            subjects={"basket": basket_id},
        ),
        now=now,
    )


def _message_of(token: str) -> Message | None:
    """The message whose link this is; None for a forged token, or a message about no basket."""
    found = tokens.read(tokens.RECOVER, token, keys=settings.link_keys())
    if found is None:
        return None
    message = Message.objects.select_related("contact", "enrolment").filter(pk=found[0]).first()
    if message is None or message.enrolment is None or "basket" not in message.enrolment.subjects:
        return None
    return message


def _basket_of(message: Message) -> int:
    assert message.enrolment is not None
    basket_id = int(message.enrolment.subjects["basket"])
    user_id = contacts.followed(message.contact).user_id
    return baskets.follow_merges({basket_id: user_id})[basket_id]


def _is_expired(message: Message) -> bool:
    valid_for: timedelta = settings.RECOVERY_VALID_FOR
    return message.attempted_at is None or message.attempted_at + valid_for < timezone.now()


def _code_of(message: Message) -> str:
    """The code this run gave out, if it did; the email's link takes it along once the text has brought it."""
    assert message.enrolment_id is not None
    grant = vouchers.of_runs([message.enrolment_id]).get(message.enrolment_id)
    return grant.code if grant is not None else ""
