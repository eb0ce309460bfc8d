"""T2: what is still wanted goes from claimed to sending, with its words' context, code and attempt.

From here on the provider may be called, so all of it commits together just before: a crash
leaves a message that was certainly not called, or one row that may have been, never a code
without a message. Rows a stop took back, or that another claim holds, are not handed over.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from ..conf import settings
from ..core.clicks import TRAP
from ..core.facts import EMAIL, Purpose
from ..core.lifecycle import State
from ..core.plan import Context, Plan, Run
from ..core.rulings import Reason
from ..models import Attempt, Guard, Message, VoucherGrant
from . import failures, recall, rows, vouchers
from .judging import Claim
from .plans import PlannedFlow

logger = logging.getLogger(__name__)

#: What a guard or a change has stopped is judged again after this time: then no tick goes by what it read before.
JUDGED_ANEW = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Handed:
    """A message whose provider call is next."""

    claim: Claim
    attempt: UUID
    context: Context
    grant: VoucherGrant | None
    number: int  #: which provider call of its message this is


@dataclass(slots=True)
class HandOver:
    """What became of a chunk."""

    handed: list[Handed] = field(default_factory=list)
    refused: dict[int, Reason] = field(default_factory=dict)  #: still claimed, to be resolved by T3


def hand_over(claims: Sequence[Claim], token: UUID, *, now: datetime) -> HandOver:
    """Hand over what this claim still holds of a chunk."""
    outcome = HandOver()
    with transaction.atomic():
        held = _held(claims, token, now)
        mine = [claim for claim in claims if claim.message.pk in held]
        contexts = _contexts(mine, outcome, now)
        speaking = [claim for claim in mine if claim.message.pk in contexts]
        grants = vouchers.grant(
            [(claim.message, claim.step) for claim in speaking if claim.step.voucher], now=now
        )
        for claim in speaking:
            if claim.step.voucher and claim.message.pk not in grants:
                outcome.refused[claim.message.pk] = Reason.VOUCHER_UNAVAILABLE
                continue
            pk = claim.message.pk
            number = claim.message.calls + 1
            outcome.handed.append(Handed(claim, uuid4(), contexts[pk], grants.get(pk), number))
        _write(outcome.handed, token, now)
    for item in outcome.handed:  # committed: only now is it true
        message = item.claim.message
        message.calls, message.first_call_at = item.number, message.first_call_at or now
    return outcome


def is_poison(chunk: Sequence[Claim], token: UUID) -> bool:
    """Whether workers died with these messages too often; if not, counts that it is tried again.

    Only what died once is counted, which goes alone, and before the hand-over begins: so the one
    that kills workers is found, and those that merely waited in the same hands are not blamed.
    """
    if all(claim.message.returns >= settings.MAX_RETURNS for claim in chunk):
        return True
    for claim in chunk:
        if known := claim.message.returns:
            mine = Message.objects.filter(pk=claim.message.pk, token=token, state=State.CLAIMED)
            mine.filter(returns=known).update(returns=known + 1)
    return False


def _held(claims: Sequence[Claim], token: UUID, now: datetime) -> set[int]:
    """What may go of what this claim still holds.

    The tick that judged it may have begun before a guard paused marketing, or staff changed the flow or switched
    it off: so all that is asked here.
    """
    planned = {claim.message.pk: claim.planned for claim in claims}
    paused = Guard.objects.filter(channel=OuterRef("channel"), ended_at=None, level=Guard.Level.PAUSED)
    held = list(
        Message.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
        .filter(
            id__in=[claim.message.pk for claim in claims],
            state=State.CLAIMED,
            token=token,
            lease_until__gt=now,
        )
        .order_by("id")
        .values_list("id", "purpose", Exists(paused), "flow__version", "flow__enabled", "flow__shadow")
    )
    guarded = {pk for pk, purpose, is_paused, *_ in held if is_paused and purpose == Purpose.MARKETING}
    changed = {
        pk
        for pk, *_, version, on, shadow in held
        if version != planned[pk].plan.version or _is_silent(planned[pk].declared, on, shadow)
    } - guarded
    for reason, stopped in ((Reason.GUARDED, guarded), ("", changed)):
        if stopped:
            waiting = Message.objects.filter(pk__in=stopped)
            recall.replan(waiting, due_at=now + JUDGED_ANEW, reason=reason)
    return {pk for pk, *_ in held} - guarded - changed


def _is_silent(declared: Plan, enabled: bool | None, shadow: bool | None) -> bool:
    """Whether a flow sends nothing; None is as it is declared."""
    return not (declared.enabled if enabled is None else enabled) or (
        declared.shadow if shadow is None else shadow
    )


def _write(handed: Sequence[Handed], token: UUID, now: datetime) -> None:
    changes = [
        (
            item.claim.message.pk,
            State.SENDING,
            item.number,
            item.claim.message.first_call_at or now,
            _paths(item),
            0,
        )
        for item in handed
    ]
    columns = ["state", "calls", "first_call_at", "links", "returns"]
    rows.update_rows(Message, columns, changes, only={"token": [token], "state": [State.CLAIMED]})
    rows.insert_new(
        Attempt,
        [
            Attempt(
                message=item.claim.message,
                uuid=item.attempt,
                channel=item.claim.channel,
                address_digest=item.claim.address_digest,
                number=item.number,
                started_at=now,
                status_at=now,
            )
            for item in handed
        ],
    )


def _contexts(claims: Sequence[Claim], outcome: HandOver, now: datetime) -> dict[int, Context]:
    """Contexts by message id, asked flow by flow; what is not wanted any more goes to `outcome`."""
    by_flow: dict[int, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_flow[claim.planned.flow_id].append(claim)
    contexts: dict[int, Context] = {}
    for group in by_flow.values():
        runs = [as_run(claim, now) for claim in group]
        contexts |= _ask_together(group[0].planned, runs, outcome)
    return contexts


def _ask_together(planned: PlannedFlow, runs: list[Run], outcome: HandOver) -> Mapping[int, Context]:
    """One question for the whole group; if it fails, one per run, so that one basket harms no other."""
    try:
        return _ask(planned, runs, outcome)
    except Exception as error:
        failures.log(
            logger, error, "context of flow %s failed for a group of %d", planned.plan.key, len(runs)
        )
    contexts: dict[int, Context] = {}
    for run in runs:
        try:
            contexts |= _ask(planned, [run], outcome)
        except Exception as error:
            failures.log(
                logger, error, "context of flow %s failed for message %d", planned.plan.key, run.message_id
            )
            outcome.refused[run.message_id] = Reason.CONTEXT_ERROR
    return contexts


def _ask(planned: PlannedFlow, runs: Sequence[Run], outcome: HandOver) -> Mapping[int, Context]:
    with transaction.atomic():
        wanted = planned.about.still_wanted(runs)
        contexts = planned.about.context([run for run in runs if run.message_id in wanted])
        _check_links(contexts)
    for run in runs:
        if run.message_id not in contexts:
            outcome.refused[run.message_id] = Reason.NOT_WANTED
    return contexts


def _paths(item: Handed) -> list[str]:
    """Where the message's links lead, by number. An email's last one is the trap for scanners."""
    paths = list(item.context.links.values())
    return [*paths, TRAP] if paths and item.claim.channel == EMAIL else paths


def _check_links(contexts: Mapping[int, Context]) -> None:
    """A counted link only ever leads to the shop (rule 49)."""
    for context in contexts.values():
        for name, path in context.links.items():
            if not path.startswith("/"):
                raise ValueError(f"The link {name!r} must be a path of the shop that starts with '/'.")


def as_run(claim: Claim, now: datetime) -> Run:
    """What a blueprint may know of a claim."""
    email = claim.address if claim.channel == EMAIL else ""
    return run_of(claim.message, channel=claim.channel, now=now, email=email, zone=claim.own_zone)


def run_of(message: Message, *, channel: str, now: datetime, email: str = "", zone: str = "") -> Run:
    """What a blueprint may know of a message; contact and enrolment should be loaded with it."""
    contact, enrolment = message.contact, message.enrolment
    return Run(
        message_id=message.pk,
        step=message.step_key,
        channel=channel,
        contact_id=contact.pk,
        enrolment_id=message.enrolment_id,
        user_id=contact.user_id,
        name=contact.name,
        language=contact.language or django_settings.LANGUAGE_CODE,
        email=email,
        subjects=enrolment.subjects if enrolment else {},
        anchor=enrolment.anchor_at if enrolment else message.due_at,
        now=now,
        data=enrolment.data if enrolment else {},
        zone=zone,
    )
