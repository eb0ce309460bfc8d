"""A step that promises an exclusive code has an open offer to give it from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError

from ..conf import flows, settings
from ..core.plan import Plan
from ..models import Flow
from ..services.plans import origin, tuning_of
from .findings import TAG, AppConfigs, caution, may_ask, written


@register(TAG, Tags.database)
def check_voucher_offers(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Every step that gives a code, of a flow that is on, finds its offer: of the merchant's own flows, too."""
    if not may_ask(databases):
        return []
    try:
        return list(_findings())
    except DatabaseError:  # before the first migration
        return []


def _findings() -> Iterator[CheckMessage]:
    is_open = set(_open_offers().values_list("pk", flat=True))
    giving = [
        (f"{plan.key}:{step.key}", step.offer_id) for plan in _plans() for step in plan.steps if step.voucher
    ]
    usual = [name for name, offer in giving if offer is None]
    if usual and not _open_offers().filter(name=settings.VOUCHER_OFFER).exists():
        yield caution(
            22,
            f"No code can be given by {', '.join(usual)}: there is no open voucher offer named "
            f"{settings.VOUCHER_OFFER!r}, and the step names no other. These messages are not sent.",
            _hint(),
        )
    if closed := [name for name, offer in giving if offer is not None and offer not in is_open]:
        yield caution(
            22,
            f"No code can be given by {', '.join(closed)}: the offer that was chosen for it is not open. "
            "These messages are not sent.",
            "# In the admin, under Flows: choose another one; or open it again, in Oscar's dashboard under Offers.",
        )


def _plans() -> Iterator[Plan]:
    """Those that are on, with the merchant's changes. Nothing is written: a check may run on any database."""
    rows = list(Flow.objects.order_by("pk").prefetch_related("steps"))
    known = {row.key for row in rows}
    for row in rows:
        if (found := origin(row)) is not None:
            plan = found[0].tuned(tuning_of(row))
            if plan.enabled:
                yield plan
    for blueprint in flows:
        if blueprint.key not in known and (declared := blueprint.plan()).enabled:
            yield declared


def _hint() -> str:
    """One of the shop's own offers if it has any that would do."""
    own = _open_offers().order_by("pk").values_list("name", flat=True).first()
    if own:
        return f"CROSSCHANNEL_VOUCHER_OFFER = {written(own)}"
    name = settings.VOUCHER_OFFER or "Come back: 10 % off"
    return (
        "# First, in Oscar's dashboard under Offers: an open offer of the type Voucher with this name.\n"
        f"CROSSCHANNEL_VOUCHER_OFFER = {written(name)}"
    )


def _open_offers() -> Any:
    offer_model = apps.get_model("offer", "ConditionalOffer")
    return offer_model.objects.filter(offer_type=offer_model.VOUCHER, status=offer_model.OPEN)
