"""Oscar as the services see it: their `Shop`. Bound in `apps.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from ..core.events import Event
from ..core.ports import Person, VoucherRequest
from . import orders, sweeps, vouchers


class OscarShop:
    """See `core.ports.Shop` for what each method promises."""

    def sweep(self, since: datetime, now: datetime) -> Iterable[Event]:
        return sweeps.basket_activity(since, now)

    def has_bought(self, people: Sequence[Person], since: Mapping[int, datetime]) -> set[int]:
        return orders.has_bought(people, since)

    def issue_vouchers(self, requests: Sequence[VoucherRequest]) -> Mapping[int, int]:
        return vouchers.issue(requests)

    def withdraw_vouchers(self, voucher_ids: Collection[int]) -> None:
        vouchers.withdraw(voucher_ids)
