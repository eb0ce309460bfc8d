"""A virtual clock for stores' own tests: what one person does, what they then get, and why not.

    with journey(contact) as j:
        j.abandon(basket)
        j.advance("25h")
        j.assert_sent("sms", containing="code")

The real engine decides and sends, with the store's flows, words and settings; only time is moved, and
messages end in memory. Needs `time-machine` (the extra `testing`); works under pytest-django and unittest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import time_machine
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from .. import api
from ..channels.email import METADATA_KEY
from ..channels.sms_backends import locmem
from ..core.clicks import TRAP
from ..core.decision import trace_from_json
from ..core.events import Event
from ..core.facts import EMAIL, SMS, Purpose
from ..core.lifecycle import State
from ..models import Attempt, Contact, ContactPoint, Enrolment, InboxEvent, Message, Topic, Watermark
from ..oscar import purchases
from ..services import contacts, dispatch, intake, limits, links, replies

#: A tick looks after what nobody announces, such as long-idle baskets, at least this often.
LONGEST_PAUSE = timedelta(hours=6)
#: A person takes so long to read before they click.
READING = timedelta(minutes=1)

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_SHOWN = re.compile(r"""<input[^>]*name=["']cc_shown["'][^>]*>""")
_VALUE = re.compile(r"""value=["']([^"']*)["']""")


@dataclass(frozen=True, slots=True)
class Got:
    """A message that the person got."""

    at: datetime
    channel: str
    flow: str
    step: str
    subject: str  #: empty for a text
    text: str
    html: str

    def __contains__(self, words: str) -> bool:
        return any(words in part for part in (self.subject, self.text, self.html))


@contextmanager
def journey(contact: Contact | str, *, start: datetime | None = None) -> Iterator[Journey]:
    """One person's time from `start` on: unless said otherwise ten o'clock next Tuesday where they live.

    `contact` may be an email address; who is not known yet is made. While it lasts the clock stands still
    but for `advance`, emails end in `django.core.mail.outbox` and texts in the memory backend, as fast as
    they come. An error inside takes the timeline along, as a note.
    """
    if isinstance(contact, str):
        known = api.contact_for(email=contact)
        if known is None:
            raise ValueError(f"{contact!r} is no address that a message can reach.")
        contact = known
    begins = start if start is not None else _next_tuesday(contact)
    # a number, because an aware datetime would change the process's TZ as well
    with override_settings(**_IN_MEMORY), time_machine.travel(begins.timestamp(), tick=False) as traveller:
        # what the test made before is no part of the story
        Watermark.objects.update_or_create(name=intake.SWEEP, defaults={"at": timezone.now()})
        story = Journey(contact, traveller)
        try:
            yield story
        except Exception as error:
            error.add_note(story.timeline())
            raise


_IN_MEMORY = {
    "EMAIL_BACKEND": "django.core.mail.backends.locmem.EmailBackend",
    "CROSSCHANNEL_EMAIL_BACKEND": None,
    "CROSSCHANNEL_SMS_BACKEND": "oscar_crosschannel.channels.sms_backends.locmem.LocmemBackend",
    "CROSSCHANNEL_EMAIL_RATE": None,
    "CROSSCHANNEL_SMS_RATE": None,
}


class Journey:
    """What one person does and gets. Made by `journey`."""

    def __init__(self, contact: Contact, traveller: Any) -> None:
        self._contact = contact
        self._traveller = traveller
        self._began = timezone.now()
        self._did: list[tuple[datetime, str]] = []
        self._mails, self._texts = len(_mails()), len(locmem.outbox)

    @property
    def contact(self) -> Contact:
        """The person, as the database knows them now."""
        return contacts.followed(Contact.objects.get(pk=self._contact.pk))

    @property
    def now(self) -> datetime:
        return timezone.now()

    # ------------------------------------------------------------------------------------ time

    def advance(self, length: str | timedelta) -> None:
        """Let time pass ("25h", "10m", "1d12h"); the engine works whenever something falls due."""
        self.go_to(self.now + _length(length))

    def go_to(self, moment: datetime) -> None:
        """Let time pass until `moment`."""
        while self.now < moment:
            self._traveller.move_to(min(self._next_due(), moment).timestamp(), tick=False)
            self.tick()

    def tick(self) -> None:
        """Let the engine do what is due now. Raises RuntimeError when a part of it failed; the log says why."""
        report = dispatch.tick(self.now)
        if report.failed:
            raise RuntimeError(f"The engine failed in: {', '.join(report.failed)}.")

    def _next_due(self) -> datetime:
        planned = Message.objects.filter(state=State.PLANNED, due_at__gt=self.now).order_by("due_at")
        waiting = InboxEvent.objects.filter(processed_at=None, not_before__gt=self.now).order_by("not_before")
        moments = [
            planned.values_list("due_at", flat=True).first(),
            waiting.values_list("not_before", flat=True).first(),
            self.now + LONGEST_PAUSE,
        ]
        return min(moment for moment in moments if moment is not None)

    # ------------------------------------------------------------------------------------ what they do

    def agree(self, *channels: str, topics: Sequence[str] = ()) -> None:
        """They agree to hear of these topics; none named: of all that are marketing, by email and by text."""
        named = list(topics) or list(
            Topic.objects.filter(purpose=Purpose.MARKETING).values_list("key", flat=True)
        )
        for channel in channels or (EMAIL, SMS):
            api.grant(self.contact, channel, named, source="test", words="Yes, please.")
        self._note(f"agreed to {', '.join(named)} by {', '.join(channels or (EMAIL, SMS))}")

    def abandon(self, basket: Any) -> None:
        """They put something into the basket just now, and leave."""
        basket.lines.update(date_updated=self.now)
        happened = Event(
            name="basket.active",
            key=f"basket:{basket.pk}",
            occurred_at=self.now,
            user_id=self.contact.user_id,
            email=self._address(EMAIL),
            subjects={"basket": basket.pk},
        )
        self.publish(happened, note=f"left basket {basket.pk}")

    def order(self, basket: Any) -> Any:
        """They buy what is in the basket; returns the order."""
        order = purchases.buy(basket, user=self.contact.user, email=self._address(EMAIL))
        self._note(f"placed order {order.number}")
        return order

    def register(self, **fields: str) -> Any:
        """They make an account on Oscar's page; `fields` are further ones, such as `cc_email="on"`."""
        password = token_urlsafe()
        url, browser = reverse("customer:register"), _browser()
        shown = _SHOWN.search(browser.get(url, secure=True).content.decode())
        marker = {"cc_shown": value[1]} if shown and (value := _VALUE.search(shown[0])) else {}
        account = {"email": self._address(EMAIL), "password1": password, "password2": password}
        response = browser.post(url, {**account, **marker, **fields}, secure=True)
        if response.status_code != 302:
            raise AssertionError("The registration was refused: the page is shown again.")
        self._note("registered")
        return response

    def click(self, channel: str = "", *, to: str = "") -> Any:
        """A minute later they click the first link of their last message whose target contains `to`.

        Returns the response, which leads there. Raises AssertionError when there is no such link.
        """
        for message in self._messages().filter(state=State.SENT).order_by("-attempted_at", "-pk"):
            targets = [(number, path) for number, path in enumerate(message.links) if path != TRAP]
            found = [number for number, path in targets if to in path]
            if found and channel in ("", message.channel):
                self.advance(READING)
                response = _browser().get(urlsplit(links.click_url(message.pk, found[0])).path, secure=True)
                self._note(f"clicked {message.links[found[0]]}")
                self.advance("10s")  # until the click is judged
                return response
        raise AssertionError(f"No message had a link to {to or 'anywhere'}.")

    def text(self, words: str) -> str:
        """They text back, such as "STOP"; returns the shop's own answer, empty if it gives none."""
        phone = self._address(SMS)
        if not phone:
            raise ValueError("This person has no phone.")
        answer = replies.take_inbound(sid=f"SM{uuid4().hex}", phone=phone, to="", body=words, now=self.now)
        self._note(f"texted “{words}”")
        return answer

    def publish(self, event: Event, *, note: str = "") -> None:
        """Something else happened, as the store's own code would tell it."""
        api.publish(event)
        self._note(note or f"{event.name} {event.key}")

    def _note(self, what: str) -> None:
        self._did.append((self.now, what))
        self.tick()

    # ------------------------------------------------------------------------------------ what they get

    def sent(self, channel: str = "", *, containing: str = "") -> list[Got]:
        """What they got since the journey began, the first first."""
        return [
            got
            for got in self._got()
            if channel in ("", got.channel) and (not containing or containing in got)
        ]

    def assert_sent(self, channel: str = "", *, containing: str = "") -> Got:
        """The last such message; an AssertionError says what they got instead."""
        found = self.sent(channel, containing=containing)
        if not found:
            raise AssertionError(f"They got no {_told(channel, containing)}.")
        return found[-1]

    def assert_not_sent(self, channel: str = "", *, containing: str = "") -> None:
        """They got no such message."""
        if found := self.sent(channel, containing=containing):
            raise AssertionError(f"They got {len(found)} {_told(channel, containing)}.")

    def _got(self) -> list[Got]:
        contents: dict[UUID, tuple[str, str, str]] = {}
        for letter in _mails()[self._mails :]:
            uuid = getattr(letter, "metadata", {}).get(METADATA_KEY)
            html = next(
                (part[0] for part in getattr(letter, "alternatives", ()) if part[1] == "text/html"), ""
            )
            if uuid:
                contents[UUID(uuid)] = (letter.subject, letter.body, html)
        for outbound in locmem.outbox[self._texts :]:
            contents[outbound.uuid] = ("", outbound.content.text, "")
        mine = Attempt.objects.filter(uuid__in=contents, message__in=self._messages())
        return [
            Got(
                each.started_at,
                each.channel,
                each.message.flow.key,
                each.message.step_key,
                *contents[each.uuid],
            )
            for each in mine.select_related("message__flow").order_by("started_at", "pk")
        ]

    # ------------------------------------------------------------------------------------ why

    def timeline(self) -> str:
        """What they did, what they got, and why they did not get the rest, in words and in order of time."""
        person = self.contact
        points = ContactPoint.objects.filter(contact=person, current=True)
        who = ", ".join(f"{point.channel} {point.address}" for point in points.order_by("channel"))
        moments = sorted([*self._did, *self._moments(), (self.now, "is now")], key=lambda each: each[0])
        lines = [f"{_at(moment)}  {words}" for moment, words in moments]
        return "\n".join([f"{person.name or 'Somebody'} ({who or 'no address'}):", *lines])

    def _moments(self) -> Iterator[tuple[datetime, str]]:
        runs = list(self._runs())
        for run in runs:
            yield run.started_at, f"entered {run.flow.key}"
        subjects = {(got.flow, got.step, got.channel): got.subject or got.text for got in self._got()}
        for message in self._messages().select_related("flow"):
            name = f"{message.flow.key}/{message.step_key}"
            state = State(message.state)
            at = message.attempted_at or message.resolved_at or message.due_at
            if state is State.SENT:
                said = subjects.get((message.flow.key, message.step_key, message.channel), "")
                yield at, f"got by {message.channel} {name}: {' '.join(said.split())[:70]}"
            else:
                reason = f", {_words(message.reason)}" if message.reason else ""
                yield at, f"{state.name.lower()} {name}{reason}{_why(message)}"
        for run in runs:
            if run.ended_at is not None:
                reason = f", {_words(run.end_reason)}" if run.end_reason else ""
                yield run.ended_at, f"left {run.flow.key}{reason}"

    def _messages(self) -> Any:
        return Message.objects.filter(contact=self.contact, created_at__gte=self._began)

    def _runs(self) -> Any:
        runs = Enrolment.objects.filter(contact=self.contact, started_at__gte=self._began)
        return runs.select_related("flow")

    def _address(self, channel: str) -> str:
        point = ContactPoint.objects.filter(contact=self.contact, channel=channel, current=True).first()
        return point.address if point is not None else ""


def _mails() -> list[Any]:
    """What the memory backend has kept; nothing before its first email."""
    return list(getattr(mail, "outbox", ()))


def _browser() -> Client:
    return Client(HTTP_USER_AGENT=_BROWSER)


def _next_tuesday(contact: Contact) -> datetime:
    """A moment at which nobody sleeps, and no holiday is likely; never before what the test has made."""
    now = timezone.now()
    point = ContactPoint.objects.filter(contact=contact, channel=SMS, current=True).first()
    zones = limits.whereabouts(contact, point).zones if point is not None else ()
    zone = ZoneInfo(zones[0] if zones else contact.zone or django_settings.TIME_ZONE)
    day = now.astimezone(zone).date()
    day += timedelta(days=(1 - day.weekday()) % 7 or 7)
    return datetime.combine(day, time(10), tzinfo=zone)


def _length(length: str | timedelta) -> timedelta:
    if isinstance(length, timedelta):
        return length
    parts = _LENGTH.findall(length)
    if not parts or "".join(number + unit for number, unit in parts) != length.replace(" ", ""):
        raise ValueError(f"{length!r} is no length of time such as '25h' or '1d12h'.")
    named: Mapping[str, float] = {}
    return sum((timedelta(**{**named, _UNITS[unit]: float(number)}) for number, unit in parts), timedelta())


def _told(channel: str, containing: str) -> str:
    what = channel or "message"
    return f"{what} containing {containing!r}" if containing else what


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%a %Y-%m-%d %H:%M} UTC"


def _words(code: str) -> str:
    return code.replace("_", " ")


def _why(message: Message) -> str:
    """What each channel had against it, and what the rule that said so asks for."""
    asks = {policy.__name__: _first_sentence(policy.__doc__ or "") for policy in dispatch.policies()}
    lines = []
    for finding in trace_from_json(message.decision or ()):
        for each in finding.objections:
            until = f" until {_at(finding.at)}" if finding.outcome in ("open", "held", "late") else ""
            rule = f" ({asks[each.policy]})" if asks.get(each.policy) else ""
            lines.append(f"\n    {finding.channel}: {_words(each.reason)}{until}{rule}")
    return "".join(lines)


def _first_sentence(words: str) -> str:
    return re.split(r"(?<=\.)\s", " ".join(words.split()))[0]
