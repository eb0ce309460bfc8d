"""Words that did not make a message: whom to tell, once, and when messages need wait no longer.

No word of a message is written down, for it may be about somebody.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import sha256

from django.db.models import Exists, OuterRef, Q

from ..conf import settings
from ..core.lifecycle import State
from ..core.rulings import Reason
from ..models import BrokenWords, Copy, Flow, Message
from . import alerts, plans, rendering, waking
from .rendering import CopyKey

#: What waits for words is judged again after this time: perhaps they broke on this one person.
AGAIN = timedelta(hours=1)


def noticed(key: CopyKey, copy: Copy | None, *, is_silent: bool, now: datetime) -> None:
    """The words for `key` did not make a message; `is_silent`: nor did any others. Staff are told the first time."""
    row, is_new = BrokenWords.objects.get_or_create(
        flow_id=key.flow_id,
        step_key=key.step_key,
        channel=key.channel,
        language=copy.language if copy is not None else key.language,
        defaults={"digest": digest(copy), "since": now, "is_silent": is_silent},
    )
    if is_silent and not row.is_silent:
        BrokenWords.objects.filter(pk=row.pk).update(is_silent=True)
    if is_new:
        place = f"{key.flow_key}/{key.step_key}/{key.channel}/{row.language}"
        instead = "messages wait" if is_silent else "others are sent instead"
        alerts.tell("words_broken", f"the words of {place} are broken; {instead}")


def mended(flow: Flow, *, now: datetime) -> None:
    """The words of a flow have changed: what is no more is forgotten, and what waits for words is judged at once."""
    rows = list(BrokenWords.objects.filter(flow=flow))
    copies = Copy.objects.filter(flow=flow, variant="") if rows else ()
    current = {(copy.step_key, copy.channel, copy.language): copy for copy in copies}
    gone = [
        row for row in rows if row.digest != digest(current.get((row.step_key, row.channel, row.language)))
    ]
    if gone:
        BrokenWords.objects.filter(pk__in=[row.pk for row in gone]).delete()
        waking.wake(waking.Waiting(reasons=(Reason.NO_WORDS,)), now=now)


def forget_mended(*, now: datetime) -> int:
    """Forget files that were broken where nothing waits for them any more, and words that are missing no more.

    Files are mended by a deployment, of which nobody hears. How many rows there were.
    """
    # what was noticed just now may not wait yet
    old = BrokenWords.objects.filter(digest="", since__lte=now - AGAIN)
    waiting = Message.objects.filter(
        flow=OuterRef("flow"), step_key=OuterRef("step_key"), state=State.PLANNED, reason=Reason.NO_WORDS
    )
    found = _found_again(list(old.filter(is_silent=False).select_related("flow")))
    return old.filter(Q(~Exists(waiting), is_silent=True) | Q(is_silent=False, pk__in=found)).delete()[0]


def _found_again(rows: Collection[BrokenWords]) -> list[int]:
    """Of words that were missing while earlier ones were said, those that are there now, or that nobody says any more."""
    keys = {
        row.pk: CopyKey(row.flow_id, row.flow.key, row.step_key, row.channel, row.language) for row in rows
    }
    if not keys:
        return []
    planned = plans.load_plans()
    kept = rendering.load_copies(keys.values())
    return [
        pk for pk, key in keys.items() if not _is_said(key, planned) or key in kept or rendering.ships(key)
    ]


def _is_said(key: CopyKey, planned: plans.Plans) -> bool:
    """Whether the flow runs, and its step speaks on this channel."""
    flow = planned.get(key.flow_id)
    step = flow.plan.step(key.step_key) if flow is not None and flow.plan.enabled else None
    return step is not None and key.channel in step.channels and key.channel in settings.CHANNELS


def digest(copy: Copy | None) -> str:
    """What tells a merchant's words from others; empty for none."""
    if copy is None:
        return ""
    parts = [
        f"{len(part)}:{part}" if part is not None else "-" for part in (copy.subject, copy.text, copy.html)
    ]
    return sha256("".join(parts).encode()).hexdigest()
