"""Asking, granting, confirming and revoking: every change of a consent, with its proof.

A grant is stored only with the words that were shown. Who stops is heard at once and from
anywhere; who agrees is asked again whenever the answer may have come from somebody else.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from ..conf import Settings, settings
from ..core.consent import Unasked
from ..core.events import ConsentAnswer, Event
from ..core.facts import EMAIL, SMS, Answer, Purpose
from ..core.lapse import age_on
from ..core.rulings import Reason
from ..models import ConsentEvent, ConsentText, Contact, ContactPoint, Suppression, Topic
from ..models.consents import MissingProof
from . import asking, contacts, evidence, implied, inbox, recall, subscribers, suppressions, wordings
from .suppressions import suppress, suppress_digest
from .wordings import Wording, wording

__all__ = [
    "Wording",
    "agree",
    "confirm_link",
    "confirm_reply",
    "fold_expiry",
    "grant",
    "has_answered",
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
#: Who speaks: the owner of the address for all we know, or somebody who may be anybody (rule 7).
CUSTOMER, VISITOR = "customer", "visitor"
#: In the inbox: a request's time is over.
REQUEST_OVER = "consent.request_over"


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
    text = wordings.shown(
        answer.text,
        channel=answer.channel,
        language=answer.language,
        kind=answer.kind,
        topics=answer.topics,
        now=now,
    )
    speaks_for_contact = signed_in or contact.user_id is None or _reads_mail_of(contact, owns)
    if not answer.given:
        if speaks_for_contact:
            evidence.append(_said(answer, Action.DECLINE, contact=contact, text=text, at=at))
        return None
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
        return _not_asked(said, Unasked.MANY_NUMBERS)
    point = _claimed_point(contact, answer, address, signed_in=signed_in, owns=owns, now=now)
    if point is None and answer.channel == EMAIL:
        return None  # not an address of this person: there is nobody to ask
    if point is not None and _is_settled(point, topics):
        return None
    said = _said(answer, Action.GRANT, contact=contact, text=text, at=at, point=point, address=address)
    said.actor = CUSTOMER if signed_in or owns else VISITOR
    said.chosen = " ".join(topics) if topics != list(text.topics) else ""
    said.is_primary, said.proven_age = answer.is_primary or None, answer.proven_age
    if point is not None and owns == address and _never_stopped(answer.channel, address):
        _confirm(said, now)
    elif (
        point is not None
        and speaks_for_contact
        and not answer.must_be_confirmed
        and _grants_at_once(contact, text, topics, address)
    ):
        _grant(said, now)
    else:
        return _ask(said, via=SMS if point is not None and answer.channel == SMS else EMAIL, now=now)
    return None


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
        basis=basis or _basis_elsewhere(channel),
        text=wordings.store(channel, language, topics, words, now=now),
        source=source,
        mechanism=mechanism,
        **{
            "actor": CUSTOMER,
            "brand": settings.BRAND,
            "jurisdiction": _jurisdiction(contact, point),
            "at": now,
        }
        | proof,
    )
    if event.basis == Basis.IMPLIED and event.expires_at is None:
        event.expires_at = implied.ends_at(event.jurisdiction, occasion, event.at)
    event.proven_age = _proven_age(topics, born_on, event)
    _write_grant(event, now)


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
    if not topics or _is_settled(point, topics):
        return False
    said = ConsentEvent(
        contact=contact,
        point=point,
        channel=point.channel,
        address=point.address,
        address_given=point.address,
        action=Action.GRANT,
        basis=_basis_of(text),
        jurisdiction=_jurisdiction(contact, point),
        text=text,
        chosen=" ".join(topics) if topics != list(text.topics) else "",
        source=source,
        mechanism=mechanism,
        **{"actor": CUSTOMER, "brand": settings.BRAND, "received_at": now, "at": now} | proof,
    )
    _confirm(said, now)
    return True


@transaction.atomic
def confirm_reply(phone: str, *, body: str, provider_id: str, now: datetime) -> list[str]:
    """A number answered yes: a grant, if a request was texted to it and is still open (rule 9).

    Returns the topics that were agreed to; none if nothing was asked.
    """
    address = contacts.known_as(SMS, phone)
    contacts.lock([contact.pk for contact in contacts.find_by_address(SMS, address)])
    asked = _unanswered().filter(channel=SMS, address=address, expires_at__gt=now)
    confirmed: list[str] = []
    for request in asked.exclude(point=None):
        answer = _answer_to(request, mechanism="reply", at=now)
        if answer is None or answer.point is None:
            continue
        answer.verbatim, answer.provider_id = body, provider_id
        _confirm(answer, now)
        confirmed += [topic for topic in topics_of(answer) if topic not in confirmed]
    return confirmed


@transaction.atomic
def confirm_link(request_event_id: int, *, now: datetime, ip: str = "", user_agent: str = "") -> bool:
    """The button on the page behind the link of a confirmation email was pressed.

    True when the request is confirmed, now or by an earlier press. For a phone number that somebody gave
    under an account's email, or by a link, this only says that the number is the person's: it is asked next,
    if it may be.
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
    contact, address = answer.contact, request.address
    answer.point = contacts.set_point(contact, request.channel, address, source=request.source, now=now)
    if answer.point is None or answer.text is None:
        return False
    if _grants_at_once(contact, answer.text, topics_of(answer), address):
        _grant(answer, now)
    else:
        _ask(answer, via=SMS, now=now)
    return True


def open_request(request_event_id: int, *, now: datetime) -> ConsentEvent | None:
    """The request behind a confirmation link, while it can be confirmed."""
    return _unanswered().filter(pk=request_event_id, expires_at__gt=now).first()


def unanswered(request_event_ids: Collection[int]) -> dict[int, ConsentEvent]:
    """Those of the requests that nobody has confirmed or revoked yet, by id. One statement."""
    asked = _unanswered().select_related("text").filter(pk__in=request_event_ids)
    return {request.pk: request for request in asked}


def topics_of(said: ConsentEvent) -> list[str]:
    """The topics that a request, or an answer to it, is about: those chosen among what its words name."""
    assert said.text is not None
    return said.chosen.split() or list(said.text.topics)


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
        scope = suppressions.scope_of_stop(channel, cause)
        return suppress(channel, address, cause=cause, scope=scope, now=now) or changed
    recall.recall_contacts(
        [contact.pk for contact in people], reason=Reason.OPTED_OUT, now=now, channel=channel
    )
    return changed


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


def fold_expiry(event: Event, plans: object, *, now: datetime) -> None:
    """Nobody confirmed a request in its time: the ledger says so."""
    request = _unanswered().filter(pk=event.subjects["consent_request"], expires_at__lte=now).first()
    asked = Contact.objects.filter(consent_events=request).first() if request is not None else None
    if request is None or asked is None:
        return
    contacts.lock([contacts.followed(asked).pk])
    if not _unanswered().filter(pk=request.pk).exists():
        return
    over = _copy(request, action=Action.EXPIRE, request_id=request.pk, at=request.expires_at)
    over.point = ContactPoint.objects.filter(consent_events=request).first()  # it may be gone
    over.actor, over.mechanism = "system", "expiry"
    evidence.append(over)


def opt_in_expiry(via: str) -> timedelta:
    """How long a request that is asked for on this channel can be confirmed."""
    return {**Settings.OPT_IN_EXPIRES, **settings.OPT_IN_EXPIRES}[via]


def _address_in_use(contact: Contact, channel: str) -> str:
    point = contact.points.filter(channel=channel, current=True).first()
    return point.address if point else ""


def _reads_mail_of(contact: Contact, address: str) -> bool:
    """Whether this is the mailbox by which the shop knows the person: who reads it may set the password."""
    return bool(address) and contact.points.filter(channel=EMAIL, address=address, current=True).exists()


def _claimed_point(
    contact: Contact, answer: ConsentAnswer, address: str, *, signed_in: bool, owns: str, now: datetime
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
    if channel == EMAIL or owns == address:
        point = contact.points.filter(channel=channel, address=address).first()
    elif signed_in:
        point = contacts.set_point(contact, channel, address, source=answer.form, now=now)
    elif owns:  # the number in use is no news once it was agreed to; any other needs more than a link
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


def _jurisdiction(contact: Contact, point: ContactPoint | None) -> str:
    """Whose law counts: the country where the person lives; if nobody knows it, that of the number."""
    return contact.country or (point.country if point is not None else "")


def _basis_of(text: ConsentText) -> ConsentEvent.Basis:
    """A yes under the words of the SMS program is the written agreement of 47 CFR 64.1200(f)(9)."""
    return Basis.EXPRESS if text.kind == wordings.ORDER_TEXTS else _basis_elsewhere(text.channel)


def _basis_elsewhere(channel: str) -> ConsentEvent.Basis:
    return Basis.EXPRESS_WRITTEN if channel == SMS else Basis.EXPRESS


def _is_settled(point: ContactPoint, topics: Collection[str]) -> bool:
    """Whether all of this is granted for good, and nothing blocks the address."""
    granted = point.consents.filter(answer=Answer.GRANTED, until=None, topic__in=topics)
    return granted.count() == len(topics) and suppressions.in_force(point.channel, point.address) is None


def _grants_at_once(contact: Contact, text: ConsentText, topics: Collection[str], address: str) -> bool:
    """No confirmation is asked for on this channel, and nobody ever said stop for this address.

    Texts about an order that was placed need none: whoever gave the number for it is written to.
    """
    channel, is_about_orders = text.channel, _are_transactional(text, topics)
    if settings.DOUBLE_OPT_IN.get(channel, True) and not is_about_orders:
        return False
    # of somebody who may live anywhere, the language of the form tells most: "de" for DE
    country = contact.country or text.language.partition("-")[0].upper()
    if country in settings.DOUBLE_OPT_IN_COUNTRIES.get(channel, ()) and not is_about_orders:
        return False
    return _never_stopped(channel, address)


def _never_stopped(channel: str, address: str) -> bool:
    stopped = ConsentEvent.objects.filter(channel=channel, address=address, action=Action.REVOKE)
    return suppressions.in_force(channel, address) is None and not stopped.exists()


def _are_transactional(text: ConsentText, topics: Collection[str]) -> bool:
    if text.kind != wordings.ORDER_TEXTS:
        return False
    return Topic.objects.filter(key__in=topics, purpose=Purpose.TRANSACTIONAL).count() == len(topics)


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
        basis=_basis_of(text) if action == Action.GRANT and text is not None else Basis.NONE,
        jurisdiction=_jurisdiction(contact, point),
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


def _copy(event: ConsentEvent, **changes: Any) -> ConsentEvent:
    fields = [field for field in ConsentEvent._meta.concrete_fields if not field.primary_key]
    return ConsentEvent(**{field.attname: getattr(event, field.attname) for field in fields} | changes)


def _grant(said: ConsentEvent, now: datetime) -> None:
    """Somebody agreed here and now: `_write_grant`, and whoever welcomes them hears of it."""
    _write_grant(said, now)
    subscribers.tell(said, now=now)


def _write_grant(said: ConsentEvent, now: datetime) -> None:
    """One grant for each topic that was agreed to; what waited for it is judged at once."""
    assert said.contact is not None
    for topic in topics_of(said):
        evidence.append(_copy(said, topic=topic, chosen=""))
    if said.is_primary and said.contact.primary_channel != said.channel:
        said.contact.primary_channel = said.channel
        said.contact.save(update_fields=["primary_channel"])
    recall.wake([said.contact.pk], now=now)


def _ask(said: ConsentEvent, *, via: str, now: datetime) -> Unasked | None:
    """Ask the owner of the address, once: a request that is open is not repeated (rule 8).

    A text waits for the hours of the number, and can be answered from then on. Returns why nobody is asked.
    """
    assert said.contact is not None
    asked_at = said.at
    if asked_at + opt_in_expiry(via) <= now:
        return None
    if via == SMS:
        asking.take_turn(now)
    still_open = _unanswered().filter(channel=said.channel, address=said.address, expires_at__gt=now)
    if still_open.filter(contact=said.contact, point=said.point).exists():
        return None
    was_texted = via == SMS and still_open.exclude(point=None).exists()
    why_not = None if was_texted else _objection(said, via)
    if via == SMS and why_not is None:
        assert said.point is not None
        opens = asking.opens(said.contact, said.point, now)
        asked_at, why_not = opens or now, None if opens else Unasked.NO_OPEN_HOURS
    if why_not is not None:
        return _not_asked(said, why_not)
    expires = asked_at + opt_in_expiry(via)
    request = evidence.append(_copy(said, action=Action.REQUEST, basis=Basis.NONE, expires_at=expires))
    over = Event(
        name=REQUEST_OVER,
        key=f"{said.channel}:{request.pk}",
        occurred_at=said.at,
        subjects={"consent_request": request.pk},
        not_before=expires,
    )
    question = replace(over, name=f"consent.requested.{via}", not_before=None)
    # was it texted because of another contact who gave this number, one yes answers both
    inbox.publish(over, *([] if was_texted else [question]), now=now)
    contacts.remember("consent_request", request.pk, said.contact)
    return None


def _objection(said: ConsentEvent, via: str) -> Unasked | None:
    assert said.contact is not None
    return asking.objection_to_text(said) if via == SMS else asking.objection_to_email(said.contact)


def _not_asked(said: ConsentEvent, why: Unasked) -> Unasked:
    """Note that somebody wanted something, and why the owner of the address was not asked."""
    evidence.append(_copy(said, action=Action.UNASKED, basis=Basis.NONE, mechanism=why, point_id=None))
    return why


def _unanswered() -> QuerySet[ConsentEvent]:
    """Requests that were neither confirmed nor overtaken by a stop from the address."""
    answered = Q(request=OuterRef("pk"), action__in=[Action.GRANT, Action.REQUEST, Action.EXPIRE])
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
        basis=_basis_of(request.text) if request.text is not None else Basis.NONE,
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
    suppressions.lift(answer.channel, answer.address, causes=suppressions.OWN_WISH, now=now)
    _grant(answer, now)
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
