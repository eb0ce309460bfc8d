from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox import clock

ROOT = Path(clock.__file__).parent.parent

#: A process of the sandbox that tells its time whenever it is asked.
WITNESS = """
import sys, time
from pathlib import Path
from django.conf import settings
settings.configure(SANDBOX_CLOCK_FILE=Path(sys.argv[1]))
from sandbox import clock
clock.install()
from django.utils import timezone
for line in sys.stdin:
    clock.refresh()
    print(timezone.now().timestamp(), time.time(), time.monotonic(), flush=True)
"""


@pytest.fixture
def clock_file(tmp_path: Path, settings) -> Path:
    settings.SANDBOX_CLOCK_FILE = tmp_path / "clock"
    return settings.SANDBOX_CLOCK_FILE


@contextmanager
def witness(clock_file: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-c", WITNESS, str(clock_file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ}
    ) as process:
        yield process
        process.stdin.close()


def ask(process: subprocess.Popen[str]) -> tuple[float, float, float]:
    """What it takes for Django's now, for time.time() and for time.monotonic()."""
    process.stdin.write("?\n")
    process.stdin.flush()
    django, clock_time, monotonic = map(float, process.stdout.readline().split())
    return django, clock_time, monotonic


def test_all_processes_see_the_same_moved_time(clock_file: Path) -> None:
    with witness(clock_file) as shop, witness(clock_file) as engine:
        for target in (datetime(2031, 5, 1, 12, tzinfo=UTC), datetime(2031, 5, 2, 13, tzinfo=UTC)):
            before = time.monotonic()
            clock.set_now(target)
            seen = [*ask(shop)[:2], *ask(engine)[:2]]
            passed = time.monotonic() - before
            for now in seen:
                assert -0.01 <= now - target.timestamp() <= passed + 0.01


def test_the_moved_time_goes_on_ticking(clock_file: Path) -> None:
    clock.set_now(datetime(2031, 5, 1, tzinfo=UTC))
    with witness(clock_file) as shop:
        before = time.monotonic()
        first = ask(shop)[0]
        time.sleep(0.05)
        second = ask(shop)[0]
        passed = time.monotonic() - before
    assert 0.05 <= second - first <= passed


def test_monotonic_time_is_never_moved(clock_file: Path) -> None:
    with witness(clock_file) as shop:
        before = ask(shop)[2]
        clock.set_now(datetime.now(UTC) + timedelta(days=365))
        after = ask(shop)[2]
    assert 0 <= after - before < timedelta(days=1).total_seconds()


def test_a_reset_returns_to_the_real_time(clock_file: Path) -> None:
    with witness(clock_file) as shop:
        clock.set_now(datetime(2031, 5, 1, tzinfo=UTC))
        ask(shop)
        clock.reset()
        before = time.time()
        assert before - 0.01 <= ask(shop)[0] <= time.time() + 0.01


def test_without_a_file_the_time_is_real(clock_file: Path) -> None:
    with witness(clock_file) as shop:
        before = time.time()
        assert before - 0.01 <= ask(shop)[0] <= time.time() + 0.01


def test_tests_live_at_the_real_time(settings) -> None:
    assert settings.SANDBOX_CLOCK_FILE is None
    clock.install()
    assert clock._travel is None
