"""Why something was not sent, in the words of the admin. The one place that reads the app's own tables."""

from __future__ import annotations

from collections import Counter

from django.db.models import Q

from oscar_crosschannel.admin import sentences, titles
from oscar_crosschannel.blueprints.abandoned_cart import AbandonedCart
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import Message


def of(email: str) -> list[str]:
    """What of the flow this person did not get, with the number of baskets if it is more than one."""
    theirs = Q(contact__user__email=email) | Q(contact__points__address=email)
    kept_back = (
        Message.objects.filter(theirs, flow__key=AbandonedCart.key)
        .exclude(state=State.SENT)
        .order_by("id")
        .distinct()
    )
    counted = Counter(map(_sentence, kept_back))
    return [f"{words} ({count} ×)" if count > 1 else words for words, count in counted.items()]


def _sentence(message: Message) -> str:
    step = AbandonedCart.plan().step(message.step_key)
    return (
        f"{titles.step(message.step_key)}: {sentences.reason(message.reason, step.channels if step else ())}"
    )
