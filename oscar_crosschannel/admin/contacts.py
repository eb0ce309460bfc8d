"""Contacts: who they are, what they agreed to, and all that happened with them; and the suppression list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _

from ..core.facts import EMAIL, SMS, Answer
from ..models import Consent, Contact, ContactPoint, Enrolment, Suppression, Topic
from ..services import contacts as contact_services
from . import people, sentences, timeline, titles
from .filters import AccountFilter, ChannelFilter, LiftedFilter
from .reading import FoundByPerson, ReadingAdmin, StoryAdmin, badge


@dataclass(frozen=True, slots=True)
class ConsentStory:
    """What the owner of an address answered about one topic."""

    row: Consent
    topic: str
    badge: SafeString


@dataclass(frozen=True, slots=True)
class PointStory:
    """One address, whether it may be used, and for what."""

    row: ContactPoint
    channel: str
    consents: Sequence[ConsentStory]
    suppressions: Sequence[Suppression]


@admin.register(Contact)
class ContactAdmin(FoundByPerson, StoryAdmin):
    list_display = ("whom", "email", "phone", "language", "account", "created_at")
    list_select_related = ("user", "merged_into")
    list_filter = (AccountFilter,)
    ordering = ("-id",)
    sortable_by = ()
    person = "pk"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("points")

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
        runs = Enrolment.objects.filter(contact=row).select_related("flow").order_by("-id")
        return {
            "contact": row,
            "facts": _facts(row),
            "points": _points(row),
            "runs": [
                (titles.link(run, titles.flow(run.flow.key)), run, sentences.reason(run.end_reason))
                for run in runs[: timeline.MOST]
            ],
            "timeline": timeline.of(row, now),
            "most": timeline.MOST,
            "now": now,
        }


def _facts(contact: Contact) -> list[tuple[str, Any]]:
    user, merged = contact.user, contact.merged_into
    facts = [
        (gettext("Account"), titles.link(user, user.get_username()) if user else gettext("none: a guest")),
        (gettext("Merged into"), titles.link(merged, people.label(merged)) if merged else ""),
        (gettext("Language"), contact.language),
        (gettext("Place"), ", ".join(filter(None, [contact.region, contact.country]))),
        (gettext("Time zone"), contact.zone),
        (gettext("Preferred channel"), sentences.channels(filter(None, [contact.primary_channel]))),
        (gettext("Known since"), contact.created_at),
    ]
    return [(name, value) for name, value in facts if value]


def _points(contact: Contact) -> list[PointStory]:
    points = sorted(contact.points.all(), key=lambda point: (not point.current, point.channel, point.pk))
    topics = dict(Topic.objects.values_list("key", "name"))
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
class SuppressionAdmin(ReadingAdmin):
    list_display = ("short_digest", "channel", "cause", "scope", "since", "lifted_at")
    list_filter = (ChannelFilter, "cause", LiftedFilter)
    ordering = ("-id",)
    sortable_by = ()
    fields = ("channel", "contacts", "cause", "scope", "note", "since", "lifted_at", "digest")
    readonly_fields = ("contacts",)
    search_fields = ("digest",)  # shows the box; `get_search_results` does the work
    search_help_text = _("A whole email address or phone number: the list knows addresses by digest only")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term:
            queryset = queryset.filter(digest__in=[search_term, *_digests(search_term)])
        return queryset, False

    @admin.display(description=_("address (digest)"))
    def short_digest(self, suppression: Suppression) -> str:
        return suppression.digest[:12]

    @admin.display(description=_("used by"))
    def contacts(self, suppression: Suppression) -> SafeString | str:
        points = ContactPoint.objects.filter(channel=suppression.channel, digest=suppression.digest)
        rows = points.select_related("contact").order_by("pk")
        shown = format_html_join(", ", "{}", ((titles.link(p.contact, p.address),) for p in rows))
        return shown or gettext("nobody we know")


def _digests(address: str) -> Iterable[str]:
    for channel in (EMAIL, SMS):
        yield from contact_services.digests(channel, contact_services.known_as(channel, address))
