"""Django's admin for merchants: plain answers about messages, people and flows, and what they may change.

Django imports this package by itself. It may read models, ask services and Oscar, and turn codes
into sentences; it changes rows through services only, beside Django's own log of who did what, and
must not know how a message is sent or be imported by the rest.
"""

from . import (
    consents,
    contacts,
    enrolments,
    events,
    flows,
    frequency,
    guards,
    inbox,
    messages,
    places,
    privacy,
    replies,
    sms_budget,
    topics,
    wording_versions,
)

__all__ = [
    "consents",
    "contacts",
    "enrolments",
    "events",
    "flows",
    "frequency",
    "guards",
    "inbox",
    "messages",
    "places",
    "privacy",
    "replies",
    "sms_budget",
    "topics",
    "wording_versions",
]
