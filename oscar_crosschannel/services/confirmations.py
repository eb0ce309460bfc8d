"""What a number reads that has just agreed to texts: the first message of a program, as carriers ask for it.

Texts about an offer have room for one link, so the way to all one gets, and why, stands in our answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import translation
from django.utils.translation import gettext as _

from ..conf import settings
from ..models import ContactPoint
from . import links, wordings


def signed_up(topics: Sequence[str], point: ContactPoint | None) -> str:
    """Seller, program, frequency, rates, HELP, STOP and the number's own link, in the language in force.

    `topics` are keys. Two segments, for a signed link alone takes a third of one.
    """
    names = wordings.read(translation.get_language() or "").names(topics)
    words = _(
        "%(brand)s: You signed up for %(topics)s by text, up to %(frequency)s a month. "
        "Message and data rates may apply. Reply HELP for help, STOP to cancel."
    ) % {"brand": settings.BRAND, "topics": ", ".join(names), "frequency": settings.SMS_FREQUENCY}
    return with_choices(words, point)


def with_choices(words: str, point: ContactPoint | None) -> str:
    """An answer to a number, and where its owner chooses what they get and reads why they got it."""
    if point is None:
        return words
    way = _("Choose what you get: %(link)s") % {"link": links.number_url(point.pk)}
    return f"{words} {way}"
