"""What the engine has in mind for somebody, or why it has nothing, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import formats, timezone

from oscar_crosschannel.admin import sentences, stories
from oscar_crosschannel.core.decision import Drop, Send, Wait
from oscar_crosschannel.core.facts import SMS
from oscar_crosschannel.core.lifecycle import OPEN, RECALLABLE, State
from oscar_crosschannel.core.plan import Step
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Message
from oscar_crosschannel.services import limits, outlook
from oscar_crosschannel.services.plans import Plans, load_plans

from .readers import Reader


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the engine has in mind for somebody, or why it has nothing."""

    what: str
    when: str = ""  #: on the reader's clock
    why: str = ""


def outlooks(people: Sequence[Reader], now: datetime) -> dict[str, Outlook]:
    """What is planned for each, by the reader's key, and what would be decided then."""
    ids = [reader.contact.pk for reader in people if reader.contact]
    messages: dict[int, list[Message]] = {}
    rows = Message.objects.filter(contact__in=ids).select_related("contact", "enrolment", "flow")
    for message in rows.order_by("pk"):
        messages.setdefault(message.contact_id, []).append(message)
    plan = _Plan(load_plans(), now)
    return {
        reader.key: plan.outlook(reader, messages.get(reader.contact.pk, []) if reader.contact else [])
        for reader in people
    }


def what(message: Message, plans: Plans) -> str:
    """A message in a few words: "text with a code"."""
    step = _step(message, plans)
    channels = [message.channel] if message.channel else step.channels if step else ()
    words = " or ".join("text" if channel == SMS else channel for channel in channels) or "message"
    return f"{words} with a code" if step and step.voucher else words


def moment(at: datetime, now: datetime, zone: str) -> str:
    """An instant on somebody's clock, as people say it: "tomorrow 9:12 a.m."."""
    local, today = at.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    days = {today: "today", today + timedelta(days=1): "tomorrow", today - timedelta(days=1): "yesterday"}
    day = days.get(local.date()) or formats.date_format(local, "D j M")
    return f"{day} {formats.time_format(local, 'TIME_FORMAT')}"


@dataclass(frozen=True, slots=True)
class _Plan:
    """The engine's plans, read once for a page."""

    plans: Plans
    now: datetime

    def outlook(self, reader: Reader, messages: Sequence[Message]) -> Outlook:
        planned = sorted((each for each in messages if each.state in OPEN), key=lambda each: each.due_at)
        if planned:
            return self._next(reader, planned[0])
        if not messages or messages[-1].state == State.SENT:
            return Outlook("Nothing is planned")
        with timezone.override(reader.zone):
            standing = stories.standing(messages[-1], self.now)
        return Outlook(f"Last: no {what(messages[-1], self.plans)}", why=standing)

    def _next(self, reader: Reader, message: Message) -> Outlook:
        """What would be decided when the message is due, if nothing happens until then."""
        words, due = what(message, self.plans), moment(max(message.due_at, self.now), self.now, reader.zone)
        if message.state not in RECALLABLE:
            return Outlook(f"Now: {words}", why="going out")
        known = outlook.outlook(message.contact, [message], {}, limits.load(), now=self.now)
        match known.coming[message.pk]:
            case Drop() as drop:
                return Outlook(f"No {words}, due {due}", why=stories.why_not(drop))
            case Wait(reason=Reason.AWAITING_OPT_IN as reason, channel=channel):
                return Outlook(f"Next: {words}", why=sentences.reason(reason, [channel]))
            case Wait(until=until, reason=reason, channel=channel):
                when = f"after {moment(until, self.now, reader.zone)}"
                return Outlook(f"Next: {words}", when, sentences.reason(reason, [channel]))
            case Send(channel=channel):
                why = sentences.reason(message.reason, [channel]) if message.reason else ""
                return Outlook(f"Next: {words}", due, why)


def _step(message: Message, plans: Plans) -> Step | None:
    planned = plans.get(message.flow_id)
    return planned.plan.step(message.step_key) if planned else None
