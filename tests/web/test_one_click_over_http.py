"""One click against a web server in a process of its own, with all the settings on that make Django redirect."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.db import connection
from django.urls import reverse

from oscar_crosschannel.core import tokens
from oscar_crosschannel.models import ConsentEvent, Message
from oscar_crosschannel.services import consents
from tests.factories import NOON, owe
from tests.services.shoppers import TOPICS, guest, permitted
from tests.web.conftest import LinkedFlow, token

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
#: What the proxy in front of the store adds; and a customer whose language is not the store's.
PROXIED = {"X-Forwarded-Proto": "https", "Accept-Language": "de", "User-Agent": "Mailbox provider"}
BODIES = {
    "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
    "urlencoded": {"data": {"List-Unsubscribe": "One-Click"}},
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """`manage.py runserver` on a free port; its address."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.web.strict_store.settings",
        "STRICT_STORE_DATABASE": str(connection.settings_dict["NAME"]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "manage.py", "runserver", "--noreload", "--skip-checks", "127.0.0.1:0"]
    log = tmp_path / "server.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            found = next(
                (at for line in process.stdout if (at := re.search(r"http://127\.0\.0\.1:\d+", line))), None
            )
            assert found is not None, log.read_text()
            yield found[0]
        finally:
            process.kill()


def ask(method: str, url: str, **kwargs: object) -> requests.Response:
    return requests.request(method, url, allow_redirects=False, timeout=60, **kwargs)  # type: ignore[arg-type]


def sent_to(email: str) -> Message:
    """What somebody got who agreed to everything."""
    contact = guest(email)
    consents.grant(contact, "email", TOPICS, source="test", words="Yes.", address=email, now=NOON)
    message = owe(contact, LinkedFlow, email, due=NOON)
    message.channel, message.point = "email", contact.points.get(channel="email")
    message.save()
    return message


@pytest.mark.rule(42, 43)
def test_one_click_is_answered_at_once_and_never_redirected(server: str) -> None:
    assert ask("GET", f"{server}/").status_code == 301, "the store insists on TLS"
    login = ask("GET", f"{server}/catalogue/", headers=PROXIED)
    assert (login.status_code, "login" in login.headers["Location"]) == (302, True), "… and on logging in"
    for encoding, body in BODIES.items():
        for slash in ("/", ""):
            message = sent_to(f"{encoding}{len(slash)}@example.com")
            path = reverse("oscar_crosschannel:unsubscribe", args=[token(tokens.UNSUBSCRIBE, message.pk)])
            url = server + path.rstrip("/") + slash
            for method in ("GET", "HEAD"):
                assert ask(method, url, headers=PROXIED).status_code == 200
            assert permitted(message.contact, "email") == set(TOPICS), "looking changes nothing"
            for _ in range(3):
                answer = ask("POST", url, headers=PROXIED, **body)
                assert (answer.status_code, answer.text, answer.cookies.get_dict()) == (200, "OK", {})
            assert permitted(message.contact, "email") == {"basket_reminders"}
            assert ConsentEvent.objects.filter(action="revoke", message_id=message.pk).count() == 1
