"""Cross-channel marketing for django-oscar: email and SMS as one orchestra.

The public nouns with which a store declares flows; everything else is found by subject in the
packages below. Importing this touches neither Django's apps nor the database.
"""

from .conf import flows as _flows, triggers as _triggers
from .core.events import Event
from .core.outbound import File
from .core.plan import About, After, Before, Blueprint, Context, On, Run, send
from .core.triggers import Trigger

register = _flows.register
register_trigger = _triggers.register

__all__ = [
    "About",
    "After",
    "Before",
    "Blueprint",
    "Context",
    "Event",
    "File",
    "On",
    "Run",
    "Trigger",
    "register",
    "register_trigger",
    "send",
]
