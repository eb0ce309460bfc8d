"""The rows, by subject. All public models are imported here.

Used by services (the only writers), admin and web (readers). Submodules import each other in
one direction: contacts → consents → flows → enrolments → messages → the rest. They must not
know services, channels, Oscar's code or the time.
"""

from .consents import Consent, ConsentEvent, ConsentTemplate, ConsentText, Topic, TopicWords
from .contacts import Belonging, Contact, ContactPoint, Suppression, UnreadReply
from .enrolments import Enrolment
from .events import ScheduledEvent
from .flows import BrokenWords, Copy, Flow, FlowStep, FlowVersion
from .inbox import InboxEvent, OrdinaryReply, Watermark
from .limits import FrequencyCap, Guard, SmsBudget, TextingRule
from .links import Click
from .messages import Attempt, ChannelRest, DeliveryEvent, Message
from .privacy import ConsentImport, Erasure
from .senders import Sender
from .vouchers import VoucherBudget, VoucherGrant

__all__ = [
    "Attempt",
    "Belonging",
    "BrokenWords",
    "ChannelRest",
    "Click",
    "Consent",
    "ConsentEvent",
    "ConsentImport",
    "ConsentTemplate",
    "ConsentText",
    "Contact",
    "ContactPoint",
    "Copy",
    "DeliveryEvent",
    "Enrolment",
    "Erasure",
    "Flow",
    "FlowStep",
    "FlowVersion",
    "FrequencyCap",
    "Guard",
    "InboxEvent",
    "Message",
    "OrdinaryReply",
    "ScheduledEvent",
    "Sender",
    "SmsBudget",
    "Suppression",
    "TextingRule",
    "Topic",
    "TopicWords",
    "UnreadReply",
    "VoucherBudget",
    "VoucherGrant",
    "Watermark",
]
