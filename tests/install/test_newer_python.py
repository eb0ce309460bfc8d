"""The same shop on Python 3.12 or later with Django 6.0, and the suite beside it.

Where no such Python is found this is left out, and said aloud; it is the one part that CI may leave out (see
`tests/conftest.py`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import NO_NEWER_PYTHON
from tests.stores.story import COLUMNS

from . import guide
from .newcomer import Project, bare_shop, built_wheel, find_uv
from .opening import surroundings

DJANGO = "Django>=6.0,<6.1"
VERSIONS = "import sys, django; print(sys.version_info >= (3, 12), django.VERSION >= (6, 0))"
#: Where Django and Oscar call us, or we use more of them than queries; the rest would take minutes.
SLICE = [
    *("tests/checks", "tests/oscar", "tests/admin/test_access.py", "tests/web/test_confirm.py"),
    *(
        f"--ignore=tests/oscar/test_{tale}.py"
        for tale in ("events", "order_texts", "parcels", "voided_orders")
    ),
    *(f"tests/channels/test_email{part}.py" for part in ("", "_backends", "_files", "_outcomes")),
    *("-m", "not slow", "--hypothesis-profile", "fast"),
]

pytestmark = [pytest.mark.slow, pytest.mark.sqlite, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A bare Oscar shop on Django 6.0 with the app and what its tests need."""
    python = newer_python()
    if python is None:
        pytest.skip(NO_NEWER_PYTHON)
    uv, folder = find_uv(), tmp_path_factory.mktemp("newer")
    shop = bare_shop(folder / "quillbrook", uv, python=python, django=DJANGO)
    shop.pip(f"{built_wheel(folder, uv)}[test]", DJANGO)
    assert shop.run("-c", VERSIONS) == "True True\n"
    return shop


def test_the_shop_chases_a_basket_on_django_6(shop: Project, tmp_path: Path) -> None:
    with surroundings(tmp_path) as around:
        around.paste(guide.read(), shop)
        with around.opened(shop) as store:
            store.prepare()
            findings = store.command("check", "--database", "default", "--fail-level", "WARNING")
            results = around.play(store)

    assert "no issues" in findings
    assert results == {column: [] for column in COLUMNS}


def test_the_suite_is_green_on_django_6(shop: Project) -> None:
    said = shop.tests(*SLICE)

    assert " passed" in said


def newer_python() -> str | None:
    """A Python of 3.12 or later on this machine, downloading none: this one, on the path, or pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names = [f"python3.{minor}" for minor in (14, 13, 12)]
    candidates = [sys.executable, *names, *_of_pyenv(pyenv)]
    return next((python for python in candidates if _is_newer(python)), None)


def _of_pyenv(versions: Path) -> Iterator[str]:
    for minor in (14, 13, 12):
        yield from map(str, sorted(versions.glob(f"3.{minor}.*/bin/python")))


def _is_newer(python: str) -> bool:
    """Whether it starts, and is new enough: a shim of pyenv may be on the path without its Python."""
    question = "import sys, venv; sys.exit(sys.version_info < (3, 12))"
    try:
        return subprocess.run([python, "-c", question], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
