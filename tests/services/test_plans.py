"""Blueprints as merchants tuned them: NULL inherits, a row's value counts at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.conf import flows
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.models import Flow, FlowStep, Topic
from oscar_crosschannel.services.plans import PlannedFlow, load_plans
from tests.services.stage import Coupon, Notice, Pair

pytestmark = pytest.mark.django_db


def planned(blueprint: type[Blueprint]) -> PlannedFlow:
    return next(item for item in load_plans() if item.plan.key == blueprint.key)


def row(blueprint: type[Blueprint]) -> Flow:
    load_plans()
    return Flow.objects.get(key=blueprint.key)


# It works.


def test_rows_that_say_nothing_change_nothing() -> None:
    flow = row(Pair)
    FlowStep.objects.create(flow=flow, key="first")
    tuned, declared = planned(Pair).plan, Pair.plan()
    assert (tuned.steps, tuned.enabled, tuned.holdout) == (declared.steps, declared.enabled, declared.holdout)


def test_a_merchants_values_count() -> None:
    flow = row(Pair)
    Flow.objects.filter(pk=flow.pk).update(enabled=False, holdout=0.1, version=3)
    FlowStep.objects.create(
        flow=flow,
        key="first",
        delay=timedelta(hours=3),
        channels=["sms", "email"],
        patience=timedelta(hours=2),
    )
    plan = planned(Pair).plan
    assert (plan.enabled, plan.holdout, plan.version) == (False, 0.1, 3)
    first, second = plan.steps
    assert (first.delay, first.channels, first.patience) == (
        timedelta(hours=3), ("sms", "email"), timedelta(hours=2),
    )  # fmt: skip
    assert second == Pair.plan().steps[1]


def test_a_merchants_condition_counts_and_an_empty_one_takes_it_away() -> None:
    FlowStep.objects.create(flow=row(Pair), key="first", unless="purchased", only_if="")
    assert [(step.unless, step.only_if) for step in planned(Pair).plan.steps] == [("purchased", ""), ("", "")]


def test_a_removed_step_is_gone_and_what_follows_it_is_known() -> None:
    FlowStep.objects.create(flow=row(Pair), key="first", removed_at="2026-03-01T00:00Z")
    plan = planned(Pair).plan
    assert plan.step("first") is None
    following = plan.after("first")
    assert following is not None
    assert following.key == "second"


def test_every_registered_flow_gets_its_row() -> None:
    Flow.objects.all().delete()
    load_plans()
    assert set(Flow.objects.values_list("key", flat=True)) == {blueprint.key for blueprint in flows}


def test_a_topic_tells_the_purpose_and_an_unknown_one_the_strictest() -> None:
    assert planned(Notice).purpose is Purpose.TRANSACTIONAL
    Topic.objects.filter(key=Notice.topic).delete()
    assert planned(Notice).purpose is Purpose.MARKETING


# It survives.


def test_loading_costs_three_statements_however_many_flows_there_are() -> None:
    load_plans()
    with CaptureQueriesContext(connection) as queries:
        load_plans()
    assert len(queries) == 3, [query["sql"] for query in queries]


def test_a_row_of_a_flow_that_is_gone_is_no_plan() -> None:
    gone = Flow.objects.create(key="of_last_year")
    assert load_plans().get(gone.pk) is None


def test_a_flow_registered_while_others_run_is_found_by_the_next_load() -> None:
    load_plans()

    class Sudden(Blueprint):
        """Sudden"""

        topic = "basket_reminders"
        start = On("sudden.began")
        only = send("email", at=After(hours=1))

    flows.register(Sudden)
    try:
        assert planned(Sudden).flow_id == Flow.objects.get(key="sudden").pk
    finally:
        flows.unregister("sudden")


def test_flows_are_found_by_what_starts_and_stops_them() -> None:
    plans = load_plans()
    assert [item.plan.key for item in plans.started_by("pair.began")] == ["pair"]
    assert {Pair.key, Coupon.key} <= {item.plan.key for item, _how in plans.stopped_by("order.placed")}
