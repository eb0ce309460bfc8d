"""One clock for every process of the sandbox, so that a story of two days takes a minute.

The distance to the real time stands in a file (`SANDBOX_CLOCK_FILE`, in seconds). A process
starts to obey it with `install()` and looks at it again with `refresh()`: a middleware does so
before every request, the engine's command before every tick. Time goes on ticking, and
`time.monotonic()`, by which deadlines and time-outs are measured, is never moved.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import time_machine
from django.conf import settings
from django.http import HttpRequest, HttpResponse


class _Travel:
    """The moved clock of this process. Shifting it is safe while other threads read the time."""

    def __init__(self) -> None:
        self.offset = 0.0
        self.lock = threading.Lock()
        # A number, not a datetime: with an aware datetime the process would change its TZ too.
        self.travel = time_machine.travel(_real_time(), tick=True)
        self.traveller = self.travel.start()
        time.time()  # the traveller starts to tick when it is first read: a little late, on a busy machine
        self.traveller.shift(max(_real_time() - time.time() for _ in range(5)))

    def follow(self, offset: float) -> None:
        with self.lock:
            self.traveller.shift(offset - self.offset)
            self.offset = offset


_travel: _Travel | None = None


def install() -> None:
    """Let this process live at the sandbox's time. Called once, before threads are started."""
    global _travel  # noqa: PLW0603 - a process has one clock
    if settings.SANDBOX_CLOCK_FILE is not None and _travel is None:
        _travel = _Travel()
        refresh()


def uninstall() -> None:
    """Let this process live at the real time again, as if it had never obeyed the file."""
    global _travel  # noqa: PLW0603 - a process has one clock
    if _travel is not None:
        _travel.travel.stop()
        _travel = None


def refresh() -> None:
    """Follow the file, in case another process has moved the clock. Reads some 20 bytes."""
    if _travel is not None:
        _travel.follow(_read())


def set_now(now: datetime) -> None:
    """Move the sandbox to `now` (aware): this process at once, the others at their next look."""
    path = _file()
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(f"{now.timestamp() - _real_time():.6f}\n")
    draft.replace(path)
    refresh()


def reset() -> None:
    """Return the sandbox to the real time."""
    _file().unlink(missing_ok=True)
    refresh()


class ClockMiddleware:
    """Serves every request at the sandbox's present time."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        refresh()
        return self.get_response(request)


def _file() -> Path:
    if settings.SANDBOX_CLOCK_FILE is None:
        raise RuntimeError("This process lives at the real time: SANDBOX_CLOCK_FILE is None.")
    return settings.SANDBOX_CLOCK_FILE


def _read() -> float:
    try:
        return float(_file().read_text())
    except FileNotFoundError:
        return 0.0


def _real_time() -> float:
    hatch = time_machine.escape_hatch
    return hatch.time.time() if hatch.is_travelling() else time.time()
