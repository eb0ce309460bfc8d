"""The flows that ship with the app, each a file that reads like the flow.

Imported by `apps.py` only. May know Oscar and the app's `oscar` room; nothing below imports it.
"""

from ..core.plan import Blueprint
from .abandoned_cart import AbandonedCart
from .back_in_stock import BackInStock
from .events import (
    EventBooking,
    EventCancellation,
    EventChange,
    EventInvitation,
    EventLink,
    EventReminder,
    EventUnbooked,
)
from .follow_up import FollowUp
from .opt_in import OptInEmail, OptInSms
from .review_request import ReviewRequest
from .security_alert import SecurityAlert, SecurityAlertOldAddress
from .shipping import SHIPPING
from .shop_texts import ShopTexts
from .sms_invitation import SmsInvitation
from .triggers import SHIPPED as TRIGGERS
from .welcome import Welcome, WelcomeCode
from .win_back import WinBack

#: Registered when the app is ready; a project's own flow under the same key replaces one.
SHIPPED: tuple[type[Blueprint], ...] = (
    AbandonedCart,
    OptInSms,
    OptInEmail,
    Welcome,
    WelcomeCode,
    FollowUp,
    SmsInvitation,
    WinBack,
    ReviewRequest,
    EventInvitation,
    EventBooking,
    EventReminder,
    EventChange,
    EventLink,
    EventCancellation,
    EventUnbooked,
    *SHIPPING,
    BackInStock,
    SecurityAlert,
    SecurityAlertOldAddress,
    ShopTexts,
)

__all__ = ["SHIPPED", "TRIGGERS"]
