"""Oscar's product alerts: who asked to be told when something is back, and whether it is.

Oscar mails them itself: at every save of a stock record (OSCAR_EAGER_ALERTS, its default), or when the command
`oscar_send_alerts` runs. It closes an alert as it does. A shop that sets OSCAR_EAGER_ALERTS = False, and does
not run the command, leaves them to us. We close them in the same way, so whoever comes first tells, and
nobody is told twice.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings as django_settings
from django.db import DatabaseError, transaction
from django.db.models import Max, Q
from oscar.core.loading import get_class, get_model

from ..core.events import Event
from ..core.plan import Run
from ..services import failures, plans
from . import identity, orders, products
from .identity import Identity

ProductAlert = get_model("customer", "ProductAlert")
OrderLine = get_model("order", "Line")
Selector = get_class("partner.strategy", "Selector")
StockRecord = get_model("partner", "StockRecord")

#: Names in the inbox: the stock of something somebody waits for has changed; it can be bought again.
STOCK_MOVED, BACK = "stock.moved", "product.back_in_stock"
#: Oscar's own mails get so much of a start.
SETTLE = timedelta(seconds=30)
#: Alerts that one transaction of the fold closes.
CHUNK = 100

logger = logging.getLogger(__name__)


def stock_moved(since: datetime, now: datetime) -> Iterator[Event]:
    """One event for each product whose stock changed in (since, now] and for which somebody waits.

    Driven from the index over the changes of stock; requests of the shop pay nothing for it.
    """
    if getattr(django_settings, "OSCAR_EAGER_ALERTS", True):
        return  # they are told already
    waiting = ProductAlert.objects.filter(status=ProductAlert.ACTIVE).values("product_id")
    moved = (
        StockRecord.objects.filter(date_updated__gt=since, date_updated__lte=now)
        .filter(Q(product__in=waiting) | Q(product__parent__in=waiting))
        .order_by()
        .values_list("product_id", "product__parent_id")
        .annotate(last=Max("date_updated"))
    )
    for product_id, parent_id, last in moved:
        yield Event(
            name=STOCK_MOVED,
            key=f"product:{product_id}",
            occurred_at=last,
            not_before=last + SETTLE,
            data={"products": [product_id, *([parent_id] if parent_id else [])]},
        )


def follow(moved: Event) -> Sequence[Event]:
    """Close a chunk of the alerts for what can be bought now, each as one event; if any flow is there to tell it."""
    if moved.name != STOCK_MOVED or not _is_told():
        return ()
    active = _alerts().filter(status=ProductAlert.ACTIVE, product__in=moved.data["products"])
    waiting = list(active.filter(pk__gt=moved.data.get("after", 0)).order_by("pk")[:CHUNK])
    told = [_back(alert, moved) for alert in waiting if _is_over(alert, moved.occurred_at)]
    return [*told, _rest(moved, after=waiting[-1].pk)] if len(waiting) == CHUNK else told


def returns(runs: Sequence[Run]) -> dict[int, products.Card]:
    """By message id: what is back and can be bought now, for who has neither bought it nor given up waiting."""
    asked = _alerts().filter(pk__in={run.subjects["alert"] for run in runs})
    alerts = {alert.pk: alert for alert in asked.exclude(status=ProductAlert.CANCELLED)}
    cards = products.cards({_page(alert) for alert in alerts.values()})
    bought = _bought(list(alerts.values()))
    return {
        run.message_id: cards[_page(alert)]
        for run in runs
        if (alert := alerts.get(run.subjects["alert"])) is not None
        and _page(alert) in cards
        and alert.pk not in bought
        and _can_buy(alert)
    }


def _rest(moved: Event, *, after: int) -> Event:
    """The alerts beyond this one, for a transaction of their own."""
    key = f"{moved.key.partition(':after:')[0]}:after:{after}"
    return replace(moved, key=key, not_before=None, data={**moved.data, "after": after})


def _is_over(alert: Any, at: datetime) -> bool:
    """Whether the waiting is over, and the alert closed. One that cannot be judged waits, and stops no other.

    Raises DatabaseError: it passes, and the chunk is judged again.
    """
    try:
        with transaction.atomic():
            return _can_buy(alert) and _close(alert, at)
    except DatabaseError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the others wait for their turn
        failures.log(logger, error, "judging product alert #%d failed", alert.pk)
        return False


def _is_told() -> bool:
    """Whether somebody would hear of it: an alert is closed for good."""
    return any(each.plan.enabled and not each.plan.shadow for each in plans.load_plans().started_by(BACK))


def _can_buy(alert: Any) -> bool:
    """Whether the person could put it into a basket now, by the shop's own strategy."""
    product, strategy = alert.product, Selector().strategy(user=alert.user)
    if not product.is_public or (product.parent_id and not product.parent.is_public):
        return False
    info = (strategy.fetch_for_parent if product.is_parent else strategy.fetch_for_product)(product)
    return bool(info.availability.is_available_to_buy)


def _close(alert: Any, at: datetime) -> bool:
    """Close it as Oscar does; False if it was closed or cancelled in between."""
    mine = ProductAlert.objects.filter(pk=alert.pk, status=ProductAlert.ACTIVE)
    return bool(mine.update(status=ProductAlert.CLOSED, date_closed=at))


def _back(alert: Any, moved: Event) -> Event:
    who = identity.of_user(alert.user) if alert.user else Identity(email=alert.email)
    subjects = {"alert": alert.pk}
    # the language in which the engine happens to run is not theirs
    return replace(who, language="").event(BACK, f"alert:{alert.pk}", at=moved.occurred_at, subjects=subjects)


def _alerts() -> Any:
    return ProductAlert.objects.select_related("user", "product__parent", "product__product_class")


def _page(alert: Any) -> int:
    """The product on whose page it is sold: a variant has none."""
    page: int = alert.product.parent_id or alert.product_id
    return page


def _bought(alerts: Collection[Any]) -> set[int]:
    """The alerts whose people bought the product since they asked. One statement."""
    if not alerts:
        return set()
    wanted = [alert.product_id for alert in alerts]
    lines = OrderLine.objects.filter(
        Q(product__in=wanted) | Q(product__parent__in=wanted),
        order__in=orders.converting(),
        order__date_placed__gt=min(alert.date_created for alert in alerts),
    ).values_list(
        "product_id", "product__parent_id", "order__user_id", "order__guest_email", "order__date_placed"
    )
    return {
        alert.pk
        for product_id, parent_id, user_id, email, placed in lines
        for alert in alerts
        if alert.product_id in (product_id, parent_id)
        and placed > alert.date_created
        and _asked(alert, user_id, email)
    }


def _asked(alert: Any, user_id: int | None, email: str | None) -> bool:
    """Whether it is an alert of who bought with this account, or as a guest with this email."""
    if alert.user_id:
        return bool(alert.user_id == user_id)
    return bool(email) and alert.email.lower() == str(email).lower()
