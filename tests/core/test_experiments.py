"""Who is in which arm of a split."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.experiments import assign

PEOPLE = [str(number) for number in range(20_000)]
weights_drawn = st.dictionaries(st.text(max_size=5), st.floats(0, 10), min_size=1, max_size=5).filter(
    lambda weights: sum(weights.values()) > 0.01
)


# It works


def test_arms_fill_in_proportion() -> None:
    arms = [assign("subject line", person, {"a": 2, "b": 1, "c": 1}) for person in PEOPLE]
    assert arms.count("a") == pytest.approx(10_000, abs=400)
    assert arms.count("b") == pytest.approx(5_000, abs=400)


def test_a_holdout_that_grows_keeps_who_was_in_it() -> None:
    small = {p for p in PEOPLE if assign("holdout:cart", p, {"in": 0.95, "out": 0.05}) == "out"}
    large = {p for p in PEOPLE if assign("holdout:cart", p, {"in": 0.90, "out": 0.10}) == "out"}
    assert len(small) == pytest.approx(1_000, abs=150)
    assert small < large


def test_another_split_deals_anew() -> None:
    first = {p for p in PEOPLE if assign("holdout:cart", p, {"in": 9, "out": 1}) == "out"}
    second = {p for p in PEOPLE if assign("holdout:welcome", p, {"in": 9, "out": 1}) == "out"}
    assert len(first & second) == pytest.approx(200, abs=80), "a tenth of a tenth"


def test_seed_and_unit_do_not_run_into_each_other() -> None:
    halves = {"a": 1, "b": 1}
    assert any(assign(f"{n}1", "2", halves) != assign(str(n), "12", halves) for n in range(64))


# It refuses


@pytest.mark.parametrize("weights", [{}, {"a": 0}, {"a": 1, "b": -1}])
def test_a_split_of_nothing_is_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        assign("seed", "1", weights)


# It survives


@given(st.text(), st.text(), weights_drawn)
def test_the_same_question_has_the_same_answer_in_any_order(
    seed: str, unit: str, weights: dict[str, float]
) -> None:
    arm = assign(seed, unit, weights)
    assert weights[arm] > 0
    assert arm == assign(seed, unit, dict(reversed(weights.items())))
