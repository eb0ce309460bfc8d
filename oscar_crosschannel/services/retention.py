"""Letting go of what is not needed any more, a few rows at a time and each time by an index.

No transaction holds more than `CHUNK` rows, so the shop and the engine never wait for it; one that is
broken off is simply gone on with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from ..conf import settings
from ..core.facts import Answer
from ..models import (
    Consent,
    ConsentEvent,
    ConsentImport,
    ContactPoint,
    DeliveryEvent,
    InboxEvent,
    Message,
    Suppression,
    Watermark,
)
from . import broken_words, contacts, evidence

CHUNK = 1000
#: What provider's reports and clicks are called in the inbox. What people write themselves is no report.
REPORTS = ("email.tracking", "sms.status", "link.clicked")
#: An import that nobody confirmed is thrown away after this time.
UNCONFIRMED = timedelta(days=1)
#: Name of the watermark that says when `prune_daily` last did its work.
DAILY = "prune"
DAY = timedelta(days=1)


def prune_daily(now: datetime) -> Counter[str] | None:
    """`prune`, unless some worker did within a day; None then. One statement to find out."""
    mark = Watermark.objects.filter(name=DAILY)
    if not mark.filter(at__lte=now - DAY).update(at=now):
        _, is_first = Watermark.objects.get_or_create(name=DAILY, defaults={"at": now})
        if not is_first:
            return None
    return prune(now)


def prune(now: datetime) -> Counter[str]:
    """Throw away what is older than the settings say; how many rows of each kind."""
    done: Counter[str] = Counter()
    done["decisions"] = _empty_decisions(now - settings.RETAIN_DECISIONS)
    done["reports"] = _delete_reports(now)
    done["events"] = _delete_oldest(
        InboxEvent.objects.filter(~Exists(Suppression.objects.filter(reply=OuterRef("pk"), lifted_at=None)))
        .filter(processed_at__lt=now - settings.RETAIN_EVENTS)
        .order_by("processed_at")
    )
    done["deliveries"] = _delete_deliveries(now - settings.RETAIN_EVENTS)
    done["imports"] = ConsentImport.objects.filter(
        content__isnull=False, confirmed_at=None, at__lt=now - UNCONFIRMED
    ).update(content=None)
    done["broken words"] = broken_words.forget_mended(now=now)
    done["ledger"] = _forget(now)
    return done


def _empty_decisions(before: datetime) -> int:
    """The trace of a decision; the message and its reason stay."""
    old = Message.objects.filter(resolved_at__lt=before, decision__isnull=False).order_by("resolved_at")
    count = 0
    while ids := list(old.values_list("pk", flat=True)[:CHUNK]):
        count += Message.objects.filter(pk__in=ids).update(decision=None)
    return count


def _delete_reports(now: datetime) -> int:
    """Of what lies between the youngest that went last time and the oldest that stays."""
    before = now - settings.RETAIN_WEBHOOKS
    mark, _ = Watermark.objects.get_or_create(
        name="prune-reports", defaults={"at": before - settings.RETAIN_EVENTS}
    )
    old = InboxEvent.objects.filter(
        name__in=REPORTS, processed_at__gte=mark.at - DAY, processed_at__lt=before
    ).order_by("processed_at")
    count = _delete_oldest(old)
    Watermark.objects.filter(pk=mark.pk).update(at=before)
    return count


def _delete_oldest(old: QuerySet[InboxEvent]) -> int:
    count = 0
    while ids := list(old.values_list("pk", flat=True)[:CHUNK]):
        InboxEvent.objects.filter(pk__in=ids).delete()
        count += len(ids)
    return count


def _delete_deliveries(before: datetime) -> int:
    """There is no index over their times, but rows are numbered as they come: the first are the oldest."""
    count = last = 0
    reports = DeliveryEvent.objects.order_by("pk").values_list("pk", "at")
    while rows := list(reports.filter(pk__gt=last)[:CHUNK]):
        old = [pk for pk, at in rows if at < before]
        if not old:
            break
        DeliveryEvent.objects.filter(pk__in=old).delete()
        count, last = count + len(old), rows[-1][0]
    return count


# ------------------------------------------------------------------------------------------ the ledger


#: Channel, address, and whose it is if the address is empty: the rows that are sealed together.
Ledger = tuple[str, str, int | None]


def _forget(now: datetime) -> int:
    """Whole ledgers of addresses at which nothing has happened for as long as evidence must be kept."""
    shortest = min(settings.RETAIN_CONSENTS, settings.RETAIN_REVOCATIONS)
    return sum(_forget_if_over(ledger, now) for ledger in _silent_since(now - shortest))


def _silent_since(before: datetime) -> Iterator[Ledger]:
    """In the order in which they were begun; rows are numbered as they come."""
    last = 0
    rows = ConsentEvent.objects.order_by("pk").values_list("pk", "at", "channel", "address", "contact_id")
    while found := list(rows.filter(pk__gt=last)[:CHUNK]):
        old = {
            (channel, address, None if address else contact)
            for _, at, channel, address, contact in found
            if at < before
        }
        if not old:
            return
        yield from (ledger for ledger in sorted(old, key=str) if _last_said(ledger) < before)
        last = found[-1][0]


def _last_said(ledger: Ledger) -> datetime:
    rows = evidence.ledger(*ledger).order_by("-pk")
    said: datetime = rows.values_list("at", flat=True)[0]
    return said


@transaction.atomic
def _forget_if_over(ledger: Ledger, now: datetime) -> int:
    """What stays: a suppression, by its digest; an answer that messages rely on; what was used within the time."""
    channel, address, _ = ledger
    contacts.lock([contact.pk for contact in contacts.find_by_address(channel, address)])
    rows = evidence.ledger(*ledger)
    revoked = rows.filter(action=ConsentEvent.Action.REVOKE).exists()
    since = now - (settings.RETAIN_REVOCATIONS if revoked else settings.RETAIN_CONSENTS)
    if rows.filter(at__gte=since).exists() or _is_in_use(channel, address, since):
        return 0
    return evidence.forget(*ledger)


def _is_in_use(channel: str, address: str, since: datetime) -> bool:
    """Whether a consent is relied on, or a message was sent there; an address may be a digest already."""
    granted = Consent.objects.filter(point__channel=channel, point__address=address, answer=Answer.GRANTED)
    digests = {
        address,
        *ContactPoint.objects.filter(channel=channel, address=address).values_list("digest", flat=True),
    }
    written = Message.objects.filter(address_digest__in=digests - {""}, attempted_at__gte=since)
    return granted.exists() or written.exists()
