"""Flows as values: what a developer declares (`Blueprint`) and what the engine runs (`Plan`).

    class AbandonedCart(Blueprint):
        \"\"\"Baskets left behind\"\"\"

        topic = "basket_reminders"
        start = On("basket.active", one_run=True, again_after=timedelta(days=7))
        stops = (On("order.placed"),)

        nudge = send("email", at=After(hours=1))
        code = send("sms", at=After(hours=24), expires=After(hours=48), voucher=True)

A step's attribute name is its key in rows, templates and links; the first line of the class
docstring is the title a merchant reads. Due times count from the run's anchor, never from an
earlier send, and a step expires at the latest when the next one falls due.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from .outbound import File

#: How long after it was due a last step without an `expires` of its own may still go out.
MAX_AGE = timedelta(hours=24)

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class On:
    """The event that starts or stops a flow.

    Of a start. `one_run`: a person has at most one open run; a further event moves its anchor and
    subjects instead of starting another. `again_after`: rest after a run before the next may begin.
    `once`: at most one run per person, ever. `anchor`: name of an instant in the event's `data` (ISO,
    with a zone) from which due times count, instead of when it happened.

    Of a stop. `same`: name of a subject; only runs with the event's own value of it end, and never the
    run that this very event has begun.
    """

    event: str
    one_run: bool = False
    again_after: timedelta = timedelta(0)
    once: bool = False
    anchor: str = ""
    same: str = ""

    def __post_init__(self) -> None:
        if self.one_run and self.anchor:
            # the newer of two events is known by when it happened, which the run then no longer says
            raise ValueError("A run that follows further events counts from when they happened: no `anchor`.")


class After:
    """A delay from the anchor: `After(hours=1)`."""

    def __init__(self, **kwargs: float) -> None:
        self.delay = timedelta(**kwargs)
        if self.delay < timedelta(0):
            raise ValueError("After() takes a delay that is not negative; use Before().")


class Before:
    """A lead before the anchor (the start of an event): `Before(minutes=10)`."""

    def __init__(self, **kwargs: float) -> None:
        self.delay = -timedelta(**kwargs)
        if self.delay > timedelta(0):
            raise ValueError("Before() takes a lead that is not negative; use After().")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One timed message of a plan."""

    key: str
    channels: tuple[str, ...]  #: in order of preference
    delay: timedelta
    expires: timedelta | None = None  #: from the anchor; None: when the next step falls due
    patience: timedelta = timedelta(0)
    title: str = ""  #: what merchants call it; empty: its key
    voucher: bool = False  #: carries an exclusive code
    voucher_valid: timedelta | None = None  #: from the hand-over; None: as the shop's settings say
    offer_id: int | None = None  #: which of the shop's offers the code gives
    intent: str = ""  #: a named promotion; empty: flow:key:step
    unless: str = ""  #: name of a condition that must not hold
    only_if: str = ""  #: name of a condition that must hold
    any_hour: bool = False


def send(
    *channels: str,
    at: After | Before,
    expires: After | Before | None = None,
    patience: timedelta = timedelta(0),
    voucher: bool = False,
    voucher_valid: timedelta | None = None,
    intent: str = "",
    unless: str = "",
    only_if: str = "",
    any_hour: bool = False,
) -> Step:
    """Declare a step in a `Blueprint` body: `nudge = send("email", at=After(hours=1))`.

    For a topic of purpose critical each channel gets the message, for others the best one that may go.
    """
    return Step(
        key="",
        channels=channels,
        delay=at.delay,
        expires=expires.delay if expires else None,
        patience=patience,
        voucher=voucher,
        voucher_valid=voucher_valid,
        intent=intent,
        unless=unless,
        only_if=only_if,
        any_hour=any_hour,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTuning:
    """What a merchant's row says about one step; None inherits.

    For a key that the plan does not declare it is a step of the merchant's own, if it says when and by
    which channels.
    """

    title: str | None = None
    delay: timedelta | None = None
    expires: timedelta | None = None
    channels: tuple[str, ...] | None = None
    patience: timedelta | None = None
    voucher: bool | None = None
    voucher_valid: timedelta | None = None
    offer_id: int | None = None
    unless: str | None = None  #: empty: nothing need not hold
    only_if: str | None = None  #: empty: nothing must hold
    removed: bool = False


class Wrong(StrEnum):
    """What can be wrong with the steps of a plan."""

    SAME_TIME = "same_time"  #: falls due together with the step before it
    TOO_LATE = "too_late"  #: at or past its own expiry
    TOO_PATIENT = "too_patient"  #: waits for a better channel until it has expired
    NO_CHANNEL = "no_channel"
    NEVER = "never"  #: sent only if what must not hold does
    NO_STEP = "no_step"  #: every step is gone


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that makes a plan not work as it reads."""

    wrong: Wrong
    step: str = ""
    other: str = ""  #: the step it collides with
    limit: timedelta | None = None  #: from the anchor; for TOO_PATIENT the longest patience


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What a merchant's rows say about one flow; None inherits."""

    version: int = 1
    enabled: bool | None = None
    shadow: bool | None = None
    holdout: float | None = None
    steps: Mapping[str, StepTuning] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The immutable flow that engine, preview and metrics know."""

    key: str
    title: str
    topic: str
    start: On
    stops: tuple[On, ...]
    steps: tuple[Step, ...]
    order: tuple[str, ...]  #: keys of all steps, gone ones too, in the order they fall due
    priority: int
    holdout: float = 0.0  #: share of contacts, 0 … 1, that get nothing
    enabled: bool = True
    shadow: bool = False  #: decides and records, but sends nothing
    version: int = 1
    clicks_answer: bool = False  #: a human click re-anchors the steps not yet sent, once per run

    def step(self, key: str) -> Step | None:
        """The step with this key, or None when it is gone."""
        return next((step for step in self.steps if step.key == key), None)

    def after(self, key: str | None) -> Step | None:
        """The step that follows `key`, also when that one is gone; the first for None."""
        if key is not None and key not in self.order:
            return None
        rest = self.order if key is None else self.order[self.order.index(key) + 1 :]
        return next((step for key in rest if (step := self.step(key)) is not None), None)

    def due_at(self, step: Step, anchor: datetime) -> datetime:
        """When `step` falls due for a run anchored at `anchor`."""
        return anchor + step.delay

    def expires_at(self, step: Step, anchor: datetime) -> datetime:
        """When `step` is no longer worth sending: its own limit, or the next step's due time."""
        return anchor + self.lifetime(step)

    def lifetime(self, step: Step) -> timedelta:
        """How long after the anchor `step` is worth sending."""
        limits = [step.expires] if step.expires is not None else []
        if (following := self.after(step.key)) is not None:
            limits.append(following.delay)
        return min(limits, default=step.delay + MAX_AGE)

    def faults(self) -> tuple[Fault, ...]:
        """What would keep steps from going out as the plan reads: nothing, for a plan that makes sense."""
        if not self.steps:
            return (Fault(Wrong.NO_STEP),)
        found: list[Fault] = []
        previous: Step | None = None
        for step in self.steps:
            found += self._faults_of(step, previous)
            previous = step
        return tuple(found)

    def _faults_of(self, step: Step, previous: Step | None) -> Iterator[Fault]:
        if not step.channels:
            yield Fault(Wrong.NO_CHANNEL, step.key)
        if step.only_if and step.only_if == step.unless:
            yield Fault(Wrong.NEVER, step.key)
        if previous is not None and step.delay == previous.delay:
            yield Fault(Wrong.SAME_TIME, step.key, previous.key, previous.delay)
        elif step.expires is not None and step.delay >= step.expires:
            yield Fault(Wrong.TOO_LATE, step.key, limit=step.expires)
        elif step.patience and step.patience >= (room := self.lifetime(step) - step.delay) > timedelta(0):
            yield Fault(Wrong.TOO_PATIENT, step.key, limit=room)

    def tuned(self, tuning: Tuning) -> Plan:
        """This plan as the merchant changed it; tuning with nothing is the identity.

        Steps run in the order in which they fall due, so changing a delay may change the order.
        """
        declared = [_tuned_step(step, tuning.steps.get(step.key)) for step in self.steps]
        known = {step.key for step in self.steps}
        own = [_own_step(key, each) for key, each in tuning.steps.items() if key not in known]
        every = sorted([*declared, *filter(None, own)], key=lambda step: step.delay)
        gone = {key for key, each in tuning.steps.items() if each.removed}
        return replace(
            self,
            steps=tuple(step for step in every if step.key not in gone),
            order=tuple(step.key for step in every),
            version=tuning.version,
            enabled=self.enabled if tuning.enabled is None else tuning.enabled,
            shadow=self.shadow if tuning.shadow is None else tuning.shadow,
            holdout=self.holdout if tuning.holdout is None else tuning.holdout,
        )


#: What a merchant may change of a step, by its name in both `Step` and `StepTuning`.
_TUNABLE = (
    "title", "delay", "expires", "channels", "patience", "voucher", "voucher_valid", "offer_id", "unless",
    "only_if",
)  # fmt: skip


def _tuned_step(step: Step, tuning: StepTuning | None) -> Step:
    if tuning is None:
        return step
    wanted = {name: getattr(tuning, name) for name in _TUNABLE}
    return replace(step, **{name: value for name, value in wanted.items() if value is not None})


def _own_step(key: str, tuning: StepTuning) -> Step | None:
    """A step that no blueprint declares. A row that says too little is what is left of a declared one."""
    if tuning.delay is None or tuning.channels is None:
        return None
    return _tuned_step(Step(key=key, channels=tuning.channels, delay=tuning.delay), tuning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One person in one flow, as a blueprint sees it when it is asked for words."""

    message_id: int
    step: str
    channel: str
    contact_id: int
    enrolment_id: int | None
    user_id: int | None
    name: str
    language: str
    email: str
    subjects: Mapping[str, int]
    anchor: datetime
    now: datetime  #: when it is asked; what goes out, goes out at once
    data: Mapping[str, Any] = field(default_factory=dict)  #: what the starting event carried
    zone: str = ""  #: the person's own; empty: nobody knows it for sure


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the words of one message may say: plain values only, and where its links lead.

    `links` maps a name used in the copy to a path of the shop; the engine turns each into a
    signed link of this message. One named "items.0" belongs to the first of `items`, which copy calls
    `item.link`. `files` go along with an email; a text cannot carry any.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    files: tuple[File, ...] = ()


class About:
    """What a flow is about: what its words may say, and whether it still matters.

    A `Blueprint` is one; a `Trigger` has one, for the flows that merchants make of it.
    """

    #: What the names in `example` mean, for those who write copy: `{"total": _("What it all costs")}`,
    #: one level deep with a dot ("items.title", "links.basket"). Strings, or lazily translated.
    glossary: ClassVar[Mapping[str, Any]] = {}

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        """What to say, by message id. Asked once per chunk, right before sending."""
        return {run.message_id: Context() for run in runs}

    def example(self) -> Context | None:
        """All that `context` may ever give, with made-up values in the active language.

        Merchants' copy is checked and previewed with it. None: nobody knows the names, so none is
        refused.
        """
        return None

    def occasion(self, run: Run) -> str:
        """What happened that the message is about, in a sentence for whoever got it, in the active language.

        For the page "Why did I get this?", which anybody with the link can open: no names, no goods. Empty:
        the page says no more than what the person agreed to.
        """
        return ""

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """The message ids whose run still makes sense; the others end, unsent."""
        return {run.message_id for run in runs}


class Blueprint(About):
    """A flow declared in code. Subclass it, and register the class."""

    key: ClassVar[str] = ""  #: default: the class name in snake_case
    topic: ClassVar[str]
    start: ClassVar[On]
    stops: ClassVar[tuple[On, ...]] = ()
    priority: ClassVar[int] = 50
    holdout: ClassVar[float] = 0.0
    shadow: ClassVar[bool] = False
    clicks_answer: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "key" not in cls.__dict__:
            cls.key = _WORD_BEGINS.sub("_", cls.__name__).lower()

    @classmethod
    def plan(cls) -> Plan:
        """The plan as declared, before a merchant's rows."""
        title = (cls.__doc__ or cls.key).strip().splitlines()[0].rstrip(".")
        steps: dict[str, Step] = {}
        for base in reversed(cls.__mro__):
            for name, value in vars(base).items():
                if isinstance(value, Step):
                    steps[name] = replace(value, key=name)
                else:
                    steps.pop(name, None)  # `nudge = None` in a subclass takes the step away
        return Plan(
            key=cls.key,
            title=title,
            topic=cls.topic,
            start=cls.start,
            stops=cls.stops,
            steps=(in_order := tuple(sorted(steps.values(), key=lambda step: step.delay))),
            order=tuple(step.key for step in in_order),
            priority=cls.priority,
            holdout=cls.holdout,
            shadow=cls.shadow,
            clicks_answer=cls.clicks_answer,
        )
