"""What a number reads that has just agreed to texts: the first message of a program, as carriers ask for it."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import translation
from django.utils.translation import gettext as _

from ..conf import settings
from . import wordings


def signed_up(topics: Sequence[str]) -> str:
    """Seller, program, frequency, rates, HELP and STOP, in the language in force. `topics` are keys."""
    names = wordings.read(translation.get_language() or "").names(topics)
    return _(
        "%(brand)s: You signed up for %(topics)s by text, up to %(frequency)s a month. "
        "Message and data rates may apply. Reply HELP for help, STOP to cancel."
    ) % {"brand": settings.BRAND, "topics": ", ".join(names), "frequency": settings.SMS_FREQUENCY}
