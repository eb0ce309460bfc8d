"""Cross-channel marketing for django-oscar: email and SMS as one orchestra.

The public nouns with which a store declares flows; everything else is found by subject in the
packages below. Importing this touches neither Django's apps nor the database.
"""

from .conf import flows as _flows
from .core.events import Event
from .core.plan import After, Before, Blueprint, Context, On, Run, send

register = _flows.register

__all__ = ["After", "Before", "Blueprint", "Context", "Event", "On", "Run", "register", "send"]
