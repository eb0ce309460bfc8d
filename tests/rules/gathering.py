"""Which tests hold which rule, read from the source, so that a run of a few tests sees all."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent.parent
ROOT = TESTS.parent


@dataclass(frozen=True, order=True)
class Holder:
    """One test."""

    path: str  #: from the root of the project
    name: str
    is_slow: bool = False
    vendor: str = ""  #: the one database it runs on; empty: any
    group: str = ""  #: the class it stands in

    @property
    def node_id(self) -> str:
        return "::".join(part for part in (self.path, self.group, self.name) if part)

    @property
    def sentence(self) -> str:
        """`test_a_click_changes_nothing` as a person reads it."""
        return self.name.removeprefix("test_").replace("_", " ")


@cache
def holders() -> dict[int, tuple[Holder, ...]]:
    """The tests by the number of the rule that they carry in `@pytest.mark.rule(...)`."""
    found: dict[int, set[Holder]] = defaultdict(set)
    for path in sorted(TESTS.rglob("test_*.py")):
        for numbers, holder in _in_module(path):
            for number in numbers:
                found[number].add(holder)
    return {number: tuple(sorted(found[number])) for number in sorted(found)}


def _in_module(path: Path) -> Iterator[tuple[list[int], Holder]]:
    module = ast.parse(path.read_text(), path.name)
    common = [mark for node in module.body if _is_pytestmark(node) for mark in _calls(node)]
    place = path.relative_to(ROOT).as_posix()
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            yield from _in_function(place, node, common)
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    yield from _in_function(place, method, [*common, *_decorators(node)], group=node.name)


def _in_function(
    place: str, node: ast.FunctionDef, common: list[ast.expr], group: str = ""
) -> Iterator[tuple[list[int], Holder]]:
    marks = [*common, *_decorators(node)]
    numbers = [number for mark in marks for number in _numbers(mark)]
    if node.name.startswith("test_") and numbers:
        names = {_name(mark) for mark in marks}
        vendor = next((vendor for vendor in ("postgresql", "sqlite") if vendor in names), "")
        yield numbers, Holder(place, node.name, "slow" in names, vendor, group)


def _is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"


def _calls(node: ast.AST) -> Iterator[ast.expr]:
    return (part for part in ast.walk(node) if isinstance(part, ast.Call | ast.Attribute))


def _decorators(node: ast.FunctionDef | ast.ClassDef) -> Iterable[ast.expr]:
    for decorator in node.decorator_list:
        yield from _calls(decorator) if isinstance(decorator, ast.Call) else (decorator,)


def _name(mark: ast.expr) -> str:
    """The last part of `pytest.mark.slow`, or of a name that stands for it (`postgresql`)."""
    target = mark.func if isinstance(mark, ast.Call) else mark
    return ast.unparse(target).rpartition(".")[2]


def _numbers(mark: ast.expr) -> list[int]:
    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.rule":
        return [ast.literal_eval(argument) for argument in mark.args]
    return []
