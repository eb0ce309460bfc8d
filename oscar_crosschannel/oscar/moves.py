"""Listening to what becomes of orders. Everything else about it happens later, in the engine: see `parcels`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import Signal
from django.utils import timezone
from oscar.apps.order.signals import order_line_status_changed, order_status_changed

from ..core.events import Event
from ..services import inbox
from . import parcels
from .safety import safe


@safe("ShippingEvent post_save")
def on_shipping_event(sender: Any, *, instance: Any, created: bool, raw: bool = False, **kwargs: Any) -> None:
    """Something happened to a parcel; which things are in it is saved after this."""
    if created and not raw and (kind := parcels.kind_of_type(instance.event_type)):
        _publish(f"shipping_event:{instance.pk}", instance.order_id, kind=kind, shipping_event=instance.pk)


@safe("order_status_changed to a parcel's")
def on_order_status(sender: Any, *, order: Any, new_status: str, **kwargs: Any) -> None:
    """An order got a status that tells of its parcels. The lines it takes along send no signal."""
    if kind := parcels.kind_of_status(new_status):
        _publish(f"order:{order.pk}:{kind}", order.pk, kind=kind)


@safe("order_line_status_changed")
def on_line_status(sender: Any, *, line: Any, new_status: str, **kwargs: Any) -> None:
    """One line got such a status; the dashboard sets one after another."""
    if kind := parcels.kind_of_status(new_status):
        _publish(f"line:{line.pk}:{kind}", line.order_id, kind=kind, line=line.pk)


CONNECTIONS: tuple[tuple[Signal, Any, Any], ...] = (
    (post_save, on_shipping_event, parcels.ShippingEvent),
    (order_status_changed, on_order_status, None),
    (order_line_status_changed, on_line_status, None),
)


def connect() -> None:
    """Listen to Oscar. Called once, in `AppConfig.ready`; again it changes nothing."""
    for signal, receiver, sender in CONNECTIONS:
        signal.connect(
            receiver, sender=sender, weak=False, dispatch_uid=f"oscar_crosschannel.{receiver.__name__}"
        )


def _publish(key: str, order_id: int, **data: Any) -> None:
    now: datetime = timezone.now()
    moved = Event(
        name=parcels.MOVED,
        key=key,
        occurred_at=now,
        not_before=now + parcels.SETTLE,
        subjects={"order": order_id},
        data=data,
    )
    with transaction.atomic():
        inbox.publish(moved, now=now)
