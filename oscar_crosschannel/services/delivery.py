"""What providers report about attempts: by callback, by webhook, or when asked.

Reports come late, doubled, unordered, or not at all. An attempt's status only rises, each
report counts once, and a report that proves acceptance lifts an `unknown` message to `sent`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from ..channels.loading import channel
from ..channels.sms_backends import codes
from ..conf import settings
from ..core.events import Event
from ..core.facts import EMAIL, SMS, Purpose
from ..core.lifecycle import OPEN, State, Status, rises
from ..core.outbound import Effect, SenderBroken
from ..models import Attempt, ContactPoint, DeliveryEvent, Enrolment, Guard, Message, Suppression
from . import alerts, consents, contacts, failures, guards, inbox
from .plans import Plans
from .resting import Rests

logger = logging.getLogger(__name__)

#: Providers are asked about attempts no older than this, and about so many at once.
LOOK_BACK = timedelta(days=3)
MOST_LOOK_UPS = 50

#: Name of the note that the operator has been told of a code.
UNKNOWN_CODE = "provider.code_unknown"

#: Purposes for which another channel takes over when one could not deliver.
FALLING_BACK = frozenset({Purpose.TRANSACTIONAL, Purpose.REQUESTED, Purpose.CRITICAL})


def fold_sms_status(event: Event, plans: Plans, *, now: datetime) -> None:
    """A status callback of the SMS provider. `data`: uuid, sid, status, code."""
    data = event.data
    attempt = _find(SMS, data.get("uuid", ""), data.get("sid", ""))
    status = codes.status_of(data["status"], data.get("code", ""))
    report = _Report("twilio", f"twilio:{event.key}", data["status"], data.get("code", ""), event.occurred_at)
    if not _note(attempt, report):
        return
    if attempt is None or status is None:
        return
    _apply(attempt, status, provider_id=data.get("sid", ""), code=report.code, at=event.occurred_at)


def fold_email_event(event: Event, plans: Plans, *, now: datetime) -> None:
    """A tracking event of the email provider. `data`: see `web.tracking_events`.

    One whose ids contradict each other or the recipient is kept and applied to nobody (rule 72). One
    that is about none of our messages still says that its recipient complained, or is gone.
    """
    data = event.data
    attempt = _find(EMAIL, data.get("uuid") or "", data.get("message_id") or "")
    contradicts = attempt is not None and not _agrees(attempt, data)
    ours = None if contradicts else attempt
    code, measure = data.get("reject_reason") or "", _measure(data)
    report = _Report(data["esp"], event.key, data["event_type"], code, event.occurred_at, measure)
    if not _note(ours, report) or contradicts:
        return
    if ours is not None and (status := _EMAIL_STATUS.get(data["event_type"])) is not None:
        _apply(ours, status, provider_id=data.get("message_id") or "", code=code, at=event.occurred_at)
    effect = _email_effect(data)
    if ours is not None and effect is None and _bounces_too_often(ours, data, event.occurred_at):
        effect = Effect.UNUSABLE
    if effect is not None and data["recipient"]:
        apply_effect(effect, EMAIL, data["recipient"], now=now, code=code)
    if ours is not None and measure is not None:
        guards.review(EMAIL, now=now)


_EMAIL_STATUS = {
    "queued": Status.QUEUED,
    "sent": Status.SENT,
    "deferred": Status.DEFERRED,
    "delivered": Status.DELIVERED,
    "opened": Status.DELIVERED,
    "clicked": Status.DELIVERED,
    "complained": Status.DELIVERED,
    "unsubscribed": Status.DELIVERED,
    "bounced": Status.UNDELIVERED,
    "rejected": Status.FAILED,
    "failed": Status.FAILED,
}
#: Why a provider does not even try: what it remembers of the address.
_REMEMBERED = {"unsubscribed": Effect.OPTED_OUT, "spam": Effect.COMPLAINED}


def _email_effect(data: Mapping[str, Any]) -> Effect | None:
    kind = data["event_type"]
    if kind == "complained":
        return Effect.COMPLAINED
    if kind == "unsubscribed":
        return Effect.OPTED_OUT
    if kind in ("bounced", "rejected") and data.get("hard"):
        return Effect.UNUSABLE
    return _REMEMBERED.get(data.get("reject_reason") or "") if kind == "rejected" else None


def _measure(data: Mapping[str, Any]) -> Guard.Measure | None:
    """Which guard of the sender's reputation counts it."""
    if data["event_type"] == "complained":
        return Guard.Measure.COMPLAINTS
    is_hard_bounce = data["event_type"] == "bounced" and data.get("hard")
    return Guard.Measure.BOUNCES if is_hard_bounce else None


def _bounces_too_often(attempt: Attempt, data: Mapping[str, Any], at: datetime) -> bool:
    """Whether a mailbox that is only full, or busy, has been so too often, with no delivery since (rule 28)."""
    if data["event_type"] != "bounced":
        return False
    same = DeliveryEvent.objects.filter(attempt__address_digest=attempt.address_digest)
    bounces = same.filter(kind="bounced", at__gt=at - settings.SOFT_BOUNCES_WITHIN)
    delivered = same.filter(kind="delivered").order_by("-at").first()
    if delivered is not None:
        bounces = bounces.filter(at__gt=delivered.at)
    return bool(bounces.values("attempt").distinct().count() >= settings.SOFT_BOUNCES)


def apply_effect(effect: Effect, channel_key: str, address: str, *, now: datetime, code: str = "") -> None:
    """Draw the consequence that a provider's word about an address has."""
    cause = Suppression.Cause
    with transaction.atomic():
        if effect is Effect.UNUSABLE:
            bounce = cause.HARD_BOUNCE if channel_key == EMAIL else cause.INVALID
            consents.suppress(
                channel_key, address, cause=bounce, scope=Suppression.Scope.EVERYTHING, now=now, note=code
            )
        elif effect is not Effect.NONE:
            consents.revoke(
                channel_key,
                address,
                topics=None,
                source="provider",
                mechanism="complaint" if effect is Effect.COMPLAINED else "carrier",
                provider_id=code,
                cause=_cause(effect, channel_key),
                now=now,
            )


def _cause(effect: Effect, channel_key: str) -> Suppression.Cause:
    if effect is Effect.COMPLAINED:
        return Suppression.Cause.COMPLAINT
    return Suppression.Cause.CARRIER_BLOCK if channel_key == SMS else Suppression.Cause.REVOKED


def alert_unknown_code(code: str, *, now: datetime) -> None:
    """A provider's error that the code table does not know: the operator should add it. Told once a day."""
    note = Event(name=UNKNOWN_CODE, key=f"{code}:{now:%Y-%m-%d}", occurred_at=now)
    if inbox.record(note, now=now, settled=True):
        what = f"a provider's error {code} is unknown" if code else "a provider refused without a code"
        alerts.tell("unknown_provider_code", f"{what}; it was taken as permanent")


def overdue(now: datetime) -> QuerySet[Attempt]:
    """Calls whose end the provider should have told by now, and can be asked about: of texts only."""
    return Attempt.objects.filter(
        Q(looked_up_at=None) | Q(looked_up_at__lt=now - settings.LOOK_UP_AFTER),
        channel=SMS,
        status__in=[Status.INTENDED, Status.QUEUED, Status.SENDING, Status.SENT],
        status_at__lt=now - settings.LOOK_UP_AFTER,
        started_at__gt=now - LOOK_BACK,
    ).exclude(message__state__in=[State.PLANNED, State.CLAIMED, State.SENDING])


def reconcile(*, clock: Callable[[], datetime], ends: datetime) -> None:
    """Ask providers about attempts without an end, until `ends`: each question may take its time-out."""
    now = clock()
    longest_unasked = overdue(now).order_by(F("looked_up_at").asc(nulls_first=True), "id")
    for attempt in list(longest_unasked[:MOST_LOOK_UPS]):
        if clock() >= ends:
            return
        _look_up(attempt, now)


def _look_up(attempt: Attempt, now: datetime) -> None:
    address = _address(attempt)
    try:
        found = address and channel(attempt.channel).look_up(
            attempt.uuid, attempt.provider_id, address, attempt.started_at
        )
    except Exception as error:
        failures.log(logger, error, "looking up attempt %s failed", attempt.uuid)
        found = None
    Attempt.objects.filter(pk=attempt.pk).update(looked_up_at=now)
    if found and not _belongs_to_another(attempt, found.provider_id):
        key = f"look-up:{attempt.uuid}:{found.status}"
        _note(attempt, _Report(attempt.provider, key, found.status.name.lower(), found.code, now))
        _apply(attempt, found.status, provider_id=found.provider_id, code=found.code, at=now)


def _belongs_to_another(attempt: Attempt, provider_id: str) -> bool:
    return Attempt.objects.filter(provider_id=provider_id).exclude(pk=attempt.pk).exists()


def _find(channel_key: str, uuid: str, provider_id: str) -> Attempt | None:
    attempts = Attempt.objects.filter(channel=channel_key)
    if (known := _uuid(uuid)) is not None and (found := attempts.filter(uuid=known).first()) is not None:
        return found
    return attempts.filter(provider_id=provider_id).first() if provider_id else None


def _agrees(attempt: Attempt, data: Mapping[str, Any]) -> bool:
    """Whether all that an email event says of its message fits to one attempt."""
    uuid, reported = data.get("uuid") or "", data.get("message_id") or ""
    if uuid and uuid != str(attempt.uuid):
        return False
    if reported and (attempt.provider_id not in ("", reported) or _belongs_to_another(attempt, reported)):
        return False
    recipient = str(data["recipient"]).strip().lower()
    return attempt.address_digest in contacts.digests(EMAIL, recipient)


def _address(attempt: Attempt) -> str:
    """Where it went; empty if nobody uses it any more. Beside a person erased since, others may."""
    used = ContactPoint.objects.filter(channel=attempt.channel, digest=attempt.address_digest)
    return used.values_list("address", flat=True).first() or ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Report:
    """What a provider said, and the key that makes saying it again change nothing."""

    provider: str
    key: str
    kind: str
    code: str
    at: datetime
    measure: Guard.Measure | None = None


def _note(attempt: Attempt | None, report: _Report) -> bool:
    """Keep a report; False when it was kept before."""
    known = {
        "attempt": attempt,
        "provider": report.provider,
        "kind": report.kind,
        "code": report.code,
        "counts_for": report.measure,
    }
    _, created = DeliveryEvent.objects.get_or_create(key=report.key, defaults={**known, "at": report.at})
    return created


def _apply(attempt: Attempt, status: Status, *, provider_id: str, code: str, at: datetime) -> None:
    with transaction.atomic():
        locked = Attempt.objects.select_for_update(of=("self",), no_key=True).get(pk=attempt.pk)
        if not rises(Status(locked.status), status):
            return
        locked.status, locked.status_at = status, at
        locked.provider_id = locked.provider_id or provider_id
        locked.code = code or locked.code
        locked.save(update_fields=["status", "status_at", "provider_id", "code"])
        # any report proves that the provider took it
        Message.objects.filter(pk=locked.message_id, state=State.UNKNOWN).update(state=State.SENT, reason="")
    if status in (Status.FAILED, Status.UNDELIVERED):
        _undelivered(locked, code, at)


def _undelivered(attempt: Attempt, code: str, now: datetime) -> None:
    message = Message.objects.select_related("enrolment").get(pk=attempt.message_id)
    if attempt.channel == SMS:
        _learn(attempt, codes.code_of(code), now)
    if Purpose(message.purpose) in FALLING_BACK and now < message.expires_at:
        _fall_back(message, attempt, now)


def _learn(attempt: Attempt, code: codes.Code, now: datetime) -> None:
    """What an error code says beyond its message: about the address, or about the sender."""
    if code.outcome is codes.Outcome.SENDER_BROKEN:
        Rests.load().rest(SMS, SenderBroken(code.meaning, code=code.code), now=now)
    if code.alert and not code.known:
        alert_unknown_code(code.code, now=now)
    if code.effect is not Effect.NONE and (number := _address(attempt)) and _came_often(attempt, code):
        apply_effect(code.effect, SMS, number, now=now, code=code.code)


def _came_often(attempt: Attempt, code: codes.Code) -> bool:
    """Whether the code came as often as its entry asks, with no delivery to the number since."""
    if code.times <= 1:
        return True
    attempts = Attempt.objects.filter(address_digest=attempt.address_digest).order_by("-started_at")
    delivered = attempts.filter(status__in=[Status.DELIVERED, Status.READ]).first()
    failed = attempts.filter(status__in=[Status.FAILED, Status.UNDELIVERED], code=code.code)
    if delivered is not None:
        failed = failed.filter(started_at__gt=delivered.started_at)
    return failed.count() >= code.times


def _fall_back(message: Message, failed: Attempt, now: datetime) -> None:
    """What was promised goes out on another channel, if no later step has taken over."""
    if message.leg:
        return  # the others have gone out beside it
    if message.attempts.filter(pk__gt=failed.pk).exists():
        return  # it was called again since, and that call has an end of its own
    run = message.enrolment
    if run is not None and run.messages.filter(state__in=OPEN).exists():
        return
    revived = Message.objects.filter(pk=message.pk, state=State.SENT).update(
        state=State.PLANNED,
        due_at=now,
        excluded=[*message.excluded, failed.channel],
        resolved_at=None,
        attempted_at=None,
        token=None,
    )
    if revived and run is not None:
        Enrolment.objects.filter(pk=run.pk).update(state=Enrolment.State.ACTIVE, ended_at=None)
