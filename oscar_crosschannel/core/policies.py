"""The rules that a message must pass, one function each.

A policy judges one candidate on one channel at one instant and knows nothing of the others. It may
only say no, not yet, or nothing against it, so adding one can only tighten a channel, and their order
cannot matter. `decide` relies on three promises:

- the answer depends on the arguments alone;
- a `Defer` names an instant after `at`, and skips none at which the policy would have allowed;
- a policy that denies at some instant denies already now, or at every later instant too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from .facts import EMAIL, SMS, Answer, Block, Candidate, Cap, Facts, Purpose, Reserved, Sent
from .rulings import Allow, Defer, Deny, Hold, Reason, Ruling

Policy = Callable[[Candidate, str, Facts, datetime], Ruling]

ALLOW = Allow()

#: How far ahead a more important message keeps its slot.
RESERVATION = timedelta(hours=24)
#: When a more important message that is already due will have had its turn: two ticks.
TURN = timedelta(minutes=1)

_NEVER = datetime.max.replace(tzinfo=UTC)

#: Frequency as a shop starts with it; a merchant's own list replaces it.
DEFAULT_CAPS = (
    Cap(
        key="emails-a-week",
        name="emails a week",
        most=4,
        window=timedelta(days=7),
        channels=frozenset({EMAIL}),
    ),
    Cap(
        key="campaign-emails-a-week",
        name="campaign emails a week",
        most=2,
        window=timedelta(days=7),
        channels=frozenset({EMAIL}),
        campaigns_only=True,
    ),
    Cap(
        key="pause-between-emails",
        name="pause between emails",
        most=1,
        window=timedelta(hours=16),
        channels=frozenset({EMAIL}),
    ),
    Cap(
        key="texts-a-month",
        name="texts a month",
        most=4,
        window=timedelta(days=30),
        channels=frozenset({SMS}),
    ),
    Cap(
        key="texts-a-day",
        name="texts a day",
        most=1,
        window=timedelta(hours=24),
        channels=frozenset({SMS}),
    ),
    Cap(key="messages-a-week", name="messages a week", most=5, window=timedelta(days=7)),
    Cap(
        key="pause-between-subjects",
        name="pause between subjects",
        most=1,
        window=timedelta(hours=4),
        other_intents_only=True,
    ),
    Cap(
        key="texts-a-day-by-law",
        name="texts a day by law",
        most=3,
        window=timedelta(hours=24),
        channels=frozenset({SMS}),
        legal=True,
    ),
)


def reachable(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """There is an address, and a provider, which has not refused it for good."""
    if channel not in facts.points:
        return Deny(Reason.NO_POINT)
    if channel in facts.silent:
        return Deny(Reason.NO_PROVIDER)
    return Deny(Reason.REFUSED) if channel in candidate.excluded else ALLOW


def consented(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """Marketing needs a grant for this topic on this channel; a requested message, that nothing else was said.

    Where asking for it is not asking for texts (`texts_by_consent`), a text needs a grant, too. Texts that belong to
    an order need no more than that the person did not decline them by name; asking anew takes that back
    only once it is confirmed.

    For marketing texts the grant must be of a kind that the law of every place accepts (rule 1).
    """
    if candidate.purpose is Purpose.CRITICAL:
        return ALLOW
    point = facts.points.get(channel)
    consent = point.consents.get(candidate.topic) if point else None
    if candidate.purpose is Purpose.TRANSACTIONAL:
        # what belongs to an order comes by email in any case; of texts about it one may have enough
        refused = consent is not None and consent.answer is not Answer.GRANTED and consent.stopped_by_name
        return Deny(Reason.NO_CONSENT) if refused and channel == SMS else ALLOW
    if consent is None:
        was_asked_for = not (candidate.texts_by_consent and channel == SMS)
        is_requested = candidate.purpose is Purpose.REQUESTED
        return ALLOW if is_requested and was_asked_for else Deny(Reason.NO_CONSENT)
    if consent.answer is Answer.REVOKED or (consent.until and consent.until <= at):
        return Deny(Reason.NO_CONSENT)
    if consent.answer is Answer.PENDING:
        return Hold(min(consent.until or candidate.expires_at, candidate.expires_at), Reason.AWAITING_OPT_IN)
    accepted = facts.bases.get(channel)
    if candidate.purpose is Purpose.MARKETING and accepted is not None and consent.basis not in accepted:
        return Deny(Reason.WEAK_CONSENT)
    return ALLOW


def old_enough(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """A topic with a minimum age goes to who has proven it, on the very address (rule 14).

    What is still to be confirmed is not asked yet.
    """
    if not candidate.minimum_age or candidate.purpose in (Purpose.TRANSACTIONAL, Purpose.CRITICAL):
        return ALLOW
    point = facts.points.get(channel)
    consent = point.consents.get(candidate.topic) if point else None
    if consent is not None and consent.answer is Answer.PENDING:
        return ALLOW
    proven = consent.proven_age if consent else None
    return ALLOW if proven is not None and proven >= candidate.minimum_age else Deny(Reason.NO_AGE_PROOF)


def not_suppressed(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """The address is not on the suppression list; this outranks every consent (rule 26)."""
    point = facts.points.get(channel)
    if point is None or point.blocked is None:
        return ALLOW
    if point.blocked is Block.EVERYTHING or candidate.purpose is Purpose.MARKETING:
        return Deny(Reason.SUPPRESSED)
    return ALLOW


def still_wanted(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """The run behind the message goes on, and the step's condition holds."""
    if not candidate.wanted:
        return Deny(Reason.NOT_WANTED)
    return ALLOW if candidate.condition_met else Deny(Reason.CONDITION)


def not_duplicate(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """The same was not said yet; critical news may be said once on each channel."""
    on_any_channel = candidate.purpose is not Purpose.CRITICAL
    for sent in facts.sent:
        if (
            sent.intent == candidate.intent
            and sent.same_contact
            and (on_any_channel or sent.channel == channel)
        ):
            return Deny(Reason.DUPLICATE)
    return ALLOW


def inside_hours(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """The person may be disturbed on this channel (rules 31 to 36, 39)."""
    hours = facts.hours.get(channel)
    if hours is None or not hours_bind(candidate, channel, facts):
        return ALLOW
    opens = hours.opens(at)
    if opens is None:
        return Deny(Reason.NO_OPEN_HOURS)
    return Defer(opens, Reason.OUTSIDE_HOURS) if opens > at else ALLOW


def held_until_morning(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """What the shop does not want to say at night waits until people may be texted; never until it is too late.

    On every channel, or what waits as a text would at once go out as an email.
    """
    hours = facts.hours.get(SMS)
    if hours is None or candidate.topic not in facts.held or candidate.purpose is not Purpose.TRANSACTIONAL:
        return ALLOW
    opens = hours.opens(at)
    if opens is None or not at < opens < candidate.expires_at:
        return ALLOW
    return Defer(opens, Reason.OUTSIDE_HOURS)


def within_caps(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """There is room in every rolling window. What might have been sent counts as sent (rule 37)."""
    if not hours_bind(candidate, channel, facts):
        return ALLOW
    room = _room(as_sent(candidate, channel, facts, at), facts.sent, facts.caps)
    return Defer(room, Reason.CAPPED) if room > at else ALLOW


def slot_free(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """It takes no room that a more important message of the contact needs within a day.

    Each reservation is played as if it went at its time on the channel it would try first. If that
    works without the candidate and not with it, the candidate waits until that time.
    """
    if candidate.purpose is not Purpose.MARKETING or not facts.reserved:
        return ALLOW
    rank = (candidate.priority, candidate.due_at, candidate.id)
    without: tuple[Sent, ...] = facts.sent
    taken: tuple[Sent, ...] = (*facts.sent, as_sent(candidate, channel, facts, at))
    for theirs in _reservations(facts, rank):
        if theirs.at > at + RESERVATION:
            break
        if _room(theirs, without, facts.caps) > theirs.at:
            continue  # it will be capped anyway
        if theirs.at > at and _room(theirs, taken, facts.caps) > theirs.at:
            return Defer(theirs.at, Reason.SLOT_RESERVED)
        without, taken = (*without, theirs), (*taken, theirs)
    return ALLOW


def not_held_out(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """The contact is not in the arm that gets nothing."""
    held_out = candidate.held_out and candidate.purpose is Purpose.MARKETING
    return Deny(Reason.HELD_OUT) if held_out else ALLOW


def not_paused(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """The person did not ask for a rest from marketing, nor did anybody else who uses the address."""
    point = facts.points.get(channel)
    until = max(filter(None, [facts.paused_until, point.paused_until if point else None]), default=None)
    if candidate.purpose is Purpose.MARKETING and until and until > at:
        return Defer(until, Reason.PAUSED)
    return ALLOW


def not_guarded(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """Complaints or bounces have not paused marketing on the channel (rule 50); staff let it go on."""
    if candidate.purpose is Purpose.MARKETING and channel in facts.guarded:
        return Hold(candidate.expires_at, Reason.GUARDED)
    return ALLOW


def within_budget(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """What the shop wants to spend on the channel is not used up; only marketing waits for it (rule 84)."""
    until = facts.spent.get(channel)
    if candidate.purpose is Purpose.MARKETING and until and until > at:
        return Defer(until, Reason.OVER_BUDGET)
    return ALLOW


def voucher_gap(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """Exclusive codes stay rare, or people learn to wait for them."""
    if candidate.offers_voucher:
        for sent in facts.sent:
            concerns = sent.same_contact or _is_there(sent, as_sent(candidate, channel, facts, at))
            if sent.offers_voucher and concerns and sent.at + facts.voucher_gap > at:
                return Deny(Reason.VOUCHER_TOO_SOON)
    return ALLOW


def channel_open(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    """The provider works; while it does not, messages queue (rule 56)."""
    until = facts.closed.get(channel)
    return Defer(until, Reason.CHANNEL_CLOSED) if until and until > at else ALLOW


DEFAULT_POLICIES: tuple[Policy, ...] = (
    reachable,
    consented,
    old_enough,
    not_suppressed,
    still_wanted,
    not_duplicate,
    not_held_out,
    voucher_gap,
    not_paused,
    not_guarded,
    within_budget,
    channel_open,
    inside_hours,
    held_until_morning,
    within_caps,
    slot_free,
)


def fewer(caps: Iterable[Cap]) -> tuple[Cap, ...]:
    """The caps for who wants fewer messages: half as many; where it is one, in twice the time. Laws stay."""
    return tuple(cap if cap.legal else _halved(cap) for cap in caps)


def _halved(cap: Cap) -> Cap:
    return replace(cap, window=2 * cap.window) if cap.most == 1 else replace(cap, most=cap.most // 2)


def hours_bind(candidate: Candidate, channel: str, facts: Facts) -> bool:
    """Whether hours, and caps, bind at all (rule 39)."""
    if candidate.purpose is Purpose.REQUESTED:
        return not (candidate.any_hour and _agreed_to_any_hour(candidate.topic, channel, facts))
    return candidate.purpose is Purpose.MARKETING


def preferred(channels: tuple[str, ...], facts: Facts) -> tuple[str, ...]:
    """`channels` in the order they are tried: the contact's explicit choice, then as given."""
    primary = facts.primary_channel
    if primary not in channels:
        return channels
    return (primary, *(channel for channel in channels if channel != primary))


def as_sent(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Sent:
    """The candidate as caps will count it once it has gone out on `channel` at `at`."""
    point = facts.points.get(channel)
    return Sent(
        at=at,
        channel=channel,
        purpose=candidate.purpose,
        intent=candidate.intent,
        topic=candidate.topic,
        campaign=candidate.campaign,
        offers_voucher=candidate.offers_voucher,
        digest=point.digest if point else "",
    )


def _agreed_to_any_hour(topic: str, channel: str, facts: Facts) -> bool:
    point = facts.points.get(channel)
    consent = point.consents.get(topic) if point else None
    return consent is not None and consent.answer is Answer.GRANTED and consent.any_hour


def _reservations(facts: Facts, rank: tuple[int, datetime, int]) -> list[Sent]:
    """What outranks `rank`, as it will have been sent, in order of time."""
    theirs = [
        _as_planned(reserved, facts)
        for reserved in facts.reserved
        if (reserved.priority, reserved.due_at, reserved.id) < rank
        and reserved.purpose is Purpose.MARKETING
        and reserved.channels
    ]
    return sorted(theirs, key=lambda sent: sent.at)


def _as_planned(reserved: Reserved, facts: Facts) -> Sent:
    channel = preferred(reserved.channels, facts)[0]
    point = facts.points.get(channel)
    return Sent(
        at=max(reserved.due_at, facts.now + TURN),
        channel=channel,
        purpose=reserved.purpose,
        intent=reserved.intent,
        topic=reserved.topic,
        campaign=reserved.campaign,
        digest=point.digest if point else "",
    )


def _room(message: Sent, history: Iterable[Sent], caps: Iterable[Cap]) -> datetime:
    """The first instant from `message.at` on at which every cap that binds it has room."""
    return max((_cap_room(cap, message, history) for cap in caps if _binds(cap, message)), default=message.at)


def _cap_room(cap: Cap, message: Sent, history: Iterable[Sent]) -> datetime:
    ends = sorted(
        end for sent in history if (end := sent.at + cap.window) > message.at and _counts(cap, sent, message)
    )
    if len(ends) < cap.most:
        return message.at
    # Room comes back when all but `most - 1` of them have left the window.
    return ends[len(ends) - cap.most] if cap.most else _NEVER


def _binds(cap: Cap, message: Sent) -> bool:
    if cap.channels and message.channel not in cap.channels:
        return False
    if cap.topics and message.topic not in cap.topics:
        return False
    if cap.campaigns_only and not message.campaign:
        return False
    return cap.legal or message.purpose is Purpose.MARKETING


def _counts(cap: Cap, sent: Sent, message: Sent) -> bool:
    if cap.channels and sent.channel not in cap.channels:
        return False
    if cap.topics and sent.topic not in cap.topics:
        return False
    if cap.campaigns_only and not sent.campaign:
        return False
    if cap.other_intents_only and sent.intent == message.intent:
        return False
    if cap.legal:
        return sent.digest == message.digest
    concerns = sent.same_contact or _is_there(sent, message)
    return concerns and sent.purpose is Purpose.MARKETING


def _is_there(sent: Sent, message: Sent) -> bool:
    """Whether it went to the very number: one phone rings, whoever the shop takes its owner for."""
    return sent.channel == message.channel == SMS and sent.digest == message.digest
