"""The outbox as a visitor meets it: a stocked shop, its own clock, and everybody's phone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core.management import call_command
from django.test import Client
from oscar.core.loading import get_model

from oscar_crosschannel.testing.sms_counterpart import post_through
from sandbox import clock
from sandbox.shop import pictures
from sandbox.shop.outbox import engine, phones

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
#: A Tuesday: noon in the shop, 9:00 in Seattle, 16:00 in York, 21:30 in Kolkata.
BEGIN = datetime(2026, 3, 10, 16, 0, tzinfo=UTC)


class Visitor:
    """Somebody who clicks through the outbox and the shop."""

    def __init__(self) -> None:
        self.client = Client(HTTP_USER_AGENT=BROWSER)

    def look(self, who: str = "", **query: str) -> BeautifulSoup:
        answer = self.client.get("/outbox/", {"who": who, **query})
        assert answer.status_code == 200
        return BeautifulSoup(answer.content, "html.parser")

    def press(self, button: str, **fields: str) -> BeautifulSoup:
        """A button of the outbox; shows the page it leads to."""
        answer = self.client.post(f"/outbox/{button}/", fields, follow=True)
        assert answer.status_code == 200, answer.content[:500]
        return BeautifulSoup(answer.content, "html.parser")

    def leap(self, kind: str, who: str = "") -> list[str]:
        """Move the time; what the page tells of it."""
        return [words(line) for line in self.press("leap", leap=kind, who=who).select(".told li")]

    def leave_a_basket(self, username: str) -> None:
        self.press("become", username=username)
        product = get_model("catalogue", "Product").objects.get(upc="QB-401")
        assert self.client.post(f"/basket/add/{product.pk}/", {"quantity": 2}).status_code == 302
        engine.work()


def words(part: Any) -> str:
    """What can be read in a part of a page."""
    return " ".join(part.get_text(" ").split())


@pytest.fixture
def time(settings: Any, tmp_path: Path) -> Iterator[None]:
    """The sandbox's clock, at `BEGIN`."""
    settings.SANDBOX_CLOCK_FILE = tmp_path / "clock"
    clock.install()
    clock.set_now(BEGIN)
    yield
    clock.uninstall()


@pytest.fixture
def visitor(
    db: None, time: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Visitor]:
    """In front of the whole sandbox, as `serve_shop` puts it together."""
    settings.DEBUG = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.CROSSCHANNEL_BASE_URL = "http://testserver"
    picture = pictures.draw_missing()
    monkeypatch.setattr(pictures, "draw", lambda *_: picture)  # drawing forty takes four seconds
    call_command("seed_shop", verbosity=0)
    with phones.run(tmp_path / "phones.json", post=post_through(Client())):
        engine.work()  # what the seeded people ticked
        yield Visitor()
