"""Between T2 and T3: render, and call the provider once per message. No lock is held here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings

from ..channels.base import Pace
from ..channels.loading import channel
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
from . import composing, failures, links, pacing, rendering
from .clock import Clock
from .handover import Handed
from .recording import Result

logger = logging.getLogger(__name__)


def send(
    handed: Sequence[Handed], *, clock: Clock, deadline: datetime, turns: pacing.Turns
) -> Iterator[Result]:
    """One result per handed message. Past the deadline, or once the sender is broken, the rest is given back.

    All are of one channel; if its sender may send only so fast, `turns` has taken one for each.
    The deadline is asked before each call: a worker that was frozen beyond it must not send
    what another may already have taken over, and people may not be disturbed at any hour.
    """
    keys = [_copy_key(item) for item in handed]
    copies = rendering.load_copies(keys)
    contents = [_compose(item, key, copies.get(key)) for item, key in zip(handed, keys, strict=True)]
    pace, units = _pace(handed, contents)
    stopped = pace is not None and not turns.begin(pace, sum(units), now=clock())
    for item, content, each in zip(handed, contents, units, strict=True):
        if not isinstance(content, Content):
            yield Result(item.claim, item.attempt, content)
            continue
        if pace is not None:
            clock.wait_until(turns.next_call(pace, clock()))
        now = clock()
        if stopped or now >= deadline or now > item.claim.call_until:
            yield Result(item.claim, item.attempt, None)
            continue
        outcome = _call(item, content, now)
        stopped = isinstance(outcome, SenderBroken)
        if pace is not None:
            turns.called(pace, each, now=now)
        yield Result(item.claim, item.attempt, outcome)


def _pace(
    handed: Sequence[Handed], contents: Sequence[Content | ChannelError | Reason]
) -> tuple[Pace | None, list[int]]:
    """How fast the sender may be asked, and how many units each message takes: known once it is rendered."""
    target = channel(handed[0].claim.channel) if handed else None
    pace = target.pace() if target else None
    if target is None or pace is None:
        return None, [0] * len(handed)
    return pace, [target.units(content) if isinstance(content, Content) else 0 for content in contents]


def _compose(item: Handed, key: rendering.CopyKey, copy: Copy | None) -> Content | ChannelError | Reason:
    claim = item.claim
    try:
        purpose = Purpose(claim.message.purpose)
        context = words_context(item)
        return composing.compose(key, copy, context, purpose=purpose, zone=claim.zone, one_way=claim.one_way)
    except ChannelError as refusal:
        return refusal
    except Exception as error:
        failures.log(logger, error, "rendering message %d failed", claim.message.pk)
        return Reason.RENDER_ERROR


def words_context(item: Handed) -> dict[str, Any]:
    """What the words of a message may say: plain values only."""
    message, grant = item.claim.message, item.grant
    return composing.words_context(
        item.context,
        channel_key=item.claim.channel,
        purpose=Purpose(message.purpose),
        name=message.contact.name,
        message_id=message.pk,
        voucher={"code": grant.code, "valid_until": grant.valid_until} if grant else None,
    )


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
        unsubscribe_url=links.unsubscribe_url(claim.message.pk) if purpose in composing.STOPPABLE else "",
        reply_to=links.reply_address(claim.message.pk) if claim.channel == EMAIL else "",
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
