"""Words that did not make a message: whom to tell, once, and when messages need wait no longer.

No word of a message is written down, for it may be about somebody.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

from django.db.models import Exists, OuterRef

from ..core.lifecycle import State
from ..core.rulings import Reason
from ..models import BrokenWords, Copy, Flow, Message
from . import alerts, waking
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
    """Forget files that were broken, and words that were missing, where nothing waits for them any more.

    A file is mended by a deployment, of which nobody hears. How many there were.
    """
    waiting = Message.objects.filter(
        flow=OuterRef("flow"), step_key=OuterRef("step_key"), state=State.PLANNED, reason=Reason.NO_WORDS
    )
    # what was noticed just now may not wait yet
    old = BrokenWords.objects.filter(~Exists(waiting), digest="", since__lte=now - AGAIN)
    return old.delete()[0]


def digest(copy: Copy | None) -> str:
    """What tells a merchant's words from others; empty for none."""
    if copy is None:
        return ""
    parts = [
        f"{len(part)}:{part}" if part is not None else "-" for part in (copy.subject, copy.text, copy.html)
    ]
    return sha256("".join(parts).encode()).hexdigest()
