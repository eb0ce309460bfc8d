"""States of a message and of a provider call, and which change may follow which."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """Where a message stands. The numbers are stored and are part of partial indexes."""

    PLANNED = 0  #: owed, waits for its time
    CLAIMED = 1  #: decided; the provider was certainly not called; a stop recalls it
    SENDING = 2  #: handed over; the provider may have been called
    SENT = 10  #: the provider accepted it
    UNKNOWN = 11  #: perhaps sent; never sent again by itself
    DROPPED = 20  #: decided against, with a reason
    CANCELLED = 21  #: recalled by a stop
    FAILED = 22  #: the provider, or our own rendering, refused for good


OPEN = frozenset({State.PLANNED, State.CLAIMED, State.SENDING})
RECALLABLE = frozenset({State.PLANNED, State.CLAIMED})


class Status(IntEnum):
    """What a provider says of one call. It only rises; ends share the highest ranks.

    The order follows Twilio's lifecycle (queued, sending, sent, then one end) and
    covers email's (deferred, delivered, bounced, complained).
    """

    INTENDED = 0  #: committed before the call
    NOT_SENT = 1  #: certainly not accepted; another attempt may follow
    QUEUED = 10
    SENDING = 20
    SENT = 30
    DEFERRED = 35
    FAILED = 90
    UNDELIVERED = 91
    DELIVERED = 92
    READ = 100


def rises(old: Status, new: Status) -> bool:
    """Whether a report of `new` may replace `old`: callbacks come late, doubled and unordered."""
    if old == Status.READ or new <= Status.NOT_SENT:
        return False
    if old >= Status.FAILED:
        return new == Status.READ and old == Status.DELIVERED
    return new > old
