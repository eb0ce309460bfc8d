"""Do the tests notice? Breaks the app on purpose, one line at a time, and runs the tests of that rule.

    python -m tests.rules.breakages            all of them
    python -m tests.rules.breakages 16 31      those of two rules
    python -m tests.rules.breakages left       those that were not tried as they stand, or not noticed

The table is breaks.toml. Each break is applied in a copy of the project, never here, and the tests that
carry its rule's number must fail. What became of each is kept in broken.json, which the card shows.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from .gathering import ROOT, Holder, holders

TABLE = Path(__file__).parent / "breaks.toml"
VERDICTS = Path(__file__).parent / "broken.json"
APP = "oscar_crosschannel"

#: What a run of tests needs; nothing a developer keeps beside it.
_NEEDED = (APP, "tests", "sandbox", "docs", "manage.py", "pyproject.toml", "README.md", "Makefile", ".ci")
#: Processes side by side. Each has a copy of its own.
_HANDS = 2
#: At most so many tests of a rule are run for one break, the quick ones first.
_MOST_TESTS = 40
_FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)
#: Folders of tests, the quickest first.
_QUICK = ("core", "channels", "checks", "web", "services", "oscar", "blueprints", "admin")


@dataclass(frozen=True)
class Break:
    """One line of the app made wrong."""

    rules: tuple[int, ...]
    what: str  #: in words, for the card
    file: str  #: within the app
    old: str  #: occurs once in it
    new: str
    tests: str = ""  #: only those whose path or name holds this; empty: all of the rule's
    vendor: str = ""  #: "postgresql", if only that can notice

    @property
    def name(self) -> str:
        """Changes with the break, so that a verdict about another one is no verdict."""
        told = json.dumps([self.rules, self.file, self.old, self.new])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def is_possible(self) -> bool:
        return self._text(ROOT).count(self.old) == 1

    @contextmanager
    def applied(self, copy: Path) -> Iterator[None]:
        """The break, in a copy of the project."""
        path, whole = copy / APP / self.file, self._text(copy)
        try:
            _write(path, whole.replace(self.old, self.new))
            yield
        finally:
            _write(path, whole)

    def _text(self, root: Path) -> str:
        return (root / APP / self.file).read_text()


@dataclass(frozen=True)
class Verdict:
    """What became of a break."""

    noticed: bool
    by: str  #: the first test that failed, as a sentence; or nobody
    on: str  #: the day, as ISO writes it


@dataclass(frozen=True)
class Table:
    """breaks.toml as it stands."""

    breaks: tuple[Break, ...]
    #: built rules that no change of one line can break, and why
    unbreakable: dict[int, str]


@cache
def table() -> Table:
    """The breaks, and the rules that have none."""
    read = tomllib.loads(TABLE.read_text())
    return Table(
        tuple(Break(**{**row, "rules": tuple(row["rules"])}) for row in read["break"]),
        {int(number): why for number, why in read.get("unbreakable", {}).items()},
    )


def verdicts() -> dict[str, Verdict]:
    """The last verdict on each break, by its name."""
    if not VERDICTS.exists():
        return {}
    return {name: Verdict(**verdict) for name, verdict in json.loads(VERDICTS.read_text()).items()}


def try_all(breaks: Sequence[Break]) -> Iterator[tuple[Break, Verdict | str]]:
    """Break the app in each of these ways, a few at a time, and see who notices."""
    with TemporaryDirectory(prefix="crosschannel-breaks-") as home:
        copies: SimpleQueue[Path] = SimpleQueue()
        for hand in range(_HANDS):
            copies.put(_copy(Path(home) / str(hand)))

        def work(one: Break) -> tuple[Break, Verdict | str]:
            copy = copies.get()
            try:
                return one, _try(one, copy)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(_HANDS) as hands:
            yield from hands.map(work, breaks)


def _try(one: Break, copy: Path) -> Verdict | str:
    """What became of a break; or, in words, why that cannot be told.

    A test that fails without the break, too, proves nothing; then the next one is asked.
    """
    tests = _tests_of(one)
    while tests:
        with one.applied(copy):
            broken = _run(tests, copy, one.vendor)
        if broken.returncode == 0:
            return _verdict(False, "nobody")
        failed = _FAILED.search(broken.stdout)
        if broken.returncode != 1 or failed is None:
            return _end(broken)
        healthy = _run([failed[1]], copy, one.vendor)
        if healthy.returncode == 0:
            return _verdict(True, failed[1].rpartition("::")[2].removeprefix("test_").replace("_", " "))
        if healthy.returncode != 1:
            return _end(healthy)
        tests.remove(failed[1])
    return "all its tests fail without it, too"


def _end(run: subprocess.CompletedProcess[str]) -> str:
    last = (run.stdout + run.stderr).strip().splitlines()[-1:]
    return f"pytest ended with {run.returncode}: {''.join(last)}"


def _verdict(noticed: bool, by: str) -> Verdict:
    return Verdict(noticed, by, date.today().isoformat())


def _tests_of(one: Break) -> list[str]:
    """The tests that carry its rules' numbers, the quick ones first; slow ones only if there are no others."""
    suitable = [
        holder
        for number in one.rules
        for holder in holders().get(number, ())
        if one.tests in holder.node_id and holder.vendor in ("", one.vendor or "sqlite")
    ]
    quick = [holder for holder in suitable if not holder.is_slow] or suitable
    return [holder.node_id for holder in sorted(set(quick), key=_slowness)][:_MOST_TESTS]


def _slowness(holder: Holder) -> tuple[int, Holder]:
    folder = holder.path.split("/")[1]
    return _QUICK.index(folder) if folder in _QUICK else len(_QUICK), holder


def _run(tests: Sequence[str], copy: Path, vendor: str) -> subprocess.CompletedProcess[str]:
    server = [sys.executable, "tests/postgres.py"] if vendor == "postgresql" else []
    asked = ["--vendor", vendor] if vendor else []
    command = [
        *server, sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider",
        "-x", "-p", "tests.rules.unshrunk", *asked, *tests,
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(copy / ".hypothesis"),
    }
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


def _copy(target: Path) -> Path:
    target.mkdir()
    for name in _NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "var"))
        elif source.exists():
            shutil.copy2(source, target / name)
    return target


def _write(path: Path, text: str) -> None:
    """Python takes compiled code for current by its second, so each change is one in the future."""
    changed = int(path.stat().st_mtime) + 2
    path.write_text(text)
    os.utime(path, (changed, changed))


def _line(one: Break, verdict: Verdict | str) -> str:
    match verdict:
        case Verdict(noticed=True, by=by):
            outcome = f"noticed by {by}"
        case Verdict():
            outcome = "NOT NOTICED"
        case reason:
            outcome = f"NOT TRIED: {reason}"
    return f"{','.join(map(str, one.rules)):>6}  {outcome}  [{one.what}]"


def main(asked: Sequence[str]) -> int:
    """Try the breaks that were asked for, and keep what came of each at once."""
    chosen = _chosen(asked)
    began = time.monotonic()
    unnoticed = 0
    for one, verdict in try_all(chosen):
        print(_line(one, verdict), flush=True)
        if isinstance(verdict, Verdict):
            _keep(one, verdict)
        unnoticed += not (isinstance(verdict, Verdict) and verdict.noticed)
    print(f"{len(chosen)} breaks, {unnoticed} not noticed, {(time.monotonic() - began) / 60:.0f} minutes.")
    return 1 if unnoticed else 0


def _chosen(asked: Sequence[str]) -> list[Break]:
    if asked == ["left"]:
        tried = verdicts()
        return [one for one in table().breaks if one.name not in tried or not tried[one.name].noticed]
    numbers = set(map(int, asked))
    return [one for one in table().breaks if not asked or numbers & set(one.rules)]


def _keep(one: Break, verdict: Verdict) -> None:
    """Remember a verdict, and forget those on breaks that are not in the table any more."""
    names = {each.name for each in table().breaks}
    known = {name: asdict(old) for name, old in verdicts().items() if name in names}
    known[one.name] = asdict(verdict)
    VERDICTS.write_text(json.dumps(known, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
