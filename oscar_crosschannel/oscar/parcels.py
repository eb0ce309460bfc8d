"""What became of the things of an order: parcels sent, delivered, delayed, cancelled.

A shop tells it by shipping events, each with lines and quantities, or by statuses of orders and lines, or by
both. Oscar saves an event before its quantities, and nothing at all says that a status has been told before;
so whatever moves is read again half a minute later, and what is then new becomes one event of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.db.models import Exists, OuterRef, Prefetch, Q
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.text import Truncator
from django.utils.translation import gettext
from oscar.core.loading import get_model

from ..conf import settings
from ..core.events import Event
from ..core.plan import Context, Run
from ..core.tracking import Tracking
from ..models import InboxEvent, ScheduledEvent
from ..services import links
from . import identity, tracking

Order = get_model("order", "Order")
OrderLine = get_model("order", "Line")
ShippingEvent = get_model("order", "ShippingEvent")

SHIPPED, DELIVERED, DELAYED, CANCELLED = "shipped", "delivered", "delayed", "cancelled"
#: What can become of a parcel, as the settings name it.
KINDS = (SHIPPED, DELIVERED, DELAYED, CANCELLED)
#: Name in the inbox of something that moved and is not understood yet. `subjects`: order. `data`: kind, and
#: shipping_event or line, by id; neither: the status of the whole order.
MOVED = "order.moved"
#: How long it may take to save an event with all its quantities, or the status of one line after another.
SETTLE = timedelta(seconds=30)

#: So many things of a parcel are named in a text, each with so many letters.
_NAMED, _LETTERS = 2, 26

#: Pieces by the id of their order line.
Pieces = Mapping[int, int]


def kind_of_type(event_type: Any) -> str | None:
    """What a shipping event of this type says of a parcel."""
    kinds = {name.casefold(): kind for name, kind in settings.SHIPPING_EVENTS.items()}
    return kinds.get(event_type.code.casefold()) or kinds.get(event_type.name.casefold())


def kind_of_status(status: str | None) -> str | None:
    """What a status of an order or a line says of its parcels."""
    kinds = {name.casefold(): kind for name, kind in settings.SHIPPING_STATUSES.items()}
    return kinds.get((status or "").casefold())


# ------------------------------------------------------------------------------------------ what is new


def follow(moved: Event) -> Sequence[Event]:
    """What has become of an order that moved, if nobody told it yet: at most one event."""
    if moved.name != MOVED:
        return ()
    kind = moved.data["kind"]
    order = _load([moved.subjects["order"]]).get(moved.subjects["order"])
    if order is None:
        return ()
    news = _by_event(order, moved, kind) if "shipping_event" in moved.data else _by_status(order, moved, kind)
    if news is None:
        return ()
    who = identity.of_order(order)
    told = who.event(
        f"parcel.{kind}", news.key, at=moved.occurred_at, subjects={"order": order.pk}, is_old=True
    )
    return (replace(told, data={**told.data, **news.as_data()}),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What is to be told of some pieces of an order."""

    key: str
    pieces: Pieces
    before: Pieces  #: what was told of these lines already
    number: int  #: the how many-th parcel of its kind it is
    total: int  #: pieces that there are in all
    is_under_way: bool  #: of a delay: nothing of it was still to be sent
    shipping_event: int | None = None

    def as_data(self) -> dict[str, Any]:
        """For the event: JSON. `through` counts, line by line, the pieces told up to this parcel."""
        through = {line: self.before.get(line, 0) + count for line, count in self.pieces.items()}
        told = sum(self.before.values()) + sum(self.pieces.values())
        return {
            "pieces": {str(line): count for line, count in self.pieces.items()},
            "through": {str(line): count for line, count in through.items()},
            "number": self.number,
            "total": self.total,
            "is_last": told >= self.total,
            "is_under_way": self.is_under_way,
            **({"shipping_event": self.shipping_event} if self.shipping_event else {}),
        }


def _by_event(order: Any, moved: Event, kind: str) -> _News | None:
    """What a shipping event adds to earlier ones, and to what a status has told."""
    event = next((each for each in order.told if each.pk == moved.data["shipping_event"]), None)
    if event is None or kind_of_type(event.event_type) != kind:
        return None
    before = [each for each in order.told if each.pk < event.pk]
    return _news(order, kind, _named(event) or None, before, shipping_event=event.pk)


def _by_status(order: Any, moved: Event, kind: str) -> _News | None:
    """What a status says of pieces that no event speaks of. Lines that changed together are one parcel."""
    if "line" in moved.data:
        changed = _changed_lines(order, kind) | {moved.data["line"]}
        meant = [line for line in order.goods if line.pk in changed and kind_of_status(line.status) == kind]
    else:
        meant = order.goods if kind_of_status(order.status) == kind else []
    if not meant:
        return None
    return _news(order, kind, None, order.told, lines={line.pk for line in meant})


def _news(
    order: Any,
    kind: str,
    named: Pieces | None,
    events: Collection[Any],
    *,
    lines: Collection[int] | None = None,
    shipping_event: int | None = None,
) -> _News | None:
    """What is new, after `events`, of the `named` pieces; None: of all that is left of `lines`, or of the order."""
    fates, then = _fates(order, order.told), _fates(order, events)
    meant = fates.keys() & set(named or lines or fates)
    is_under_way = kind == DELAYED and not any(then[line].waiting for line in meant)
    by_status = [told.pieces for told in _by_a_status(order, kind) if told.is_under_way == is_under_way]
    earlier = _of_kind(order, events, kind)
    if is_under_way:  # being late before it was sent is another story
        earlier = _since_sent(order, events, earlier)
    before = Counter[int]()
    for pieces in (*by_status, *(_pieces_of(order, event) for event in earlier)):
        before.update(pieces)
    before = _at_most(order, before)
    left = {line: fates[line].open_to(kind, before[line], is_under_way=is_under_way) for line in meant}
    if named is not None:  # who counts is believed
        left = {line: min(named[line], fates[line].ordered - before[line]) for line in meant}
    new = {line: left[line] for line in sorted(meant) if left[line] > 0}
    if not new:
        return None
    gone = 0 if kind == CANCELLED else sum(fate.gone for fate in fates.values())
    return _News(
        key=f"shipping_event:{shipping_event}" if shipping_event else _status_key(min(new), is_under_way),
        pieces=new,
        before=before,
        number=len(by_status) + len(earlier) + 1,
        total=sum(fate.ordered for fate in fates.values()) - gone,
        is_under_way=is_under_way,
        shipping_event=shipping_event,
    )


def _changed_lines(order: Any, kind: str) -> set[int]:
    """The lines whose change of status waits in the inbox, too."""
    keys = {f"line:{line.pk}:{kind}": line.pk for line in order.goods}
    waiting = InboxEvent.objects.filter(name=MOVED, key__in=keys, processed_at=None)
    return {keys[key] for key in waiting.values_list("key", flat=True)}


def _since_sent(order: Any, events: Collection[Any], delays: Collection[Any]) -> list[Any]:
    """Those of `delays` that came after the last parcel, whether an event or a status told of it."""
    last_event = max((event.pk for event in _of_kind(order, events, SHIPPED)), default=0)
    moments = [told.at for told in _by_a_status(order, SHIPPED)]
    return [
        delay
        for delay in delays
        if delay.pk > last_event and all(delay.date_created > moment for moment in moments)
    ]


def _status_key(first_line: int, is_under_way: bool) -> str:
    """Under its first line a parcel of lines with a status is found again.

    No line gets a status twice; only late it may be twice, before it is sent and on its way.
    """
    return f"status:{first_line}:under_way" if is_under_way else f"status:{first_line}"


# ------------------------------------------------------------------------------------------ what is said


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Some pieces of an order, and what became of them."""

    order: Any
    pieces: Pieces
    number: int
    total: int
    is_last: bool
    is_under_way: bool
    shipping_event: Any = None

    @property
    def tracking(self) -> Tracking:
        """How it is followed."""
        return tracking.read(self.shipping_event.notes) if self.shipping_event else Tracking()

    def context(self) -> Context:
        """What copy may say of it, in the active language."""
        lines = [(line.title, self.pieces[line.pk]) for line in self.order.goods if line.pk in self.pieces]
        how = self.tracking
        values = {
            "order": self.order.number,
            "items": [{"title": title, "quantity": count} for title, count in lines],
            "contents": contents(lines),
            "count": sum(self.pieces.values()),
            "total": self.total,
            "parcel": self.number,
            "last": self.is_last and self.number > 1,
            "under_way": self.is_under_way,
            "carrier": how.carrier,
            "tracking_number": how.number,
            "is_followed": bool(how.url),
        }
        seen = order_path(self.order)
        followed = links.parcel_path(self.shipping_event.pk) if how.url else seen
        return Context(values=values, links={"parcel": followed, "order": seen})


def contents(lines: Sequence[tuple[str, int]]) -> str:
    """Titles and quantities in a few words: "Earl Grey, 2 x Blue teapot and 1 more"."""
    named = [
        Truncator(title).chars(_LETTERS) if count == 1 else f"{count} x {Truncator(title).chars(_LETTERS)}"
        for title, count in lines[:_NAMED]
    ]
    more = len(lines) - len(named)
    if not more:
        return ", ".join(named)
    return gettext("%(things)s and %(more)d more") % {"things": ", ".join(named), "more": more}


def news(runs: Sequence[Run], kind: str) -> dict[int, Parcel]:
    """By message id: the parcel of each run, if what it says still stands and is still news."""
    orders = _load({run.subjects["order"] for run in runs})
    found = {}
    for run in runs:
        order = orders.get(run.subjects["order"])
        if order is not None and (parcel := _parcel(order, run, kind)) is not None:
            found[run.message_id] = parcel
    return found


def _parcel(order: Any, run: Run, kind: str) -> Parcel | None:
    data = run.data
    event = next((each for each in order.told if each.pk == data.get("shipping_event")), None)
    if "shipping_event" in data and (event is None or kind_of_type(event.event_type) != kind):
        return None  # it was taken back
    if kind != CANCELLED and order.status in settings.NON_CONVERTING_STATUSES:
        return None
    fates = _fates(order, order.told)
    through = {int(line): count for line, count in data["through"].items() if int(line) in fates}
    is_under_way = data.get("is_under_way", False)
    if all(fates[line].overtakes(kind, count, is_under_way) for line, count in through.items()):
        return None
    return Parcel(
        order=order,
        pieces={int(line): count for line, count in data["pieces"].items()},
        number=data["number"],
        total=data["total"],
        is_last=data["is_last"],
        is_under_way=is_under_way,
        shipping_event=event,
    )


def page(shipping_event_id: int) -> str | None:
    """Where the parcel of a shipping event is followed: an address at its carrier, or a path of the shop."""
    event = ShippingEvent.objects.select_related("order__user").filter(pk=shipping_event_id).first()
    if event is None:
        return None
    return tracking.read(event.notes).url or order_path(event.order)


def order_path(order: Any) -> str:
    """Where its buyer sees an order, in the active language; without such a page, the shop's first."""
    if settings.ORDER_URL:
        return settings.ORDER_URL.replace("{number}", quote(str(order.number), safe=""))
    try:
        if order.user_id:
            return reverse("customer:order", kwargs={"order_number": order.number})
        known = {"order_number": order.number, "hash": order.verification_hash()}
        return reverse("customer:anon-order", kwargs=known)
    except NoReverseMatch:
        return "/"


def in_language(parcel: Parcel, language: str) -> Context:
    """What copy may say of a parcel, in a reader's language."""
    with translation.override(language):
        return parcel.context()


# ------------------------------------------------------------------------------------------ reading orders


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fate:
    """What has become of the pieces of one line, as far as it was reported."""

    ordered: int
    sent: int
    arrived: int
    gone: int  #: cancelled

    @property
    def waiting(self) -> int:
        """Those that are still to be sent."""
        return max(0, self.ordered - self.sent - self.gone)

    @property
    def coming(self) -> int:
        """Those that have not arrived, and will."""
        return max(0, self.ordered - self.arrived - self.gone)

    def open_to(self, kind: str, told: int, *, is_under_way: bool) -> int:
        """Of how many news of this kind can still be, after `told` of it, if nobody says how many are meant."""
        if kind == CANCELLED:
            return self.ordered - told
        if kind == DELAYED:
            return min(self.coming if is_under_way else self.waiting, self.ordered - told)
        return self.ordered - self.gone - told

    def overtakes(self, kind: str, through: int, is_under_way: bool) -> bool:
        """Whether it makes older news pointless. What was sent first arrives first: `through` counts from there."""
        if kind == SHIPPED:
            return self.arrived >= through or not self.coming
        if kind == DELAYED:
            return not (self.coming if is_under_way else self.waiting)
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """Pieces of which a status has told something."""

    kind: str
    pieces: Pieces
    is_under_way: bool
    at: datetime  #: when they got the status


def _load(order_ids: Collection[int]) -> dict[int, Any]:
    """Orders with their lines (`goods`) and shipping events (`told`), oldest first, and what statuses told (`by_status`).

    Five statements. What is never shipped, such as a download, is no part of a parcel; nor is a seat, whatever
    the class of its product says: those who booked hear of it by the flows for events.
    """
    lines = OrderLine.objects.select_related("product__product_class", "product__parent__product_class")
    is_booked = Q(product=OuterRef("product")) | Q(product=OuterRef("product__parent"))
    lines = lines.filter(~Exists(ScheduledEvent.objects.filter(is_booked)))
    events = ShippingEvent.objects.select_related("event_type").order_by("pk")
    orders = Order.objects.select_related("user", "shipping_address").prefetch_related(
        Prefetch("lines", lines.order_by("pk"), to_attr="goods"),
        Prefetch("shipping_events", events.prefetch_related("line_quantities"), to_attr="told"),
    )
    found = {order.pk: order for order in orders.filter(pk__in=order_ids)}
    for order in found.values():
        order.goods = [line for line in order.goods if _is_shipped(line)]
        order.by_status = []
    _add_by_status(found.values())
    return found


def _add_by_status(orders: Collection[Any]) -> None:
    """What was told because of statuses: they change again, and what they said once is in the inbox only."""
    keys = {
        _status_key(line.pk, is_under_way): (order, is_under_way)
        for order in orders
        for line in order.goods
        for is_under_way in (False, True)
    }
    kinds = {f"parcel.{kind}": kind for kind in KINDS}
    rows = InboxEvent.objects.filter(name__in=kinds, key__in=keys)
    for name, key, at, data in rows.values_list("name", "key", "occurred_at", "data"):
        if "pieces" in data:  # an erased row says nothing
            order, is_under_way = keys[key]
            pieces = {int(line): count for line, count in data["pieces"].items()}
            told = _Told(kind=kinds[name], pieces=pieces, is_under_way=is_under_way, at=at)
            order.by_status.append(told)


def _by_a_status(order: Any, kind: str) -> list[_Told]:
    return [told for told in order.by_status if told.kind == kind]


def _is_shipped(line: Any) -> bool:
    return line.product is None or line.product.is_shipping_required


def _of_kind(order: Any, events: Collection[Any], kind: str) -> list[Any]:
    """Those that say this of anything that is shipped."""
    return [event for event in events if kind_of_type(event.event_type) == kind and _pieces_of(order, event)]


def _named(event: Any) -> Counter[int]:
    return Counter({each.line_id: each.quantity for each in event.line_quantities.all()})


def _pieces_of(order: Any, event: Any) -> Counter[int]:
    """What an event is about. One that names no lines, as those made in the admin, is about the whole order."""
    named = _named(event)
    if not named:
        return Counter({line.pk: line.quantity for line in order.goods})
    return Counter({line.pk: named[line.pk] for line in order.goods if line.pk in named})


def _fates(order: Any, events: Collection[Any]) -> dict[int, _Fate]:
    """By line: what `events`, and the statuses as they are, say of its pieces."""
    shipped, arrived, gone = (_become(order, kind, events) for kind in (SHIPPED, DELIVERED, CANCELLED))
    return {
        line.pk: _Fate(
            ordered=line.quantity,
            sent=max(shipped[line.pk], arrived[line.pk]),
            arrived=arrived[line.pk],
            gone=gone[line.pk],
        )
        for line in order.goods
    }


def _become(order: Any, kind: str, events: Collection[Any]) -> Counter[int]:
    """The pieces of which events or statuses say this. Sent stays sent, whatever the status says later."""
    found = Counter[int]()
    for event in _of_kind(order, events, kind):
        found.update(_pieces_of(order, event))
    for told in _by_a_status(order, kind) if kind == SHIPPED else ():
        found.update(told.pieces)
    for line in order.goods:
        if kind in (kind_of_status(order.status), kind_of_status(line.status)):
            found[line.pk] = line.quantity
    return _at_most(order, found)


def _at_most(order: Any, pieces: Counter[int]) -> Counter[int]:
    """Never more of a line than was ordered."""
    return Counter({line.pk: min(pieces[line.pk], line.quantity) for line in order.goods})
