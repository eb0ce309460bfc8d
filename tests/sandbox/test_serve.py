"""`make serve` as its visitor meets it: one process, a browser, and everybody's phone."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from sandbox import demo
from sandbox.demo.browser import Browser, Page
from sandbox.demo.storefront import put_into_basket

ROOT = Path(demo.__file__).parent.parent.parent
ALICE = "alice@example.com"
#: A start that takes longer than this many seconds, on the slowest machine, has failed.
PATIENCE = 240
MIGRATE = """
import django; django.setup()
from sandbox.demo import preparation
preparation.migrate(lambda *_: None)
"""

pytestmark = [pytest.mark.slow, pytest.mark.sqlite, pytest.mark.timeout(600)]


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """A home of its own with all tables in it, and a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outside = ("EMAIL_HOST", "TWILIO_ACCOUNT_SID", "SANDBOX_DATABASE_URL", "SANDBOX_ATOMIC_REQUESTS")
    surroundings = {name: value for name, value in os.environ.items() if name not in outside} | {
        "DJANGO_SETTINGS_MODULE": "sandbox.settings",
        "SANDBOX_HOME": str(tmp_path / "home"),
        "SANDBOX_BASE_URL": f"http://127.0.0.1:{port}",
        "PYTHONUNBUFFERED": "1",
    }
    subprocess.run([sys.executable, "-c", MIGRATE], cwd=ROOT, env=surroundings, check=True)
    return surroundings


@contextmanager
def served(surroundings: dict[str, str], printed: Path) -> Iterator[str]:
    """The sandbox, until the end of the block; where it is."""
    home = surroundings["SANDBOX_BASE_URL"]
    with printed.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve_shop"],
            cwd=ROOT,
            env=surroundings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(home, process, printed)
            yield home
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE)
    assert code == 0, printed.read_text()


def wait_for(home: str, process: subprocess.Popen[bytes], printed: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            requests.head(home, timeout=5)
        except requests.ConnectionError:
            assert process.poll() is None, printed.read_text()
            assert time.monotonic() < deadline, printed.read_text()
            time.sleep(0.2)
        else:
            return


def press(browser: Browser, button: str, **fields: str) -> Page:
    """A button of the outbox, with what stands beside it."""
    page = browser.open(f"/outbox/?who={ALICE}")
    form = page.soup.select_one(f'form[action="/outbox/{button}/"]')
    token = form.select_one("input[name=csrfmiddlewaretoken]")["value"]
    return browser.post(f"/outbox/{button}/", {"csrfmiddlewaretoken": token, "who": ALICE, **fields})


def test_two_minutes_with_a_sandbox_that_is_restarted_in_between(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    printed = tmp_path / "printed"
    with served(surroundings, printed) as home:
        first, *others = re.findall(r"http://\S+", printed.read_text())
        assert first == f"{home}/outbox/"
        assert f"{home}/admin/" in others
        browser = Browser(home)
        press(browser, "become", username=ALICE)
        put_into_basket(browser, "Chamomile Inkwell")
        told = press(browser, "leap", leap="hour").words
        assert "Email to Alice: “Alice, your basket is waiting”" in told
        press(browser, "leap", leap="day")
        told = press(browser, "leap", leap="next").words  # in case it was night in Seattle
        assert re.search(r"\bTEA[A-Z2-7]{12}\b", told)

    with served(surroundings, printed) as home:
        assert re.search(r"\bTEA[A-Z2-7]{12}\b", browser.open(f"/outbox/?who={ALICE}").words)
        answer = press(browser, "reply", words="STOP").words
        assert "You are unsubscribed and will get no more texts from us." in answer
        assert "Texts: withdrawn" in answer
    assert "Traceback" not in printed.read_text()
