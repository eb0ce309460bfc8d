"""Flows as values: declared by a developer, tuned by a merchant, walked by the engine."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.plan import (
    MAX_AGE,
    After,
    Before,
    Blueprint,
    Fault,
    On,
    Plan,
    StepTuning,
    Tuning,
    Wrong,
    send,
)
from tests.core.values import DAY, HOUR, NOON


class Cart(Blueprint):
    """Baskets left behind.

    The merchant reads the first line only.
    """

    topic = "basket_reminders"
    start = On("basket.active", one_run=True)
    stops = (On("order.placed"),)

    nudge = send("email", at=After(hours=1))
    code = send("sms", "email", at=After(hours=24), expires=After(hours=48), voucher=True)
    last = send("email", at=After(days=4))


# It works


def test_a_blueprint_becomes_a_plan() -> None:
    plan = Cart.plan()
    assert (plan.key, plan.title, plan.topic) == ("cart", "Baskets left behind", "basket_reminders")
    assert [step.key for step in plan.steps] == ["nudge", "code", "last"]
    assert plan.stops == (On("order.placed"),)


def test_the_key_is_the_name_in_words() -> None:
    assert type("AbandonedCart", (Cart,), {}).key == "abandoned_cart"
    assert type("SMSWelcome", (Cart,), {}).key == "sms_welcome"
    assert type("OptInSms", (Cart,), {}).key == "opt_in_sms"
    assert type("Renamed", (Cart,), {"key": "cart_2"}).key == "cart_2"


def test_a_blueprint_without_a_docstring_is_titled_by_its_key() -> None:
    assert type("Untold", (Cart,), {}).plan().title == "untold"


def test_a_subclass_changes_adds_and_takes_away_steps() -> None:
    class Longer(Cart):
        """Longer"""

        nudge = send("sms", at=After(hours=2))
        code = None
        goodbye = send("email", at=After(days=9))

    steps = Longer.plan().steps
    assert [step.key for step in steps] == ["nudge", "last", "goodbye"]
    assert steps[0].channels == ("sms",)
    assert [step.key for step in Cart.plan().steps] == ["nudge", "code", "last"]


def test_steps_follow_one_another() -> None:
    plan = Cart.plan()
    assert [step.key for key in (None, "nudge", "code") if (step := plan.after(key))] == [
        "nudge",
        "code",
        "last",
    ]
    assert plan.after("last") is None


def test_due_times_count_from_the_anchor() -> None:
    plan = Cart.plan()
    assert [plan.due_at(step, NOON) for step in plan.steps] == [NOON + HOUR, NOON + DAY, NOON + 4 * DAY]
    reminder = send("sms", at=Before(minutes=10))
    assert plan.due_at(reminder, NOON) == NOON - timedelta(minutes=10)


def test_a_step_expires_when_the_next_falls_due_or_by_its_own_limit() -> None:
    plan = Cart.plan()
    nudge, code, last = plan.steps
    assert plan.expires_at(nudge, NOON) == NOON + DAY
    assert plan.expires_at(code, NOON) == NOON + 2 * DAY
    assert plan.expires_at(last, NOON) == NOON + 4 * DAY + MAX_AGE


def test_a_merchant_changes_what_rows_name_and_inherits_the_rest() -> None:
    plan = Cart.plan()
    tuned = plan.tuned(
        Tuning(
            version=3,
            holdout=0.1,
            steps={"nudge": StepTuning(delay=2 * HOUR), "code": StepTuning(removed=True)},
        )
    )
    assert [step.key for step in tuned.steps] == ["nudge", "last"]
    assert tuned.step("code") is None
    assert tuned.steps[0].delay == 2 * HOUR
    assert tuned.steps[0].channels == plan.steps[0].channels
    assert (tuned.version, tuned.holdout, tuned.enabled) == (3, 0.1, True)


def test_people_at_a_step_that_was_removed_go_on_with_the_next() -> None:
    plan = Cart.plan().tuned(Tuning(steps={"code": StepTuning(removed=True)}))
    for key in ("nudge", "code"):
        following = plan.after(key)
        assert following is not None
        assert following.key == "last"
    assert plan.expires_at(plan.steps[0], NOON) == NOON + 4 * DAY


def test_a_condition_is_set_taken_away_or_inherited() -> None:
    class Polite(Cart):
        """Polite"""

        nudge = send("email", at=After(hours=1), unless="purchased")

    plan = Polite.plan()
    tuned = plan.tuned(
        Tuning(steps={"nudge": StepTuning(unless=""), "code": StepTuning(only_if="vip", unless="purchased")})
    )
    assert [(step.only_if, step.unless) for step in tuned.steps] == [("", ""), ("vip", "purchased"), ("", "")]
    assert plan.tuned(Tuning(steps={"nudge": StepTuning()})).steps[0].unless == "purchased"


def test_a_plan_that_makes_sense_has_no_faults() -> None:
    assert Cart.plan().faults() == ()
    patient = Tuning(steps={"nudge": StepTuning(channels=("email", "sms"), patience=22 * HOUR)})
    assert Cart.plan().tuned(patient).faults() == ()


# It refuses


@pytest.mark.parametrize(
    ("key", "tuning", "fault"),
    [
        ("code", StepTuning(delay=HOUR), Fault(Wrong.SAME_TIME, "code", "nudge", HOUR)),
        ("nudge", StepTuning(delay=DAY), Fault(Wrong.SAME_TIME, "code", "nudge", DAY)),
        ("code", StepTuning(delay=2 * DAY), Fault(Wrong.TOO_LATE, "code", limit=2 * DAY)),
        ("nudge", StepTuning(patience=23 * HOUR), Fault(Wrong.TOO_PATIENT, "nudge", limit=23 * HOUR)),
        ("last", StepTuning(channels=()), Fault(Wrong.NO_CHANNEL, "last")),
        ("last", StepTuning(only_if="vip", unless="vip"), Fault(Wrong.NEVER, "last")),
    ],
)
def test_a_change_that_breaks_the_plan_is_named(key: str, tuning: StepTuning, fault: Fault) -> None:
    assert Cart.plan().tuned(Tuning(steps={key: tuning})).faults() == (fault,)


def test_a_step_that_is_gone_is_no_step_to_come_after() -> None:
    tuning = Tuning(steps={"nudge": StepTuning(delay=3 * DAY, removed=True)})
    assert Cart.plan().tuned(tuning).faults() == ()


def test_a_plan_of_no_steps_is_at_fault() -> None:
    gone = dict.fromkeys(["nudge", "code", "last"], StepTuning(removed=True))
    assert Cart.plan().tuned(Tuning(steps=gone)).faults() == (Fault(Wrong.NO_STEP),)


def test_delays_and_leads_point_one_way() -> None:
    with pytest.raises(ValueError, match=r"Before\(\)"):
        After(hours=-1)
    with pytest.raises(ValueError, match=r"After\(\)"):
        Before(hours=-1)


def test_a_step_that_never_was_has_no_follower() -> None:
    plan = Cart.plan()
    assert plan.step("goodbye") is None
    assert plan.after("goodbye") is None


def test_an_empty_plan_has_no_first_step() -> None:
    class Empty(Blueprint):
        """Nothing yet"""

        topic = "deals"
        start = On("user.registered")

    assert Empty.plan().after(None) is None


# It survives


@given(st.sets(st.sampled_from(["nudge", "code", "last", "a step of long ago"])))
def test_tuning_with_nothing_is_the_identity(named: set[str]) -> None:
    plan: Plan = Cart.plan()
    assert plan.tuned(Tuning(steps={key: StepTuning() for key in named})) == plan
