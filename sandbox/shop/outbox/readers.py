"""Who has an inbox and a phone: the six customers of the sandbox, and whoever came since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from oscar_crosschannel.admin import sentences, titles
from oscar_crosschannel.core.facts import EMAIL, SMS, Answer
from oscar_crosschannel.models import Contact, ContactPoint
from oscar_crosschannel.services import limits
from sandbox.shop.people import PEOPLE, Person

from . import mails

#: The newest contacts that are shown beside the six.
MOST = 40

_BY_EMAIL: Mapping[str, Person] = {person.email: person for person in PEOPLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody with an inbox and, perhaps, a phone."""

    key: str  #: the address that stands for them in links
    name: str
    place: str = ""
    zone: str  #: whose clock they live by; the shop's if it is anybody's guess
    contact: Contact | None = None  #: None: known only by an email they got
    emails: tuple[str, ...] = ()  #: the one in use first
    phones: tuple[str, ...] = ()

    @property
    def phone(self) -> str:
        return self.phones[0] if self.phones else ""

    @property
    def can_log_in(self) -> bool:
        """Customers only: staff has a password."""
        user = self.contact.user if self.contact else None
        return user is not None and user.is_active and not user.is_staff

    @property
    def admin_page(self) -> str:
        """The contact's timeline; empty: there is none."""
        return titles.page(self.contact) if self.contact else ""

    def answers(self) -> list[tuple[str, str]]:
        """What they agreed to, by channel, in words."""
        return [("Email", self._answer(EMAIL)), ("Texts", self._answer(SMS))]

    def sleeps(self, now: datetime) -> bool:
        """Whether no offer may be texted at this hour."""
        point = self._point(SMS)
        return (
            self.contact is not None
            and point is not None
            and limits.load().terms(self.contact, point).hours.closes(now) is None
        )

    def _answer(self, channel: str) -> str:
        point = self._point(channel)
        topics: dict[str, list[str]] = {}
        for consent in sorted(point.consents.all(), key=lambda each: each.topic) if point else ():
            topics.setdefault(consent.answer, []).append(consent.topic.replace("_", " "))
        if len(topics) < 2:
            return next((str(sentences.ANSWERS[Answer(answer)]) for answer in topics), "not asked")
        return "; ".join(
            f"{sentences.ANSWERS[Answer(answer)]}: {', '.join(named)}" for answer, named in topics.items()
        )

    def _point(self, channel: str) -> ContactPoint | None:
        points = self.contact.points.all() if self.contact else ()
        return next((point for point in points if point.channel == channel and point.current), None)


def everybody() -> list[Reader]:
    """The six in their order, then the others, the newest first, then who is known by an email alone."""
    known = [_reader(contact) for contact in _contacts()]
    order = {email: number for number, email in enumerate(_BY_EMAIL)}
    known.sort(key=lambda reader: min((order.get(email, MOST) for email in reader.emails), default=MOST))
    addresses = {address for reader in known for address in reader.emails}
    strangers = {address for mail in mails.everything() for address in mail.to} - addresses
    return [*known, *map(_stranger, sorted(strangers))]


def _contacts() -> Iterator[Contact]:
    contacts = Contact.objects.filter(merged_into=None, points__isnull=False).distinct()
    seeded = contacts.filter(points__address__in=_BY_EMAIL)
    others = contacts.exclude(pk__in=seeded.values("pk")).order_by("-pk")
    for found in (seeded, others[:MOST]):
        yield from found.select_related("user").prefetch_related("points__consents")


def _reader(contact: Contact) -> Reader:
    points = sorted(contact.points.all(), key=lambda point: (not point.current, point.pk))
    emails = tuple(point.address for point in points if point.channel == EMAIL)
    phones = tuple(point.address for point in points if point.channel == SMS)
    person = next((_BY_EMAIL[email] for email in emails if email in _BY_EMAIL), None)
    key = (*emails, *phones)[0]
    return Reader(
        key=key,
        name=person.first_name if person else contact.name or key.partition("@")[0],
        place=person.city if person else "",
        zone=person.zone if person else _zone(contact, points),
        contact=contact,
        emails=emails,
        phones=phones,
    )


def _zone(contact: Contact, points: Sequence[ContactPoint]) -> str:
    zones = [contact.zone] if contact.zone else [zone for point in points for zone in point.zones]
    return zones[0] if len(zones) == 1 else settings.TIME_ZONE


def _stranger(address: str) -> Reader:
    return Reader(key=address, name=address.partition("@")[0], zone=settings.TIME_ZONE, emails=(address,))
