"""What every test run obeys: which database was asked for, and that CI skips nothing.

Tests marked `postgresql` or `sqlite` are left out (not skipped) on the other database. The run
on PostgreSQL is `python tests/postgres.py python -m pytest --vendor postgresql`.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import hypothesis
import pytest
from _pytest.reports import CollectReport

# No property depends on how fast the machine is. `make fast` looks at fewer examples.
_AT_ANY_SPEED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("whole", **_AT_ANY_SPEED)
hypothesis.settings.register_profile("fast", **_AT_ANY_SPEED, max_examples=10)
hypothesis.settings.load_profile("whole")

CI = os.environ.get("CI", "").lower() in {"1", "true"}


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    other = "sqlite" if config.getoption("vendor") == "postgresql" else "postgresql"
    foreign = [item for item in items if item.get_closest_marker(other)]
    if foreign:
        config.hook.pytest_deselected(items=foreign)
        items[:] = [item for item in items if not item.get_closest_marker(other)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail"):
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


def _fail(report: pytest.TestReport | CollectReport) -> None:
    """A skip on CI would be a promise that nobody checks any more."""
    report.outcome = "failed"
    report.longrepr = f"skipped, and a skip is a failure with CI=true: {report.longrepr}"
