"""What a yes becomes: a row with its proof for each topic, and what follows from it.

For `consents` and `questions`, which decide whose yes it is. Whoever calls holds the contact's lock.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from ..conf import settings
from ..core.facts import SMS, Answer, Purpose
from ..models import ConsentEvent, ConsentText, Contact, ContactPoint, Topic
from . import evidence, recall, subscribers, suppressions, wordings

Action, Basis = ConsentEvent.Action, ConsentEvent.Basis


def give(said: ConsentEvent, now: datetime) -> None:
    """Somebody agreed here and now: it is written, and whoever welcomes them hears of it."""
    write(said, now)
    subscribers.tell(said, now=now)


def write(said: ConsentEvent, now: datetime) -> None:
    """One grant for each topic that was agreed to; what waited for it is judged at once."""
    assert said.contact is not None
    for topic in topics_of(said):
        evidence.append(copy_of(said, topic=topic, chosen=""))
    if said.is_primary and said.contact.primary_channel != said.channel:
        said.contact.primary_channel = said.channel
        said.contact.save(update_fields=["primary_channel"])
    recall.wake([said.contact.pk], now=now)


def confirm(answer: ConsentEvent, now: datetime) -> None:
    """The owner of the address agreed: this lifts their own stop."""
    assert answer.point is not None
    suppressions.lift(answer.channel, answer.address, causes=suppressions.OWN_WISH, now=now)
    give(answer, now)
    ContactPoint.objects.filter(pk=answer.point.pk).update(verified_at=now)


def topics_of(said: ConsentEvent) -> list[str]:
    """The topics that a request, or an answer to it, is about: those chosen among what its words name."""
    assert said.text is not None
    return said.chosen.split() or list(said.text.topics)


def copy_of(event: ConsentEvent, **changes: Any) -> ConsentEvent:
    """Another row that says the same but for `changes`, not yet in the ledger."""
    fields = [field for field in ConsentEvent._meta.concrete_fields if not field.primary_key]
    return ConsentEvent(**{field.attname: getattr(event, field.attname) for field in fields} | changes)


def is_settled(point: ContactPoint, topics: Collection[str]) -> bool:
    """Whether all of this is granted for good, and nothing blocks the address."""
    granted = point.consents.filter(answer=Answer.GRANTED, until=None, topic__in=topics)
    return granted.count() == len(topics) and suppressions.in_force(point.channel, point.address) is None


def counts_at_once(said: ConsentEvent) -> bool:
    """Whether this yes needs no confirmation: the shop asks for none on its channel and in its country.

    At the number in use texts about orders need none, nor does what an order asks for, beside that order. But
    every yes needs one for an address that is blocked, or for which somebody ever said stop.
    """
    assert said.contact is not None
    assert said.text is not None
    if not _is_about_order(said):
        if settings.DOUBLE_OPT_IN.get(said.channel, True):
            return False
        # of somebody who may live anywhere, the language of the form tells most: "de" for DE
        country = said.contact.country or said.text.language.partition("-")[0].upper()
        if country in settings.DOUBLE_OPT_IN_COUNTRIES.get(said.channel, ()):
            return False
    return never_stopped(said.channel, said.address)


def never_stopped(channel: str, address: str) -> bool:
    """Whether nobody ever said stop for an address, and nothing blocks it."""
    stopped = ConsentEvent.objects.filter(channel=channel, address=address, action=Action.REVOKE)
    return suppressions.in_force(channel, address) is None and not stopped.exists()


def basis_of(text: ConsentText) -> ConsentEvent.Basis:
    """A yes under the words of the SMS program is the written agreement of 47 CFR 64.1200(f)(9)."""
    return Basis.EXPRESS if text.kind == wordings.ORDER_TEXTS else basis_elsewhere(text.channel)


def basis_elsewhere(channel: str) -> ConsentEvent.Basis:
    """What an agreement rests on whose words are not those of a form of ours."""
    return Basis.EXPRESS_WRITTEN if channel == SMS else Basis.EXPRESS


def jurisdiction(contact: Contact, point: ContactPoint | None) -> str:
    """Whose law counts: the country where the person lives; if nobody knows it, that of the number."""
    return contact.country or (point.country if point is not None else "")


def _is_about_order(said: ConsentEvent) -> bool:
    """Whether it is about what somebody ordered; beside an order, also about what it asks for, such as reminders.

    Not while another number stays in use, which somebody has confirmed: that one gets what is about the order.
    """
    if said.text is None or said.text.kind != wordings.ORDER_TEXTS:
        return False
    if said.point is None or not said.point.current:
        return False
    purposes = {Purpose.TRANSACTIONAL, *([Purpose.REQUESTED] if said.order_number else [])}
    topics = topics_of(said)
    return Topic.objects.filter(key__in=topics, purpose__in=purposes).count() == len(topics)
