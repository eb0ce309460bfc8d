"""All rows that are about one person: what an export shows and an erasure takes away.

A person is a contact with those merged into it, and with what a number of theirs said by itself. An address
that others use, too, tells nothing of whose a row is, so rows that name the address alone are nobody's then.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from ..core.facts import EMAIL, SMS
from ..models import (
    Click,
    Consent,
    ConsentEvent,
    Contact,
    ContactPoint,
    Erasure,
    InboxEvent,
    Message,
    Suppression,
)
from . import contacts

Address = tuple[str, str]  #: channel, normalised address


@dataclass(frozen=True, slots=True)
class Person:
    """Who it is, as far as rows say so."""

    contacts: tuple[
        Contact, ...
    ]  #: the one who stays first; empty for an address that nobody uses (any more)
    points: tuple[ContactPoint, ...]
    alone: frozenset[Address]  #: addresses that nobody else uses
    digests: frozenset[Address]  #: channel and keyed digest of each address, under every key there was
    account: int | None = None

    @property
    def ids(self) -> list[int]:
        return [contact.pk for contact in self.contacts]

    @property
    def shared(self) -> list[ContactPoint]:
        """Addresses that others use, too."""
        return [point for point in self.points if (point.channel, point.address) not in self.alone]

    def ledger(self) -> QuerySet[ConsentEvent]:
        """What they said about being written to, oldest first."""
        theirs = Q(contact__in=self.ids)
        for channel, address in self.alone:
            theirs |= Q(channel=channel, address=address, contact=None)
        if not self.contacts:  # erased: only digests are left
            theirs |= _any_of(self.digests, "channel", "address")
        rows: QuerySet[ConsentEvent] = ConsentEvent.objects.filter(theirs).order_by("pk")
        return rows

    def consents(self) -> QuerySet[Consent]:
        return Consent.objects.filter(point__in=[point.pk for point in self.points]).order_by(
            "point", "topic"
        )

    def messages(self) -> QuerySet[Message]:
        theirs = Q(contact__in=self.ids)
        if not self.contacts:
            theirs |= Q(address_digest__in=[digest for _, digest in self.digests])
        return Message.objects.filter(theirs).order_by("pk")

    def clicks(self) -> QuerySet[Click]:
        return Click.objects.filter(message__in=self.messages().values("pk")).order_by("at", "pk")

    def suppressions(self) -> QuerySet[Suppression]:
        return Suppression.objects.filter(_any_of(self.digests, "channel", "digest")).order_by("pk")

    def inbox(self) -> QuerySet[InboxEvent]:
        """What was heard of them. There is no index over emails, so this reads the table: months, not years."""
        emails = [address for channel, address in self.alone if channel == EMAIL]
        phones = [address for channel, address in self.alone if channel == SMS]
        theirs = Q(email__in=emails) | Q(phone__in=phones)
        theirs |= Q(name="email.tracking", data__recipient__in=emails)
        if self.contacts:
            sent = list(self.messages().values_list("pk", flat=True))
            theirs |= Q(name="link.clicked", data__message__in=sent)
            asked = self.ledger().filter(action=ConsentEvent.Action.REQUEST).order_by()
            theirs |= Q(subjects__contact__in=self.ids)
            theirs |= Q(subjects__consent_request__in=list(asked.values_list("pk", flat=True)))
        if self.account is not None:
            theirs |= Q(user_id=self.account)
        return InboxEvent.objects.filter(theirs).order_by("occurred_at", "pk")

    def erasures(self) -> QuerySet[Erasure]:
        ids = self.ids or list(
            self.ledger().exclude(contact=None).values_list("contact_id", flat=True).distinct()
        )
        return Erasure.objects.filter(contact_id__in=ids).order_by("pk")


def of_contact(contact: Contact, *, account: int | None = None) -> Person:
    """The person behind a contact. `account`: the id of an account that was deleted meanwhile."""
    stays = contacts.followed(Contact.objects.get(pk=contact.pk))  # it may have been merged a moment ago
    family = (stays, *Contact.objects.filter(merged_into=stays).order_by("pk"), *_their_numbers(stays))
    points = tuple(ContactPoint.objects.filter(contact__in=family).order_by("pk"))
    known = {(point.channel, point.address) for point in points}
    return Person(
        contacts=family,
        points=points,
        alone=frozenset(known - _used_by_others(known, family)),
        digests=_digests(known),
        account=account if account is not None else stays.user_id,
    )


def of_address(channel: str, address: str) -> Person:
    """What is left of an address that no contact uses (any more), found by its digest."""
    known = {(channel, contacts.known_as(channel, address))}
    return Person(contacts=(), points=(), alone=frozenset(known), digests=_digests(known))


def _their_numbers(contact: Contact) -> list[Contact]:
    """Contacts that have nothing but a number which somebody else has confirmed to be theirs."""
    verified = contact.points.filter(channel=SMS, current=True, verified_at__isnull=False)
    return [
        number
        for address in verified.values_list("address", flat=True)
        for number in contacts.of_nothing_but(SMS, address).exclude(pk=contact.pk).order_by("pk")
    ]


def _digests(known: Collection[Address]) -> frozenset[Address]:
    return frozenset(
        (channel, digest) for channel, address in known for digest in contacts.digests(channel, address)
    )


def _used_by_others(known: Collection[Address], family: Collection[Contact]) -> set[Address]:
    if not known:
        return set()
    others = ContactPoint.objects.filter(_any_of(known, "channel", "address")).exclude(contact__in=family)
    return set(others.filter(contact__merged_into=None).values_list("channel", "address"))


def _any_of(pairs: Collection[Address], first: str, second: str) -> Q:
    found = Q(pk__in=[])
    for one, other in pairs:
        found |= Q(**{first: one, second: other})
    return found


def named(term: str) -> tuple[str, str]:
    """Channel and normalised address of what somebody typed: an email if it has an "@", else a number."""
    channel = EMAIL if "@" in term else SMS
    return channel, contacts.known_as(channel, term)
