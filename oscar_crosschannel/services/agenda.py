"""What there is to do, asked in one statement: a tick that finds nothing costs next to nothing.

Each question is an EXISTS that an index answers, however long the tables are. They are asked beside
the sweep's watermark, a row that is always there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, Min

from ..core.lifecycle import State
from ..core.rulings import Reason
from ..models import Message, Watermark
from ..models.messages import Lane
from . import delivery, enrolments, intake, judging, reaping


@dataclass(frozen=True, slots=True)
class Agenda:
    """The answers as of one instant."""

    swept: datetime  #: up to when the shop was searched
    is_behind: bool  #: whether some of these searches failed the last time
    dead: bool  #: what dead workers left behind, and runs that stand still
    events: bool
    lanes: tuple[int, ...]  #: those with something due, the highest first
    overdue: bool  #: calls whose end the provider never told


def read(now: datetime) -> Agenda:
    """All there is to do at `now`."""
    questions = {
        "behind": Exists(intake.behind()),
        "dead": Exists(reaping.expired(now)),
        "standing": Exists(enrolments.standing()),
        "events": Exists(intake.waiting(now)),
        "overdue": Exists(delivery.overdue(now)),
        **_due(now, Lane.values),
    }
    answers = _ask(questions)
    if answers is None:  # the first tick of all
        intake.begin_sweeping(now)
        answers = _ask(questions)
        assert answers is not None
    return Agenda(
        swept=answers["at"],
        is_behind=answers["behind"],
        dead=answers["dead"] or answers["standing"],
        events=answers["events"],
        lanes=_lanes(answers),
        overdue=answers["overdue"],
    )


def due_lanes(now: datetime, *, above: int | None = None) -> tuple[int, ...]:
    """The lanes with something due, the highest first; only those `above` a lane."""
    lanes = [lane for lane in Lane.values if above is None or lane < above]
    return _lanes(_ask(_due(now, lanes)) or {}) if lanes else ()


def next_turn(now: datetime, before: datetime) -> datetime | None:
    """When the next message that was put off has its turn at its sender; None: not before `before`."""
    paced = Message.objects.filter(state=State.PLANNED, reason=Reason.PACED, lane__in=Lane.values)
    found = paced.filter(due_at__gt=now, due_at__lt=before).aggregate(first=Min("due_at"))
    first: datetime | None = found["first"]
    return first


def _due(now: datetime, lanes: list[int]) -> dict[str, Exists]:
    return {f"lane_{lane}": Exists(judging.due(lane, now)) for lane in lanes}


def _ask(questions: Mapping[str, Exists]) -> Mapping[str, Any] | None:
    return Watermark.objects.filter(name=intake.SWEEP).values("at", **questions).first()


def _lanes(answers: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(lane for lane in Lane.values if answers.get(f"lane_{lane}"))
