"""What every test run obeys: which database was asked for, and that CI skips nothing.

Tests marked `postgresql` or `sqlite` are left out (not skipped) on the other database, and some folders run
on SQLite only (`ONCE`). The run
on PostgreSQL is `python tests/postgres.py python -m pytest --vendor postgresql`.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from _pytest.reports import CollectReport

from tests.processes import kill_table
from tests.stores.table import table

# No property depends on how fast the machine is. `make fast` looks at fewer examples.
_AT_ANY_SPEED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("whole", **_AT_ANY_SPEED)
hypothesis.settings.register_profile("fast", **_AT_ANY_SPEED, max_examples=10)
hypothesis.settings.load_profile("whole")

CI = os.environ.get("CI", "").lower() in {"1", "true"}

#: The one part that CI may leave out, and the one reason: the machine has no such interpreter, and a test
#: downloads none.
MAY_BE_LEFT_OUT = "tests/install/test_newer_python.py::"
NO_NEWER_PYTHON = "NOT TESTED: Django 6.0, because this machine has no Python 3.12 or later."


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vendor",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="The database this run is meant for; a test compares it with the one in use.",
    )


@pytest.fixture(scope="session")
def vendor(request: pytest.FixtureRequest) -> str:
    """The database that was asked for on the command line."""
    return str(request.config.getoption("vendor"))


#: Where nothing races and no statement is written for one database: once is enough, on SQLite. What is
#: marked `postgresql` there runs all the same, and so do the stories.
ONCE = {
    Path(__file__).parent / room
    for room in (
        *("admin", "blueprints", "channels", "checks", "core", "rules", "sandbox", "web", "test_ci.py"),
        *(f"services/test_{subject}.py" for subject in ("copies", "copy_language", "pacing")),
        *(f"oscar/test_{subject}.py" for subject in ("events", "order_texts", "parcels")),
    )
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    vendor = config.getoption("vendor")
    foreign = [item for item in items if not _belongs_to(item, vendor)]
    if foreign:
        config.hook.pytest_deselected(items=foreign)
        items[:] = [item for item in items if _belongs_to(item, vendor)]


def _belongs_to(item: pytest.Item, vendor: str) -> bool:
    if vendor == "sqlite":
        return not item.get_closest_marker("postgresql")
    if item.get_closest_marker("postgresql"):
        return True
    return not item.get_closest_marker("sqlite") and ONCE.isdisjoint([item.path, *item.path.parents])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail") and not _may_be_left_out(report):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, CollectReport, CollectReport]:
    report = yield
    if CI and report.skipped:
        _fail(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it where nobody overlooks it."""
    if any(map(_may_be_left_out, terminalreporter.getreports("skipped"))):
        terminalreporter.write_sep("!", NO_NEWER_PYTHON, red=True, bold=True)
    if stores := _recorded(terminalreporter, "store matrix"):
        terminalreporter.section("The abandoned basket in every kind of store")
        for line in table(dict(stores)):
            terminalreporter.line(line)
    if kills := _recorded(terminalreporter, kill_table.NAME):
        terminalreporter.section("Killed where, and what became of the messages")
        for line in kill_table.lines(kills):
            terminalreporter.line(line)


def _recorded(terminalreporter: pytest.TerminalReporter, name: str) -> list[Any]:
    """What tests recorded under this name (`record_property`), in whichever process they ran."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    return [
        value
        for report in reports
        if report.when == "call"
        for key, value in report.user_properties
        if key == name
    ]


def _may_be_left_out(report: pytest.TestReport) -> bool:
    return report.nodeid.startswith(MAY_BE_LEFT_OUT) and NO_NEWER_PYTHON in report.longreprtext


def _fail(report: pytest.TestReport | CollectReport) -> None:
    """A skip on CI would be a promise that nobody checks any more."""
    report.outcome = "failed"
    report.longrepr = f"skipped, and a skip is a failure with CI=true: {report.longrepr}"
