"""The flows that ship with the app, each a file that reads like the flow.

Imported by `apps.py` only. May know Oscar and the app's `oscar` room; nothing below imports it.
"""

from ..core.plan import Blueprint
from .abandoned_cart import AbandonedCart
from .opt_in import OptInEmail, OptInSms

#: Registered when the app is ready; a project's own flow under the same key replaces one.
SHIPPED: tuple[type[Blueprint], ...] = (AbandonedCart, OptInSms, OptInEmail)
