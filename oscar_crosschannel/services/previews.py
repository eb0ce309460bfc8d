"""What a person would read: a message as it would go out now. Nothing is sent, kept or granted."""

from __future__ import annotations

import logging
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils import translation

from ..core.facts import EMAIL, SMS
from ..core.lifecycle import OPEN
from ..core.outbound import ChannelError, Content
from ..core.plan import Context, Run, Step
from ..core.sms import Segments, segments, smart_encode
from ..core.whereabouts import locate
from ..models import Contact, ContactPoint, Copy, Enrolment
from . import composing, copies, failures, judging, limits, prices
from .plans import PlannedFlow
from .rendering import CopyKey

logger = logging.getLogger(__name__)

_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Weight:
    """What a text takes, and what that may cost."""

    segments: Segments
    price: prices.Price | None
    country: str

    @property
    def cost(self) -> Decimal | None:
        """Estimated price of the whole text."""
        return self.price.each * self.segments.count if self.price else None

    @property
    def culprits(self) -> dict[str, str]:
        """Each character that makes the text expensive → its name: "U+2019 right single quotation mark"."""
        return {
            character: f"U+{ord(character):04X} {unicodedata.name(character, '').lower()}".strip()
            for character in self.segments.forced_by
        }

    @property
    def instead(self) -> tuple[str, ...]:
        """What could stand there at no extra cost; nothing unless each of them has something that looks alike."""
        plain = {character: smart_encode(character) for character in self.segments.forced_by}
        has_all = all(other != character for character, other in plain.items())
        return tuple(dict.fromkeys(plain.values())) if has_all else ()


def in_new_windows(html: str) -> str:
    """An email's HTML whose links leave the frame that shows it; a sandboxed frame opens none."""
    head = _HEAD.search(html)
    at = head.end() if head else 0
    return f'{html[:at]}<base target="_blank">{html[at:]}'


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as it would be, or why it would not."""

    content: Content | None
    refusal: str  #: why it would not go out
    is_real: bool  #: the words speak of something this person did; else of an example
    weight: Weight | None  #: of a text


def preview(
    planned: PlannedFlow,
    step: Step,
    words: Copy,
    contact: Contact | None,
    *,
    now: datetime,
    country: str = "",
) -> Preview:
    """The message with these words, as `contact` would get it; without one, made up by the blueprint.

    `country` is where a text would go, if not to the contact.
    """
    key = copies.key_of(planned, words)
    reader = _reader(contact, country if key.channel == SMS else "", now)
    with translation.override(key.language):
        said = _said(planned, step, key, reader, now)
        name = contact.name if contact is not None else "Ada"
        context = (
            copies.example(planned, step, key.channel, now=now, name=name)
            if said is None
            else copies.context_of(planned, step, key.channel, said, now=now, name=name)
        )
    content, refusal = None, ""
    if copies.absent(key, words):
        return Preview(None, copies.no_words(), said is not None, None)
    try:
        content = composing.compose(
            key, words, context, purpose=planned.purpose, zone=reader.zone, one_way=reader.one_way
        )
    except ChannelError as error:
        refusal = error.detail
    except Exception as error:
        refusal = str(error) or type(error).__name__
    weight = None
    if content is not None and key.channel == SMS:
        weight = _weigh(content, reader.country)
    return Preview(content, refusal, said is not None, weight)


def _weigh(content: Content, country: str) -> Weight:
    return Weight(segments(content.text), prices.of_segment(country) if country else None, country)


@dataclass(frozen=True, slots=True)
class _Reader:
    """For whom a message is put together, as the sender would know it."""

    contact: Contact | None
    country: str  #: where a text goes; empty: nobody knows
    one_way: bool  #: a text cannot be replied to there
    zone: str  #: whose clock the words mean; empty: the shop's
    own_zone: str  #: where the person is; empty: nobody knows it for sure


def _reader(contact: Contact | None, country: str, now: datetime) -> _Reader:
    """`country` is where a text goes, if not to the contact's number."""
    point = _point(contact, SMS)
    book = limits.load_book() if country or point is not None else None
    there = book.terms(locate(country=country)) if book is not None and country else None
    if contact is None:
        return _Reader(None, country, there is not None and there.one_way, "", "")
    own = book.terms(limits.whereabouts(contact, point)) if book is not None and point is not None else None
    binding, hours = there or own, own.hours if own is not None else None
    return _Reader(
        contact,
        country or (point.country if point is not None else "") or contact.country,
        binding is not None and binding.one_way,
        judging.clock_of(contact, hours, now),
        judging.own_zone_of(contact, hours),
    )


def _point(contact: Contact | None, channel: str) -> ContactPoint | None:
    """The contact's address on a channel. A page may have read all of them beforehand."""
    points = contact.points.all() if contact is not None else ()
    return next((point for point in points if point.current and point.channel == channel), None)


def _said(planned: PlannedFlow, step: Step, key: CopyKey, reader: _Reader, now: datetime) -> Context | None:
    """What the blueprint says of the contact's latest run; None when there is none to speak of."""
    contact = reader.contact
    run = _latest_run(planned, contact) if contact is not None else None
    if contact is None or run is None:
        return None
    message = run.messages.filter(state__in=OPEN).first() or run.messages.order_by("-pk").first()
    email = _point(contact, EMAIL) if key.channel == EMAIL else None
    asked = Run(
        message_id=message.pk if message is not None else 0,
        step=step.key,
        channel=key.channel,
        contact_id=contact.pk,
        enrolment_id=run.pk,
        user_id=contact.user_id,
        name=contact.name,
        language=key.language,
        email=email.address if email is not None else "",
        subjects=run.subjects,
        anchor=run.anchor_at,
        now=now,
        data=run.data,
        zone=reader.own_zone,
    )
    try:
        with transaction.atomic():
            found = planned.about.context([asked])
            transaction.set_rollback(True)  # whatever the shop's code wrote while it was asked
    except Exception as error:
        failures.log(logger, error, "context of flow %s failed for a preview", planned.plan.key)
        return None
    return found.get(asked.message_id)


def _latest_run(planned: PlannedFlow, contact: Contact) -> Enrolment | None:
    """The run the contact is in, else the last one."""
    runs = Enrolment.objects.filter(contact=contact, flow_id=planned.flow_id)
    run: Enrolment | None = runs.order_by("state", "-pk").first()
    return run
