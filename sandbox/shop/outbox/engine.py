"""The engine in the process of the shop: every few seconds by itself, and at once when a page asks.

One at a time: who holds `work` knows that nobody else is in the middle of something when the time is
moved. A shop of your own runs `manage.py crosschannel_run` or Celery instead.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from oscar_crosschannel import signals
from oscar_crosschannel.conf import settings
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import InboxEvent, Message
from oscar_crosschannel.services import consents, dispatch
from sandbox import clock

from . import phones
from .happenings import Happening, Witness

logger = logging.getLogger(__name__)

#: Passes at one moment: a text goes out, its delivery is reported, and somebody learns from that.
MOST_PASSES = 5
#: What is due at 9:12:30.25 is certainly due a second later.
A_MOMENT = timedelta(seconds=1)

#: Held by whoever works, or moves the time.
_one_at_a_time = threading.RLock()


def work() -> None:
    """Do all that is due now."""
    with _one_at_a_time:
        for _ in range(MOST_PASSES):
            signals.tick_started.send(sender=None)
            report = dispatch.tick(timezone.now())
            running = phones.here()
            has_reported = running is not None and running.report_deliveries()
            if not report.judged and not has_reported:
                return


def advance(until: datetime | None) -> list[Happening]:
    """Let the time pass, and tell what happened. None: until something falls due.

    It goes from one moment at which something is due to the next, so nothing is skipped: an email of
    13:00 must not be found at noon of the next day, when its time is over.
    """
    with _one_at_a_time:
        witness = Witness()
        happenings = [*witness.watch(work)]
        if until is None:
            until = (next_moment() or timezone.now()) + A_MOMENT
        while (moment := next_moment()) is not None and moment < until:
            clock.set_now(min(moment + A_MOMENT, until))
            happenings += witness.watch(work)
        clock.set_now(max(until, timezone.now()))
        return [*happenings, *witness.watch(work)]


def next_moment() -> datetime | None:
    """When something falls due next, after now; that nobody answered a question is nothing to look at."""
    now = timezone.now()
    messages = Message.objects.filter(state=State.PLANNED, due_at__gt=now).order_by("due_at")
    waiting = InboxEvent.objects.filter(processed_at=None, not_before__gt=now)
    events = waiting.exclude(name=consents.REQUEST_OVER).order_by("not_before")
    moments = [
        messages.values_list("due_at", flat=True).first(),
        events.values_list("not_before", flat=True).first(),
    ]
    return min((moment for moment in moments if moment), default=None)


@contextmanager
def at_rest() -> Iterator[None]:
    """Nothing is sent while this lasts."""
    with _one_at_a_time:
        yield


@contextmanager
def running() -> Iterator[None]:
    """Work every few seconds, in a thread of its own."""
    stopping = threading.Event()
    thread = threading.Thread(target=_loop, args=[stopping], name="engine")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()  # nothing is left half-sent


def _loop(stopping: threading.Event) -> None:
    while not stopping.wait(settings.TICK_SECONDS):
        try:
            work()
        except Exception:
            logger.exception("a pass of the engine failed; the next one follows")
        finally:
            connection.close()
