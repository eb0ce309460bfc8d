"""The demo tells the truth: it agrees with a shop that works, and objects to one that does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import demo

ROOT = Path(demo.__file__).parent.parent.parent

# A few seconds to a minute of migrations, and two minutes of story, on a machine that does more than this.
pytestmark = [pytest.mark.slow, pytest.mark.sqlite, pytest.mark.timeout(900)]


def play(*options: str) -> subprocess.CompletedProcess[str]:
    """The demo as `make demo` starts it."""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, "-m", "sandbox.demo", *options],
        cwd=ROOT,
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def end_of(done: subprocess.CompletedProcess[str]) -> str:
    """The verdict and the last words of its processes; whoever shortens a report keeps its beginning."""
    return "\n".join([*done.stdout.splitlines()[-60:], done.stderr])


def test_the_story_is_true() -> None:
    done = play()
    assert done.returncode == 0, end_of(done)
    assert "The story is true." in done.stdout
    assert "✗" not in done.stdout
    assert done.stderr == ""
    assert "\x1b" not in done.stdout, "colours are for people at a terminal"
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_a_broken_flow_is_found_out() -> None:
    done = play("--settings", "tests.sandbox.broken.settings")
    assert done.returncode == 1, end_of(done)
    wrong = [line for line in done.stdout.splitlines() if line.startswith(" ✗")]
    assert any("Alice ordered as a stranger" in line for line in wrong)
    assert "Alice got something on" in done.stdout, "a code after the order"
    assert any("Ada left, and after an hour" in line for line in wrong), "no email at all"
    assert "The story is true." not in done.stdout
