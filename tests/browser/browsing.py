"""A browser that reaches the shop and nothing else, and remembers what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page as Tab,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.browser.servers import HOST, Shop

#: Milliseconds after which something does not come any more, on however busy a machine.
PATIENCE = 60_000

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

#: Chromium itself asks for updates and the like; the tests are about what pages ask for.
_QUIET = [
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass  # without slots: Playwright notes its wrappers on it
class Visit:
    """One tab, and what it complained of."""

    tab: Tab
    origin: str
    outside: list[str] = field(default_factory=list)  #: addresses elsewhere that the page asked for
    troubles: list[str] = field(default_factory=list)  #: console, scripts, failed requests

    def open(self, path: str, *, status: int = 200) -> None:
        """Go to a page of the shop, which answers with this status."""
        response = self.tab.goto(self.origin + path)
        assert response is not None
        assert response.status == status, f"{path} was answered with {response.status}"

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:", "about:")):
            self.outside.append(request.url)

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            self.troubles.append(f"{response.status} for {urlsplit(response.url).path}")

    def _failed(self, request: Request) -> None:
        if request.url.startswith(self.origin) and request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"{request.failure} for {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        # a page that is answered with 404 or 410 on purpose is written there, too
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.troubles.append(f"console: {message.text}")


@contextmanager
def launched(executable: str, shop: Shop) -> Iterator[Browser]:
    """Chromium, for which the shop's name is the shop's port and every other name unknown.

    It knows the certificate beforehand. One that it only puts up with (`ignore_https_errors`) makes it begin
    each connection anew, and on a busy machine it gives up on some.
    """
    names = f"MAP {HOST} 127.0.0.1:{shop.port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=[
                *_QUIET,
                f"--host-resolver-rules={names}",
                f"--ignore-certificate-errors-spki-list={shop.pin}",
            ],
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(
    browser: Browser,
    *,
    origin: str = f"https://{HOST}",
    cookies: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[Visit]:
    """A new browser profile with one tab, at the shop's own time zone. `options` are Playwright's."""
    context = browser.new_context(
        **{
            "viewport": DESKTOP,
            "locale": "en-US",
            "timezone_id": "America/New_York",
            **options,
        }
    )
    context.set_default_timeout(PATIENCE)
    context.add_cookies(
        [{"name": name, "value": value, "url": origin} for name, value in (cookies or {}).items()]
    )
    try:
        visit = Visit(context.new_page(), origin)
        visit.tab.on("request", visit._asked)
        visit.tab.on("response", visit._answered)
        visit.tab.on("requestfailed", visit._failed)
        visit.tab.on("console", visit._said)
        visit.tab.on("pageerror", lambda error: visit.troubles.append(f"script: {error}"))
        yield visit
    finally:
        context.close()
