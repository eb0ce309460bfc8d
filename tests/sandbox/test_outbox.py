from __future__ import annotations

from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(settings, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path
    for name in ("Clara", "Élodie"):
        message = EmailMultiAlternatives(
            f"Für {name}", "Zwölf Tassen", "shop@example.com", ["to@example.com"]
        )
        message.attach_alternative("<html><head></head><body>Zwölf <b>Tassen</b></body></html>", "text/html")
        message.send()


@pytest.mark.usefixtures("sent")
def test_it_lists_and_shows_what_was_sent() -> None:
    client = Client()
    listing = client.get("/outbox/").content.decode()
    assert listing.index("Für Élodie") < listing.index("Für Clara")  # the newest first
    assert "Zwölf Tassen" in client.get("/outbox/0/").content.decode()
    assert "Zwölf <b>Tassen</b>" in client.get("/outbox/0/html/").content.decode()


def test_it_says_that_nothing_was_sent(settings, tmp_path: Path) -> None:
    settings.EMAIL_FILE_PATH = tmp_path
    assert "Nothing yet" in Client().get("/outbox/").content.decode()
    assert Client().get("/outbox/0/").status_code == 404
