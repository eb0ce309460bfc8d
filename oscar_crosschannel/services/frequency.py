"""The merchant's frequency limits: shipped ones changed, and their own."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.text import slugify

from ..core.facts import Cap
from ..models import FrequencyCap
from . import limits, texting_rules

#: No shipped limit has such a key, whatever comes with a later version.
_OWN = "own-"


def shipped() -> dict[str, Cap]:
    """The limits that hold without the merchant's doing, by key."""
    return {cap.key: cap for cap in limits.configured_caps()}


def find(key: str) -> FrequencyCap | None:
    """The row of a limit; of a shipped one that nobody changed, a row that is not saved."""
    row: FrequencyCap | None = FrequencyCap.objects.filter(key=key).first()
    return FrequencyCap(key=key) if row is None and key in shipped() else row


def lock(key: str) -> FrequencyCap | None:
    """The row of a limit, which nobody else changes until the caller's transaction ends."""
    if key in shipped():
        FrequencyCap.objects.get_or_create(key=key)
    return FrequencyCap.objects.select_for_update(no_key=True).filter(key=key).first()


@transaction.atomic
def keep(row: FrequencyCap, *, now: datetime) -> None:
    """Write down a limit, new or locked. What waits is judged by it; the worker reads it with its next tick."""
    if not row.key:
        row.key = _free_key(row.name)
    row.save()
    texting_rules.judge_anew(now=now)


@transaction.atomic
def delete(row: FrequencyCap, *, now: datetime) -> None:
    """Forget a limit of the merchant's own. Raises ValueError for a shipped one."""
    if row.key in shipped():
        raise ValueError(f"The limit {row.key!r} is shipped; it can be switched off.")
    row.delete()
    texting_rules.judge_anew(now=now)


def _free_key(name: str) -> str:
    wanted = f"{_OWN}{slugify(name)[:40] or 'limit'}"
    taken = set(FrequencyCap.objects.filter(key__startswith=wanted).values_list("key", flat=True))
    keys = (wanted, *(f"{wanted}-{number}" for number in range(2, len(taken) + 3)))
    return next(key for key in keys if key not in taken)
