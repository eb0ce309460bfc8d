"""The one recall that every stop uses.

A stop and the hand-over both write the message row, so the database orders them: nothing is
handed over after the stop's commit. Rows are locked in id order, so two stops cannot deadlock;
the engine's own transactions skip locked rows and never wait.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from ..conf import flows
from ..core.lifecycle import RECALLABLE, State
from ..core.rulings import Reason
from ..models import Contact, ContactPoint, Flow, Message

_RELEASED: dict[str, Any] = {"token": None, "lease_until": None, "attempted_at": None}


def recall_contacts(contact_ids: Collection[int], *, reason: Reason, now: datetime, channel: str = "") -> int:
    """Take back what is planned or claimed for these contacts; the caller holds their locks.

    With a channel only claims on it are taken back, to be judged anew by the new facts; without
    one everything open is cancelled. Returns how many messages changed.
    """
    mine = Message.objects.filter(contact_id__in=contact_ids)
    if channel:
        return replan(mine.filter(state=State.CLAIMED, channel=channel))
    return cancel(mine, reason=reason, now=now)


def replan(messages: QuerySet[Message], **changes: Any) -> int:
    """Let what is planned or claimed among `messages` be judged anew, with these changes."""
    open_rows = messages.filter(state__in=RECALLABLE)
    return _locked(open_rows).update(state=State.PLANNED, channel="", point=None, **_RELEASED, **changes)


def cancel(messages: QuerySet[Message], *, reason: Reason, now: datetime) -> int:
    """Cancel what is planned or claimed among `messages`."""
    open_rows = messages.filter(state__in=RECALLABLE)
    return _locked(open_rows).update(state=State.CANCELLED, reason=reason, resolved_at=now, **_RELEASED)


def recall_purchased(*, user_id: int | None, email: str, phone: str, now: datetime) -> int:
    """Cancel what an order makes pointless, in one UPDATE and without a contact lock.

    Runs inside the shopper's request; the fold ends the enrolments later, under the lock.
    """
    stopped = [
        blueprint.key for blueprint in flows if any(stop.event == "order.placed" for stop in blueprint.stops)
    ]
    stopped_flows = Flow.objects.filter(Q(key__in=stopped) | Q(stops__regex=r"(^|\s)order\.placed($|\s)"))
    addresses = Q(channel="email", address=email.strip().lower())
    if phone:
        addresses |= Q(channel="sms", address=phone)
    people = ContactPoint.objects.filter(addresses).values_list("contact_id")
    if user_id is not None:
        # a union, because an OR over two tables reads every open message (25 times slower at 5,000)
        people = people.union(Contact.objects.filter(user_id=user_id).values_list("id"))
    return cancel(
        Message.objects.filter(flow__in=stopped_flows, contact_id__in=people),
        reason=Reason.PURCHASED,
        now=now,
    )


def wake(
    contact_ids: Collection[int], *, now: datetime, reasons: Collection[Reason] = (Reason.AWAITING_OPT_IN,)
) -> int:
    """Let messages that wait for one of these reasons be judged at once: what they waited for has changed."""
    waiting = Message.objects.filter(contact_id__in=contact_ids, state=State.PLANNED, reason__in=reasons)
    return _locked(waiting).update(due_at=now)


def _locked(messages: QuerySet[Message]) -> QuerySet[Message]:
    """The same rows, locked in id order by the statement that changes them."""
    in_order = messages.select_for_update(of=("self",), no_key=True).order_by("id").values("id")
    return Message.objects.filter(id__in=in_order)
