"""Changing a topic, what follows from it, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from ..core.facts import Answer, Purpose
from ..models import (
    Consent,
    ConsentEvent,
    ConsentTemplate,
    ConsentText,
    Flow,
    FrequencyCap,
    Topic,
    TopicWords,
)
from . import copies, following, own_flows, promotion, topics, wordings
from .plans import PlannedFlow, load_plans


def lock(key: str) -> Topic | None:
    """The topic's row, which nobody else changes until the caller's transaction ends.

    Nor does anybody change a flow, or its words, meanwhile: what a topic may be depends on what its flows say.
    """
    topic = Topic.objects.select_for_update(of=("self",), no_key=True).filter(key=key).first()
    list(Flow.objects.select_for_update(of=("self",), no_key=True).order_by("pk").values_list("pk"))
    return topic


@transaction.atomic
def keep(topic: Topic, further: Mapping[str, topics.Words | None], *, now: datetime) -> None:
    """Write down a topic, new or locked, with its words in further languages; None: it has none of its own there.

    What is planned already follows another purpose, and is judged by it.
    """
    before = Topic.objects.filter(pk=topic.pk).values_list("purpose", "minimum_age").first()
    topic.save()
    for language, own in further.items():
        if own is None:
            topic.words.filter(language=language).delete()
        else:
            defaults = {"name": own.name, "description": own.description}
            TopicWords.objects.update_or_create(topic=topic, language=language, defaults=defaults)
    if before is not None and before != (topic.purpose, topic.minimum_age):
        following.follow_topic([flow.flow_id for flow in flows_of(topic.key)], now=now)


def flows_of(key: str) -> list[PlannedFlow]:
    """The flows that write about a topic."""
    return [flow for flow in load_plans() if flow.plan.topic == key]


def promotions(topic: Topic, purpose: Purpose) -> Iterator[tuple[PlannedFlow, copies.Promotion]]:
    """What speaks against giving a topic this purpose: where its flows promote (rule 39)."""
    if promotion.is_barred(purpose, topic.key):
        for flow in flows_of(topic.key):
            for found in copies.promotions(flow):
                yield flow, found


def advertising(topic: Topic) -> list[Flow]:
    """The merchant's own flows about a topic that keep it marketing: what begins them, nobody ordered or asked for."""
    own = Flow.objects.filter(topic=topic.key).exclude(trigger="").order_by("key")
    return [flow for flow in own if own_flows.is_advertising(flow.trigger)]


def widens_consent(topic: Topic, purpose: Purpose) -> bool:
    """Whether this purpose would make marketing of what people agreed to under words that promised none."""
    if purpose != Purpose.MARKETING:
        return False
    agreed = Q(
        answer=Answer.GRANTED,
        point__consent_events__action=ConsentEvent.Action.GRANT,
        point__consent_events__topic=topic.key,
        point__consent_events__text__kind=wordings.ORDER_TEXTS,
    )
    asked = Q(answer=Answer.PENDING, event__text__kind=wordings.ORDER_TEXTS)
    return Consent.objects.filter(agreed | asked, topic=topic.key).exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What would hang in the air without a topic."""

    is_shipped: bool  #: every migration would make it again
    flows: tuple[PlannedFlow, ...]
    consents: bool
    words: bool  #: of consent, shown once or to be shown, that name it
    limits: tuple[str, ...]  #: names of frequency limits for it

    def __bool__(self) -> bool:
        return bool(self.is_shipped or self.flows or self.consents or self.words or self.limits)


def references(topic: Topic) -> References:
    """Who refers to a topic."""
    key = topic.key
    shown = ConsentText.objects.values_list("topics", flat=True)
    to_show = ConsentTemplate.objects.values_list("topics", flat=True)
    return References(
        is_shipped=key in topics.SHIPPED,
        flows=tuple(flows_of(key)),
        consents=Consent.objects.filter(topic=key).exists(),
        words=any(key in named for rows in (shown, to_show) for named in rows.iterator()),
        limits=tuple(str(cap) for cap in FrequencyCap.objects.filter(topic=key)),
    )


def delete(topic: Topic) -> None:
    """Delete a topic that nothing refers to. Raises ValueError if something does."""
    if references(topic):
        raise ValueError(f"Something refers to the topic {topic.key!r}.")
    topic.delete()
