"""Flows: their steps as a timeline, what the merchant changed, and how the last month went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _, ngettext

from ..conf import settings
from ..core.lifecycle import OPEN, State
from ..core.plan import On, Plan, Step
from ..models import Enrolment, Flow, FlowStep, Message, Topic
from ..services import own_flows as own_flow_services, plans, tuning
from ..services.plans import PlannedFlow, load_plans
from . import (
    acting,
    copies,
    counting,
    flow_changes,
    flow_editing,
    flow_versions,
    own_flows,
    sentences,
    titles,
)
from .doors import ADD_FLOW, CHANGE_FLOW, DELETE_FLOW, VIEW_RUN, allowed, door
from .reading import StoryAdmin, badge

#: How far back the counts look.
COUNTED = timedelta(days=30)

#: Columns of the counts: title, and the states that count there.
_COLUMNS: Sequence[tuple[sentences.Words, frozenset[State]]] = (
    (_("open"), OPEN),
    (_("sent"), frozenset({State.SENT})),
    (_("perhaps sent"), frozenset({State.UNKNOWN})),
    (_("not sent"), frozenset({State.DROPPED, State.CANCELLED})),
    (_("failed"), frozenset({State.FAILED})),
)


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing about a step, and what it was declared as if the merchant changed it."""

    text: str
    declared: str = ""


@dataclass(frozen=True, slots=True)
class StepStory:
    """One step in words."""

    title: str
    key: str
    removed_at: datetime | None
    traits: Sequence[Trait]
    counts: Sequence[int]  #: one per column


@admin.register(Flow)
class FlowAdmin(StoryAdmin):
    list_display = ("called", "standing", "inside", "sent", "not_sent", "failed", "whose")
    ordering = ("key",)
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(inside_now=counting.people_inside())
        return rows.prefetch_related("steps")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list, each row with its numbers: one statement for all. Who is inside is for who may view runs."""
        changelist: Any = super().get_changelist_instance(request)
        reach = counting.reach(Message.objects.all(), "created_at", timezone.now() - COUNTED)
        counted = _count_all(reach)
        changelist.result_list = list(changelist.result_list)
        for row in changelist.result_list:
            row.counted = counted.get(row.pk, {})
            row.people_inside = _people_inside(row) if request.user.has_perm(VIEW_RUN) else ""
        changelist.span = sentences.length(timezone.now() - reach.since)
        return changelist

    @admin.display(description=_("flow"))
    def called(self, flow: Flow) -> str:
        return self.heading(flow)

    @admin.display(description=_("state"))
    def standing(self, flow: Flow) -> SafeString:
        found = plans.origin(flow)
        return _state_badge(found[0].tuned(plans.tuning_of(flow)) if found else None)

    @admin.display(description=_("people inside"))
    def inside(self, flow: Any) -> SafeString | int:
        if not flow.inside_now or not flow.people_inside:
            return int(flow.inside_now)
        return format_html('<a href="{}">{}</a>', flow.people_inside, flow.inside_now)

    @admin.display(description=_("sent"))
    def sent(self, flow: Any) -> int:
        return _in_column(flow.counted, 1)

    @admin.display(description=_("not sent"))
    def not_sent(self, flow: Any) -> int:
        return _in_column(flow.counted, 3)

    @admin.display(description=_("failed"))
    def failed(self, flow: Any) -> int:
        return _in_column(flow.counted, 4)

    @admin.display(description=_("whose"))
    def whose(self, flow: Flow) -> SafeString:
        if flow.trigger:
            return badge(_("your own"), "open")
        return badge(_("changed by you") if _changes(flow) else _("as shipped"), "quiet")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(ADD_FLOW) and request.user.has_perm(CHANGE_FLOW))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Of the merchant's own flows only; whether one is in use is told on the page that asks."""
        return bool(request.user.has_perm(DELETE_FLOW)) and isinstance(obj, Flow) and bool(obj.trigger)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return own_flows.add(self, request)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """What goes with it are its steps, words and versions, whoever may delete those."""
        against = [why for flow in objs if (why := own_flows.against_deleting(flow))]
        return [self.heading(flow) for flow in objs], {}, set(), against

    def delete_model(self, request: HttpRequest, obj: Flow) -> None:
        own_flow_services.delete(obj)

    def get_urls(self) -> list[URLPattern]:
        message = "words/<slug:step>/<slug:channel>/<str:language>/"
        return [
            door(self, "edit/", flow_editing.edit, "edit"),
            door(self, "steps/add/", own_flows.add_step, "add_step"),
            door(self, "versions/", flow_versions.listing, "versions"),
            door(self, "versions/<int:number>/", flow_versions.one, "version"),
            door(self, "words/", copies.listing, "words_list"),
            door(self, message, copies.words, "words"),
            door(self, f"{message}test/", copies.test, "test"),
            *super().get_urls(),
        ]

    def render_change_form(  # noqa: PLR0917 -- Django's signature
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        return super().render_change_form(
            request, {**context, "may": allowed(request)}, add, change, form_url, obj
        )

    def heading(self, row: Flow) -> str:
        return titles.flow(row)

    def story(self, row: Flow, now: datetime) -> Mapping[str, Any]:
        planned = load_plans().get(row.pk)
        reach = counting.reach(Message.objects.all(), "created_at", now - COUNTED)
        counted = _count(row, reach)
        return {
            "flow": row,
            "badge": _state_badge(planned.plan if planned else None),
            "in_shadow": planned is not None and flow_changes.state(planned.plan) == "shadow",
            "before_it_is_on": own_flows.before_it_is_on(planned, row) if planned else [],
            "is_own": bool(row.trigger),
            "people_inside": _people_inside(row),
            "facts": _facts(row, planned),
            "steps": _steps(row, planned, counted) if planned else [],
            "columns": [title for title, _states in _COLUMNS],
            "reasons": _reasons(counted),
            "is_declared": planned is not None,
            "history": acting.history(row),
            "span": sentences.length(now - reach.since),
        }


_TONES = {"on": "good", "shadow": "doubt", "off": "quiet"}


def _state_badge(plan: Plan | None) -> SafeString:
    if plan is None:
        return badge(_("no longer declared"), "bad")
    state = flow_changes.state(plan)
    return badge(flow_changes.STATE_WORDS[state], _TONES[state])


def _people_inside(flow: Flow) -> str:
    """Where those who are inside are listed."""
    asked = {"flow": flow.pk, "state__exact": Enrolment.State.ACTIVE.value}
    return f"{reverse('admin:oscar_crosschannel_enrolment_changelist')}?{urlencode(asked)}"


def _facts(flow: Flow, planned: PlannedFlow | None) -> list[tuple[str, Any]]:
    facts: list[tuple[str, Any]] = [(gettext("Key"), flow.key)]
    if planned is None:
        return facts
    plan = planned.plan
    topic = Topic.objects.filter(key=plan.topic).first()
    purpose = sentences.PURPOSES[planned.purpose]
    more = [
        (gettext("Topic"), f"{titles.topic(topic) if topic else plan.topic} ({purpose})"),
        (gettext("Begins when"), _start(plan.start)),
        (gettext("Ends when"), ", ".join(titles.event(stop.event) for stop in plan.stops)),
        (gettext("After a click of a person"), _after_click(plan)),
        (gettext("Control group"), f"{plan.holdout:.0%}" if plan.holdout else ""),
        (gettext("Changed by a merchant"), "" if flow.trigger else _changes(flow)),
        (gettext("Version"), plan.version),
    ]
    return [(name, value) for name, value in more + facts if value not in ("", None)]


def _start(start: On) -> str:
    words = [titles.event(start.event)]
    if start.once:
        words.append(gettext("once per person, ever"))
    if start.one_run:
        words.append(gettext("one run at a time"))
    if start.again_after:
        words.append(gettext("again after %(time)s") % {"time": sentences.length(start.again_after)})
    return ", ".join(words)


def _after_click(plan: Plan) -> str:
    return gettext("the steps not yet sent count from the click, once per run") if plan.clicks_answer else ""


def _changes(flow: Flow) -> str:
    changes = []
    if flow.enabled is not None:
        changes.append(gettext("switched on") if flow.enabled else gettext("switched off"))
    if flow.shadow:
        changes.append(gettext("shadow mode"))
    if flow.holdout is not None:
        changes.append(gettext("control group of %(share)s") % {"share": f"{flow.holdout:.0%}"})
    changed = len(flow.steps.all())
    if changed:
        changes.append(ngettext("%(count)d step", "%(count)d steps", changed) % {"count": changed})
    return ", ".join(changes)


def _count_all(reach: counting.Reach) -> dict[int, dict[int, int]]:
    """How many messages of each flow are in each state."""
    messages = reach.within(Message.objects.all(), "created_at").order_by()
    found: dict[int, dict[int, int]] = {}
    for flow, state, number in messages.values_list("flow", "state").annotate(Count("pk")):
        found.setdefault(flow, {})[state] = number
    return found


def _in_column(counted: Mapping[int, int], column: int) -> int:
    _title, states = _COLUMNS[column]
    return sum(counted.get(state, 0) for state in states)


Counted = Sequence[tuple[str, int, str, int]]  #: step, state, reason, how many


def _count(flow: Flow, reach: counting.Reach) -> Counted:
    messages = reach.within(Message.objects.filter(flow=flow), "created_at").order_by()
    return list(messages.values_list("step_key", "state", "reason").annotate(Count("pk")))


def _reasons(counted: Counted) -> list[tuple[str, int]]:
    """Why messages were not sent, the most frequent reason first."""
    unsent = {State.DROPPED, State.CANCELLED, State.FAILED}
    total: Counter[str] = Counter()
    for _step, state, reason, number in counted:
        if state in unsent:
            total[reason] += number
    return [(capfirst(sentences.reason(reason)), number) for reason, number in total.most_common()]


def _steps(flow: Flow, planned: PlannedFlow, counted: Counted) -> list[StepStory]:
    every = {step.key: step for step in tuning.restored(planned.declared, plans.tuning_of(flow)).steps}
    rows = {row.key: row for row in flow.steps.select_related("offer")}
    return [
        StepStory(
            title=titles.step(key, every[key].title if key in every else ""),
            key=key,
            removed_at=rows[key].removed_at if key in rows else None,
            traits=list(_traits(every.get(key), planned.declared.step(key), rows.get(key))),
            counts=[_sum(counted, key, states) for _title, states in _COLUMNS],
        )
        for key in (*planned.plan.order, *(key for key in rows if key not in planned.plan.order))
    ]


def _sum(counted: Counted, key: str, states: Collection[int]) -> int:
    return sum(number for step, state, _reason, number in counted if step == key and state in states)


def _traits(step: Step | None, declared: Step | None, row: FlowStep | None) -> Iterable[Trait]:
    """`declared`: None for a step of the merchant's own."""
    if step is None or (row is not None and row.removed_at):
        return
    was = declared or step
    yield _trait(sentences.from_anchor(step.delay), sentences.from_anchor(was.delay))
    yield _trait(sentences.channel_order(step.channels), sentences.channel_order(was.channels))
    if step.expires is not None:
        until = {"when": sentences.from_anchor(step.expires)}
        yield Trait(gettext("worth sending until %(when)s the start") % until)
    if step.patience or was.patience:
        yield _trait(_patience(step), _patience(was))
    if step.only_if or was.only_if:
        yield _trait(_only_if(step), _only_if(was))
    if step.unless or was.unless:
        yield _trait(_unless(step), _unless(was))
    if step.voucher:
        default = settings.VOUCHER_OFFER
        offer = row.offer.name if row and row.offer else default
        yield _trait(_code(offer), _code(default) if declared else _code(offer))
    elif was.voucher:
        yield Trait(
            gettext("without a code"),
            gettext("declared: %(value)s") % {"value": _code(settings.VOUCHER_OFFER)},
        )
    if step.any_hour:
        yield Trait(gettext("at any hour"))


def _trait(now: str, declared: str) -> Trait:
    return Trait(now) if now == declared else Trait(now, gettext("declared: %(value)s") % {"value": declared})


def _patience(step: Step) -> str:
    if not step.patience:
        return gettext("does not wait for the better channel")
    return gettext("waits up to %(time)s for the better channel") % {"time": sentences.length(step.patience)}


def _only_if(step: Step) -> str:
    if not step.only_if:
        return gettext("whatever holds")
    return gettext("only if %(condition)s") % {"condition": sentences.condition(step.only_if)}


def _unless(step: Step) -> str:
    if not step.unless:
        return gettext("whatever happened")
    return gettext("not if %(condition)s") % {"condition": sentences.condition(step.unless)}


def _code(offer: str) -> str:
    return gettext("with an exclusive code for “%(offer)s”") % {"offer": offer}
