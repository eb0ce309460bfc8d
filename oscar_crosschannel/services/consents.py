"""Asking, granting, confirming and revoking: every change of a consent, with its proof.

A grant is stored only with the words that were shown. Who stops is heard at once and from
anywhere; who agrees is asked again whenever the answer may have come from somebody else.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from ..conf import Settings, settings
from ..core.events import ConsentAnswer, Event
from ..core.facts import EMAIL, SMS, Answer
from ..core.rulings import Reason
from ..models import ConsentEvent, ConsentText, Contact, ContactPoint, Suppression
from ..models.consents import MissingProof
from . import contacts, evidence, inbox, recall, suppressions, wordings
from .suppressions import suppress, suppress_digest
from .wordings import Wording, wording

__all__ = [
    "Wording",
    "confirm_link",
    "confirm_reply",
    "grant",
    "has_decided",
    "open_request",
    "opt_in_expiry",
    "revoke",
    "suppress",
    "suppress_digest",
    "take_answer",
    "unanswered",
    "wording",
]

logger = logging.getLogger(__name__)

Action, Basis = ConsentEvent.Action, ConsentEvent.Basis
#: A ticked box under the words of the SMS program is the written agreement of 47 CFR 64.1200(f)(9).
_BASIS = {SMS: Basis.EXPRESS_WRITTEN, EMAIL: Basis.EXPRESS}


@transaction.atomic
def take_answer(
    contact: Contact, answer: ConsentAnswer, *, signed_in: bool, at: datetime, now: datetime
) -> None:
    """Take what a form said about one consent box, at the instant `at`.

    A ticked box grants at once only when it surely was the owner of the address who ticked it, and
    the channel asks for no confirmation; otherwise the owner is asked. An answer whose words are
    not known any more is not taken: it could not be proven.
    """
    (contact,) = contacts.lock([contact.pk])
    text = wordings.shown(answer.text, channel=answer.channel, language=answer.language, now=now)
    speaks_for_contact = signed_in or contact.user_id is None
    if not answer.given:
        if speaks_for_contact:
            evidence.append(_said(answer, Action.DECLINE, contact=contact, text=text, at=at))
        return
    address = contacts.normalise(
        answer.channel, answer.address or _address_in_use(contact, answer.channel), region=contact.country
    )
    if text is None or address is None:
        logger.info(
            "A ticked %s box of form %r was not taken: %s.",
            answer.channel,
            answer.form,
            "its words are not known" if text is None else "there is no address to reach",
        )
        return
    point = _claimed_point(contact, answer, address, signed_in=signed_in, now=now)
    if point is None and answer.channel == EMAIL:
        return  # not an address of this person: there is nobody to ask
    if point is not None and _is_settled(point, text):
        return
    said = _said(answer, Action.GRANT, contact=contact, text=text, at=at, point=point, address=address)
    if (
        point is not None
        and speaks_for_contact
        and _grants_at_once(contact, answer.channel, address, language=answer.language)
    ):
        _grant(said, text, now)
    else:
        _ask(said, via=SMS if point is not None and answer.channel == SMS else EMAIL, now=now)


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
    **proof: Any,
) -> None:
    """Store an agreement that was given elsewhere, for the address in use if none is named.

    `proof` are further fields of `ConsentEvent` (ip, page_url, actor, expires_at, …). Raises
    `MissingProof`, a ValueError, without words, source or a reachable address. Lifts no suppression:
    only the person does that.
    """
    (contact,) = contacts.lock([contact.pk])
    given = address or _address_in_use(contact, channel)
    point = contacts.set_point(contact, channel, given, source=source, now=now) if given else None
    if not words or not topics or point is None:
        raise MissingProof(
            "A grant needs its words, the topics they name, and an address that can be reached."
        )
    text = wordings.store(channel, language, topics, words, now=now)
    event = ConsentEvent(
        contact=contact,
        point=point,
        channel=channel,
        address=point.address,
        address_given=given,
        action=Action.GRANT,
        basis=basis or _BASIS.get(channel, Basis.EXPRESS),
        text=text,
        source=source,
        mechanism=mechanism,
        **{"actor": "customer", "brand": settings.BRAND, "at": now} | proof,
    )
    _grant(event, text, now)


@transaction.atomic
def confirm_reply(phone: str, *, body: str, provider_id: str, now: datetime) -> bool:
    """A number answered yes: a grant, if a request was texted to it and is still open (rule 9)."""
    address = contacts.known_as(SMS, phone)
    contacts.lock([contact.pk for contact in contacts.find_by_address(SMS, address)])
    asked = _unanswered().filter(channel=SMS, address=address, expires_at__gt=now)
    confirmed = False
    for request in asked.exclude(point=None):
        answer = _answer_to(request, mechanism="reply", at=now)
        if answer is None or answer.point is None:
            continue
        answer.verbatim, answer.provider_id = body, provider_id
        _confirm(answer, now)
        confirmed = True
    return confirmed


@transaction.atomic
def confirm_link(request_event_id: int, *, now: datetime, ip: str = "", user_agent: str = "") -> bool:
    """The button on the page behind the link of a confirmation email was pressed.

    True when the request is confirmed, now or by an earlier press. For a phone number that somebody
    gave under an account's email this only says that the number is the person's: it is asked next.
    """
    request = ConsentEvent.objects.filter(pk=request_event_id, action=Action.REQUEST).first()
    answer = _answer_to(request, mechanism="link", at=now) if request is not None else None
    if request is None or answer is None or answer.contact is None:
        return False
    contacts.lock([answer.contact.pk])
    if ConsentEvent.objects.filter(request=request, action__in=[Action.GRANT, Action.REQUEST]).exists():
        return True
    if open_request(request.pk, now=now) is None:
        return False
    answer.ip, answer.user_agent = ip or None, user_agent
    if answer.point is not None:
        _confirm(answer, now)
        return True
    contact, channel, address = answer.contact, request.channel, request.address
    answer.point = contacts.set_point(contact, channel, address, source=request.source, now=now)
    if answer.point is None or answer.text is None:
        return False
    if _grants_at_once(contact, channel, address, language=answer.text.language):
        _grant(answer, answer.text, now)
    else:
        _ask(answer, via=SMS, now=now)
    return True


def open_request(request_event_id: int, *, now: datetime) -> ConsentEvent | None:
    """The request behind a confirmation link, while it can be confirmed."""
    return _unanswered().filter(pk=request_event_id, expires_at__gt=now).first()


def unanswered(request_event_ids: Collection[int]) -> dict[int, ConsentEvent]:
    """Those of the requests that nobody has confirmed or revoked yet, by id. One statement."""
    return {request.pk: request for request in _unanswered().filter(pk__in=request_event_ids)}


@transaction.atomic
def revoke(
    channel: str,
    address: str,
    *,
    topics: Sequence[str] | None,
    source: str,
    mechanism: str,
    now: datetime,
    verbatim: str = "",
    provider_id: str = "",
    message_id: int | None = None,
    actor: str = "customer",
    cause: Suppression.Cause = Suppression.Cause.REVOKED,
    received_at: datetime | None = None,
) -> bool:
    """Stop these topics, or everything (None), for everybody who uses this address on this channel.

    Everything also suppresses the address: for texts all of them, for email marketing. What is
    claimed is taken back in the same transaction. Returns False when nothing was left to stop.
    `received_at`: when it was said, if somebody notes it later.
    """
    address = contacts.known_as(channel, address)
    people = contacts.lock([contact.pk for contact in contacts.find_by_address(channel, address)])
    points = list(
        ContactPoint.objects.select_related("contact")
        .filter(channel=channel, address=address, contact__in=people)
        .order_by("contact_id")
    )
    changed = False
    for topic in [""] if topics is None else topics:
        stop = ConsentEvent(
            channel=channel,
            address=address,
            address_given=address,
            topic=topic,
            action=Action.REVOKE,
            basis=Basis.NONE,
            source=source,
            mechanism=mechanism,
            verbatim=verbatim,
            provider_id=provider_id,
            message_id=message_id,
            actor=actor,
            brand=settings.BRAND,
            received_at=received_at or now,
            at=now,
        )
        changed = _withdraw(stop, points) or changed
    if topics is None:
        scope = Suppression.Scope.EVERYTHING if channel == SMS else Suppression.Scope.MARKETING
        return suppress(channel, address, cause=cause, scope=scope, now=now) or changed
    recall.recall_contacts(
        [contact.pk for contact in people], reason=Reason.OPTED_OUT, now=now, channel=channel
    )
    return changed


def has_decided(user_id: int) -> set[str]:
    """Channels on which the account's person has ever answered. One statement.

    An unconfirmed request decides nothing: anybody can type an address, and it may run out.
    """
    answers = ConsentEvent.objects.exclude(action=Action.REQUEST)
    said = answers.order_by().values_list("channel", flat=True)
    own = said.filter(contact__user_id=user_id)
    before_merge = said.filter(contact__merged_into__user_id=user_id)
    return set(own.union(before_merge))


def opt_in_expiry(via: str) -> timedelta:
    """How long a request that is asked for on this channel can be confirmed."""
    return {**Settings.OPT_IN_EXPIRES, **settings.OPT_IN_EXPIRES}[via]


def _address_in_use(contact: Contact, channel: str) -> str:
    point = contact.points.filter(channel=channel, current=True).first()
    return point.address if point else ""


def _claimed_point(
    contact: Contact, answer: ConsentAnswer, address: str, *, signed_in: bool, now: datetime
) -> ContactPoint | None:
    """The contact's point for the address somebody typed; None while only the typing speaks for it.

    Without this, a stranger could give the email of another person and a phone of their own, and
    read about the other's basket. An email is never taken from a box: the account, or what the
    guest is known by, says which one is theirs.
    """
    channel = answer.channel
    if channel == EMAIL:
        point = contact.points.filter(channel=channel, address=address).first()
    elif signed_in:
        point = contacts.set_point(contact, channel, address, source=answer.form, now=now)
    elif contact.user_id is None:
        point = contacts.set_point(contact, channel, address, source=answer.form, now=now, weak=True)
    else:
        point = None
    return point if point is not None and point.current else None


def _is_settled(point: ContactPoint, text: ConsentText) -> bool:
    """Whether everything the words name is granted for good, and nothing blocks the address."""
    granted = point.consents.filter(answer=Answer.GRANTED, until=None, topic__in=text.topics)
    return granted.count() == len(text.topics) and suppressions.in_force(point.channel, point.address) is None


def _grants_at_once(contact: Contact, channel: str, address: str, *, language: str) -> bool:
    """No confirmation is asked for on this channel, and nobody ever said stop for this address."""
    if settings.DOUBLE_OPT_IN.get(channel, True):
        return False
    # of somebody who may live anywhere, the language of the form tells most: "de" for DE
    country = contact.country or language.partition("-")[0].upper()
    if country in settings.DOUBLE_OPT_IN_COUNTRIES.get(channel, ()):
        return False
    stopped = ConsentEvent.objects.filter(channel=channel, address=address, action=Action.REVOKE)
    return suppressions.in_force(channel, address) is None and not stopped.exists()


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
        basis=_BASIS.get(answer.channel, Basis.EXPRESS) if action == Action.GRANT else Basis.NONE,
        jurisdiction=contact.country,
        text=text,
        source=answer.form,
        mechanism="checkbox",
        default_state="unticked",
        page_url=answer.page_url,
        ip=answer.ip or None,
        user_agent=answer.user_agent,
        session=answer.session,
        order_number=answer.order_number,
        actor="customer",
        brand=settings.BRAND,
        received_at=at,
        at=at,
    )


def _copy(event: ConsentEvent, **changes: Any) -> ConsentEvent:
    fields = [field for field in ConsentEvent._meta.concrete_fields if not field.primary_key]
    return ConsentEvent(**{field.attname: getattr(event, field.attname) for field in fields} | changes)


def _grant(said: ConsentEvent, text: ConsentText, now: datetime) -> None:
    """One grant for each topic that the words name; what waited for it is judged at once."""
    assert said.contact is not None
    for topic in text.topics:
        evidence.append(_copy(said, topic=topic))
    recall.wake([said.contact.pk], now=now)


def _ask(said: ConsentEvent, *, via: str, now: datetime) -> None:
    """Ask the owner of the address, once: a request that is open is not repeated (rule 8)."""
    expires = said.at + opt_in_expiry(via)
    still_open = _unanswered().filter(channel=said.channel, address=said.address, expires_at__gt=now)
    if expires <= now or still_open.filter(contact=said.contact, point=said.point).exists():
        return
    was_texted = via == SMS and still_open.exclude(point=None).exists()
    request = evidence.append(_copy(said, action=Action.REQUEST, basis=Basis.NONE, expires_at=expires))
    if was_texted:
        return  # by another contact who gave this number; one yes answers both
    assert said.contact is not None
    contacts.remember("consent_request", request.pk, said.contact)
    inbox.publish(
        Event(
            name=f"consent.requested.{via}",
            key=f"{said.channel}:{request.pk}",
            occurred_at=said.at,
            subjects={"consent_request": request.pk},
        ),
        now=now,
    )


def _unanswered() -> QuerySet[ConsentEvent]:
    """Requests that were neither confirmed nor overtaken by a stop from the address."""
    answered = Q(request=OuterRef("pk"), action__in=[Action.GRANT, Action.REQUEST])
    stopped = Q(
        channel=OuterRef("channel"), address=OuterRef("address"), action=Action.REVOKE, pk__gt=OuterRef("pk")
    )
    return ConsentEvent.objects.filter(action=Action.REQUEST).exclude(
        Exists(ConsentEvent.objects.filter(answered | stopped))
    )


def _answer_to(request: ConsentEvent, *, mechanism: str, at: datetime) -> ConsentEvent | None:
    """The grant that a request asked for, with the request's own proof; None when its contact is gone."""
    asked = Contact.objects.filter(consent_events=request).first()
    if asked is None:
        return None
    contact = contacts.followed(asked)
    claimed = contact.points.filter(channel=request.channel, address=request.address)
    point = claimed.first() if request.point_id is not None else None
    answer = _copy(
        request,
        action=Action.GRANT,
        basis=_BASIS.get(request.channel, Basis.EXPRESS),
        expires_at=None,
        request_id=request.pk,
        mechanism=mechanism,
        received_at=at,
        at=at,
    )
    answer.contact, answer.point, answer.text = contact, point, request.text
    return answer


def _confirm(answer: ConsentEvent, now: datetime) -> None:
    """The owner of the address agreed: this lifts their own stop."""
    assert answer.point is not None
    assert answer.text is not None
    suppressions.lift(answer.channel, answer.address, causes=suppressions.OWN_WISH, now=now)
    _grant(answer, answer.text, now)
    ContactPoint.objects.filter(pk=answer.point.pk).update(verified_at=now)


def _withdraw(stop: ConsentEvent, points: Sequence[ContactPoint]) -> bool:
    """Note the stop for each point of the address, or for the address alone when nobody is known to use it."""
    changed = False
    for point in points or (None,):
        if evidence.is_stopped(point, stop.channel, stop.address, stop.topic):
            continue
        evidence.append(_copy(stop, point_id=point and point.pk, contact_id=point and point.contact_id))
        changed = True
    return changed
