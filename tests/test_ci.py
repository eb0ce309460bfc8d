"""A part that is skipped on a developer's machine must not be skipped where it counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NO_NEWER_PYTHON

ROOT = Path(__file__).parent.parent

SKIPPING = {
    "in a test": "import pytest\ndef test_it(): pytest.skip('no browser')\n",
    "by a mark": "import pytest\n@pytest.mark.skip(reason='no browser')\ndef test_it(): ...\n",
    "as a module": "import pytest\npytest.skip('no browser', allow_module_level=True)\n",
}


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the shop's plugins are not what is tested here
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=env | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("way", SKIPPING)
def test_a_skip_is_a_failure_on_ci_only(tmp_path: Path, way: str) -> None:
    module = tmp_path / "test_part.py"
    module.write_text(SKIPPING[way])
    pytest_alone = ["-m", "pytest", "-c", os.devnull, "-p", "no:cacheprovider"]
    command = [*pytest_alone, "-p", "tests.conftest", f"--rootdir={tmp_path}", str(module)]

    at_home, on_ci = run(command), run(command, CI="true")

    assert "1 skipped" in at_home.stdout
    assert "no browser" in on_ci.stdout
    assert on_ci.returncode == (2 if way == "as a module" else 1)


LEFT_OUT = "tests/install/test_newer_python.py"


@pytest.mark.parametrize(
    ("path", "reason", "code"),
    [
        (LEFT_OUT, NO_NEWER_PYTHON, 0),
        (LEFT_OUT, "no browser", 1),
        ("tests/install/test_install.py", NO_NEWER_PYTHON, 1),
    ],
)
def test_one_part_may_be_left_out_for_one_reason_and_it_is_said_aloud(
    tmp_path: Path, path: str, reason: str, code: int
) -> None:
    module = tmp_path / path
    module.parent.mkdir(parents=True)
    module.write_text(
        "import pytest\n@pytest.fixture(scope='module')\n"
        f"def shop(): pytest.skip({reason!r})\ndef test_it(shop): ...\ndef test_that(shop): ...\n"
    )
    pytest_alone = ["-m", "pytest", "-c", os.devnull, "-p", "no:cacheprovider"]
    command = [*pytest_alone, "-p", "tests.conftest", f"--rootdir={tmp_path}", str(module)]

    on_ci = run(command, CI="true")

    assert on_ci.returncode == code
    assert ("2 skipped" in on_ci.stdout) is (code == 0)
    assert ("!! NOT TESTED: Django 6.0" in on_ci.stdout) is (code == 0)


def test_a_missing_postgresql_is_said_aloud_and_fails_ci(tmp_path: Path) -> None:
    # -S: without site-packages there is no wheel
    command = ["-S", "tests/postgres.py", sys.executable, "-c", "raise SystemExit('must not run')"]

    at_home, on_ci = run(command), run(command, CI="true")

    assert at_home.stderr.startswith("NOT TESTED: PostgreSQL")
    assert (at_home.returncode, on_ci.returncode) == (0, 1)
