"""Asking the owner of an address, once, and taking their answer; a question that nobody answers runs out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from ..conf import Settings, settings
from ..core.consent import Unasked
from ..core.events import Event
from ..core.facts import SMS
from ..models import ConsentEvent, Contact, ContactPoint
from . import asking, contacts, evidence, grants, inbox

Action, Basis = ConsentEvent.Action, ConsentEvent.Basis
#: In the inbox: a request's time is over.
REQUEST_OVER = "consent.request_over"


def ask(said: ConsentEvent, *, via: str, now: datetime) -> Unasked | None:
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
    theirs = still_open.filter(contact=said.contact, point=said.point)
    if _covers(theirs, said) and (via != SMS or _is_last_asked(said, now)):
        return None
    was_texted = via == SMS and still_open.exclude(point=None).exists()
    why_not = None if was_texted else _objection(said, via)
    if via == SMS and why_not is None:
        assert said.point is not None
        opens = asking.opens(said.contact, said.point, now)
        asked_at, why_not = opens or now, None if opens else Unasked.NO_OPEN_HOURS
    if why_not is not None:
        return not_asked(said, why_not)
    # was it texted because of another contact who gave this number, or of an earlier form, one yes answers all
    _note_request(said, via, expires=asked_at + opt_in_expiry(via), is_asked=not was_texted, now=now)
    return None


def not_asked(said: ConsentEvent, why: Unasked) -> Unasked:
    """Note that somebody wanted something, and why the owner of the address was not asked."""
    evidence.append(
        grants.copy_of(said, action=Action.UNASKED, basis=Basis.NONE, mechanism=why, point_id=None)
    )
    return why


@transaction.atomic
def confirm_reply(phone: str, *, body: str, provider_id: str, now: datetime) -> list[str]:
    """A number answered yes: a grant, if a request was texted to it and is still open (rule 9).

    Returns the topics that were agreed to; none if nothing was asked.
    """
    address = contacts.known_as(SMS, phone)
    contacts.lock([contact.pk for contact in contacts.find_by_address(SMS, address)])
    asked = _unanswered().filter(channel=SMS, address=address, expires_at__gt=now)
    confirmed: list[str] = []
    for request in asked.exclude(point=None).order_by("pk"):
        answer = _answer_to(request, mechanism="reply", at=now)
        if answer is None or answer.point is None:
            continue
        answer.verbatim, answer.provider_id = body, provider_id
        contacts.use(answer.point)
        grants.confirm(answer, now)
        confirmed += [topic for topic in grants.topics_of(answer) if topic not in confirmed]
    return confirmed


def asked_lately(address: str, *, now: datetime) -> ContactPoint | None:
    """The point of the one person for whom a number was asked by text, until it may be asked again.

    None: nobody was asked for, or more than one, or the number said stop since, or others use it, too.
    """
    since = now - settings.OPT_IN_ASKS_AGAIN_AFTER
    stops = ConsentEvent.objects.filter(channel=SMS, address=address, action=Action.REVOKE)
    stopped = stops.order_by("-pk").values_list("pk", flat=True).first() or 0
    texted = ConsentEvent.objects.filter(channel=SMS, address=address, action=Action.REQUEST, pk__gt=stopped)
    asked = set(texted.filter(at__gt=since, point__isnull=False).values_list("point_id", flat=True))
    points = ContactPoint.objects.filter(channel=SMS, address=address, contact__merged_into=None)
    users = points.filter(Q(current=True) | Q(pk__in=asked))
    nobody = list(contacts.of_nothing_but(SMS, address).values_list("pk", flat=True))
    people = users.exclude(contact_id__in=nobody)[:2]
    return people[0] if len(people) == 1 and people[0].pk in asked else None


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
        grants.confirm(answer, now)
        return True
    contact, address = answer.contact, request.address
    answer.point = contacts.claim_point(contact, request.channel, address, source=request.source, now=now)
    if answer.point is None or answer.text is None:
        return False
    if grants.counts_at_once(answer):
        contacts.use(answer.point)
        grants.give(answer, now)
    else:
        ask(answer, via=SMS, now=now)
    return True


def open_request(request_event_id: int, *, now: datetime) -> ConsentEvent | None:
    """The request behind a confirmation link, while it can be confirmed."""
    return _unanswered().filter(pk=request_event_id, expires_at__gt=now).first()


def unanswered(request_event_ids: Collection[int]) -> dict[int, ConsentEvent]:
    """Those of the requests that nobody has confirmed or revoked yet, by id. One statement."""
    asked = _unanswered().select_related("text").filter(pk__in=request_event_ids)
    return {request.pk: request for request in asked}


def numbers_asked(contact_ids: Collection[int], *, now: datetime) -> dict[int, str]:
    """The number that was last to be asked by text for each contact, by contact id. Two statements.

    It has said YES, or still can: one that said STOP instead tells nothing of those that were given before.
    """
    # not an OR over two tables, because that reads every question of the shop
    merged = dict(Contact.objects.filter(merged_into__in=contact_ids).values_list("pk", "merged_into_id"))
    theirs = ConsentEvent.objects.filter(contact_id__in=[*contact_ids, *merged], channel=SMS)
    agreed = Exists(ConsentEvent.objects.filter(request=OuterRef("pk"), action=Action.GRANT))
    counting = theirs.filter(agreed | Q(~_is_closed(), expires_at__gt=now))
    asked = counting.filter(action=Action.REQUEST, point__isnull=False).order_by("pk")
    rows = asked.values_list("contact_id", "address")
    return {merged.get(contact_id) or contact_id: address for contact_id, address in rows}


def points_asked(contact_ids: Collection[int], *, now: datetime) -> dict[int, ContactPoint]:
    """Of `numbers_asked` those that wait for their YES while another number is in use, by contact id."""
    numbers = numbers_asked(contact_ids, now=now)
    waiting = ContactPoint.objects.filter(contact_id__in=numbers, channel=SMS, current=False)
    found = waiting.filter(address__in=numbers.values())
    return {point.contact_id: point for point in found if point.address == numbers[point.contact_id]}


def fold_expiry(event: Event, plans: object, *, now: datetime) -> None:
    """Nobody confirmed a request in its time: the ledger says so."""
    request = _unanswered().filter(pk=event.subjects["consent_request"], expires_at__lte=now).first()
    asked = Contact.objects.filter(consent_events=request).first() if request is not None else None
    if request is None or asked is None:
        return
    contacts.lock([contacts.followed(asked).pk])
    if not _unanswered().filter(pk=request.pk).exists():
        return
    over = grants.copy_of(request, action=Action.EXPIRE, request_id=request.pk, at=request.expires_at)
    over.point = ContactPoint.objects.filter(consent_events=request).first()  # it may be gone
    over.actor, over.mechanism = "system", "expiry"
    evidence.append(over)


def opt_in_expiry(via: str) -> timedelta:
    """How long a request that is asked for on this channel can be confirmed."""
    return {**Settings.OPT_IN_EXPIRES, **settings.OPT_IN_EXPIRES}[via]


def _objection(said: ConsentEvent, via: str) -> Unasked | None:
    assert said.contact is not None
    return asking.objection_to_text(said) if via == SMS else asking.objection_to_email(said.contact)


def _covers(requests: QuerySet[ConsentEvent], said: ConsentEvent) -> bool:
    """Whether the requests are about all that is wanted now: what somebody adds must not get lost."""
    asked = {topic for request in requests.select_related("text") for topic in grants.topics_of(request)}
    return asked.issuperset(grants.topics_of(said)) and bool(asked)


def _is_last_asked(said: ConsentEvent, now: datetime) -> bool:
    """Whether the person gave no other number to be asked since: who corrects a correction means the last."""
    assert said.contact is not None
    return numbers_asked([said.contact.pk], now=now).get(said.contact.pk) == said.address


def _note_request(said: ConsentEvent, via: str, *, expires: datetime, is_asked: bool, now: datetime) -> None:
    """Put a request into the ledger, and publish its end and, if `is_asked`, its question."""
    assert said.contact is not None
    request = evidence.append(
        grants.copy_of(said, action=Action.REQUEST, basis=Basis.NONE, expires_at=expires)
    )
    over = Event(
        name=REQUEST_OVER,
        key=f"{said.channel}:{request.pk}",
        occurred_at=said.at,
        subjects={"consent_request": request.pk},
        not_before=expires,
    )
    question = replace(over, name=f"consent.requested.{via}", not_before=None)
    inbox.publish(over, *([question] if is_asked else []), now=now)
    contacts.remember("consent_request", request.pk, said.contact)


def _unanswered() -> QuerySet[ConsentEvent]:
    """Requests that were neither confirmed nor overtaken by a stop from the address."""
    return ConsentEvent.objects.filter(~_is_closed(), action=Action.REQUEST)


def _is_closed() -> Exists:
    """Of a request: it was answered, it has run out, or its address said stop since."""
    answered = Q(request=OuterRef("pk"), action__in=[Action.GRANT, Action.REQUEST, Action.EXPIRE])
    stopped = Q(
        channel=OuterRef("channel"), address=OuterRef("address"), action=Action.REVOKE, pk__gt=OuterRef("pk")
    )
    return Exists(ConsentEvent.objects.filter(answered | stopped))


def _answer_to(request: ConsentEvent, *, mechanism: str, at: datetime) -> ConsentEvent | None:
    """The grant that a request asked for, with the request's own proof; None when its contact is gone."""
    asked = Contact.objects.filter(consent_events=request).first()
    if asked is None:
        return None
    contact = contacts.followed(asked)
    claimed = contact.points.filter(channel=request.channel, address=request.address)
    point = claimed.first() if request.point_id is not None else None
    answer = grants.copy_of(
        request,
        action=Action.GRANT,
        basis=grants.basis_of(request.text) if request.text is not None else Basis.NONE,
        expires_at=None,
        request_id=request.pk,
        mechanism=mechanism,
        received_at=at,
        at=at,
    )
    answer.contact, answer.point, answer.text = contact, point, request.text
    return answer
