"""What a person gets, since when and why, and every change they make to it themselves.

Two doors lead here: the person's account, and the signed link in a message, which proves that they
read what goes to one address of theirs. A link speaks for its address while that is in use: an old
mailbox may have a new owner.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import transaction

from ..conf import settings
from ..core.consent import Unasked
from ..core.events import ConsentAnswer
from ..core.facts import EMAIL, SMS, Answer, Purpose
from ..core.rulings import Reason
from ..models import Consent, ConsentEvent, Contact, ContactPoint, Message, Suppression, Topic
from . import consents, contacts, evidence, recall, topics, wordings
from .topics import Words
from .wordings import Wording

CHANNELS = (EMAIL, SMS)
#: What a changed preference may have been the reason for.
_WAITED = (Reason.PAUSED, Reason.CAPPED, Reason.OUTSIDE_HOURS, Reason.AWAITING_OPT_IN)


class WordsChanged(Exception):
    """Nobody knows any more what somebody read before they agreed, so they have to read it again."""


class NotAsked(Exception):
    """Something was switched on that the owner of the address would have to confirm, and cannot be asked now."""

    def __init__(self, why: Unasked) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who stands at the page, and by which door they came."""

    contact: Contact | None  #: None: an account of which nothing is known yet
    user_id: int | None = None  #: of who is signed in
    email: str = ""  #: of the account, normalised
    message: Message | None = None  #: the one whose link was followed; None: that in an answer
    proven: ContactPoint | None = None  #: the address the link went to; None: by the account

    @property
    def signed_in(self) -> bool:
        return self.proven is None

    @property
    def source(self) -> str:
        """The door, as the ledger names it."""
        return "account" if self.signed_in else "page"


class Standing(StrEnum):
    """How things are with one topic on one channel."""

    ON = "on"
    OFF = "off"
    PENDING = "pending"  #: to be confirmed by the owner of the address
    LAPSED = "lapsed"  #: a consent, or a question, whose time is over
    WHEN_ASKED = "when_asked"  #: comes when the person asks for one, and they have not said otherwise
    WITH_ORDERS = "with_orders"  #: comes with their orders, and they have not declined it by name
    ALWAYS = "always"  #: belongs to an order or an account; nothing to switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One topic on one channel, as it stands."""

    channel: str
    topic: str
    standing: Standing
    kind: str = ""  #: which words switching it on takes
    event: ConsentEvent | None = None  #: what was said last
    until: datetime | None = None

    @property
    def is_on(self) -> bool:
        """Whether the box is ticked."""
        return self.standing in (Standing.ON, Standing.PENDING, Standing.WHEN_ASKED, Standing.WITH_ORDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicChoices:
    """One topic, with a choice for each channel."""

    topic: Topic
    words: Words
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The address a channel uses, and what stands against it."""

    channel: str
    address: str  #: empty: none is known
    point: ContactPoint | None
    block: Suppression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """All that the page shows."""

    topics: tuple[TopicChoices, ...]
    reaches: Mapping[str, Reach]
    #: by kind: what one agrees to by switching something on, naming all that can be
    words: Mapping[str, Wording]
    #: numbers, maybe the one in use, of which a question in the mailbox has yet to be answered
    to_confirm: tuple[str, ...]
    #: numbers that were asked for their YES, while another one is in use
    to_answer: tuple[str, ...]

    def is_asked(self, channel: str) -> bool:
        """Whether the address in use has yet to answer our question."""
        choices = (choice for each in self.topics for choice in each.choices)
        return any(choice.channel == channel and choice.standing is Standing.PENDING for choice in choices)

    def choice(self, channel: str, topic: str) -> Choice | None:
        """The choice of a topic on a channel, if the page has one."""
        found = (choice for each in self.topics for choice in each.choices)
        return next((choice for choice in found if (choice.channel, choice.topic) == (channel, topic)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the person changed, and only that."""

    on: Collection[tuple[str, str]] = ()  #: (channel, topic)
    off: Collection[tuple[str, str]] = ()
    #: a further number, normalised, and the topics that are to go there
    phone: str = ""
    phone_topics: Collection[str] = ()
    #: the words that were shown, by kind: their digest, and the topics they name
    words: Mapping[str, tuple[str, Collection[str]]] = field(default_factory=dict)
    language: str = ""  #: of the words
    proven_age: int | None = None
    #: further fields of `ConsentAnswer`: page_url, ip, user_agent, session
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    #: changed fields of the contact, as `choose` takes them
    details: Mapping[str, Any] = field(default_factory=dict)


def by_account(user_id: int, email: str) -> Visitor:
    """Who is signed in. `email` is the account's, as the shop has it now."""
    contact = Contact.objects.filter(user_id=user_id).first()
    return Visitor(contact=contact, user_id=user_id, email=contacts.normalise(EMAIL, email) or "")


def by_link(message: Message) -> Visitor | None:
    """Who followed the link of a message; None when its address is not the person's any more."""
    return _by_link(message.contact, message.point, message) if message.point is not None else None


def by_number(point: ContactPoint) -> Visitor | None:
    """Who followed the link in our answer to a text; None when the number is not the person's any more."""
    return _by_link(point.contact, point)


def _by_link(contact: Contact, went_to: ContactPoint, message: Message | None = None) -> Visitor | None:
    contact = contacts.followed(contact)
    own = contact.points.filter(channel=went_to.channel, address=went_to.address, current=True)
    proven = own.first()
    return Visitor(contact=contact, message=message, proven=proven) if proven is not None else None


def again(visitor: Visitor) -> Visitor:
    """The same visitor, after something was saved: before, nothing may have been known of the account."""
    return visitor if visitor.user_id is None else by_account(visitor.user_id, visitor.email)


def read(visitor: Visitor, *, language: str, now: datetime) -> Preferences:
    """What the page shows. A constant number of statements, none of which writes."""
    reaches = _reaches(visitor)
    points = {reach.point.pk: reach.channel for reach in reaches.values() if reach.point is not None}
    answers = {
        (points[consent.point_id], consent.topic): consent
        for consent in Consent.objects.select_related("event")
        .filter(point_id__in=points)
        .annotate(last_by_name=evidence.last_answer_by_name())
    }
    declined = {
        place
        for place, consent in answers.items()
        if consent.answer != Answer.GRANTED and consent.last_by_name == ConsentEvent.Action.REVOKE
    }
    answered = {topic for _, topic in answers}
    shown = tuple(
        TopicChoices(
            topic=topic,
            words=topics.words(topic, language),
            choices=tuple(
                _choice(
                    topic,
                    reach,
                    answers.get((channel, topic.key)),
                    is_declined=(channel, topic.key) in declined,
                    now=now,
                )
                for channel, reach in reaches.items()
            ),
        )
        for topic in topics.in_order()
        if topic.offered or topic.key in answered
    )
    mailed, texted = _waiting(visitor, now)
    new = texted - {reaches[SMS].address}  # of the one in use its topics tell that they wait
    return Preferences(
        topics=shown,
        reaches=reaches,
        words=_words(shown, visitor, reaches[SMS], language),
        to_confirm=tuple(sorted(mailed - new)),
        to_answer=tuple(sorted(new)),
    )


def save(visitor: Visitor, wishes: Wishes, *, now: datetime) -> None:
    """Do what the person changed. Who switches off is heard at once; who switches on may be asked to confirm.

    Raises `WordsChanged` or `NotAsked`, and then only what was to be switched off is done.
    """
    switch_off(visitor, wishes.off, now=now)
    _save_the_rest(visitor, wishes, now)


@transaction.atomic
def switch_off(visitor: Visitor, off: Collection[tuple[str, str]], *, now: datetime) -> None:
    """Stop these topics, each on its channel: in a transaction of its own, for nothing else may undo it."""
    if not off:
        return
    _lock_all(visitor)
    addresses = _in_use(_known(visitor, now))
    for channel in CHANNELS:
        keys = sorted(topic for where, topic in off if where == channel)
        if keys and channel in addresses:
            _stop(visitor, channel, addresses[channel], keys, mechanism="checkbox", now=now)


@transaction.atomic
def _save_the_rest(visitor: Visitor, wishes: Wishes, now: datetime) -> None:
    _lock_all(visitor, phone=wishes.phone)
    contact = _known(visitor, now)
    addresses = _in_use(contact)
    choose(contact, now=now, **wishes.details)
    for answer in _answers(visitor, wishes, addresses, now):
        why_not = consents.take_answer(
            contact,
            answer,
            signed_in=visitor.signed_in,
            owns=visitor.proven.address if visitor.proven is not None else "",
            at=now,
            now=now,
        )
        if why_not is not None:
            raise NotAsked(why_not)


@transaction.atomic
def stop(visitor: Visitor, channels: Collection[str], *, now: datetime) -> None:
    """Stop everything on these channels that a person may stop."""
    reaches = _reaches(visitor)
    addresses = {channel: reaches[channel].address for channel in channels if reaches[channel].address}
    _lock([visitor.contact], addresses.items())
    for channel, address in addresses.items():
        _stop(visitor, channel, address, None, mechanism="button", now=now)


@transaction.atomic
def choose(contact: Contact, *, now: datetime, **details: Any) -> None:
    """Set what the person chose of language, zone, primary_channel, fewer and paused_until.

    What is claimed is judged anew by it, and so is what waits, also for others at the same addresses: a pause
    binds them, too. A language that was chosen is never again learnt from the pages they read.
    """
    if unknown := details.keys() - _CHOSEN:
        raise TypeError(f"Nobody chooses {', '.join(sorted(unknown))}.")
    if "language" in details:
        details["language_chosen"] = bool(details["language"])
    pauses = "paused_until" in details
    locked = _lock([contact], _in_use(contact).items() if pauses else ())
    row = next(each for each in locked if each.pk == contact.pk)
    changed = {name: value for name, value in details.items() if getattr(row, name) != value}
    if not changed:
        return
    for name, value in changed.items():
        setattr(row, name, value)
        setattr(contact, name, value)
    row.save(update_fields=list(changed))
    concerned = [each.pk for each in locked]
    for channel in sorted(settings.CHANNELS):
        recall.recall_contacts(concerned, reason=Reason.PAUSED, now=now, channel=channel)
    recall.wake(concerned, now=now, reasons=_WAITED)


_CHOSEN = {"language", "zone", "primary_channel", "fewer", "paused_until"}


def set_primary_channel(contact: Contact, channel: str, *, now: datetime) -> None:
    """The channel the person would rather be written to on; empty: either."""
    if channel and channel not in settings.CHANNELS:
        raise ValueError(f"There is no channel {channel!r}.")
    choose(contact, now=now, primary_channel=channel)


def _in_use(contact: Contact) -> dict[str, str]:
    """The address in use on each channel."""
    return dict(contact.points.filter(current=True).values_list("channel", "address"))


def _reaches(visitor: Visitor) -> dict[str, Reach]:
    """By channel. The email of an account is the one that the shop has now, whatever was written to last."""
    points: dict[str, ContactPoint] = {}
    for point in visitor.contact.points.all() if visitor.contact is not None else ():
        wanted = point.address == visitor.email if point.channel == EMAIL and visitor.email else point.current
        if wanted:
            points[point.channel] = point
    blocks = {
        (block.channel, block.digest): block
        for block in Suppression.objects.filter(
            digest__in=[point.digest for point in points.values()], lifted_at=None
        )
    }
    found = {}
    for channel in CHANNELS:
        own = points.get(channel)
        known = own.address if own is not None else visitor.email if channel == EMAIL else ""
        block = blocks.get((channel, own.digest)) if own is not None else None
        found[channel] = Reach(channel=channel, address=known, point=own, block=block)
    return found


def _choice(
    topic: Topic, reach: Reach, consent: Consent | None, *, is_declined: bool, now: datetime
) -> Choice:
    channel, purpose = reach.channel, Purpose(topic.purpose)
    if purpose is Purpose.CRITICAL or (purpose is Purpose.TRANSACTIONAL and channel == EMAIL):
        return Choice(channel=channel, topic=topic.key, standing=Standing.ALWAYS)
    return Choice(
        channel=channel,
        topic=topic.key,
        standing=_standing(topic, reach, consent, is_declined=is_declined, now=now),
        kind=wordings.kind_for(channel, purpose),
        event=consent.event if consent is not None else None,
        until=consent.until if consent is not None else None,
    )


def _standing(
    topic: Topic, reach: Reach, consent: Consent | None, *, is_declined: bool, now: datetime
) -> Standing:
    """As the policy `consented` will judge it."""
    is_over = consent is not None and consent.until is not None and consent.until <= now
    is_blocked = reach.block is not None and reach.block.scope == Suppression.Scope.EVERYTHING
    if topic.purpose == Purpose.TRANSACTIONAL and reach.address and not is_blocked and not is_declined:
        is_granted = consent is not None and consent.answer == Answer.GRANTED and not is_over
        return Standing.ON if is_granted else Standing.WITH_ORDERS
    if consent is None:
        was_asked_for = not (topics.texts_by_consent(topic.key) and reach.channel == SMS)
        by_request = topic.purpose == Purpose.REQUESTED and was_asked_for and reach.address and not is_blocked
        return Standing.WHEN_ASKED if by_request else Standing.OFF
    if consent.answer == Answer.REVOKED:
        return Standing.OFF
    if is_over:
        return Standing.LAPSED
    return Standing.ON if consent.answer == Answer.GRANTED else Standing.PENDING


def _words(
    shown: Iterable[TopicChoices], visitor: Visitor, texts: Reach, language: str
) -> dict[str, Wording]:
    named: dict[str, list[str]] = {}
    for each in shown:
        for choice in each.choices:
            if choice.kind:
                named.setdefault(choice.kind, []).append(choice.topic)
    country = visitor.contact.country if visitor.contact is not None else ""
    if texts.point is not None:
        country = texts.point.country or country
    vocabulary = wordings.read(language, country=country)
    return {kind: vocabulary.wording(kind, keys) for kind, keys in named.items()}


def _waiting(visitor: Visitor, now: datetime) -> tuple[set[str], set[str]]:
    """Numbers that wait for the button in an email, and those that wait for their own YES."""
    if visitor.contact is None:
        return set(), set()
    asked = ConsentEvent.objects.filter(
        contact=visitor.contact,
        channel=SMS,
        action=ConsentEvent.Action.REQUEST,
        expires_at__gt=now,
    )
    waiting = consents.unanswered(asked.values_list("pk", flat=True)).values()
    texted = {request.address for request in waiting if request.point_id is not None}
    mailed = {request.address for request in waiting if request.point_id is None}
    return mailed, texted


def _known(visitor: Visitor, now: datetime) -> Contact:
    """The contact to write to. Of an account, with the email that the shop has now."""
    contact = visitor.contact
    if visitor.user_id is not None:
        contact = contacts.identify(user_id=visitor.user_id, now=now) or contact
    assert contact is not None  # an account without any email has none, and its page no form
    return contact


def _lock_all(visitor: Visitor, *, phone: str = "") -> None:
    """Lock whom saving can concern: two who share a number may save at once, each as the other's stranger."""
    people = [visitor.contact, *Contact.objects.filter(user=visitor.user_id, user__isnull=False)]
    addresses = {(EMAIL, visitor.email), (SMS, phone)}
    for contact in people:
        addresses |= set(_in_use(contact).items()) if contact is not None else set()
    _lock(people, addresses)


def _lock(people: Iterable[Contact | None], addresses: Iterable[tuple[str, str]]) -> list[Contact]:
    """Lock everybody whom a change can concern, at once and in id order, before anything is written."""
    concerned = {contact.pk for contact in people if contact is not None}
    for channel, address in addresses:
        if address:
            concerned |= {each.pk for each in contacts.find_by_address(channel, address)}
    return contacts.lock(concerned)


def _stop(
    visitor: Visitor, channel: str, address: str, keys: list[str] | None, *, mechanism: str, now: datetime
) -> None:
    consents.revoke(
        channel,
        address,
        topics=keys,
        source=visitor.source,
        mechanism=mechanism,
        message_id=visitor.message.pk if visitor.message is not None else None,
        now=now,
    )


def _answers(
    visitor: Visitor, wishes: Wishes, addresses: Mapping[str, str], now: datetime
) -> Iterable[ConsentAnswer]:
    """One answer for each set of words that something was switched on under."""
    by_words: dict[tuple[str, str], list[str]] = {}
    wanted = {(channel, topic) for channel, topic in wishes.on if not (channel == SMS and wishes.phone)}
    wanted |= {(SMS, topic) for topic in wishes.phone_topics}
    purposes = dict(
        Topic.objects.filter(key__in={topic for _, topic in wanted}).values_list("key", "purpose")
    )
    for channel, topic in sorted(wanted):
        if topic in purposes:
            kind = wordings.kind_for(channel, Purpose(purposes[topic]))
            by_words.setdefault((channel, kind), []).append(topic)
    for (channel, kind), keys in by_words.items():
        digest, named = wishes.words.get(kind, ("", ()))
        shown = wordings.shown(
            digest, channel=channel, language=wishes.language, kind=kind, topics=named, now=now
        )
        if shown is None:
            raise WordsChanged
        yield ConsentAnswer(
            channel=channel,
            kind=kind,
            text=digest,
            topics=keys,
            language=wishes.language,
            given=True,
            form=visitor.source,
            address=wishes.phone if channel == SMS and wishes.phone else addresses.get(channel, ""),
            proven_age=wishes.proven_age,
            **wishes.circumstances,
        )
