"""Why something was not sent, in the words of the admin. The one place that reads the app's own tables."""

from __future__ import annotations

from django.db.models import Q

from oscar_crosschannel.admin import sentences
from oscar_crosschannel.blueprints import AbandonedCart
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import Message


def of(email: str) -> list[str]:
    """One sentence per reminder or code that this person did not get."""
    theirs = Q(contact__user__email=email) | Q(contact__points__address=email)
    kept_back = (
        Message.objects.filter(theirs, flow__key=AbandonedCart.key)
        .exclude(state=State.SENT)
        .order_by("id")
        .distinct()
    )
    return [_sentence(message) for message in kept_back]


def _sentence(message: Message) -> str:
    step = AbandonedCart.plan().step(message.step_key)
    channels = step.channels if step else ()
    return f"{sentences.channels(channels)}: {sentences.reason(message.reason, channels)}"
