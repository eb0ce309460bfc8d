"""Something that happened in or around the shop, as the inbox takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: In the `data` of an event: what it says of a person is older than the event, as news of an order say what
#: was typed when it was placed. It fills gaps, and replaces nothing.
OLD = "is_old"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentAnswer:
    """What a person answered to one consent text, with the proof around it."""

    channel: str
    text: str  #: digest of the words that were shown (`Wording.digest`)
    language: str
    given: bool
    form: str  #: which form: "registration", "gateway", "preview", …
    page_url: str = ""
    ip: str = ""
    user_agent: str = ""
    session: str = ""  #: digest of the session key
    order_number: str = ""
    address: str = ""  #: the address this answer is for, as typed
    kind: str = ""  #: which box; empty: the one named like the channel
    topics: Sequence[str] = ()  #: keys of those chosen among what the words name; empty: all of them
    is_primary: bool = False  #: the person would rather be written to on this channel
    proven_age: int | None = None  #: years, of a date of birth that was given
    mechanism: str = "checkbox"  #: what was ticked or pressed
    must_be_confirmed: bool = False  #: whoever typed the address, its owner is asked
    message_id: int | None = None  #: the message of ours that led here, and gets the credit


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A named fact with a key that makes it idempotent.

    Publishing the same (name, key) again replaces an entry: the newest `occurred_at` counts.
    `subjects` are ids of the shop's own rows (`{"basket": 7}`); values that may change are
    read again when they are needed. Who it concerns: `user_id`, `email`, `phone`, any of them.
    """

    name: str
    key: str
    occurred_at: datetime
    user_id: int | None = None
    email: str = ""
    phone: str = ""
    subjects: Mapping[str, int] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)  #: JSON
    answers: tuple[ConsentAnswer, ...] = ()
    not_before: datetime | None = None  #: fold it no earlier than this
