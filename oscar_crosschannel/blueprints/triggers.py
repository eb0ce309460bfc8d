"""What merchants may begin and end flows of their own with."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from ..core.facts import EMAIL, SMS
from ..core.triggers import Trigger
from ..services.clicks import PRODUCT_CLICKED
from ..services.subscribers import GRANTED, JOINED
from .abandoned_cart import AbandonedCart
from .back_in_stock import BackInStock
from .bought import Bought
from .events import AboutEvent, AboutStart, EventCancellation, EventChange, EventUnbooked
from .follow_up import FollowUp
from .shipping import ParcelCancelled, ParcelDelayed, ParcelDelivered, ParcelShipped
from .shopfront import Registration, Shopfront
from .win_back import WinBack

#: Offered when the app is ready, in this order; a project's own under the same event replaces one.
SHIPPED: tuple[Trigger, ...] = (
    Trigger(
        event="basket.active",
        title=_("Something is put into a basket"),
        about=AbandonedCart(),
        one_run=True,
        again_after=timedelta(days=7),
    ),
    Trigger(event="order.placed", is_service=True, title=_("An order is placed"), about=Bought()),
    Trigger(event="order.voided", title=_("An order comes to nothing"), starts=False, same="order"),
    Trigger(event="user.registered", is_service=True, title=_("Somebody registers"), about=Registration()),
    Trigger(event=JOINED, title=_("Somebody signs up for messages"), about=Shopfront()),
    Trigger(event=f"{GRANTED}.{EMAIL}", title=_("Somebody agrees to emails"), about=Shopfront()),
    Trigger(event=f"{GRANTED}.{SMS}", title=_("Somebody agrees to texts"), about=Shopfront()),
    Trigger(
        event=PRODUCT_CLICKED,
        title=_("Somebody opens a product from an email"),
        about=FollowUp(),
        one_run=True,
        again_after=timedelta(days=7),
    ),
    Trigger(event="customer.lapsed", title=_("A customer stays away"), about=WinBack()),
    Trigger(
        event="event.booked",
        is_service=True,
        title=_("Somebody books an event"),
        about=AboutEvent(),
        same="booking",
    ),
    Trigger(
        event="event.scheduled",
        is_service=True,
        title=_("An event that somebody booked begins"),
        about=AboutStart(),
        anchor="starts_at",
        same="booking",
    ),
    Trigger(
        event="event.changed",
        is_service=True,
        title=_("An event that somebody booked is changed"),
        about=EventChange(),
        same="booking",
    ),
    Trigger(
        event="event.cancelled",
        is_service=True,
        title=_("An event that somebody booked is cancelled"),
        about=EventCancellation(),
        same="booking",
    ),
    Trigger(
        event="event.unbooked",
        is_service=True,
        title=_("A booking of an event is cancelled"),
        about=EventUnbooked(),
        same="booking",
    ),
    Trigger(
        event="parcel.shipped",
        is_service=True,
        title=_("A parcel is sent"),
        about=ParcelShipped(),
        same="order",
    ),
    Trigger(
        event="parcel.delivered",
        is_service=True,
        title=_("A parcel is delivered"),
        about=ParcelDelivered(),
        same="order",
    ),
    Trigger(
        event="parcel.delayed",
        is_service=True,
        title=_("A parcel is late"),
        about=ParcelDelayed(),
        same="order",
    ),
    Trigger(
        event="parcel.cancelled",
        is_service=True,
        title=_("Something ordered is cancelled"),
        about=ParcelCancelled(),
        same="order",
    ),
    Trigger(
        event="product.back_in_stock",
        is_service=True,
        title=_("Something that somebody waits for is back in stock"),
        about=BackInStock(),
        same="alert",
    ),
)
