"""Asking, granting, confirming and revoking: every change of a consent, with its proof.

A grant is stored only with the words that were shown. Who stops is heard at once and from
anywhere; who agrees is asked again whenever the answer may have come from somebody else. Here is
what forms and staff say; `questions` asks the owner of an address, `stops` hears a stop, and
`grants` writes a yes down. Others know all of it by this name.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from ..conf import settings
from ..core.consent import Unasked
from ..core.events import ConsentAnswer
from ..core.facts import EMAIL, SMS, Answer, Purpose
from ..core.lapse import age_on
from ..models import ConsentEvent, ConsentText, Contact, ContactPoint, Topic
from ..models.consents import MissingProof
from . import asking, contacts, evidence, grants, implied, questions, wordings
from .grants import topics_of
from .questions import (
    REQUEST_OVER,
    asked_lately,
    confirm_link,
    confirm_reply,
    fold_expiry,
    numbers_asked,
    open_request,
    opt_in_expiry,
    unanswered,
)
from .stops import revoke
from .suppressions import suppress, suppress_digest
from .wordings import Wording, wording

__all__ = [
    "REQUEST_OVER",
    "Wording",
    "agree",
    "asked_lately",
    "confirm_link",
    "confirm_reply",
    "fold_expiry",
    "grant",
    "has_answered",
    "has_decided",
    "numbers_asked",
    "open_request",
    "opt_in_expiry",
    "revoke",
    "suppress",
    "suppress_digest",
    "take_answer",
    "topics_of",
    "unanswered",
    "wording",
]

logger = logging.getLogger(__name__)

Action, Basis = ConsentEvent.Action, ConsentEvent.Basis
#: Who speaks: the owner of the address for all we know, or somebody who may be anybody (rule 7).
CUSTOMER, VISITOR = "customer", "visitor"


@transaction.atomic
def take_answer(
    contact: Contact, answer: ConsentAnswer, *, signed_in: bool, at: datetime, now: datetime, owns: str = ""
) -> Unasked | None:
    """Take what a form said about one consent box, at the instant `at`; returns why it was not taken up.

    A ticked box grants at once only when it surely was the owner of the address who ticked it, and
    the channel asks for no confirmation; otherwise the owner is asked. `owns` is the normalised address
    to which the visitor was sent the link they came by: that one they may switch on without a further
    question, if it never said stop. But links are forwarded: whoever holds one ends no stop, and gives the
    contact no number, unless a fresh message to the owner is answered. An answer whose words are not known
    any more is not taken: it could not be proven.
    """
    (contact,) = contacts.lock([contact.pk])
    speaker = _Speaker(signed_in, owns)
    text = wordings.shown(
        answer.text,
        channel=answer.channel,
        language=answer.language,
        kind=answer.kind,
        topics=answer.topics,
        now=now,
    )
    if not answer.given:
        if speaker.speaks_for(contact):
            evidence.append(_said(answer, Action.DECLINE, contact=contact, text=text, at=at))
        return None
    return _take_yes(contact, answer, text, speaker, at=at, now=now)


@transaction.atomic
def grant(
    contact: Contact,
    channel: str,
    topics: Sequence[str],
    *,
    source: str,
    words: str,
    now: datetime,
    address: str = "",
    language: str = "",
    mechanism: str = "api",
    basis: ConsentEvent.Basis | None = None,
    occasion: str = "",
    born_on: date | None = None,
    **proof: Any,
) -> None:
    """Store an agreement that was given elsewhere, for the address in use if none is named.

    `proof` are further fields of `ConsentEvent` (ip, page_url, actor, jurisdiction, way_out_offered, at, …).
    A consent that is only implied ends: at `expires_at`, or so long after `at` as the country's law
    says for the `occasion`, "purchase" or "inquiry". `born_on` proves an age; only the age is kept.

    Raises `MissingProof`, a ValueError, without words, source or a reachable address, without the end of
    an implied consent, without a way out that was offered for a soft opt-in, and without a date of
    birth for a topic that asks for an age (rules 4, 13, 14). Lifts no suppression: only the person does.
    """
    (contact,) = contacts.lock([contact.pk])
    given = address or _address_in_use(contact, channel)
    point = contacts.set_point(contact, channel, given, source=source, now=now) if given else None
    if not words or not topics or point is None:
        raise MissingProof(
            "A grant needs its words, the topics they name, and an address that can be reached."
        )
    event = ConsentEvent(
        contact=contact,
        point=point,
        channel=channel,
        address=point.address,
        address_given=given,
        action=Action.GRANT,
        basis=basis or grants.basis_elsewhere(channel),
        text=wordings.store(channel, language, topics, words, now=now),
        source=source,
        mechanism=mechanism,
        **{
            "actor": CUSTOMER,
            "brand": settings.BRAND,
            "jurisdiction": grants.jurisdiction(contact, point),
            "at": now,
        }
        | proof,
    )
    if event.basis == Basis.IMPLIED and event.expires_at is None:
        event.expires_at = implied.ends_at(event.jurisdiction, occasion, event.at)
    event.proven_age = _proven_age(topics, born_on, event)
    grants.write(event, now)


@transaction.atomic
def agree(
    contact: Contact,
    point: ContactPoint,
    shown: Wording,
    *,
    language: str,
    source: str,
    mechanism: str,
    now: datetime,
    **proof: Any,
) -> bool:
    """The owner of an address agreed to these words from the address itself: this lifts their own stop.

    `proof` as for `grant`. Returns False when they had agreed to all of it before, or may not.
    """
    (contact,) = contacts.lock([contact.pk])
    text = wordings.keep(shown, language=language, now=now)
    topics = _topics_taken(text, (), None)
    if not topics or grants.is_settled(point, topics):
        return False
    said = ConsentEvent(
        contact=contact,
        point=point,
        channel=point.channel,
        address=point.address,
        address_given=point.address,
        action=Action.GRANT,
        basis=grants.basis_of(text),
        jurisdiction=grants.jurisdiction(contact, point),
        text=text,
        chosen=" ".join(topics) if topics != list(text.topics) else "",
        source=source,
        mechanism=mechanism,
        **{"actor": CUSTOMER, "brand": settings.BRAND, "received_at": now, "at": now} | proof,
    )
    grants.confirm(said, now)
    return True


def has_decided(user_id: int) -> set[str]:
    """Channels on which the account's person has ever answered. One statement."""
    return set(wordings.decided_by(user_id).values_list("channel", flat=True))


def has_answered(channel: str, topic: str, *, user_id: int | None, address: str) -> bool:
    """Whether the account's person, or somebody at this address, has ever said yes or no to this. One statement."""
    said = ConsentEvent.objects.filter(Q(topic=topic) | Q(topic=""), channel=channel)
    said = said.exclude(action__in=[Action.REQUEST, Action.EXPIRE, Action.DECLINE, Action.UNASKED])
    return said.filter(
        Q(contact__user_id=user_id) if user_id else Q(address=address, address__gt="")
    ).exists()


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Who filled in a form, as far as the shop can tell."""

    signed_in: bool
    owns: str  #: the normalised address whose link they came by; empty: they came by none

    @property
    def actor(self) -> str:
        return CUSTOMER if self.signed_in or self.owns else VISITOR

    def speaks_for(self, contact: Contact) -> bool:
        """Whether it may count as the contact's own word: of an account only its owner's does."""
        return self.signed_in or contact.user_id is None or _reads_mail_of(contact, self.owns)


def _take_yes(
    contact: Contact,
    answer: ConsentAnswer,
    text: ConsentText | None,
    speaker: _Speaker,
    *,
    at: datetime,
    now: datetime,
) -> Unasked | None:
    address = contacts.normalise(
        answer.channel, answer.address or _address_in_use(contact, answer.channel), region=contact.country
    )
    topics = _topics_taken(text, answer.topics, answer.proven_age) if text is not None else []
    if text is None or address is None or not topics:
        logger.info(
            "A ticked %s box of form %r was not taken: %s.",
            answer.channel,
            answer.form,
            _problem(text, address),
        )
        return None
    if answer.channel == SMS and asking.has_given_many(contact, address, at):
        said = _said(answer, Action.UNASKED, contact=contact, text=text, at=at, address=address)
        return questions.not_asked(said, Unasked.MANY_NUMBERS)
    point = _claimed_point(contact, answer, address, speaker, now)
    if point is None and answer.channel == EMAIL:
        return None  # not an address of this person: there is nobody to ask
    # a number that waits for its YES is asked for it, also by who may have texts about orders there already
    if point is not None and point.current and grants.is_settled(point, topics):
        return None
    said = _said(answer, Action.GRANT, contact=contact, text=text, at=at, point=point, address=address)
    said.actor = speaker.actor
    said.chosen = " ".join(topics) if topics != list(text.topics) else ""
    said.is_primary, said.proven_age = answer.is_primary or None, answer.proven_age
    return _grant_or_ask(said, speaker, must_be_confirmed=answer.must_be_confirmed, now=now)


def _grant_or_ask(
    said: ConsentEvent, speaker: _Speaker, *, must_be_confirmed: bool, now: datetime
) -> Unasked | None:
    """Write a yes down if it surely is that of the address's owner, else ask them; why not, if they cannot be."""
    assert said.contact is not None
    if said.point is None:
        return questions.ask(said, via=EMAIL, now=now)
    if speaker.owns == said.address and grants.never_stopped(said.channel, said.address):
        grants.confirm(said, now)
    elif speaker.speaks_for(said.contact) and not must_be_confirmed and grants.counts_at_once(said):
        contacts.use(said.point)
        grants.give(said, now)
    else:
        return questions.ask(said, via=said.channel, now=now)
    return None


def _address_in_use(contact: Contact, channel: str) -> str:
    point = contact.points.filter(channel=channel, current=True).first()
    return point.address if point else ""


def _reads_mail_of(contact: Contact, address: str) -> bool:
    """Whether this is the mailbox by which the shop knows the person: who reads it may set the password."""
    return bool(address) and contact.points.filter(channel=EMAIL, address=address, current=True).exists()


def _claimed_point(
    contact: Contact, answer: ConsentAnswer, address: str, speaker: _Speaker, now: datetime
) -> ContactPoint | None:
    """The contact's point for the address somebody typed; None while only the typing speaks for it.

    Without this, a stranger could give the email of another person and a phone of their own, and
    read about the other's basket; with a forwarded link they could do so without typing any email. An
    email is never taken from a box: the account, or what the guest is known by, says which one is theirs.
    """
    channel = answer.channel
    known = contact.points.filter(channel=channel, address=address, current=True)
    if (proven := known.exclude(verified_at=None).first()) is not None:
        return proven  # whoever answers from there is the owner
    if channel == EMAIL or speaker.owns == address:
        point = contact.points.filter(channel=channel, address=address).first()
    elif speaker.signed_in:  # a number that was confirmed stays in use until the YES of the new one
        return contacts.claim_point(contact, channel, address, source=answer.form, now=now)
    elif speaker.owns:  # the number in use is no news once it was agreed to; any other needs more than a link
        point = known.filter(consents__answer=Answer.GRANTED).first()
    elif contact.user_id is None:
        point = contacts.set_point(contact, channel, address, source=answer.form, now=now, weak=True)
    else:
        point = None
    return point if point is not None and point.current else None


def _topics_taken(text: ConsentText, chosen: Collection[str], proven_age: int | None) -> list[str]:
    """Of the topics that the words name those that were chosen, or all; none that the person is too young for.

    Words that promise no advertising permit none, whatever a form says that they name.
    """
    named = [topic for topic in text.topics if topic in chosen or not chosen]
    rows = {topic.key: topic for topic in Topic.objects.filter(key__in=named)}
    taken = []
    for topic in named:
        row = rows.get(topic)
        is_promotion = row is not None and row.purpose == Purpose.MARKETING
        if row is not None and row.minimum_age and (proven_age or 0) < row.minimum_age:
            continue
        if not (is_promotion and text.kind == wordings.ORDER_TEXTS):
            taken.append(topic)
    return taken


def _problem(text: ConsentText | None, address: str | None) -> str:
    if text is None:
        return "its words are not known"
    return "there is no address to reach" if address is None else "it permits none of the topics chosen"


def _proven_age(topics: Sequence[str], born_on: date | None, event: ConsentEvent) -> int | None:
    """The age that a date of birth proves. Raises MissingProof if it is too little for one of the topics."""
    if event.proven_age is not None:
        raise MissingProof("An age is proven by a date of birth: give born_on.")
    try:
        age = age_on(born_on, event.at.date()) if born_on else None
    except ValueError as wrong:
        raise MissingProof(str(wrong)) from wrong
    asked = Topic.objects.filter(key__in=topics).exclude(minimum_age=None)
    if short := sorted(topic.key for topic in asked if (age or 0) < (topic.minimum_age or 0)):
        raise MissingProof(f"A date of birth must prove the age that {', '.join(short)} asks for.")
    return age


def _said(
    answer: ConsentAnswer,
    action: ConsentEvent.Action,
    *,
    contact: Contact,
    text: ConsentText | None,
    at: datetime,
    point: ContactPoint | None = None,
    address: str = "",
) -> ConsentEvent:
    """What a form said, with the proof around it."""
    return ConsentEvent(
        contact=contact,
        point=point,
        channel=answer.channel,
        address_given=answer.address,
        address=address or _address_in_use(contact, answer.channel),
        action=action,
        basis=grants.basis_of(text) if action == Action.GRANT and text is not None else Basis.NONE,
        jurisdiction=grants.jurisdiction(contact, point),
        text=text,
        source=answer.form,
        mechanism=answer.mechanism,
        default_state="unticked" if answer.mechanism == "checkbox" else "",
        page_url=answer.page_url,
        ip=answer.ip or None,
        user_agent=answer.user_agent,
        session=answer.session,
        order_number=answer.order_number,
        message_id=answer.message_id,
        actor=CUSTOMER,
        brand=settings.BRAND,
        received_at=at,
        at=at,
    )
