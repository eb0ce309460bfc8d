"""Why a message stands where it stands, in sentences: from the row and the trace of its decision."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import formats
from django.utils.translation import gettext, gettext_lazy as _

from ..core.decision import Decision, Drop, Outcome, Send, Trace, Wait, trace_from_json
from ..core.facts import SMS
from ..core.lifecycle import State
from ..core.rulings import Reason
from ..models import ConsentEvent, Contact, Message
from . import sentences

#: So many clocks fit into a line; a number that may be anywhere is shown without.
_MOST_CLOCKS = 3


@dataclass(frozen=True, slots=True)
class ChannelStory:
    """What was found about one channel."""

    channel: str  #: in words
    finding: str
    objections: Sequence[str]
    chosen: bool


def sentence(message: Message, now: datetime) -> str:
    """What became of a message, state included: "not sent: no consent for SMS"."""
    state = sentences.STATES[State(message.state)]
    return gettext("%(state)s: %(standing)s") % {"state": state, "standing": standing(message, now)}


def standing(message: Message, now: datetime) -> str:
    """What is to be said beside the word for a message's state: why, how, or until when."""
    if message.state == State.PLANNED:
        return _waiting(message, now)
    return str(_STANDINGS[State(message.state)]) % {
        "channel": sentences.channels([message.channel]) if message.channel else "",
        "why": _why(message),
    }


_STANDINGS = {
    State.CLAIMED: _("by %(channel)s"),
    State.SENDING: _("by %(channel)s"),
    State.SENT: _("by %(channel)s"),
    State.UNKNOWN: _("by %(channel)s, but %(why)s; it is not sent again by itself"),
    State.DROPPED: _("%(why)s"),
    State.CANCELLED: _("%(why)s"),
    State.FAILED: _("%(why)s"),
}


def _waiting(message: Message, now: datetime) -> str:
    words = {"when": sentences.moment(message.due_at, now), "why": _why(message)}
    is_due = message.due_at <= now
    if message.reason:
        again = gettext("for the next tick, which asks again; so far: %(why)s")
        return (again if is_due else gettext("until %(when)s: %(why)s")) % words
    due = gettext("for the next tick; due since %(when)s")
    return (due if is_due else gettext("until %(when)s, when it is due")) % words


def trace(message: Message, now: datetime) -> list[ChannelStory]:
    """The last decision, channel by channel in the order they were tried."""
    return channels(_trace(message), message.channel, now)


def channels(trace: Trace, chosen: str, now: datetime) -> list[ChannelStory]:
    """What was found, channel by channel in the order they were tried."""
    return [
        ChannelStory(
            channel=sentences.channels([found.channel]),
            finding=sentences.finding(found, now),
            objections=[sentences.objection(each, found.channel) for each in found.objections],
            chosen=found.channel == chosen,
        )
        for found in trace
    ]


def consent(event: ConsentEvent, topic: str) -> str:
    """What a person did: "agreed: Basket reminders, by SMS". `topic` is the name of the topic, if known."""
    everything = event.action == ConsentEvent.Action.REVOKE
    unnamed = gettext("everything") if everything else gettext("what the words name")
    return gettext("%(did)s: %(about)s, by %(channel)s") % {
        "did": event.get_action_display(),
        "about": topic or event.topic or unnamed,
        "channel": sentences.channels([event.channel]),
    }


def clocks(contact: Contact, at: datetime) -> str:
    """`at` where the contact may be: "9:12 a.m. (America/New_York)"; empty when that is anybody's guess."""
    zones = [contact.zone] if contact.zone else []
    for point in contact.points.all():
        if point.channel == SMS and point.current:
            zones += point.zones
    times: dict[str, str] = {}
    for zone in zones:
        with suppress(ZoneInfoNotFoundError):
            local = at.astimezone(ZoneInfo(zone))
            times.setdefault(formats.date_format(local, "DATETIME_FORMAT"), zone)
    if len(times) > _MOST_CLOCKS:
        return ""
    return "; ".join(f"{time} ({zone})" for time, zone in times.items())


def foreseen(decision: Decision, now: datetime) -> str:
    """What becomes of a planned message, as things stand."""
    match decision:
        case Send(channel=channel):
            return gettext("it goes by %(channel)s") % {"channel": sentences.channels([channel])}
        case Wait(until=until, channel=channel, reason=reason):
            words = {
                "channel": sentences.channels([channel]),
                "when": sentences.moment(until, now),
                "why": sentences.reason(reason, [channel]),
            }
            if any(found.channel == channel and found.outcome is Outcome.HELD for found in decision.trace):
                return gettext("it waits until %(when)s at the latest: %(why)s") % words
            return gettext("it goes by %(channel)s, from %(when)s on (%(why)s)") % words
        case Drop():
            return gettext("it will not be sent: %(why)s") % {"why": why_not(decision)}


def why_not(drop: Drop) -> str:
    """The reason for each channel; of a message that no channel was asked about, its own."""
    if drop.reason is Reason.SHADOW:
        return _in_shadow(drop.trace)
    against = _by_reason(drop.trace)
    if not against:
        return sentences.reason(drop.reason)
    return "; ".join(sentences.reason(code, channels) for code, channels in against.items())


def _in_shadow(found: Trace) -> str:
    """What would have been: the first channel to which nothing was in the way is the one that was meant."""
    channel = next((finding.channel for finding in found if finding.outcome is Outcome.OPEN), "")
    if not channel:
        return sentences.reason(Reason.SHADOW)
    by = {"channel": sentences.channels([channel])}
    return gettext("it would have gone out by %(channel)s, but the flow is in shadow mode") % by


def _by_reason(found: Trace) -> dict[Reason, list[str]]:
    """The channels that each reason spoke against first."""
    against: dict[Reason, list[str]] = {}
    for finding in found:
        if finding.objections:
            against.setdefault(finding.objections[0].reason, []).append(finding.channel)
    return against


def _why(message: Message) -> str:
    """The reason, with the channels that it concerns; a dropped message has one per channel."""
    if message.reason == Reason.SHADOW:
        return _in_shadow(_trace(message))
    against = _by_reason(_trace(message))
    if message.reason not in against:
        return sentences.reason(message.reason, [message.channel] if message.channel else message.excluded)
    if message.state == State.DROPPED:
        return "; ".join(sentences.reason(code, channels) for code, channels in against.items())
    return sentences.reason(message.reason, against[Reason(message.reason)])


def _trace(message: Message) -> Trace:
    return trace_from_json(message.decision or ())
