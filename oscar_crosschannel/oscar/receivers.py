"""Oscar's signals become events in the inbox: one statement each, and nothing that can fail the shop.

Connected by `connect()`, without a sender for Oscar's own signals: Oscar sends the view, not a class.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import Signal
from django.http import HttpRequest
from django.utils import timezone
from oscar.apps.basket.signals import basket_addition
from oscar.apps.checkout.signals import post_checkout, pre_payment, start_checkout
from oscar.apps.customer.signals import user_registered
from oscar.apps.order.signals import order_placed, order_status_changed
from oscar.core.loading import get_model

from ..conf import settings
from ..core.events import ConsentAnswer, Event
from ..services import inbox, recall
from . import forms, identity, vouchers
from .identity import Identity
from .safety import safe

BasketLine = get_model("basket", "Line")


@safe("basket_addition")
def on_basket_addition(sender: Any, *, request: HttpRequest, **kwargs: Any) -> None:
    """Something was put into a basket. Visitors whom we could not reach cost nothing."""
    who = identity.of_visitor(request)
    basket = getattr(request, "basket", None)  # an API may serve baskets without Oscar's middleware
    if who.is_known and basket is not None:
        _publish(_basket_active(who, basket.pk))


@safe("basket.Line post_delete")
def on_line_deleted(sender: Any, *, instance: Any, origin: Any = None, **kwargs: Any) -> None:
    """Something was taken out of a basket: the one activity that leaves no trace in its rows."""
    if not _is_line_removal(origin):
        return
    # Only the instance Oscar has at hand: the owner of a basket is not worth a query here.
    who = Identity(user_id=instance.basket.owner_id if BasketLine.basket.is_cached(instance) else None)
    # A key of its own, because what a request told knows more of the person, and apart from the
    # sweep's, because that looks at the lines that are left and finds an older time.
    key = f"basket:{instance.basket_id}:line-removed"
    _publish(_basket_active(who, instance.basket_id, key=key))


@safe("start_checkout")
def on_checkout_started(sender: Any, *, request: Any, email: str = "", **kwargs: Any) -> None:
    """The first step of a checkout: the earliest moment at which a guest has an address."""
    who = identity.of_visitor(request, email=email)
    basket_id = request.basket.pk
    events = [_basket_active(who, basket_id)]
    events.append(
        who.event(
            "checkout.started", f"basket:{basket_id}", at=timezone.now(), subjects={"basket": basket_id}
        )
    )
    answers = forms.read_answers(request, form="gateway", email=who.email)
    if answers:
        events.append(_consent_answered(who, f"gateway:{uuid4().hex}", answers))
        forms.remember_asked(request, answers, email=who.email)
    _publish(*events)


@safe("user_registered")
def on_user_registered(sender: Any, *, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """A new account. Oscar logs it in only after this signal."""
    who = identity.of_user(user)
    events = [who.event("user.registered", f"user:{user.pk}", at=timezone.now())]
    answers = forms.read_answers(request, form="registration", email=who.email)
    if answers:
        events.append(_consent_answered(who, f"registration:{user.pk}", answers))
        forms.remember_asked(request, answers, email=who.email)
    _publish(*events)


@safe("pre_payment")
def on_pre_payment(sender: Any, *, view: Any, **kwargs: Any) -> None:
    """The order form was posted. What it answered waits in the session for the order."""
    who = identity.of_visitor(view.request)
    answers = forms.read_answers(view.request, form="preview", email=who.email)
    forms.stash(view.request, answers, email=who.email)
    forms.remember_asked(view.request, answers, email=who.email)


@safe("order_placed")
def on_order_placed(sender: Any, *, order: Any, user: Any = None, **kwargs: Any) -> None:
    """An order: whatever a purchase makes pointless is taken back in the order's own request."""
    if not _came_to_nothing(order.status):
        _bought(order, user, language=identity.language_of_page())


@safe("order_status_changed")
def on_order_status_changed(
    sender: Any, *, order: Any, old_status: str | None, new_status: str, **kwargs: Any
) -> None:
    """An order came to nothing, or was paid after all; every other change is the shop's own affair."""
    if _came_to_nothing(old_status) == _came_to_nothing(new_status):
        return
    if _came_to_nothing(new_status):
        voided = identity.of_order(order).event(
            "order.voided", _order_key(order), at=timezone.now(), subjects=_subjects(order), is_old=True
        )
        _publish(replace(voided, data={**voided.data, "placed_at": order.date_placed.isoformat()}))
    else:
        _bought(order)


@safe("post_checkout")
def on_post_checkout(sender: Any, *, order: Any, request: HttpRequest, **kwargs: Any) -> None:
    """The order is complete; now the answers of its form have a number to stand beside."""
    email, answers = forms.take_stashed(request, order_number=str(order.number))
    if not answers:
        return
    with transaction.atomic():
        who = identity.of_order(order, request.user, language=identity.language_of_page())
        # during a detour somebody else may have signed in at the same browser
        if who.email == email:
            inbox.publish(_consent_answered(who, f"order:{order.pk}", answers), now=timezone.now())


CONNECTIONS: tuple[tuple[Signal, Any, Any], ...] = (
    (basket_addition, on_basket_addition, None),
    (post_delete, on_line_deleted, BasketLine),
    (start_checkout, on_checkout_started, None),
    (user_registered, on_user_registered, None),
    (pre_payment, on_pre_payment, None),
    (order_placed, on_order_placed, None),
    (order_status_changed, on_order_status_changed, None),
    (post_checkout, on_post_checkout, None),
)


def connect() -> None:
    """Listen to Oscar. Called once, in `AppConfig.ready`; again it changes nothing."""
    for signal, receiver, sender in CONNECTIONS:
        signal.connect(
            receiver, sender=sender, weak=False, dispatch_uid=f"oscar_crosschannel.{receiver.__name__}"
        )


def _came_to_nothing(status: str | None) -> bool:
    return status in settings.NON_CONVERTING_STATUSES


def _bought(order: Any, user: Any = None, *, language: str = "") -> None:
    now = timezone.now()
    with transaction.atomic():
        who = identity.of_order(order, user, language=language)
        placed = who.event("order.placed", _order_key(order), at=now, subjects=_subjects(order))
        inbox.publish(placed, now=now)
        recall.recall_purchased(user_id=who.user_id, email=who.email, phone=who.phone, now=now)
        vouchers.strip_used(order)


def _order_key(order: Any) -> str:
    return f"order:{order.pk}"


def _subjects(order: Any) -> dict[str, int]:
    """An order and its basket; "restored" finds whose recovery link filled that basket."""
    basket = {"basket": order.basket_id, "restored": order.basket_id} if order.basket_id else {}
    return {"order": order.pk, **basket}


def _publish(*events: Event) -> None:
    """One savepoint and one statement, however many events."""
    with transaction.atomic():
        inbox.publish(*events, now=timezone.now())


def _basket_active(who: Identity, basket_id: int, *, key: str = "") -> Event:
    return who.event(
        "basket.active", key or f"basket:{basket_id}", at=timezone.now(), subjects={"basket": basket_id}
    )


def _consent_answered(who: Identity, key: str, answers: tuple[ConsentAnswer, ...]) -> Event:
    return who.event("consent.answered", key, at=timezone.now(), answers=answers)


def _is_line_removal(origin: Any) -> bool:
    """Whether this one line was deleted, as shoppers do. A whole query of lines, their product or
    their basket is deleted by the shop.
    """
    return isinstance(origin, BasketLine)
