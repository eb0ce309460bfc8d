"""Django's admin for merchants: plain answers about messages, people and flows. Reads, never writes.

Django imports this package by itself. It may read models, ask services and Oscar, and turn codes
into sentences; it must not change a row, know how a message is sent, or be imported by the rest.
"""

from . import consents, contacts, enrolments, flows, inbox, messages

__all__ = ["consents", "contacts", "enrolments", "flows", "inbox", "messages"]
