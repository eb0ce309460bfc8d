"""Test messages: to an address that staff typed, through the real channel, past all rules but the stops."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from math import ceil
from uuid import uuid4

from django.utils.translation import gettext as _, ngettext

from ..channels.loading import channel
from ..core import phones
from ..core.facts import EMAIL, SMS, Purpose
from ..core.outbound import ChannelError, Content, NotSent, Outbound, Receipt, Recipient, UnknownOutcome
from ..core.sms import segments
from . import composing, contacts, copies, links, pacing, resting, sms_budget, suppressions
from .plans import PlannedFlow
from .rendering import CopyKey


class NotAllowed(Exception):
    """No test goes out; the message says why, in the active language."""


def addressed(channel_key: str, raw: str, *, region: str = "") -> str:
    """The address a test would go to, normalised. Raises `NotAllowed`.

    Who said stop gets nothing, a test neither (rule 26).
    """
    address = contacts.normalise(channel_key, raw, region=region)
    if address is None:
        known = {
            EMAIL: _("This is no email address."),
            SMS: _("This is no phone number that texts can reach; write it with “+” and the country code."),
        }
        raise NotAllowed(known.get(channel_key, _("No message can reach this address.")))
    if suppressions.in_force(channel_key, address) is not None:
        raise NotAllowed(_("This address is on the suppression list: nothing is sent to it, no test either."))
    return address


def send(
    planned: PlannedFlow, key: CopyKey, content: Content, address: str, *, now: datetime
) -> Receipt | ChannelError:
    """Make the provider call; the answer, or what went wrong. `address` comes from `addressed`.

    Raises `NotAllowed` while the channel rests, or its sender is busy with what people wait for.
    """
    content = marked(content, key.channel)
    _take_turn(key.channel, content, now)
    stoppable = planned.purpose in composing.STOPPABLE
    outbound = Outbound(
        uuid=uuid4(),
        recipient=Recipient(address=address, language=key.language),
        content=content,
        purpose=planned.purpose,
        topic=planned.plan.topic,
        now=now,
        # it is nobody's message, so its way out leads nowhere, but looks as the real one does
        unsubscribe_url=links.unsubscribe_url(0, key=copies.NOBODYS_KEY) if stoppable else "",
    )
    try:
        receipt = channel(key.channel).send(outbound)
    except ChannelError as error:
        return error
    except Exception as error:  # a backend that breaks its contract
        return UnknownOutcome(type(error).__name__)
    if key.channel == SMS:  # it costs what every text costs, and no budget stops it
        paid = sms_budget.Text(
            segments(content.text).count, Purpose.TRANSACTIONAL, phones.country_of(address)
        )
        sms_budget.take([paid], now=now)
    return receipt


def _take_turn(channel_key: str, content: Content, now: datetime) -> None:
    if (until := resting.Rests.load().closed(now).get(channel_key)) is not None:
        minutes = ceil((until - now).total_seconds() / 60)
        sentence = ngettext(
            "The provider does not work at the moment. Try again in %(count)d minute.",
            "The provider does not work at the moment. Try again in %(count)d minutes.",
            minutes,
        )
        raise NotAllowed(sentence % {"count": minutes})
    target = channel(channel_key)
    pace = target.pace()
    free_at = pacing.take(pace, target.units(content), now=now) if pace is not None else None
    if free_at is not None:
        seconds = ceil((free_at - now).total_seconds())
        sentence = ngettext(
            "The sender is busy with other messages. Try again in %(count)d second.",
            "The sender is busy with other messages. Try again in %(count)d seconds.",
            seconds,
        )
        raise NotAllowed(sentence % {"count": seconds})


def marked(content: Content, channel_key: str) -> Content:
    """`content`, told apart from the real thing: in the subject, and in a text if that is free of charge."""
    if content.subject:
        return replace(content, subject=_("[Test] %(subject)s") % {"subject": content.subject})
    if channel_key != SMS:
        return content
    text = _("[Test] %(text)s") % {"text": content.text}
    return replace(content, text=text) if segments(text).count == segments(content.text).count else content


def outcome(result: Receipt | ChannelError, address: str) -> str:
    """What became of a test, in a sentence without the whole address."""
    to = {"to": phones.mask(address)}
    match result:
        case Receipt():
            return _("The provider took the test for %(to)s.") % to
        case UnknownOutcome():
            return _("The provider gave no clear answer: the test for %(to)s may or may not arrive.") % to
        case NotSent():
            return _("The test for %(to)s was not sent: %(why)s Try again later.") % {
                **to,
                "why": result.detail,
            }
        case _:
            return _("The test for %(to)s was refused: %(why)s") % {**to, "why": result.detail}
