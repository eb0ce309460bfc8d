"""The number of a finding, by which a project silences it, stands for one kind of finding only."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from oscar_crosschannel import checks

#: What makes a finding; its first argument is the number.
MAKERS = {"error", "caution", "serious"}


def numbers(module: Path) -> set[int]:
    """Of the findings that a module makes."""
    calls = (node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call))
    made = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in MAKERS]
    return {int(ast.literal_eval(number)) for number in made}


def test_no_number_is_used_in_two_modules() -> None:
    users: dict[int, list[str]] = defaultdict(list)
    for module in sorted(Path(checks.__file__).parent.glob("*.py")):
        for number in numbers(module):
            users[number].append(module.name)

    assert len(users) > 40, "the modules make their findings in another way now"
    assert {number: names for number, names in users.items() if len(names) > 1} == {}
