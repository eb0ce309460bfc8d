"""One shop per worker, one browser per module.

Playwright's synchronous API keeps an event loop running in the thread of the tests, and Django refuses
its database there. So the shop is a process of its own, no test here touches a database, and the browser
is gone before the next module's tests run.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.browser.browsing import Visit, launched, visiting
from tests.browser.servers import Shop, serve, tell

Visiting = Callable[..., AbstractContextManager[Visit]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The shop is a process with a database of its own, so once is enough; and it takes a minute to make."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for mark in (pytest.mark.sqlite, pytest.mark.slow, pytest.mark.timeout(600)):
                item.add_marker(mark)


@pytest.fixture(scope="session")
def executable() -> str:
    found = chromium.find()
    if not found:
        pytest.skip(chromium.MISSING)
    return found


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The shop with its past, made once for all workers."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    home = shared / "told"
    with (shared / "told.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "places.json").exists():
            tell(home)
    return home


@pytest.fixture(scope="session")
def home(executable: str, told: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of one's own: tests press buttons."""
    return shutil.copytree(told, tmp_path_factory.mktemp("shop") / "home")


@pytest.fixture(scope="session")
def shop(home: Path) -> Iterator[Shop]:
    with serve(home) as shop:
        yield shop


@pytest.fixture(scope="module")
def browser(executable: str, shop: Shop) -> Iterator[Browser]:
    with launched(executable, shop) as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, shop: Shop) -> Visiting:
    """A new tab of somebody: `with visit(who="merchant") as visited`."""

    def visiting_as(who: str = "stranger", **options: Any) -> AbstractContextManager[Visit]:
        return visiting(browser, cookies=shop.places["cookies"].get(who), **options)

    return visiting_as
