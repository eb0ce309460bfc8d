"""What docs/guarantees.md says is what the tests say."""

from __future__ import annotations

from tests.rules import card
from tests.rules.breakages import table, verdicts
from tests.rules.built import BUILT, RULES
from tests.rules.sentences import PROMISES


def test_the_card_is_up_to_date() -> None:
    assert card.CARD.read_text() == card.render(), "docs/guarantees.md is stale: run `make card`"


def test_every_rule_has_a_promise() -> None:
    assert PROMISES.keys() == RULES


def test_every_break_is_still_possible() -> None:
    """The code has moved on: the break must follow it, or the rule would go unproven."""
    gone = [f"rule {one.rules} in {one.file}: {one.what}" for one in table().breaks if not one.is_possible()]
    assert not gone, f"breaks.toml names code that is not there exactly once: {gone}"


def test_every_built_rule_has_a_break_or_a_reason_why_none_can_be() -> None:
    broken = {number for one in table().breaks for number in one.rules}
    assert not BUILT - broken - table().unbreakable.keys()


def test_no_break_went_unnoticed() -> None:
    """What was not tried as it stands is told by the card: a change of the code must not wait for all breaks."""
    tried = verdicts()
    unnoticed = [
        f"rule {one.rules}: {one.what}"
        for one in table().breaks
        if (verdict := tried.get(one.name)) is not None and not verdict.noticed
    ]
    assert not unnoticed, f"no test noticed (`make breakages`): {unnoticed}"
