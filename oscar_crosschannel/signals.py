"""Signals a project may connect to. Declared here, connected in `apps.py`."""

from django.dispatch import Signal

#: Sent by the engine before it looks at the time. Arguments: none.
tick_started = Signal()

#: Something an operator must know, once per incident. Arguments: code (str), detail (str).
alert = Signal()
