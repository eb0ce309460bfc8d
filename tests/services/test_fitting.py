"""Which channel suits a step, by the flow it belongs to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oscar_crosschannel.core.channel_fit import Why
from oscar_crosschannel.core.plan import About, Plan, Step
from oscar_crosschannel.services import fitting
from oscar_crosschannel.services.plans import PlannedFlow, PlannedTopic
from tests.services.stage import Pair

DAY = timedelta(days=1)


def speaking(*channels: tuple[str, ...]) -> PlannedFlow:
    """A flow that rests for a week, with a step a day."""
    steps = tuple(
        Step(key=f"day_{number}", channels=each, delay=number * DAY)
        for number, each in enumerate(channels, start=1)
    )
    plan: Plan = replace(Pair.plan(), steps=steps, order=tuple(step.key for step in steps))
    return PlannedFlow(flow_id=1, plan=plan, declared=plan, about=About(), topic=PlannedTopic(key=plan.topic))


@pytest.mark.parametrize(
    ("channels", "is_often"),
    [
        ([("sms",)] * 4, True),
        ([("sms", "email"), ("email",), ("sms",)], True),
        ([("sms",), ("email",), ("email", "sms"), ("email",)], False),
        ([("email",)] * 4, False),
    ],
)
def test_all_texts_of_a_flow_count_together(channels: list[tuple[str, ...]], is_often: bool) -> None:
    planned = speaking(*channels)
    found = {hint.why for step in planned.plan.steps for hint in fitting.of_step(planned, step)}
    assert (Why.OFTEN in found) is is_often
