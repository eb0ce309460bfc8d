"""T3: write down what became of a chunk, and give every enrolment its next message.

Conditional on the claim's token and on a state that the claim may still speak for: the late
truth of a frozen worker lifts `unknown` to `sent`, and nothing overwrites what a stop or
another worker wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from ..conf import settings
from ..core.lifecycle import OPEN, State, Status
from ..core.outbound import ChannelError, NotSent, Receipt, Refused, SenderBroken, TooLong, UnknownOutcome
from ..core.rulings import Reason
from ..core.timing import spread
from ..models import Attempt, Enrolment, Message
from . import enrolments, rows, vouchers
from .judging import Claim

#: First pause before another call; it doubles with every call.
BACKOFF = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class PutOff:
    """The provider was not called, and is not to be before `until`."""

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one claim. Without an attempt the provider was not called."""

    claim: Claim
    attempt: UUID | None
    #: None: given back, it was too late to call
    outcome: Receipt | ChannelError | Reason | PutOff | None


@dataclass(frozen=True, slots=True)
class _Verdict:
    state: State
    reason: Reason | str = ""
    due_at: datetime | None = None
    excluded: str = ""
    keeps_call: bool = True
    moves_on: bool = False  #: the enrolment's next message is now to be planned


@dataclass(frozen=True, slots=True)
class _Held:
    """How a message stands that this claim may still speak for."""

    doubted: bool  #: the reaper took the worker for dead, and saw to the enrolment
    overtaken: bool  #: so the enrolment's next message is open already


def record(results: Sequence[Result], token: UUID, *, now: datetime) -> None:
    """Record a chunk in one transaction and a constant number of statements."""
    with transaction.atomic():
        running = enrolments.lock(
            run for result in results if (run := result.claim.message.enrolment_id) is not None
        )
        held = _held(results, token)
        mine = [
            (result, _judge(result, held[pk], now))
            for result in results
            if (pk := result.claim.message.pk) in held
        ]
        _write_messages(mine, token, now)
        _write_attempts(mine, now)
        _move_on(mine, running, now)
        vouchers.withdraw([r.claim.message.pk for r, v in mine if _carried_a_code(r, v)], now=now)


def _judge(result: Result, held: _Held, now: datetime) -> _Verdict:
    verdict = _told(result, now)
    if verdict.state == State.PLANNED and held.overtaken:
        return _Verdict(State.DROPPED, Reason.EXPIRED)
    return replace(verdict, moves_on=verdict.state != State.PLANNED and not held.doubted)


def _told(result: Result, now: datetime) -> _Verdict:
    message = result.claim.message
    match result.outcome:
        case Receipt():
            return _Verdict(State.SENT)
        case UnknownOutcome():
            return _Verdict(State.UNKNOWN, Reason.NO_ANSWER)
        case SenderBroken():
            return _Verdict(State.PLANNED, Reason.CHANNEL_CLOSED, now, keeps_call=False)
        case NotSent(retry_after=wish):
            return _retry(message, wish, now)
        case Refused() as refusal:
            return _refused(result.claim, refusal, now)
        case PutOff(until=until, reason=reason):
            return _Verdict(State.PLANNED, reason, min(until, message.expires_at), keeps_call=False)
        case Reason.NOT_PREPARED as reason:  # counted as a call, so that it ends
            verdict = _retry(message, None, now)
            return replace(verdict, reason=verdict.reason or reason)
        case Reason() as reason:
            return _Verdict(_STATE_OF.get(reason, State.DROPPED), reason)
        case _:
            return _Verdict(State.PLANNED, "", message.due_at, keeps_call=False)


_STATE_OF = {Reason.RENDER_ERROR: State.FAILED, Reason.POISON: State.FAILED}


def _retry(message: Message, wish: float | None, now: datetime) -> _Verdict:
    first = message.first_call_at or now
    due = now + max(BACKOFF * 2 ** (message.calls - 1), timedelta(seconds=wish or 0))
    due += spread(message.pk + message.calls, BACKOFF)
    if message.calls >= settings.MAX_CALLS or due > first + settings.MAX_CALLS_WITHIN:
        return _Verdict(State.FAILED, Reason.GAVE_UP)
    return _Verdict(State.PLANNED, "", due)


def _refused(claim: Claim, refusal: Refused, now: datetime) -> _Verdict:
    """A refused channel is out for good; another channel of the step may still serve."""
    mine = {claim.message.leg} if claim.message.leg else set(claim.step.channels)
    left = mine - {claim.channel, *claim.message.excluded}
    if left:
        return _Verdict(State.PLANNED, Reason.REFUSED, now, excluded=claim.channel)
    return _Verdict(
        State.FAILED, Reason.TOO_LONG if isinstance(refusal, TooLong) else Reason.PROVIDER_REFUSED
    )


def _held(results: Sequence[Result], token: UUID) -> dict[int, _Held]:
    """What the claim still holds, by message id. Locked in id order, as every recall does."""
    others = Message.objects.filter(enrolment=OuterRef("enrolment"), leg=OuterRef("leg"), state__in=OPEN)
    rows_held = (
        Message.objects.select_for_update(of=("self",), no_key=True)
        .filter(
            id__in=[result.claim.message.pk for result in results],
            token=token,
            state__in=[State.CLAIMED, State.SENDING, State.UNKNOWN],
        )
        .order_by("id")
        .values_list("id", "state", Exists(others.exclude(id=OuterRef("id"))))
    )
    return {pk: _Held(state == State.UNKNOWN, overtaken) for pk, state, overtaken in rows_held}


def _write_messages(mine: Sequence[tuple[Result, _Verdict]], token: UUID, now: datetime) -> None:
    columns = (
        "state", "reason", "due_at", "excluded", "calls", "first_call_at", "attempted_at", "resolved_at",
        "lease_until", "token",
    )  # fmt: skip
    changes = []
    for result, verdict in mine:
        message = result.claim.message
        maybe_sent = verdict.state in (State.SENT, State.UNKNOWN)
        calls = message.calls - (0 if verdict.keeps_call or not result.attempt else 1)
        changes.append(
            (
                message.pk,
                verdict.state,
                verdict.reason,
                verdict.due_at or message.due_at,
                [*message.excluded, verdict.excluded] if verdict.excluded else message.excluded,
                calls,
                message.first_call_at if calls else None,
                now if maybe_sent else None,
                None if verdict.state == State.PLANNED else now,
                None,
                token if verdict.state == State.UNKNOWN else None,
            )
        )
    rows.update_rows(
        Message,
        columns,
        changes,
        only={"token": [token], "state": [State.CLAIMED, State.SENDING, State.UNKNOWN]},
    )


def _write_attempts(mine: Sequence[tuple[Result, _Verdict]], now: datetime) -> None:
    changes = []
    for result, _ in mine:
        match result.outcome:
            case Receipt(provider=provider, provider_id=provider_id, segments=segments):
                row = (
                    Status.SENT if not provider_id else Status.QUEUED,
                    provider,
                    provider_id,
                    "",
                    "",
                    segments,
                )
            case UnknownOutcome(code=code, detail=detail):
                row = (Status.INTENDED, "", "", code, detail, None)
            case ChannelError(code=code, detail=detail):
                row = (Status.NOT_SENT, "", "", code, detail, None)
            case _:
                row = (Status.NOT_SENT, "", "", "", "", None)
        if result.attempt:
            changes.append((result.attempt, *row, now))
    rows.update_rows(
        Attempt,
        ["status", "provider", "provider_id", "code", "detail", "segments", "status_at"],
        changes,
        # a callback that came before this result knows more
        only={"status": [Status.INTENDED]},
        by="uuid",
    )


def _move_on(mine: Sequence[tuple[Result, _Verdict]], running: dict[int, Enrolment], now: datetime) -> None:
    resolved = []
    for result, verdict in mine:
        enrolment = running.get(result.claim.message.enrolment_id or 0)
        if enrolment is None or not verdict.moves_on:
            continue
        ends = Reason.NOT_WANTED if verdict.reason == Reason.NOT_WANTED else None
        resolved.append(
            enrolments.Resolved(enrolment, result.claim.message.step_key, result.claim.planned, ends)
        )
    enrolments.advance(resolved, now=now)


def _carried_a_code(result: Result, verdict: _Verdict) -> bool:
    return result.claim.step.voucher and verdict.state in (State.FAILED, State.DROPPED)
