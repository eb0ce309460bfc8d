"""Between T2 and T3: render, and call the provider once per message. No lock is held here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings

from ..channels.loading import channel
from ..conf import settings
from ..core.facts import EMAIL, SMS, Purpose
from ..core.outbound import (
    ChannelError,
    Content,
    Outbound,
    Receipt,
    Recipient,
    SenderBroken,
    UnknownOutcome,
)
from ..core.rulings import Reason
from ..models import Copy
from . import failures, links, rendering
from .clock import Clock
from .handover import Handed
from .recording import Result

logger = logging.getLogger(__name__)

#: Purposes whose messages a person can stop; the others follow from what they did.
STOPPABLE = frozenset({Purpose.MARKETING, Purpose.REQUESTED})


def send(handed: Sequence[Handed], *, clock: Clock, deadline: datetime) -> Iterator[Result]:
    """One result per handed message. Past the deadline, or once the sender is broken, the rest is given back.

    The deadline is asked before each call: a worker that was frozen beyond it must not send
    what another may already have taken over, and people may not be disturbed at any hour.
    """
    keys = [_copy_key(item) for item in handed]
    copies = rendering.load_copies(keys)
    broken = False
    for item, key in zip(handed, keys, strict=True):
        content = _compose(item, key, copies.get(key))
        if not isinstance(content, Content):
            yield Result(item.claim, item.attempt, content)
            continue
        now = clock()
        if broken or now >= deadline or now > item.claim.call_until:
            yield Result(item.claim, item.attempt, None)
            continue
        outcome = _call(item, content, now)
        broken = isinstance(outcome, SenderBroken)
        yield Result(item.claim, item.attempt, outcome)


def _compose(item: Handed, key: rendering.CopyKey, copy: Copy | None) -> Content | ChannelError | Reason:
    claim = item.claim
    target = channel(claim.channel)
    try:
        context = words_context(item)
        words = rendering.render(key, copy, target.parts, context, zone=claim.zone)
        words["unsubscribe_url"] = context["unsubscribe_url"]
        return target.compose(words, purpose=Purpose(claim.message.purpose), language=key.language)
    except ChannelError as refusal:
        return refusal
    except Exception as error:
        failures.log(logger, error, "rendering message %d failed", claim.message.pk)
        return Reason.RENDER_ERROR


def words_context(item: Handed) -> dict[str, Any]:
    """What the words of a message may say: plain values only."""
    message = item.claim.message
    limited = Purpose(message.purpose) in STOPPABLE
    context: dict[str, Any] = {
        "brand": settings.BRAND,
        "name": message.contact.name,
        "postal_address": settings.POSTAL_ADDRESS,
        "unsubscribe_url": links.unsubscribe_url(message.pk) if limited else "",
        "voucher": None,
        **item.context.values,
        "links": {
            name: links.click_url(message.pk, number) for number, name in enumerate(item.context.links)
        },
    }
    if item.claim.channel == EMAIL and item.context.links:
        context["trap_url"] = links.click_url(message.pk, len(item.context.links))
    if item.grant is not None:
        context["voucher"] = {"code": item.grant.code, "valid_until": item.grant.valid_until}
    return context


def _call(item: Handed, content: Content, now: datetime) -> Receipt | ChannelError:
    try:
        return channel(item.claim.channel).send(_outbound(item, content, now))
    except ChannelError as error:
        return error
    except Exception as error:
        # a backend that breaks its contract: nobody knows whether it sent
        failures.log(
            logger, error, "channel %s raised for message %d", item.claim.channel, item.claim.message.pk
        )
        return UnknownOutcome(type(error).__name__)


def _outbound(item: Handed, content: Content, now: datetime) -> Outbound:
    claim = item.claim
    purpose = Purpose(claim.message.purpose)
    return Outbound(
        uuid=item.attempt,
        recipient=Recipient(address=claim.address, name=claim.message.contact.name, language=_language(item)),
        content=content,
        purpose=purpose,
        topic=claim.message.topic,
        now=now,
        valid_until=claim.valid_until,
        callback_url=links.status_url(item.attempt) if claim.channel == SMS else "",
        unsubscribe_url=links.unsubscribe_url(claim.message.pk) if purpose in STOPPABLE else "",
    )


def _copy_key(item: Handed) -> rendering.CopyKey:
    claim = item.claim
    return rendering.CopyKey(
        flow_id=claim.planned.flow_id,
        flow_key=claim.planned.plan.key,
        step_key=claim.step.key,
        channel=claim.channel,
        language=_language(item),
    )


def _language(item: Handed) -> str:
    return item.claim.message.contact.language or django_settings.LANGUAGE_CODE
