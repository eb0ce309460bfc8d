"""From blueprints and the merchant's rows to the plans that run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Prefetch

from ..conf import flows
from ..core.facts import Purpose
from ..core.plan import Blueprint, Plan, StepTuning, Tuning
from ..models import Flow, FlowStep, Topic


@dataclass(frozen=True, slots=True)
class PlannedFlow:
    """One flow as it runs now."""

    flow_id: int
    plan: Plan
    blueprint: Blueprint
    purpose: Purpose


class Plans:
    """All flows as they run now. Loaded once per tick: three statements."""

    def __init__(self, planned: list[PlannedFlow], minimum_ages: Mapping[str, int | None]) -> None:
        self._by_id = {item.flow_id: item for item in planned}
        self._minimum_ages = minimum_ages

    def get(self, flow_id: int) -> PlannedFlow | None:
        """The flow of this row; None when no blueprint stands behind it any more."""
        return self._by_id.get(flow_id)

    def minimum_age(self, topic: str) -> int:
        """How old who hears of a topic must be, in years; 0 for any age."""
        return self._minimum_ages.get(topic) or 0

    def __iter__(self) -> Iterator[PlannedFlow]:
        return iter(self._by_id.values())

    def started_by(self, event: str) -> list[PlannedFlow]:
        return [item for item in self if item.plan.start.event == event]

    def stopped_by(self, event: str) -> list[PlannedFlow]:
        return [item for item in self if any(stop.event == event for stop in item.plan.stops)]


def load_plans() -> Plans:
    """Read the merchant's changes and tune every registered blueprint with them."""
    topics = list(Topic.objects.only("key", "purpose", "minimum_age"))
    purposes = {topic.key: topic.purpose for topic in topics}
    rows = {row.key: row for row in _rows()}
    if missing := [blueprint.key for blueprint in flows if blueprint.key not in rows]:
        ensure_flows()
        rows |= {row.key: row for row in _rows() if row.key in missing}
    return Plans(
        [_planned(blueprint, rows[blueprint.key], purposes) for blueprint in flows],
        {topic.key: topic.minimum_age for topic in topics},
    )


def ensure_flows() -> None:
    """A row for every registered flow, so that merchants find it."""
    Flow.objects.bulk_create([Flow(key=blueprint.key) for blueprint in flows], ignore_conflicts=True)


def _rows() -> list[Flow]:
    return list(Flow.objects.prefetch_related(Prefetch("steps", queryset=FlowStep.objects.all())))


def _planned(blueprint: Blueprint, row: Flow, purposes: dict[str, str]) -> PlannedFlow:
    plan = blueprint.plan()
    return PlannedFlow(
        flow_id=row.pk,
        plan=plan.tuned(tuning_of(row)),
        blueprint=blueprint,
        # a topic nobody defined gets the strictest purpose
        purpose=Purpose(purposes.get(plan.topic, Purpose.MARKETING)),
    )


def tuning_of(row: Flow) -> Tuning:
    """What the merchant changed about a flow; reads `row.steps`, which lists prefetch."""
    return Tuning(
        version=row.version,
        enabled=row.enabled,
        holdout=row.holdout,
        steps={
            step.key: StepTuning(
                delay=step.delay,
                channels=tuple(step.channels) if step.channels is not None else None,
                patience=step.patience,
                offer_id=step.offer_id,
                unless=step.unless,
                only_if=step.only_if,
                removed=step.removed_at is not None,
            )
            for step in row.steps.all()
        },
    )
