"""What the app itself says of its messages, in the words of the admin. The one place that reads its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Q, QuerySet

from oscar_crosschannel.admin import sentences, titles
from oscar_crosschannel.core.facts import EMAIL
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Message
from oscar_crosschannel.services.plans import Plans, load_plans

#: What was answered meanwhile, or is told by a newer run, was not held back.
_NOTHING_TO_SAY = [Reason.NOT_WANTED, Reason.REPLACED]


def sent(emails: Collection[str], *, since: datetime) -> list[str]:
    """What somebody got, by flow: "Looked at, not bought: text, 2 emails"."""
    by_flow: dict[str, Counter[str]] = {}
    for message in _theirs(emails, since).filter(state=State.SENT):
        by_flow.setdefault(titles.flow(message.flow), Counter())[message.channel or ""] += 1
    return [
        f"{flow}: {', '.join(_count(*each) for each in kinds.items())}" for flow, kinds in by_flow.items()
    ]


def held_back(emails: Collection[str], *, since: datetime) -> list[str]:
    """What somebody did not get, and why."""
    resolved = _theirs(emails, since).filter(state__in=[State.DROPPED, State.CANCELLED, State.FAILED])
    resolved = resolved.exclude(reason__in=_NOTHING_TO_SAY)
    plans = load_plans()
    return _counted(_said(message, plans) for message in resolved)


def _theirs(emails: Collection[str], since: datetime) -> QuerySet[Message]:
    theirs = Q(contact__user__email__in=emails) | Q(contact__points__address__in=emails)
    messages = Message.objects.filter(theirs, due_at__gte=since).select_related("flow")
    return messages.prefetch_related("flow__steps").order_by("id").distinct()


def _said(message: Message, plans: Plans) -> str:
    planned = plans.get(message.flow_id)
    step = planned.plan.step(message.step_key) if planned else None
    why = sentences.reason(message.reason, step.channels if step else ())
    return f"{titles.message(message)}: {why}"


def _count(channel: str, count: int) -> str:
    kind = "email" if channel == EMAIL else "text"
    return kind if count == 1 else f"{count} {kind}s"


def _counted(said: Iterable[str]) -> list[str]:
    return [f"{words} ({count} ×)" if count > 1 else words for words, count in Counter(said).items()]
