from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.rules.built import BUILT, RULES

TESTS = Path(__file__).parent.parent


def test_every_built_rule_has_a_test() -> None:
    untested = BUILT - set(_marked())
    assert not untested, f"rules without a test that carries their number: {sorted(untested)}"


def test_every_marked_number_is_a_rule() -> None:
    assert set(_marked()) <= RULES


def _marked() -> Iterator[int]:
    """The numbers in all `@pytest.mark.rule(...)`, read from the source so that one run of a few tests sees all."""
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(), path.name)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.rule":
                yield from (ast.literal_eval(argument) for argument in node.args)
