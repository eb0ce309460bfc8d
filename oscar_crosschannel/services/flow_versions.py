"""Versions of a flow: how it and its words stood after each change, and what going back to one means.

A version is a value, made of the rows that a merchant may change. What comes with the code, or is said
of topics and offers elsewhere, is not part of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_duration
from django.utils.duration import duration_iso_string

from ..core.plan import StepTuning, Tuning
from ..models import Copy, Flow, FlowVersion
from . import broken_words
from .plans import tuning_of

#: Where words belong: step, channel, language, variant.
Place = tuple[str, str, str, str]
#: The words of one message by part. None takes the file, '' leaves the part out.
Parts = Mapping[str, str | None]

_PARTS = ("subject", "text", "html")
_SPANS = ("delay", "expires", "patience", "voucher_valid")
_STEP = tuple(field.name for field in fields(StepTuning))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a flow of the merchant's own says beside its steps; a blueprint says it for its flow."""

    title: str = ""
    topic: str = ""
    stops: tuple[str, ...] = ()  #: events
    once: bool = False
    again_after: timedelta | None = None  #: None: as its trigger says
    priority: int = 50

    def write(self, flow: Flow) -> None:
        """Put it into a row, which the caller saves."""
        flow.title, flow.topic, flow.stops = self.title, self.topic, " ".join(self.stops)
        flow.once, flow.again_after, flow.priority = self.once, self.again_after, self.priority


def outlined(flow: Flow, outline: Outline | None) -> Flow:
    """The row of a merchant's own flow as it would be, not to be saved; any other as it is."""
    if outline is None or not flow.trigger:
        return flow
    row = copy(flow)
    outline.write(row)
    return row


def outline_of(flow: Flow) -> Outline:
    """What the row of a merchant's own flow says; of others, nothing."""
    return Outline(
        title=flow.title,
        topic=flow.topic,
        stops=tuple(flow.stops.split()),
        once=flow.once,
        again_after=flow.again_after,
        priority=flow.priority,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All that a merchant may say of a flow."""

    tuning: Tuning
    outline: Outline
    words: Mapping[Place, Parts]


def standing(flow: Flow) -> Standing:
    """How a flow stands now. Two statements at most."""
    rows = Copy.objects.filter(flow=flow).order_by("step_key", "channel", "language", "variant")
    return Standing(tuning=tuning_of(flow), outline=outline_of(flow), words=dict(map(_words, rows)))


def _words(row: Copy) -> tuple[Place, Parts]:
    place = (row.step_key, row.channel, row.language, row.variant)
    return place, {part: getattr(row, part) for part in _PARTS}


def rows_of(flow_id: int, words: Mapping[Place, Parts]) -> list[Copy]:
    """These words as rows that are not saved."""
    return [
        Copy(flow_id=flow_id, step_key=step, channel=channel, language=language, variant=variant, **parts)
        for (step, channel, language, variant), parts in words.items()
    ]


def begin(flow: Flow, *, now: datetime) -> None:
    """Before the first change of a locked flow, keep how it stood until then: there is a way back."""
    if not FlowVersion.objects.filter(flow=flow).exists():
        keep(flow, author=None, now=now)


def raise_version(flow: Flow, *, author: int | None, now: datetime) -> None:
    """A locked flow says something else from now on; keep how it stands. `begin` came before the change."""
    flow.version += 1
    flow.save(update_fields=["version"])
    keep(Flow.objects.get(pk=flow.pk), author=author, now=now)
    broken_words.mended(flow, now=now)


def keep(flow: Flow, *, author: int | None, now: datetime) -> None:
    """Keep how a flow stands, as its current version. `author` is the id of a user, if somebody's change it is."""
    state = as_json(standing(flow))
    FlowVersion.objects.create(flow=flow, number=flow.version, made_at=now, author_id=author, state=state)


def as_json(stood: Standing) -> dict[str, Any]:
    """How a flow stood, for the column `state`."""
    tuning, outline = stood.tuning, stood.outline
    again_after = outline.again_after
    return {
        "enabled": tuning.enabled,
        "shadow": tuning.shadow,
        "holdout": tuning.holdout,
        "steps": {key: _step_as_json(each) for key, each in tuning.steps.items()},
        "outline": {
            "title": outline.title,
            "topic": outline.topic,
            "stops": list(outline.stops),
            "once": outline.once,
            "again_after": None if again_after is None else duration_iso_string(again_after),
            "priority": outline.priority,
        },
        "words": [[*place, dict(parts)] for place, parts in stood.words.items()],
    }


def _step_as_json(step: StepTuning) -> dict[str, Any]:
    """Only what the merchant says."""
    values = {name: getattr(step, name) for name in _STEP}
    return {
        name: duration_iso_string(value) if isinstance(value, timedelta) else value
        for name, value in values.items()
        if value is not None
    }


def from_json(version: FlowVersion) -> Standing:
    """How a flow stood."""
    state = version.state
    outline = state["outline"]
    return Standing(
        tuning=Tuning(
            version=version.number,
            enabled=state["enabled"],
            shadow=state["shadow"],
            holdout=state["holdout"],
            steps={key: _step_from_json(each) for key, each in state["steps"].items()},
        ),
        outline=Outline(
            title=outline["title"],
            topic=outline["topic"],
            stops=tuple(outline["stops"]),
            once=outline["once"],
            again_after=None if outline["again_after"] is None else parse_duration(outline["again_after"]),
            priority=outline["priority"],
        ),
        words={
            (step, channel, language, variant): parts
            for step, channel, language, variant, parts in state["words"]
        },
    )


def _step_from_json(values: Mapping[str, Any]) -> StepTuning:
    """What a later release no longer knows is left out."""
    known: dict[str, Any] = {name: values[name] for name in _STEP if name in values}
    known |= {name: parse_duration(known[name]) for name in _SPANS if name in known}
    if "channels" in known:
        known["channels"] = tuple(known["channels"])
    return StepTuning(**known)


def going_back(
    present: Standing, past: Standing, *, declared: Collection[str], offers: Collection[int]
) -> Standing:
    """What a flow says after going back to `past`: all of it, as far as that can still be said.

    Steps of the merchant's own that did not exist then are switched off: keys are never used again, and
    their words stay with them. `declared` are the keys that the blueprint knows, `offers` the ids of the
    shop's offers: a code for one that is gone gives what the shop's settings say.
    """
    later = {key: each for key, each in present.tuning.steps.items() if key not in past.tuning.steps}
    gone = {key: replace(each, removed=True) for key, each in later.items() if key not in declared}
    steps = {**past.tuning.steps, **gone}
    for key, each in steps.items():
        if each.offer_id is not None and each.offer_id not in offers:
            steps[key] = replace(each, offer_id=None)
    kept = {place: parts for place, parts in present.words.items() if place[0] in gone}
    return replace(past, tuning=replace(past.tuning, steps=steps), words={**past.words, **kept})
