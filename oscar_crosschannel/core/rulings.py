"""One policy's answer about one channel at one instant, and the codes that explain it.

Reasons are codes here and sentences in admin and web, so that a stored decision can be
read in any language.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Reason(StrEnum):
    """Why a message waits, was dropped, cancelled or failed. Stored; never rename one."""

    # policies
    NO_POINT = "no_point"  #: no address known on this channel
    NO_PROVIDER = "no_provider"  #: nobody is behind the channel who would deliver it
    NO_CONSENT = "no_consent"
    WEAK_CONSENT = "weak_consent"  #: of a kind that the law of the place does not accept for texts
    NO_AGE_PROOF = "no_age_proof"  #: the topic has a minimum age that nobody has proven
    AWAITING_OPT_IN = "awaiting_opt_in"
    SUPPRESSED = "suppressed"
    NOT_WANTED = "not_wanted"  #: the run has ended, or its subject is gone
    CONDITION = "condition"  #: the step's condition is not met
    DUPLICATE = "duplicate"  #: the same intent was already said
    OUTSIDE_HOURS = "outside_hours"
    NO_OPEN_HOURS = "no_open_hours"  #: the candidate zones share no open hour
    PAUSED = "paused"  #: the person asked for a rest from marketing
    GUARDED = "guarded"  #: complaints or bounces stopped marketing on the channel
    CAPPED = "capped"
    SLOT_RESERVED = "slot_reserved"
    HELD_OUT = "held_out"
    VOUCHER_TOO_SOON = "voucher_too_soon"
    OVER_BUDGET = "over_budget"  #: the shop has spent what it wants to spend on texts
    CHANNEL_CLOSED = "channel_closed"  #: the provider is broken; the queue waits
    PACED = "paced"  #: the sender takes so many a second; its turn comes
    REFUSED = "refused"  #: the provider refused this address or message for good
    # the decision itself
    SHADOW = "shadow"  #: it would have gone out, but the flow only shows what it would do
    EXPIRED = "expired"
    NO_OPEN_TIME = "no_open_time"  #: no common open instant was found within 32 rounds
    # what stops a person
    PURCHASED = "purchased"
    OPTED_OUT = "opted_out"
    ERASED = "erased"  #: the person's data were erased
    REPLACED = "replaced"  #: contacts were merged, or a new run took over
    FLOW_OFF = "flow_off"
    STEP_REMOVED = "step_removed"
    STAFF = "staff"  #: called off, or ended, by hand
    # sending
    VOUCHER_UNAVAILABLE = "voucher_unavailable"
    CONTEXT_ERROR = "context_error"
    NOT_PREPARED = "not_prepared"  #: something failed between the hand-over and the call; it is tried again
    RENDER_ERROR = "render_error"
    NO_WORDS = "no_words"  #: a merchant's words are broken, and there are none to take instead
    TOO_LONG = "too_long"
    PROVIDER_REFUSED = "provider_refused"
    GAVE_UP = "gave_up"  #: retried as often as allowed
    POISON = "poison"  #: returned by the reaper as often as allowed
    NO_ANSWER = "no_answer"  #: unknown: the provider call did not report back


@dataclass(frozen=True, slots=True)
class Allow:
    """Nothing against it at this instant."""


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now; ask again at `until`."""

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait for something outside (a confirmation) until `until`, without probing that instant."""

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Deny:
    """Not on this channel."""

    reason: Reason


Ruling = Allow | Defer | Hold | Deny
