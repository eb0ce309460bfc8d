"""Between T2 and T3: render, and call the provider once per message. No lock is held here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings as django_settings

from ..channels.loading import channel
from ..core import phones
from ..core.facts import EMAIL, SMS, Purpose
from ..core.outbound import (
    ChannelError,
    Content,
    Outbound,
    Receipt,
    Recipient,
    Refused,
    SenderBroken,
    UnknownOutcome,
)
from ..core.rulings import Reason
from ..models import Copy
from . import broken_words, composing, failures, links, pacing, rendering, sms_budget
from .clock import Clock
from .earlier_words import EarlierWords
from .handover import JUDGED_ANEW, Handed
from .recording import PutOff, Result
from .rendering import CopyKey

logger = logging.getLogger(__name__)

#: A message in words, or what became of it instead.
Composed = Content | ChannelError | Reason | PutOff


def send(
    handed: Sequence[Handed], *, clock: Clock, deadline: datetime, turns: pacing.Turns
) -> Iterator[Result]:
    """One result per handed message. Past the deadline, or once the sender is broken, the rest is given back.

    All are of one channel; if its sender may send only so fast, `turns` has taken one for each.
    The deadline is asked before each call: a worker that was frozen beyond it must not send
    what another may already have taken over, and people may not be disturbed at any hour.
    """
    if not handed:
        return
    target = channel(handed[0].claim.channel)
    budget = _Budget(clock)
    try:
        contents = budget.take(handed, _Author(clock).write(handed))
        units = [target.units(each) if isinstance(each, Content) else 0 for each in contents]
        pace = target.pace()
        stopped = pace is not None and not turns.begin(pace, sum(units), now=clock())
    except Exception as error:
        failures.log(logger, error, "preparing %d messages failed", len(handed))
        budget.settle()
        yield from _later(handed)
        return
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
        if isinstance(outcome, Receipt | UnknownOutcome):
            budget.went_out(item)
        stopped = isinstance(outcome, SenderBroken)
        if pace is not None:
            turns.called(pace, each, now=now)
        yield Result(item.claim, item.attempt, outcome)
    budget.settle()


def _later(handed: Sequence[Handed]) -> Iterator[Result]:
    """No provider was called, so none of these is in doubt."""
    return (Result(item.claim, item.attempt, Reason.NOT_PREPARED) for item in handed)


class _Author:
    """Puts a chunk's messages into words."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._earlier = EarlierWords()
        self._noticed: set[tuple[CopyKey, bool]] = set()

    def write(self, handed: Sequence[Handed]) -> list[Composed]:
        keys = [_copy_key(item) for item in handed]
        copies = rendering.load_copies(keys)
        return [self._compose(item, key, copies.get(key)) for item, key in zip(handed, keys, strict=True)]

    def _compose(self, item: Handed, key: CopyKey, copy: Copy | None) -> Composed:
        """The message; if its words do not make one, in other words, or it waits for better ones."""
        try:
            context = words_context(item)
        except Exception as error:
            return _not_rendered(item, error)
        found = _try(item, key, copy, context)
        if isinstance(found, Content):
            return found
        if isinstance(found, ChannelError) and not isinstance(found, Refused):
            return found  # the provider's settings are to blame
        for other in self._earlier.instead(key, copy):
            content = _try(item, key, other, context)
            if isinstance(content, Content):
                self._notice(key, copy)
                return content
        self._notice(key, copy, why=found)
        if isinstance(found, Refused) and _other_channels(item):
            return found  # too long for a text, perhaps, and not for an email
        return PutOff(self._clock() + broken_words.AGAIN, Reason.NO_WORDS)

    def _notice(self, key: CopyKey, copy: Copy | None, *, why: Exception | None = None) -> None:
        """Once per chunk: most messages of one break on the same words. `why`: there are no others to say instead."""
        is_silent = why is not None
        if (key, is_silent) in self._noticed:
            return
        self._noticed.add((key, is_silent))
        if why is not None and copy is None:  # a file is the developer's, who needs to know where it breaks
            failures.log(logger, why, "rendering %s/%s failed", key.flow_key, key.step_key)
        try:
            broken_words.noticed(key, copy, is_silent=is_silent, now=self._clock())
        except Exception as error:  # the rest of the chunk must not wait for it
            failures.log(logger, error, "broken words of flow %s were not noted", key.flow_key)


def _other_channels(item: Handed) -> set[str]:
    """By which else the message may still go."""
    message = item.claim.message
    if message.leg:
        return set()
    return set(item.claim.step.channels) - {item.claim.channel, *message.excluded}


def _try(item: Handed, key: CopyKey, copy: Copy | None, context: Mapping[str, Any]) -> Content | Exception:
    claim = item.claim
    try:
        return composing.compose(
            key,
            copy,
            context,
            purpose=Purpose(claim.message.purpose),
            zone=claim.zone,
            one_way=claim.one_way,
            files=item.context.files,
        )
    except Exception as error:
        return error


def _not_rendered(item: Handed, error: Exception) -> Reason:
    failures.log(logger, error, "rendering message %d failed", item.claim.message.pk)
    return Reason.RENDER_ERROR


class _Budget:
    """What the texts of a chunk take from the shop's budget; other channels cost nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unsent: dict[UUID, sms_budget.Text] = {}

    def take(self, handed: Sequence[Handed], contents: Sequence[Composed]) -> list[Composed]:
        """The contents; in the place of what the budget does not reach for, when to judge it anew."""
        texts = dict(_texts(handed, contents))
        if not texts:
            return list(contents)
        now = self._clock()
        self._taken = sms_budget.take(list(texts.values()), now=now)
        granted = zip(texts.items(), self._taken.may_go, strict=True)
        self._unsent = {attempt: text for (attempt, text), may_go in granted if may_go}
        stopped = texts.keys() - self._unsent.keys()
        # by then no tick goes by what it read before the budget was used up
        later = PutOff(now + JUDGED_ANEW, Reason.OVER_BUDGET)
        return [
            later if item.attempt in stopped else content
            for item, content in zip(handed, contents, strict=True)
        ]

    def went_out(self, item: Handed) -> None:
        """The provider took it, or may have."""
        self._unsent.pop(item.attempt, None)

    def settle(self) -> None:
        """Give back what was taken for texts that did not go out."""
        if not self._unsent:
            return
        try:
            sms_budget.give_back(list(self._unsent.values()), self._taken, now=self._clock())
        except Exception as error:  # what was sent must still be written down
            failures.log(logger, error, "%d texts were not given back to the budget", len(self._unsent))


def _texts(handed: Sequence[Handed], contents: Sequence[Composed]) -> Iterator[tuple[UUID, sms_budget.Text]]:
    for item, content in zip(handed, contents, strict=True):
        claim = item.claim
        if claim.channel == SMS and isinstance(content, Content):
            segments = channel(SMS).units(content)
            country = phones.country_of(claim.address)
            yield item.attempt, sms_budget.Text(segments, Purpose(claim.message.purpose), country)


def words_context(item: Handed) -> dict[str, Any]:
    """What the words of a message may say: plain values only."""
    message, grant = item.claim.message, item.grant
    return composing.words_context(
        item.context,
        channel_key=item.claim.channel,
        purpose=Purpose(message.purpose),
        name=message.contact.name,
        message_id=message.pk,
        topic=item.claim.planned.topic.name(_language(item)),
        voucher={"code": grant.code, "valid_until": grant.valid_until} if grant else None,
    )


def _call(item: Handed, content: Content, now: datetime) -> Receipt | ChannelError | Reason:
    try:
        outbound = _outbound(item, content, now)
    except Exception as error:
        failures.log(logger, error, "preparing message %d failed", item.claim.message.pk)
        return Reason.NOT_PREPARED
    try:
        return channel(item.claim.channel).send(outbound)
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


def _copy_key(item: Handed) -> CopyKey:
    claim = item.claim
    return CopyKey(
        flow_id=claim.planned.flow_id,
        flow_key=claim.planned.plan.key,
        step_key=claim.step.key,
        channel=claim.channel,
        language=_language(item),
    )


def _language(item: Handed) -> str:
    return item.claim.message.contact.language or django_settings.LANGUAGE_CODE
