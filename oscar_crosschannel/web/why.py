"""The page that says why somebody got a message.

A link in each email leads here. A text has no room for it beside its own: there the way is the page behind that,
or the number's own link, which stands in our answers to JOIN and YES, and to HELP where we answer it.
"""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language, override
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.http import require_safe

from ..conf import settings
from ..core import phones, tokens
from ..core.facts import EMAIL, Purpose
from ..models import Message
from ..services import contacts, links
from ..services.why import reasons
from . import because
from .pages import page, unknown_link


@login_not_required
@never_cache
@xframe_options_deny
@require_safe
def why(request: HttpRequest, token: str) -> HttpResponse:
    """What the person agreed to, what happened, and where the message went. 404: none of our links."""
    found = tokens.read(tokens.WHY, token, keys=settings.link_keys())
    message = _message(found[0]) if found else None
    if message is None:
        return unknown_link()
    contact = contacts.followed(message.contact)
    language = contact.language or get_language() or ""
    zone = contact.zone if contact.zone in phones.every_zone() else None
    with override(language), timezone.override(zone):
        why = reasons(message, language=language)
        return page(
            "why/page",
            language=language,
            topic=why.topic.name,
            by_email=why.channel == EMAIL,
            address=phones.mask(why.point.address) if why.point is not None else "",
            day=because.day(why.sent_at) if why.sent_at is not None else "",
            occasion=why.occasion,
            purpose=why.purpose.value,
            agreed_on=because.day(why.agreed.at) if why.agreed is not None else "",
            agreed=because.agreed(why.agreed) if why.agreed is not None else "",
            words=why.agreed.text.words if why.agreed is not None and why.agreed.text is not None else "",
            stopped_on=because.day(why.stopped.at) if why.stopped is not None else "",
            stopped=because.stopped(why.stopped) if why.stopped is not None else "",
            can_stop=why.purpose in (Purpose.MARKETING, Purpose.REQUESTED) and why.stopped is None,
            unsubscribe_path=links.unsubscribe_path(message.pk),
            preferences_path=links.preferences_path(message.pk),
        )


def _message(message_id: int) -> Message | None:
    messages = Message.objects.select_related("contact__merged_into", "point", "flow", "enrolment")
    return messages.filter(pk=message_id).first()
