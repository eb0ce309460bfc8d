"""Messages: the answer to "why did this customer get, or not get, that message?"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy as _

from ..channels.sms_backends import codes
from ..core.facts import SMS, Purpose
from ..core.lifecycle import OPEN, RECALLABLE, State, Status
from ..models import Attempt, Click, Message, Topic
from ..services import limits
from ..services.outlook import outlook
from . import acting, people, sentences, stories, titles
from .acting import ActingAdmin
from .acts import CallOff
from .filters import ChannelFilter, FlowFilter, ReasonFilter, StateFilter
from .reading import FoundByPerson, StoryAdmin, state_badge

_CAME_THROUGH = (Status.DELIVERED, Status.READ)
_FELL_THROUGH = (Status.NOT_SENT, Status.FAILED, Status.UNDELIVERED)


@dataclass(frozen=True, slots=True)
class AttemptStory:
    """One provider call in words."""

    row: Attempt
    channel: str
    status: str
    tone: str
    meaning: str  #: of the provider's code; empty if unknown


@dataclass(frozen=True, slots=True)
class ClickStory:
    """One click in words."""

    row: Click
    target: str
    signs: Sequence[str]


@admin.register(Message)
class MessageAdmin(ActingAdmin, FoundByPerson, StoryAdmin):
    acts = (CallOff,)
    actions = ("call_off",)
    list_display = ("what", "whom", "standing", "when")
    list_filter = (
        StateFilter,
        FlowFilter,
        ChannelFilter,
        ("due_at", admin.DateFieldListFilter),
        ReasonFilter,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # no joins: they would be made for all that a search finds
        return super().get_queryset(request).prefetch_related("contact__points", "flow__steps")

    @admin.display(description=_("message"))
    def what(self, message: Message) -> str:
        return self.heading(message)

    @admin.display(description=_("recipient"))
    def whom(self, message: Message) -> SafeString | str:
        return titles.link(message.contact, people.label(message.contact))

    @admin.display(description=_("what became of it"))
    def standing(self, message: Message) -> SafeString:
        return format_html("{} {}", state_badge(message.state), stories.standing(message, timezone.now()))

    @admin.display(description=_("due or settled"))
    def when(self, message: Message) -> datetime:
        return message.due_at if message.state in OPEN else message.resolved_at or message.due_at

    @admin.action(description=_("Call off"), permissions=["call_off"])
    def call_off(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """Leads to the page that asks; only what was ticked counts, whatever else the list holds."""
        ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
        return redirect(CallOff.url(*(int(each) for each in ticked if acting.is_id(each))))

    def has_call_off_permission(self, request: HttpRequest) -> bool:
        return CallOff.is_allowed(request.user)

    def heading(self, row: Message) -> str:
        return titles.message(row)

    def story(self, row: Message, now: datetime) -> Mapping[str, Any]:
        told = Message.objects.select_related(
            "contact__user", "flow", "enrolment", "point", "grant__voucher"
        ).prefetch_related("contact__points", Prefetch("clicks", Click.objects.order_by("at")))
        message = told.get(pk=row.pk)
        attempts = [_attempt(attempt) for attempt in _attempts(message)]
        return {
            "message": message,
            "can_be_called_off": message.state in RECALLABLE,
            **_foreseen(message, now),
            "history": acting.history(message),
            "badge": state_badge(message.state),
            "standing": _standing(message, attempts, now),
            "facts": _facts(message, now),
            "trace": stories.trace(message, now),
            "attempts": attempts,
            "clicks": [_click(message, click) for click in message.clicks.all()],
            "grant": getattr(message, "grant", None),
        }


def _foreseen(message: Message, now: datetime) -> dict[str, Any]:
    """What becomes of an open message, as things stand."""
    if message.state not in RECALLABLE:
        return {}
    decision = outlook(message.contact, [message], {}, limits.load(), now=now).coming[message.pk]
    return {
        "foreseen": stories.foreseen(decision, now),
        "foreseen_trace": stories.channels(decision.trace, "", now),
    }


def _standing(message: Message, attempts: Sequence[AttemptStory], now: datetime) -> str:
    """What became of it, and of its delivery."""
    standing = stories.standing(message, now)
    if message.state != State.SENT or not attempts:
        return standing
    return gettext("%(standing)s; %(delivery)s") % {"standing": standing, "delivery": attempts[-1].status}


def _facts(message: Message, now: datetime) -> list[tuple[str, Any]]:
    contact = message.contact
    topic = Topic.objects.filter(key=message.topic).first()
    purpose = sentences.PURPOSES[Purpose(message.purpose)]
    run = message.enrolment
    began = gettext("begun %(when)s") % {"when": sentences.moment(run.started_at, now)} if run else ""
    facts = [
        (gettext("Recipient"), titles.link(contact, people.label(contact))),
        (gettext("Address"), message.point.address if message.point else ""),
        (gettext("Flow"), titles.link(message.flow, titles.flow(message.flow))),
        (gettext("Run"), titles.link(run, began) if run else ""),
        (gettext("Topic"), f"{topic.name if topic else message.topic} ({purpose})"),
        (gettext("Due"), message.due_at),
        (gettext("Worth sending until"), message.expires_at),
        (gettext("Sent"), message.attempted_at if message.state in (State.SENT, State.UNKNOWN) else None),
        (
            gettext("Recipient's clock"),
            stories.clocks(contact, message.attempted_at or message.due_at),
        ),
        (gettext("Settled"), message.resolved_at if message.state != State.SENT else None),
        (gettext("Given back by dead workers"), message.returns),
        (gettext("Key"), message.intent),
        (gettext("Version of the flow"), message.flow_version),
    ]
    return [(name, value) for name, value in facts if value]


def _attempts(message: Message) -> QuerySet[Attempt]:
    return message.attempts.order_by("number").prefetch_related("events")


def _attempt(attempt: Attempt) -> AttemptStory:
    status = Status(attempt.status)
    tone = "good" if status in _CAME_THROUGH else "bad" if status in _FELL_THROUGH else "open"
    known = codes.code_of(attempt.code) if attempt.code and attempt.channel == SMS else None
    return AttemptStory(
        row=attempt,
        channel=sentences.channels([attempt.channel]),
        status=str(sentences.STATUSES[status]),
        tone=tone,
        meaning=known.meaning if known else "",
    )


def _click(message: Message, click: Click) -> ClickStory:
    paths = dict(enumerate(message.links))
    signs = [str(sentences.SUSPICIONS.get(sign, sign)) for sign in click.suspicions]
    return ClickStory(row=click, target=paths.get(click.link, ""), signs=signs)
