"""Runs: one person in one flow, and the messages that came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _

from ..models import Enrolment
from . import acting, people, sentences, stories, titles
from .acting import ActingAdmin
from .acts import EndRun
from .filters import FlowFilter
from .reading import FoundByPerson, StoryAdmin, badge, state_badge


@admin.register(Enrolment)
class EnrolmentAdmin(ActingAdmin, FoundByPerson, StoryAdmin):
    acts = (EndRun,)
    list_display = ("flow_title", "whom", "standing", "step", "started_at", "ended_at")
    list_filter = (FlowFilter, "state")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # no joins: they would be made for all that a search finds
        return super().get_queryset(request).prefetch_related("contact__points", "flow__steps")

    @admin.display(description=_("flow"))
    def flow_title(self, run: Enrolment) -> str:
        return titles.flow(run.flow)

    @admin.display(description=_("contact"))
    def whom(self, run: Enrolment) -> SafeString | str:
        return titles.link(run.contact, people.label(run.contact))

    @admin.display(description=_("state"))
    def standing(self, run: Enrolment) -> str:
        reason = sentences.reason(run.end_reason)
        return f"{run.get_state_display()}: {reason}" if reason else run.get_state_display()

    @admin.display(description=_("step"))
    def step(self, run: Enrolment) -> str:
        return titles.step_of(run.flow, run.step_key)

    def heading(self, row: Enrolment) -> str:
        return gettext("%(flow)s for %(person)s") % {
            "flow": titles.flow(row.flow),
            "person": people.label(row.contact),
        }

    def story(self, row: Enrolment, now: datetime) -> Mapping[str, Any]:
        messages = row.messages.order_by("id")
        return {
            "run": row,
            "is_active": row.state == Enrolment.State.ACTIVE,
            "history": acting.history(row),
            "badge": badge(
                row.get_state_display(), "open" if row.state == Enrolment.State.ACTIVE else "quiet"
            ),
            "standing": capfirst(sentences.reason(row.end_reason)),
            "facts": _facts(row),
            "messages_told": [
                (
                    titles.link(message, titles.step_of(row.flow, message.step_key)),
                    state_badge(message.state),
                    stories.standing(message, now),
                    message,
                )
                for message in messages
            ],
        }


def _facts(run: Enrolment) -> list[tuple[str, Any]]:
    facts = [
        (gettext("Contact"), titles.link(run.contact, people.label(run.contact))),
        (gettext("Flow"), titles.link(run.flow, titles.flow(run.flow))),
        (gettext("About"), ", ".join(f"{kind} {pk}" for kind, pk in run.subjects.items())),
        (gettext("Began"), run.started_at),
        (gettext("Times count from"), run.anchor_at),
        (gettext("First click of a person"), run.clicked_at),
        (gettext("Ended"), run.ended_at),
        (gettext("Control group"), gettext("yes: gets nothing") if run.held_out else ""),
        (gettext("Key"), run.key),
    ]
    return [(name, value) for name, value in facts if value]
