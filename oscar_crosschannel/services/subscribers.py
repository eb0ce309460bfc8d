"""People who begin to get what the shop writes: told, once each, to the flows that welcome them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from ..core.events import Event
from ..models import Consent, ConsentEvent
from . import contacts, inbox, wordings

#: Somebody signed up of their own accord.
JOINED = "subscriber.joined"
#: Somebody agreed, wherever, to messages that advertise, on a channel: `consent.granted.email`.
GRANTED = "consent.granted"
#: In the `data` of both: when the person asked for what they confirmed; absent if nothing was to be confirmed.
ASKED_AT = "consent_asked_at"
#: Where people sign up, by the ledger's `source`. In a checkout they want something else: nobody who is about to
#: pay in full likes to be welcomed with a discount a minute later.
SIGN_UPS = frozenset({"registration", "sign_up", "keyword", "invitation"})


def tell(said: ConsentEvent, *, now: datetime) -> None:
    """Tell the flows that somebody agreed: once per person, however often they do and whatever they add.

    Only of an agreement that counts: a box that somebody else may have ticked burns nobody's welcome.
    """
    assert said.contact is not None
    if said.text is None or said.text.kind == wordings.ORDER_TEXTS:
        return
    data = _asked(said)
    names = [f"{GRANTED}.{said.channel}", *([JOINED] if said.source in SIGN_UPS else [])]
    for name in names:
        event = Event(
            name=name,
            key=f"contact:{said.contact.pk}",
            occurred_at=said.at,
            subjects={contacts.CONTACT: said.contact.pk},
            data=data,
        )
        inbox.record(event, now=now)


def _asked(said: ConsentEvent) -> dict[str, str]:
    """An answer by email may have led to a question by text: what counts is the form before both."""
    first = said
    while first.request is not None:
        first = first.request
    return {ASKED_AT: first.at.isoformat()} if first is not said else {}


def answered(contact_ids: Collection[int], channel: str, topic: str) -> set[int]:
    """Those who have said yes or no to a topic on a channel, at any address of theirs, or are being asked."""
    said = Consent.objects.filter(point__contact__in=contact_ids, point__channel=channel, topic=topic)
    return set(said.values_list("point__contact_id", flat=True))
