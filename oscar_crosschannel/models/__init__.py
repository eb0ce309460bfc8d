"""The rows, by subject. All public models are imported here.

Used by services (the only writers), admin and web (readers). Submodules import each other in
one direction: contacts → consents → flows → enrolments → messages → the rest. They must not
know services, channels, Oscar's code or the time.
"""

from .consents import Consent, ConsentEvent, ConsentText, Topic
from .contacts import Belonging, Contact, ContactPoint, Suppression
from .enrolments import Enrolment
from .flows import Copy, Flow, FlowStep
from .inbox import InboxEvent, Watermark
from .links import Click
from .messages import Attempt, ChannelRest, DeliveryEvent, Message
from .senders import Sender
from .vouchers import VoucherBudget, VoucherGrant

__all__ = [
    "Attempt",
    "Belonging",
    "ChannelRest",
    "Click",
    "Consent",
    "ConsentEvent",
    "ConsentText",
    "Contact",
    "ContactPoint",
    "Copy",
    "DeliveryEvent",
    "Enrolment",
    "Flow",
    "FlowStep",
    "InboxEvent",
    "Message",
    "Sender",
    "Suppression",
    "Topic",
    "VoucherBudget",
    "VoucherGrant",
    "Watermark",
]
