"""What wants to go out (`Candidate`) and all that a policy may know about its contact (`Facts`).

Services read rows into these values; policies read nothing else. All instants are in UTC: adding to a
local datetime counts wall time, which a clock change makes wrong by an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from .timing import Hours

EMAIL = "email"
SMS = "sms"


class Purpose(StrEnum):
    """Why a topic's messages are sent; decides which policies bind them."""

    MARKETING = "marketing"  #: promotes something; needs consent, hours and caps
    REQUESTED = "requested"  #: the person asked for exactly this (an event reminder)
    TRANSACTIONAL = "transactional"  #: performs an order or an account action
    CRITICAL = "critical"  #: security or a changed schedule; goes out on every channel


class Answer(StrEnum):
    """A contact point's current consent for one topic."""

    GRANTED = "granted"
    PENDING = "pending"  #: asked for by a form, not yet confirmed by the owner of the address
    REVOKED = "revoked"


class Basis(StrEnum):
    """What kind of consent a grant is; each country says which permit marketing texts (rule 1)."""

    EXPRESS_WRITTEN = "express_written"
    EXPRESS = "express"
    SOFT_OPT_IN = "soft_opt_in"  #: a customer's, for the seller's own similar products
    IMPLIED = "implied"  #: by a business relationship
    UNPROVEN = "unproven"  #: imported without proof
    NONE = "none"


class Block(StrEnum):
    """How much a suppression blocks on its channel."""

    EVERYTHING = "everything"
    MARKETING = "marketing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFacts:
    """The current answer of one point for one topic."""

    answer: Answer
    until: datetime | None = None  #: end of an implied grant, or of a pending request
    basis: Basis = Basis.NONE  #: of the grant
    proven_age: int | None = None  #: in years, by a checked date of birth
    #: Whether the last answer that named this very topic, and not everything, was to stop. A request, which
    #: anybody can make, is no answer.
    stopped_by_name: bool = False
    any_hour: bool = False  #: the words of the grant say that messages may come at any hour


@dataclass(frozen=True, slots=True, kw_only=True)
class PointFacts:
    """The contact point a channel would use."""

    id: int
    address: str
    digest: str  #: keyed digest of (channel, address); legal caps count by it
    consents: Mapping[str, ConsentFacts] = field(default_factory=dict)  #: by topic key
    blocked: Block | None = None  #: the strictest suppression in force for this address
    paused_until: datetime | None = None  #: somebody who uses this address asked for no marketing before


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that was, is being, or might have been sent. Unknown outcomes count."""

    at: datetime
    channel: str
    purpose: Purpose
    intent: str
    topic: str = ""
    campaign: bool = False
    offers_voucher: bool = False
    same_contact: bool = True  #: False: another contact's message to the same address
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """Another planned message of the contact that may need a slot soon."""

    id: int
    due_at: datetime
    priority: int  #: lower goes first
    channels: tuple[str, ...]
    intent: str
    topic: str = ""
    purpose: Purpose = Purpose.MARKETING
    campaign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most `most` messages within a rolling `window`.

    `channels` empty means over all channels together, `topics` empty over all topics. `legal` caps count
    every purpose and every contact behind one address; the others count marketing only, to this contact
    and, of texts, to everybody who uses the same number.
    """

    name: str
    most: int
    window: timedelta
    key: str = ""  #: by which a merchant's row changes it
    channels: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    campaigns_only: bool = False
    other_intents_only: bool = False
    legal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One planned message that asks to go out."""

    id: int
    contact_id: int
    topic: str
    purpose: Purpose
    intent: str
    channels: tuple[str, ...]  #: allowed channels, the step's own preference first
    priority: int
    due_at: datetime
    expires_at: datetime
    leg: str = ""  #: the channel, for purpose critical; else empty
    patience: timedelta = timedelta(0)  #: how long after `planned_at` a better channel is worth waiting for
    planned_at: datetime | None = None  #: when its plan had it due, before any wait; None: `due_at`
    campaign: bool = False
    any_hour: bool = False  #: at night, too, if the words that the person agreed to say so (requested only)
    offers_voucher: bool = False
    wanted: bool = True  #: the enrolment behind it still runs
    condition_met: bool = True  #: answer of the step's named condition
    held_out: bool = False  #: the contact is in the arm that gets nothing
    minimum_age: int = 0  #: in years; above 0, consent must come with a proof of it
    texts_by_consent: bool = False  #: it was not asked for by text (requested only)
    excluded: frozenset[str] = frozenset()  #: channels whose provider refused for good
    shadow: bool = False  #: it is decided what would become of it, and nothing is sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that policies may know about the contact of a candidate."""

    now: datetime
    points: Mapping[str, PointFacts] = field(default_factory=dict)  #: by channel
    primary_channel: str = ""  #: the contact's explicit choice
    hours: Mapping[str, Hours] = field(default_factory=dict)  #: open hours by channel; absent: always
    bases: Mapping[str, frozenset[Basis]] = field(default_factory=dict)  #: see Basis; absent: any grant
    silent: frozenset[str] = frozenset()  #: channels without a provider: nobody would get anything
    one_way: frozenset[str] = frozenset()  #: channels on which the person cannot answer the sender
    paused_until: datetime | None = None  #: the person asked for no marketing before
    guarded: frozenset[str] = frozenset()  #: channels whose marketing a guard has paused
    held: frozenset[str] = frozenset()  #: topics that wait for the morning, though they need not
    spent: Mapping[str, datetime] = field(default_factory=dict)  #: channels over their budget, until when
    caps: tuple[Cap, ...] = ()
    sent: tuple[Sent, ...] = ()
    reserved: tuple[Reserved, ...] = ()
    closed: Mapping[str, datetime] = field(default_factory=dict)  #: broken channels, until when
    voucher_gap: timedelta = timedelta(days=30)  #: at most one voucher per contact in this time
