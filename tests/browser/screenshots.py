"""`python -m tests.browser.screenshots`: the pictures of the README, made anew into docs/screenshots.

The same shop, people and time on every machine; only its fonts differ.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from playwright.sync_api import Page as Tab

from tests.browser import chromium
from tests.browser.browsing import launched, visiting
from tests.browser.pages import Who, change_a_time
from tests.browser.servers import ROOT, serve, tell

FOLDER = ROOT / "docs" / "screenshots"

#: A README is read in a browser, often on a phone.
MOST_BYTES = 150_000
COLOURS = 128

PHONE = {"width": 390, "height": 760}

#: The admin's list of all apps is not ours.
_FOLD_APPS = "localStorage.setItem('django.admin.navSidebarIsOpen', 'false')"
#: A bar that stays at the top hides parts of what is shown below it.
_UNSTICK = ".bar { position: static !important }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One file, and what is on it."""

    name: str
    path: str  #: as in `tests.browser.pages`
    who: Who = "stranger"
    size: Mapping[str, int] = field(default_factory=lambda: _window(760))
    of: str = ""  #: CSS selector of the part to show; "": the window
    pose: Callable[[Tab], Any] = lambda tab: None  #: what is clicked or scrolled first
    dark: bool = False


def _window(height: int) -> dict[str, int]:
    return {"width": 1100, "height": height}


def _agree(tab: Tab) -> None:
    boxes = tab.locator(".crosschannel-consent")
    for box in boxes.get_by_role("checkbox").all():
        box.check()
    boxes.get_by_label("Mobile number for texts").fill("+1 206 555 0142")


_ADMIN = "/admin/oscar_crosschannel"

PICTURES = (
    Picture(name="gateway", path="/checkout/", who="gateway", size=_window(1010), pose=_agree),
    Picture(name="email", path="/outbox/mail/{mail}/", size=PHONE),
    Picture(name="email-dark", path="/outbox/mail/{mail}/", size=PHONE, dark=True),
    Picture(name="text", path="/outbox/?who=ada@example.org", size=PHONE, of=".phone"),
    Picture(name="recovery", path="{recover}", size=PHONE),
    Picture(name="preferences-account", path="/cc/preferences/", who="customer", size=_window(1150)),
    Picture(name="preferences", path="{preferences_rosa}", size={"width": 390, "height": 1400}),
    Picture(name="why", path="{why}", size=PHONE),
    Picture(name="outbox", path="/outbox/?who=ada@example.org", size={"width": 1280, "height": 1000}),
    Picture(name="flow", path=f"{_ADMIN}/flow/{{flow}}/change/", who="merchant"),
    Picture(name="flow-edit", path=f"{_ADMIN}/flow/{{flow}}/edit/", who="merchant", size=_window(900)),
    Picture(name="words", path=f"{_ADMIN}/flow/{{flow}}/words/code/sms/en/?who={{ada}}", who="merchant"),
    Picture(name="flow-list", path=f"{_ADMIN}/flow/", who="merchant", size=_window(1010)),
    Picture(
        name="flow-asked",
        path=f"{_ADMIN}/flow/{{flow}}/edit/",
        who="merchant",
        size=_window(560),
        pose=change_a_time,
    ),
    Picture(name="flow-own", path=f"{_ADMIN}/flow/{{own_flow}}/edit/", who="merchant", size=_window(1100)),
    Picture(name="flow-version", path=f"{_ADMIN}/flow/{{own_flow}}/versions/3/", who="merchant"),
    Picture(
        name="words-email", path=f"{_ADMIN}/flow/{{flow}}/words/nudge/email/en/?who={{ada}}", who="merchant"
    ),
    Picture(name="event", path=f"{_ADMIN}/scheduledevent/{{scheduled}}/change/", who="merchant"),
    Picture(name="budget", path=f"{_ADMIN}/smsbudget/day/change/", who="merchant", size=_window(560)),
    Picture(
        name="contact",
        path=f"{_ADMIN}/contact/{{ada}}/change/",
        who="merchant",
        of="section:has(.cc-timeline)",
    ),
    Picture(name="places", path=f"{_ADMIN}/textingrule/US-FL/change/", who="merchant", size=_window(900)),
    Picture(name="why-not", path=f"{_ADMIN}/message/{{stopped}}/change/", who="merchant"),
)


def main() -> int:
    """Make all pictures; whatever else is in the folder goes."""
    executable = chromium.find()
    if not executable:
        print(chromium.MISSING, file=sys.stderr)
        return 1
    with TemporaryDirectory(prefix="quillbrook-") as scratch:
        home = Path(scratch) / "home"
        tell(home)
        with serve(home) as shop, launched(executable, shop) as browser:
            FOLDER.mkdir(parents=True, exist_ok=True)
            for old in FOLDER.glob("*.png"):
                old.unlink()
            for picture in PICTURES:
                cookies = shop.places["cookies"].get(picture.who)
                scheme = "dark" if picture.dark else "light"
                with visiting(browser, cookies=cookies, viewport=picture.size, color_scheme=scheme) as visit:
                    visit.tab.add_init_script(_FOLD_APPS)
                    visit.open(shop.path(picture.path))
                    file = FOLDER / f"{picture.name}.png"
                    file.write_bytes(_small(_shot(visit.tab, picture)))
                    print(f"{file.relative_to(ROOT)}  {file.stat().st_size // 1000} kB")
    return 0


def _shot(tab: Tab, picture: Picture) -> bytes:
    picture.pose(tab)
    shown = tab.locator(picture.of) if picture.of else tab
    return shown.screenshot(animations="disabled", caret="hide", style=_UNSTICK)


def _small(png: bytes) -> bytes:
    """The same picture with few colours: flat pages and drawings lose nothing that is seen."""
    with Image.open(io.BytesIO(png)) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
