"""Which browser there is. `python -m tests.browser.chromium` prints it, or fails when there is none.

Nothing is downloaded here: Debian's own package does, and so does Playwright's build if a developer
has it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

MISSING = (
    "NOT TESTED in a browser: no Chromium was found. `.ci/setup` installs it as root on Debian; "
    "elsewhere install Chromium or Google Chrome, or run `.venv/bin/playwright install chromium`."
)


def find() -> str:
    """Path of a browser of the Chromium family; empty if there is none."""
    for name in NAMES:
        if (found := shutil.which(name)) and _starts(found):
            return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else ""


def _starts(path: str) -> bool:
    """Ubuntu has a `chromium-browser` that only says where to get one."""
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    browser = find()
    print(browser or MISSING, file=sys.stdout if browser else sys.stderr)
    sys.exit(not browser)
