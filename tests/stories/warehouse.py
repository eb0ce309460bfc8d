"""What staff do with an order in Oscar's dashboard."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

Order = get_model("order", "Order")
ShippingEventType = get_model("order", "ShippingEventType")


class Warehouse:
    """Somebody of the staff, at the page of an order."""

    def __init__(self) -> None:
        self.client = Client()
        self.client.force_login(get_user_model().objects.create_superuser("jo", "jo@quillbrook.example"))

    def report(
        self, order: Any, quantities: dict[str, int], *, what: str = "Shipped", notes: str = ""
    ) -> None:
        """Create a shipping event for so many pieces of each title."""
        event_type, _ = ShippingEventType.objects.get_or_create(name=what)
        data = {"shipping_event_type": event_type.code, "reference": notes}
        self._act(order, quantities, line_action="create_shipping_event", **data)

    def set_lines(self, order: Any, titles: list[str], status: str) -> None:
        """Give lines a status, as the dashboard does: one after the other."""
        quantities = {line.title: line.quantity for line in order.lines.filter(title__in=titles)}
        self._act(order, quantities, line_action="change_line_statuses", new_status=status)

    def set_order(self, order: Any, status: str) -> None:
        """Give the order a status."""
        self._post(order, {"order_action": "change_order_status", "new_status": status})

    def _act(self, order: Any, quantities: dict[str, int], **data: Any) -> None:
        lines = {line.pk: quantities[line.title] for line in order.lines.filter(title__in=quantities)}
        amounts = {f"selected_line_qty_{pk}": count for pk, count in lines.items()}
        self._post(order, {"selected_line": list(lines), **amounts, **data})

    def _post(self, order: Any, data: dict[str, Any]) -> None:
        url = reverse("dashboard:order-detail", kwargs={"number": order.number})
        assert self.client.post(url, data).status_code == 302
