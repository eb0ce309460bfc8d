"""From a candidate and its facts to one outcome: send now, wait, or drop, each with the reasons.

Per channel, time moves forward until every policy allows; across channels, the best one that may go
in time is taken. What was found is kept as a `Trace`, which can be stored and shown to a merchant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from .facts import Candidate, Facts, Reserved
from .policies import DEFAULT_POLICIES, Policy, as_sent, preferred
from .rulings import Allow, Defer, Deny, Hold, Reason

#: How often time may move forward on one channel before it counts as never open.
ROUNDS = 32

#: Reasons in the order in which they matter: the earlier, the further from being sent.
_DEPTH = {reason: depth for depth, reason in enumerate(Reason)}


class Outcome(StrEnum):
    """What was found about one channel."""

    OPEN = "open"  #: may go at `at`
    HELD = "held"  #: waits for a confirmation, until `at` at the latest
    LATE = "late"  #: may not go before `at`, when the message has expired
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Objection:
    """Which policy spoke against a channel, and why."""

    policy: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Finding:
    """One channel's answer. The first objection is the one that decided; none: it may go at once."""

    channel: str
    outcome: Outcome
    at: datetime
    objections: tuple[Objection, ...] = ()


#: Why a decision fell as it did: the channels in the order they were tried.
Trace = tuple[Finding, ...]


class _Traced:
    """A decision that can be stored."""

    __slots__ = ()
    trace: Trace

    def as_json(self) -> list[dict[str, Any]]:
        """The trace as plain values; `trace_from_json` reads them."""
        return [
            {
                "channel": finding.channel,
                "outcome": finding.outcome.value,
                "at": finding.at.isoformat(),
                "objections": [[each.policy, each.reason.value] for each in finding.objections],
            }
            for finding in self.trace
        ]


@dataclass(frozen=True, slots=True)
class Send(_Traced):
    """Goes out now."""

    channel: str
    point_id: int
    trace: Trace


@dataclass(frozen=True, slots=True)
class Wait(_Traced):
    """Judge again at `until`, or when something outside changes."""

    until: datetime
    channel: str
    reason: Reason
    trace: Trace


@dataclass(frozen=True, slots=True)
class Drop(_Traced):
    """Will not go out; `reason` is that of the channel that came closest."""

    reason: Reason
    trace: Trace


Decision = Send | Wait | Drop


def decide(candidate: Candidate, facts: Facts, policies: Sequence[Policy] = DEFAULT_POLICIES) -> Decision:
    """What becomes of one candidate. `policies` must contain `reachable`.

    A better channel is waited for while the step's patience lasts, counted from when the plan had it due:
    each wait moves `due_at`. One that is held may open at any moment until it gives up, so it is asked
    again when either is over.
    """
    if candidate.expires_at <= facts.now:
        return Drop(Reason.EXPIRED, ())
    patient_until = (candidate.planned_at or candidate.due_at) + candidate.patience
    findings: list[Finding] = []
    for channel in preferred(candidate.channels, facts):
        finding = _judge(candidate, channel, facts, policies)
        findings.append(finding)
        if finding.outcome is Outcome.OPEN and finding.at <= max(facts.now, patient_until):
            return _go(finding, facts, tuple(findings))
        if finding.outcome is Outcome.HELD and facts.now < patient_until:
            until = min(finding.at, patient_until)
            return Wait(until, channel, finding.objections[0].reason, tuple(findings))
    trace = tuple(findings)
    later = [finding for finding in findings if finding.outcome in (Outcome.OPEN, Outcome.HELD)]
    if later:
        return _go(min(later, key=lambda finding: finding.at), facts, trace)
    closest = max(
        (each.objections[0].reason for each in findings), key=_DEPTH.__getitem__, default=Reason.NO_POINT
    )
    return Drop(closest, trace)


def decide_together(
    candidates: Iterable[Candidate], facts: Facts, policies: Sequence[Policy] = DEFAULT_POLICIES
) -> dict[int, Decision]:
    """What becomes of one contact's candidates that are due at once, by candidate id.

    The more important go first, and what they take is gone for the next: a Send counts as sent, a
    Wait moves its reservation to the new time, a Drop gives its reservation up. A shadow takes nothing.
    """
    decisions: dict[int, Decision] = {}
    for candidate in sorted(candidates, key=lambda each: (each.priority, each.due_at, each.id)):
        decision = decide(candidate, facts, policies)
        if candidate.shadow:
            would_go = isinstance(decision, Send)
            decisions[candidate.id] = Drop(Reason.SHADOW, decision.trace) if would_go else decision
        else:
            decisions[candidate.id] = decision
            facts = _after(candidate, decision, facts)
    return decisions


def trace_from_json(stored: Iterable[Mapping[str, Any]]) -> Trace:
    """What a decision's `as_json` stored."""
    return tuple(
        Finding(
            finding["channel"],
            Outcome(finding["outcome"]),
            datetime.fromisoformat(finding["at"]),
            tuple(Objection(policy, Reason(reason)) for policy, reason in finding["objections"]),
        )
        for finding in stored
    )


def _judge(candidate: Candidate, channel: str, facts: Facts, policies: Sequence[Policy]) -> Finding:
    """Move time forward until every policy allows, one denies, or the message expires.

    A policy that holds is not asked about later instants: its answer will come from outside. What the
    others say still counts, so nobody waits for a confirmation that would come to nothing.
    """
    at = facts.now
    held: list[tuple[Hold, Policy]] = []
    deferred: tuple[Objection, ...] = ()
    for _ in range(ROUNDS):
        against = _ask(candidate, channel, facts, at, policies)
        if denials := [(ruling, policy) for ruling, policy in against if isinstance(ruling, Deny)]:
            return Finding(channel, Outcome.DENIED, at, _objections(denials) + deferred)
        if holds := [(ruling, policy) for ruling, policy in against if isinstance(ruling, Hold)]:
            held += holds
            policies = [policy for policy in policies if all(policy is not other for _, other in holds)]
        defers = [(ruling, policy) for ruling, policy in against if isinstance(ruling, Defer)]
        if not defers:
            return _open_or_held(channel, at, held, deferred)
        at = max(ruling.until for ruling, _ in defers)
        decisive = [(ruling, policy) for ruling, policy in defers if ruling.until == at]
        deferred = tuple(dict.fromkeys(_objections(decisive) + _objections(defers) + deferred))
        if at >= candidate.expires_at:
            return Finding(channel, Outcome.LATE, at, deferred)
    return Finding(channel, Outcome.DENIED, at, (Objection("decide", Reason.NO_OPEN_TIME), *deferred))


def _open_or_held(
    channel: str, at: datetime, held: Sequence[tuple[Hold, Policy]], deferred: tuple[Objection, ...]
) -> Finding:
    if not held:
        return Finding(channel, Outcome.OPEN, at, deferred)
    first = min(ruling.until for ruling, _ in held)
    return Finding(channel, Outcome.HELD, first, _objections(held) + deferred)


def _ask(
    candidate: Candidate, channel: str, facts: Facts, at: datetime, policies: Sequence[Policy]
) -> list[tuple[Defer | Hold | Deny, Policy]]:
    """What speaks against this instant, and who says so."""
    against: list[tuple[Defer | Hold | Deny, Policy]] = []
    for policy in policies:
        ruling = policy(candidate, channel, facts, at)
        if not isinstance(ruling, Allow):
            against.append((ruling, policy))
    return against


def _objections(against: Iterable[tuple[Defer | Hold | Deny, Policy]]) -> tuple[Objection, ...]:
    """In an order that does not depend on the order of the policies."""
    objections = {Objection(_name(policy), ruling.reason) for ruling, policy in against}
    return tuple(sorted(objections, key=lambda each: (_DEPTH[each.reason], each.policy)))


def _name(policy: Policy) -> str:
    return getattr(policy, "__name__", type(policy).__name__)


def _go(finding: Finding, facts: Facts, trace: Trace) -> Send | Wait:
    if finding.outcome is Outcome.OPEN and finding.at <= facts.now:
        return Send(finding.channel, facts.points[finding.channel].id, trace)
    return Wait(finding.at, finding.channel, finding.objections[0].reason, trace)


def _after(candidate: Candidate, decision: Decision, facts: Facts) -> Facts:
    """What the contact's next candidate finds."""
    sent = facts.sent
    reserved = tuple(each for each in facts.reserved if each.id != candidate.id)
    if isinstance(decision, Send):
        sent = (*sent, as_sent(candidate, decision.channel, facts, facts.now))
    elif isinstance(decision, Wait):
        reserved = (*reserved, _moved(candidate, decision))
    return replace(facts, sent=sent, reserved=reserved)


def _moved(candidate: Candidate, wait: Wait) -> Reserved:
    return Reserved(
        id=candidate.id,
        due_at=wait.until,
        priority=candidate.priority,
        channels=(wait.channel,),
        intent=candidate.intent,
        topic=candidate.topic,
        purpose=candidate.purpose,
        campaign=candidate.campaign,
    )
