"""From blueprints, triggers and the merchant's rows to the plans that run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.db.models import Prefetch

from ..conf import flows, triggers
from ..core.facts import Purpose
from ..core.plan import About, On, Plan, StepTuning, Tuning
from ..core.triggers import Trigger
from ..models import Flow, FlowStep, Topic
from . import topics


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTopic:
    """What a flow is about."""

    key: str
    purpose: Purpose = Purpose.MARKETING  #: a topic nobody defined gets the strictest
    minimum_age: int = 0  #: in years; 0 for any age
    written: str = ""  #: its name as the row has it
    further: Mapping[str, str] = field(default_factory=dict)  #: the merchant's names by language

    def name(self, language: str) -> str:
        """How readers of a language know it."""
        return topics.name(self.key, self.written or self.key, self.further, language)


@dataclass(frozen=True, slots=True)
class PlannedFlow:
    """One flow as it runs now."""

    flow_id: int
    plan: Plan
    declared: Plan  #: before the merchant's changes; of a flow of their own, without steps
    about: About
    topic: PlannedTopic

    @property
    def purpose(self) -> Purpose:
        return self.topic.purpose


class Plans:
    """All flows as they run now. Loaded once per tick: three statements."""

    def __init__(self, planned: list[PlannedFlow], about: Mapping[str, PlannedTopic]) -> None:
        self._by_id = {item.flow_id: item for item in planned}
        self._about = about

    def get(self, flow_id: int) -> PlannedFlow | None:
        """The flow of this row; None when no blueprint or trigger stands behind it any more."""
        return self._by_id.get(flow_id)

    def minimum_age(self, topic: str) -> int:
        """How old who hears of a topic must be, in years; 0 for any age."""
        return self._about[topic].minimum_age if topic in self._about else 0

    def __iter__(self) -> Iterator[PlannedFlow]:
        return iter(self._by_id.values())

    def started_by(self, event: str) -> list[PlannedFlow]:
        return [item for item in self if item.plan.start.event == event]

    def stopped_by(self, event: str) -> list[tuple[PlannedFlow, On]]:
        """The flows that an event of this name ends, and how."""
        return [(item, stop) for item in self for stop in item.plan.stops if stop.event == event]


def load_plans() -> Plans:
    """Read the merchant's changes, and tune with them what is declared."""
    about = _topics()
    rows = _rows()
    if {blueprint.key for blueprint in flows} - {row.key for row in rows}:
        ensure_flows()
        rows = _rows()
    planned = [_planned(row, about) for row in rows]
    return Plans([each for each in planned if each is not None], about)


def ensure_flows() -> None:
    """A row for every registered flow, so that merchants find it."""
    Flow.objects.bulk_create([Flow(key=blueprint.key) for blueprint in flows], ignore_conflicts=True)


def origin(row: Flow) -> tuple[Plan, About] | None:
    """What a flow is before the merchant's changes to steps, and what it is about.

    None: nothing that is installed stands behind the row any more.
    """
    if not row.trigger:
        blueprint = flows.get(row.key)
        return (blueprint.plan(), blueprint) if blueprint is not None else None
    trigger = triggers.get(row.trigger)
    return (_own_plan(row, trigger), trigger.about) if trigger is not None else None


def imagined(row: Flow, tuning: Tuning) -> PlannedFlow | None:
    """How a flow would run if its row, which need not be saved, and the rows of its steps said this. One statement."""
    return _planned(row, _topics(), tuning)


def _own_plan(row: Flow, trigger: Trigger) -> Plan:
    """A flow of the merchant's own, whose steps are all in rows. It is off until it is put on."""
    known = [triggers.get(event) for event in row.stops.split()]
    return Plan(
        key=row.key,
        title=row.title,
        topic=row.topic,
        start=trigger.start(once=row.once, again_after=row.again_after),
        stops=tuple(each.stop() for each in known if each is not None),
        steps=(),
        order=(),
        priority=row.priority,
        enabled=False,
    )


def _rows() -> list[Flow]:
    return list(
        Flow.objects.order_by("pk").prefetch_related(Prefetch("steps", FlowStep.objects.order_by("pk")))
    )


def _topics() -> dict[str, PlannedTopic]:
    columns = ("key", "purpose", "minimum_age", "name", "words__language", "words__name")
    found: dict[str, PlannedTopic] = {}
    for key, purpose, minimum_age, written, language, name in Topic.objects.order_by().values_list(*columns):
        further = {**(found[key].further if key in found else {}), **({language: name} if language else {})}
        found[key] = PlannedTopic(
            key=key, purpose=Purpose(purpose), minimum_age=minimum_age or 0, written=written, further=further
        )
    return found


def _planned(
    row: Flow, about_topics: Mapping[str, PlannedTopic], tuning: Tuning | None = None
) -> PlannedFlow | None:
    found = origin(row)
    if found is None:
        return None
    declared, about = found
    return PlannedFlow(
        flow_id=row.pk,
        plan=declared.tuned(tuning_of(row) if tuning is None else tuning),
        declared=declared,
        about=about,
        topic=about_topics.get(declared.topic, PlannedTopic(key=declared.topic)),
    )


def tuning_of(row: Flow) -> Tuning:
    """What the merchant changed about a flow; reads `row.steps`, which lists prefetch."""
    return Tuning(
        version=row.version,
        enabled=row.enabled,
        shadow=row.shadow,
        holdout=row.holdout,
        steps={
            step.key: StepTuning(
                title=step.title,
                delay=step.delay,
                expires=step.expires,
                channels=tuple(step.channels) if step.channels is not None else None,
                patience=step.patience,
                voucher=step.voucher,
                voucher_valid=step.voucher_valid,
                offer_id=step.offer_id,
                unless=step.unless,
                only_if=step.only_if,
                removed=step.removed_at is not None,
            )
            for step in row.steps.all()
        },
    )
