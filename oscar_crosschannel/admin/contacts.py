"""Contacts: who they are, what they agreed to, and all that happened with them; and the suppression list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _

from ..core.decision import Finding, Outcome
from ..core.facts import EMAIL, SMS, Answer
from ..core.lifecycle import OPEN, RECALLABLE
from ..core.rulings import Reason
from ..models import Consent, Contact, ContactPoint, Enrolment, Erasure, Flow, Message, Suppression, Topic
from ..services import contacts as contact_services, limits, outlook, suppressions, topics as topic_services
from . import acting, people, sentences, stories, texting_times, timeline, titles
from .acting import ActingAdmin
from .acts import Lift, OptOut, Suppress
from .filters import AccountFilter, ChannelFilter, LiftedFilter
from .longlists import LongListed
from .persons import Erase, Export
from .reading import FoundByPerson, StoryAdmin, badge, state_badge

#: Of what is still to come, and of flows a person is inside, the page shows so many at most.
MOST_COMING = 20


@dataclass(frozen=True, slots=True)
class ConsentStory:
    """What the owner of an address answered about one topic."""

    row: Consent
    topic: str
    badge: SafeString


@dataclass(frozen=True, slots=True)
class TopicStory:
    """Whether the contact may be written to about a topic: per channel the answer, and why."""

    name: str
    answers: Sequence[tuple[SafeString | str, str]]


@dataclass(frozen=True, slots=True)
class ComingStory:
    """A message that is still to come."""

    row: Message
    link: SafeString | str
    badge: SafeString
    standing: str
    outlook: str  #: what will become of it, as things stand
    can_be_called_off: bool


@dataclass(frozen=True, slots=True)
class PointStory:
    """One address, whether it may be used, and for what."""

    row: ContactPoint
    channel: str
    consents: Sequence[ConsentStory]
    suppressions: Sequence[Suppression]

    @property
    def is_blocked(self) -> bool:
        """Whether nothing at all goes there any more."""
        return any(row.scope == Suppression.Scope.EVERYTHING for row in self.suppressions)


@admin.register(Contact)
class ContactAdmin(ActingAdmin, FoundByPerson, StoryAdmin):
    acts = (Suppress, OptOut, Export, Erase)
    list_display = ("whom", "email", "phone", "language", "account", "created_at")
    list_select_related = ("user",)
    list_filter = (AccountFilter,)
    person = "pk"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # few were merged: fetching those is less than a join with a table as long as this one
        return super().get_queryset(request).prefetch_related("points", "merged_into")

    @admin.display(description=_("contact"))
    def whom(self, contact: Contact) -> str:
        merged = gettext("(merged into another)") if contact.merged_into_id else ""
        return f"{contact.name or f'#{contact.pk}'} {merged}".strip()

    @admin.display(description=_("email"))
    def email(self, contact: Contact) -> str:
        return people.address(contact, EMAIL)

    @admin.display(description=_("phone"))
    def phone(self, contact: Contact) -> str:
        return people.address(contact, SMS)

    @admin.display(description=_("account"), boolean=True)
    def account(self, contact: Contact) -> bool:
        return contact.user_id is not None

    def heading(self, row: Contact) -> str:
        return people.label(row)

    def story(self, row: Contact, now: datetime) -> Mapping[str, Any]:
        topics = list(topic_services.in_order())
        coming = list(
            row.messages.filter(state__in=OPEN)
            .select_related("contact", "enrolment")
            .order_by("due_at", "pk")[:MOST_COMING]
        )
        flows = {flow.pk: flow for flow in Flow.objects.prefetch_related("steps")}
        for message in coming:
            message.flow = flows[message.flow_id]
        in_force = limits.load()
        known = outlook.outlook(
            row, coming, {topic.key: topic.purpose for topic in topics}, in_force, now=now
        )
        return {
            "contact": row,
            "facts": _facts(row),
            "channels": [capfirst(str(word)) for word in sentences.CHANNELS.values()],
            "texting_times": texting_times.of(row, in_force, now),
            "may_write": [_may_write(topic, known, now) for topic in topics],
            "coming": [_coming(message, known, now) for message in coming],
            "points": _points(row, {topic.key: titles.topic(topic) for topic in topics}),
            "runs": [
                (
                    run,
                    titles.link(run, titles.flow(flows[run.flow_id])),
                    titles.step_of(flows[run.flow_id], run.step_key),
                )
                for run in row.enrolments.filter(state=Enrolment.State.ACTIVE).order_by("-pk")[:MOST_COMING]
            ],
            "now": now,
        }

    def earlier(self, request: HttpRequest, row: Contact) -> Mapping[str, Any]:
        before = request.GET.get("before", "")
        return {"timeline": timeline.of(row, timezone.now(), before), "is_later_page": bool(before)}


def _may_write(topic: Topic, known: outlook.Outlook, now: datetime) -> TopicStory:
    return TopicStory(
        name=titles.topic(topic),
        answers=[
            _answer(known.may[topic.key, channel], now) if (topic.key, channel) in known.may else ("", "")
            for channel in sentences.CHANNELS
        ],
    )


def _answer(found: Finding, now: datetime) -> tuple[SafeString | str, str]:
    """Whether somebody may be written to, as a coloured word, and why not."""
    reasons = list(dict.fromkeys(each.reason for each in found.objections))
    if Reason.NO_POINT in reasons:
        reasons = [Reason.NO_POINT]  # what else is to be said of an address that is not known
    why = "; ".join(sentences.reason(each, [found.channel]) for each in reasons)
    if found.outcome is Outcome.DENIED:
        return badge(_("no"), "quiet"), why
    if found.outcome is Outcome.OPEN and found.at <= now:
        return badge(_("yes"), "good"), ""
    return badge(_("later"), "doubt"), f"{sentences.finding(found, now)}: {why}"


def _coming(message: Message, known: outlook.Outlook, now: datetime) -> ComingStory:
    return ComingStory(
        row=message,
        link=titles.link(message, titles.message(message)),
        badge=state_badge(message.state),
        standing=stories.standing(message, now),
        outlook=stories.foreseen(known.coming[message.pk], now) if message.state in RECALLABLE else "",
        can_be_called_off=message.state in RECALLABLE,
    )


def _facts(contact: Contact) -> list[tuple[str, Any]]:
    user, merged = contact.user, contact.merged_into
    facts = [
        (
            gettext("Account"),
            titles.link(user, user.email or user.get_username()) if user else gettext("none: a guest"),
        ),
        (gettext("Merged into"), titles.link(merged, people.label(merged)) if merged else ""),
        (gettext("Language"), contact.language),
        (gettext("Place"), ", ".join(filter(None, [contact.region, contact.country]))),
        (gettext("Time zone"), contact.zone),
        (gettext("Preferred channel"), sentences.channels(filter(None, [contact.primary_channel]))),
        (gettext("Marketing pauses until"), contact.paused_until),
        (
            gettext("How much"),
            gettext("asked for fewer messages: half of each limit") if contact.fewer else "",
        ),
        (gettext("Known since"), contact.created_at),
        (
            gettext("Erased"),
            Erasure.objects.filter(contact_id=contact.pk).order_by("pk").values_list("at", flat=True).last(),
        ),
    ]
    return [(name, value) for name, value in facts if value]


def _points(contact: Contact, topics: Mapping[str, str]) -> list[PointStory]:
    points = sorted(contact.points.all(), key=lambda point: (not point.current, point.channel, point.pk))
    answers: dict[int, list[ConsentStory]] = {}
    for consent in Consent.objects.filter(point__in=points).select_related("event__text").order_by("topic"):
        answers.setdefault(consent.point_id, []).append(_consent(consent, topics))
    blocked: dict[tuple[str, str], list[Suppression]] = {}
    for row in Suppression.objects.filter(digest__in=[point.digest for point in points], lifted_at=None):
        blocked.setdefault((row.channel, row.digest), []).append(row)
    return [
        PointStory(
            row=point,
            channel=capfirst(sentences.channels([point.channel])),
            consents=answers.get(point.pk, []),
            suppressions=blocked.get((point.channel, point.digest), []),
        )
        for point in points
    ]


def _consent(consent: Consent, topics: Mapping[str, str]) -> ConsentStory:
    answer = Answer(consent.answer)
    shown = badge(sentences.ANSWERS[answer], sentences.ANSWER_TONES[answer])
    return ConsentStory(consent, topics.get(consent.topic, consent.topic), shown)


@admin.register(Suppression)
class SuppressionAdmin(ActingAdmin, LongListed, StoryAdmin):
    acts = (Lift,)
    list_display = ("whose", "channel_name", "cause", "scope", "since", "lifted_at")
    list_filter = (ChannelFilter, "cause", LiftedFilter)
    search_fields = ("digest",)  # shows the box; `get_search_results` does the work
    search_help_text = _("A whole email address or phone number: the list knows addresses by digest only")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        same = ContactPoint.objects.filter(channel=OuterRef("channel"), digest=OuterRef("digest"))
        address = Subquery(same.order_by("pk").values("address")[:1])
        rows: QuerySet[Any] = super().get_queryset(request).annotate(known_address=address)
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term:
            queryset = queryset.filter(digest__in=[search_term, *_digests(search_term)])
        return queryset, False

    @admin.display(description=_("address"))
    def whose(self, suppression: Any) -> str:
        return suppression.known_address or _unknown(suppression)

    @admin.display(description=_("channel"))
    def channel_name(self, suppression: Suppression) -> str:
        return capfirst(sentences.channels([suppression.channel]))

    def heading(self, row: Any) -> str:
        return self.whose(row)

    def story(self, row: Suppression, now: datetime) -> Mapping[str, Any]:
        points = ContactPoint.objects.filter(channel=row.channel, digest=row.digest)
        people_known = points.select_related("contact").order_by("pk")[:MOST_COMING]
        users = format_html_join(", ", "{}", ((titles.link(p.contact, p.address),) for p in people_known))
        facts = [
            (gettext("Channel"), self.channel_name(row)),
            (gettext("Used by"), users or gettext("nobody we know")),
            (gettext("Blocked"), row.get_scope_display()),
            (gettext("Because"), row.get_cause_display()),
            (gettext("Note"), row.note),
            (gettext("Since"), row.since),
            (gettext("Lifted"), row.lifted_at),
            (gettext("Digest"), row.digest),
        ]
        return {
            "suppression": row,
            "badge": badge(_("lifted"), "quiet") if row.lifted_at else badge(_("in force"), "bad"),
            "facts": [(name, value) for name, value in facts if value],
            "can_be_lifted": row.lifted_at is None and row.cause in suppressions.STAFF_MAY_LIFT,
            "history": acting.history(row),
        }


def _unknown(suppression: Suppression) -> str:
    """An address that only its digest is left of."""
    return gettext("unknown (%(digest)s…)") % {"digest": suppression.digest[:12]}


def _digests(address: str) -> Iterable[str]:
    for channel in (EMAIL, SMS):
        yield from contact_services.digests(channel, contact_services.known_as(channel, address))
