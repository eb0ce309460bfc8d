"""Whether the owner of an address may be asked if a form was meant, and when.

Anybody can type any number into a form, and the question is a text: somebody's phone rings, and the shop
pays. So it is asked seldom, and at hours at which marketing might be texted there, too: nobody knows yet
whether it was the owner who asked for it, wherever they were signed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.db.models import QuerySet

from ..conf import settings
from ..core.consent import Unasked
from ..core.facts import EMAIL, SMS
from ..models import ConsentEvent, Contact, ContactPoint, InboxEvent, Suppression, Watermark
from . import limits, suppressions
from .contacts import find_by_address

Action = ConsentEvent.Action
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: One person may give so many different numbers in a day.
MOST_NUMBERS = 3
#: The watermark whose row is locked while questions are counted.
_TURN = "opt-in-texts"
#: How the ledger calls a yes that came from the number itself.
_FROM_THE_NUMBER = ("reply", "keyword")


def take_turn(now: datetime) -> None:
    """Until the caller's transaction ends, nobody else counts questions by text or asks one.

    Comes after the locks of contacts, and before those of messages.
    """
    Watermark.objects.get_or_create(name=_TURN, defaults={"at": now})
    Watermark.objects.select_for_update(no_key=True).get(name=_TURN)


def objection_to_text(said: ConsentEvent) -> Unasked | None:
    """Why no question may be texted because of what was said; None: nothing speaks against it.

    The caller has taken the turn. Counted is by when forms were sent, so that a worker that was down for
    hours does not find them all in one.
    """
    if _was_asked_lately(said):
        return Unasked.ASKED_LATELY
    recent = _texted().filter(at__gt=said.at - HOUR, at__lte=said.at)
    # a number that was given several times, or by several people, was texted once
    texted = dict(recent.order_by("-pk").values_list("address", "ip"))
    origins = [_origin(ip) for ip in texted.values()]
    if len(origins) >= settings.OPT_IN_TEXTS_AN_HOUR:
        return Unasked.MANY_TEXTS
    origin = _origin(said.ip)
    if origin is not None and origins.count(origin) >= settings.OPT_IN_TEXTS_AN_HOUR_BY_IP:
        return Unasked.MANY_FROM_IP
    return None


def opens(contact: Contact, point: ContactPoint, now: datetime) -> datetime | None:
    """When the number may ring next; None: never, as far as one can see."""
    return limits.load().terms(contact, point).hours.opens(now)


def objection_to_email(contact: Contact) -> Unasked | None:
    """Why no question can be mailed to somebody; None: it can."""
    point = contact.points.filter(channel=EMAIL, current=True).first()
    if point is None:
        return Unasked.NO_MAILBOX
    block = suppressions.in_force(EMAIL, point.address)
    is_closed = block is not None and block.scope == Suppression.Scope.EVERYTHING
    return Unasked.MAILBOX_BLOCKED if is_closed else None


def has_given_many(contact: Contact, number: str, at: datetime) -> bool:
    """Whether somebody has given so many other numbers within a day that a further one is not taken.

    The answer counts for whoever holds the contact's lock.
    """
    return len(_given([contact], at) - {number}) >= MOST_NUMBERS


def will_have_given_many(
    number: str, *, user_id: int | None, email: str, waiting: tuple[str, str], now: datetime
) -> bool:
    """`has_given_many` of somebody whose answers may not be worked off yet, and without a lock: for pages.

    `waiting` is the name of the events in the inbox that hold such answers, and how their keys begin.
    """
    people = list(Contact.objects.filter(user_id=user_id) if user_id else find_by_address(EMAIL, email))
    name, key = waiting
    rows = InboxEvent.objects.filter(name=name, key__startswith=key, processed_at=None)
    coming = {answer["address"] for answers in rows.values_list("answers", flat=True) for answer in answers}
    return len((_given(people, now) | coming) - {number}) >= MOST_NUMBERS


def _given(people: Sequence[Contact], at: datetime) -> set[str]:
    """The numbers that these contacts gave within a day, each at most once."""
    rows = ConsentEvent.objects.filter(
        contact__in=people, channel=SMS, action__in=[Action.REQUEST, Action.GRANT], at__gt=at - DAY
    )
    return set(rows.order_by().values_list("address", flat=True).distinct())


def _texted() -> QuerySet[ConsentEvent]:
    """Every request that a number itself was to confirm."""
    return ConsentEvent.objects.filter(action=Action.REQUEST, channel=SMS, point__isnull=False).order_by()


def _was_asked_lately(said: ConsentEvent) -> bool:
    asked = _texted().filter(address=said.address, at__gt=said.at - settings.OPT_IN_ASKS_AGAIN_AFTER)
    last = asked.order_by("-pk").values_list("pk", flat=True).first()
    if last is None:
        return False
    agreed = ConsentEvent.objects.filter(channel=SMS, address=said.address, action=Action.GRANT, pk__gt=last)
    return not agreed.filter(mechanism__in=_FROM_THE_NUMBER).exists()


def _origin(ip: str | None) -> IPv4Network | IPv6Network | None:
    """Whose doing something may be: one address, or of IPv6 the network that a household gets.

    None: nobody's in particular. Behind the private address of a proxy stands everybody.
    """
    try:
        found = ip_address(ip or "")
    except ValueError:
        return None
    found = getattr(found, "ipv4_mapped", None) or found
    if not found.is_global:
        return None
    return ip_network((found, 64 if found.version == 6 else 32), strict=False)
