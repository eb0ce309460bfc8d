"""Oscar as the services see it: their `Shop`. Bound in `apps.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from ..core.events import Event
from ..core.ports import Person, Sweep, VoucherRequest
from . import events, orders, parcels, product_alerts, products, sweeps, vouchers


class OscarShop:
    """See `core.ports.Shop` for what each method promises."""

    def sweeps(self) -> Mapping[str, Sweep]:
        return {
            "baskets": sweeps.basket_activity,
            "lapsed-customers": sweeps.lapsed_customers,
            "stock": product_alerts.stock_moved,
        }

    def follows(self, event: Event) -> Sequence[Event]:
        return (*events.follow(event), *parcels.follow(event), *product_alerts.follow(event))

    def has_bought(self, people: Sequence[Person], since: Mapping[int, datetime]) -> set[int]:
        return orders.has_bought(people, since)

    def product_at(self, path: str) -> int | None:
        return products.at(path)

    def issue_vouchers(self, requests: Sequence[VoucherRequest]) -> Mapping[int, int]:
        return vouchers.issue(requests)

    def used_vouchers(self, voucher_ids: Collection[int]) -> set[int]:
        return vouchers.used(voucher_ids)

    def withdraw_vouchers(self, voucher_ids: Collection[int]) -> None:
        vouchers.withdraw(voucher_ids)
