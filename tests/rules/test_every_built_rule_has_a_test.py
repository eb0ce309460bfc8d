from __future__ import annotations

from tests.rules.built import BUILT, RULES
from tests.rules.gathering import holders


def test_every_built_rule_has_a_test() -> None:
    untested = BUILT - holders().keys()
    assert not untested, f"rules without a test that carries their number: {sorted(untested)}"


def test_every_marked_number_is_a_rule() -> None:
    assert holders().keys() <= RULES
