"""A step that promises an exclusive code has an open offer to give it from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError
from django.db.models import Q

from ..conf import flows, settings
from ..models import Flow, FlowStep
from .findings import TAG, AppConfigs, caution, may_ask, written


@register(TAG, Tags.database)
def check_voucher_offers(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Every step of a flow that is on, and gives a code, finds its offer."""
    promised = [(flow.key, step.key) for flow in flows for step in flow.plan().steps if step.voucher]
    if not promised or not may_ask(databases):
        return []
    try:
        empty = _steps_without_offer(promised)
        hint = _hint() if empty else ""
    except DatabaseError:  # before the first migration
        return []
    if not empty:
        return []
    return [
        caution(
            22,
            f"No code can be given by {', '.join(empty)}: there is no open voucher offer named "
            f"{settings.VOUCHER_OFFER!r}, and the step names no other. These messages are not sent.",
            hint,
        )
    ]


def _steps_without_offer(promised: Sequence[tuple[str, str]]) -> list[str]:
    is_open = _is_open()
    offer_model = apps.get_model("offer", "ConditionalOffer")
    if offer_model.objects.filter(name=settings.VOUCHER_OFFER, **is_open).exists():
        return []
    tuned = FlowStep.objects.filter(flow__key__in=[flow for flow, _ in promised])
    served = tuned.filter(
        Q(removed_at__isnull=False) | Q(offer__in=offer_model.objects.filter(**is_open))
    ).values_list("flow__key", "key")
    off = set(Flow.objects.filter(enabled=False).values_list("key", flat=True))
    settled = set(served)
    return [f"{flow}:{step}" for flow, step in promised if flow not in off and (flow, step) not in settled]


def _hint() -> str:
    """One of the shop's own offers if it has any that would do."""
    offer_model = apps.get_model("offer", "ConditionalOffer")
    own = offer_model.objects.filter(**_is_open()).order_by("pk").values_list("name", flat=True).first()
    if own:
        return f"CROSSCHANNEL_VOUCHER_OFFER = {written(own)}"
    name = settings.VOUCHER_OFFER or "Come back: 10 % off"
    return (
        "# First, in Oscar's dashboard under Offers: an open offer of the type Voucher with this name.\n"
        f"CROSSCHANNEL_VOUCHER_OFFER = {written(name)}"
    )


def _is_open() -> dict[str, str]:
    offer_model = apps.get_model("offer", "ConditionalOffer")
    return {"offer_type": offer_model.VOUCHER, "status": offer_model.OPEN}
