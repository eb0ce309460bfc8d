"""What services ask of the shop. Bound to Oscar in `apps.py`; another shop would bind its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from .events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherRequest:
    """One exclusive code for one message. `code` is derived from the message, so asking twice is harmless."""

    message_id: int
    code: str
    offer_id: int | None
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One contact as orders may name it."""

    contact_id: int
    user_id: int | None
    emails: frozenset[str]
    phones: frozenset[str]


#: What happened in (since, now] that nobody signalled.
Sweep = Callable[[datetime, datetime], Iterable[Event]]


class Shop(Protocol):
    """The shop behind the flows."""

    def sweeps(self) -> Mapping[str, Sweep]:
        """Searches by name, a slug: for baskets with activity, customers who stay away, stock that somebody
        waits for. Each is on its own: one that raises looks again from where it was, and stops no other.
        """

    def follows(self, event: Event) -> Sequence[Event]:
        """What else an event means that nobody signalled, to be published once it is worked off."""

    def has_bought(self, people: Sequence[Person], since: Mapping[int, datetime]) -> set[int]:
        """The contact ids with a converting order placed after `since[contact_id]`."""

    def product_at(self, path: str) -> int | None:
        """The product whose page is at this path of the shop; None for any other page."""

    def issue_vouchers(self, requests: Sequence[VoucherRequest]) -> Mapping[int, int]:
        """Create the codes inside the caller's transaction: message id → voucher id.

        A code that exists already, even if it was withdrawn, is valid as the request says from then on.
        A request that cannot be served (no such offer) is missing from the answer.
        """

    def used_vouchers(self, voucher_ids: Collection[int]) -> set[int]:
        """Those among these codes that an order has spent."""

    def withdraw_vouchers(self, voucher_ids: Collection[int]) -> None:
        """Make codes of messages that were definitely not sent unusable."""
