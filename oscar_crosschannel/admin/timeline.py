"""Everything between the shop and one contact, newest first: what was said, agreed, clicked and bought.

A page of it costs one statement per kind of thing, however long the contact has been known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from heapq import merge
from itertools import islice
from typing import Any

from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.functions import Coalesce
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext, gettext_lazy as _
from oscar.core.loading import get_model
from oscar.templatetags.currency_filters import currency

from ..core.facts import EMAIL, SMS
from ..core.lifecycle import OPEN, State
from ..models import (
    Belonging,
    Click,
    ConsentEvent,
    Contact,
    Enrolment,
    Flow,
    InboxEvent,
    Message,
    Suppression,
    Topic,
)
from . import acting, people, sentences, stories, titles

#: Entries on one page.
MOST = 50

Order = get_model("order", "Order")

#: Colour of what a person did to a consent; see admin.css.
_CONSENT_TONES = {
    ConsentEvent.Action.GRANT: "good",
    ConsentEvent.Action.REVOKE: "bad",
    ConsentEvent.Action.REQUEST: "doubt",
}
_CLICK_TONES = {Click.Verdict.HUMAN: "good", Click.Verdict.SUSPECT: "doubt", Click.Verdict.BOT: "quiet"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, or will."""

    at: datetime
    kind: str | Promise
    tone: str
    title: str
    detail: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, and where those before them begin; empty: there are none."""

    entries: Sequence[Entry]
    earlier: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of thing: its rows, with the instant as `moment`, and how one of them is told."""

    rows: QuerySet[Any]
    tell: Callable[[Any], Entry]


@dataclass(frozen=True, slots=True)
class _Place:
    """Between two entries. Of one instant, kinds come in their order, and the newer row first."""

    at: datetime
    rank: int
    row: int

    @classmethod
    def read(cls, written: str) -> _Place | None:
        """None: this is no place."""
        try:
            at, rank, row = written.split("~")
            place = cls(datetime.fromisoformat(at), int(rank), int(row))
        except ValueError:
            return None
        return place if place.at.tzinfo and abs(place.row) < 2**63 else None

    def __str__(self) -> str:
        return f"{self.at.isoformat()}~{self.rank}~{self.row}"

    def after(self, rank: int) -> Q:
        """What of the kind with this rank comes after."""
        if rank < self.rank:
            return Q(moment__lt=self.at)
        if rank > self.rank:
            return Q(moment__lte=self.at)
        return Q(moment__lt=self.at) | Q(moment=self.at, pk__lt=self.row)


def of(contact: Contact, now: datetime, before: str = "") -> Page:
    """A page of what happened with a contact, and with those merged into it; `before`: see `Page.earlier`."""
    start = _Place.read(before)
    found = list(islice(_in_order(_kinds(contact, now), start), MOST + 1))
    more = len(found) > MOST
    return Page(
        entries=[kind.tell(row) for _key, _place, kind, row in found[:MOST]],
        earlier=str(found[MOST - 1][1]) if more else "",
    )


_Found = tuple[tuple[float, int, int], _Place, _Kind, Any]


def _in_order(kinds: Sequence[_Kind], start: _Place | None) -> Iterator[_Found]:
    return merge(*(_rows(kind, rank, start) for rank, kind in enumerate(kinds)), key=lambda found: found[0])


def _rows(kind: _Kind, rank: int, start: _Place | None) -> list[_Found]:
    rows = kind.rows.filter(start.after(rank)) if start else kind.rows
    return [
        ((-row.moment.timestamp(), rank, -row.pk), _Place(row.moment, rank, row.pk), kind, row)
        for row in rows.order_by("-moment", "-pk")[: MOST + 1]
    ]


def _kinds(contact: Contact, now: datetime) -> list[_Kind]:
    """In the order in which they happen when they happen at once, the last first."""
    ids = people.lives([contact.pk])
    flows = {row.pk: row for row in Flow.objects.prefetch_related("steps")}
    points = list(contact.points.all())
    return [
        _messages(ids, flows, now),
        _staff(ids),
        *_suppressions(points),
        *_runs(ids, flows),
        _consents(ids),
        *_replies(points),
        _clicks(ids, flows),
        *_orders(contact),
    ]


def _messages(ids: Collection[int], flows: Mapping[int, Flow], now: datetime) -> _Kind:
    moment = Case(When(state__in=OPEN, then=F("due_at")), default=Coalesce("resolved_at", "due_at"))

    def tell(message: Any) -> Entry:
        return Entry(
            at=message.moment,
            kind=_("Message"),
            tone=sentences.TONES[State(message.state)],
            title=f"{titles.flow(flow := flows[message.flow_id])}: {titles.step_of(flow, message.step_key)}",
            detail=stories.sentence(message, now),
            url=titles.page(message),
        )

    return _Kind(Message.objects.filter(contact__in=ids).annotate(moment=moment), tell)


def _runs(ids: Collection[int], flows: Mapping[int, Flow]) -> list[_Kind]:
    runs = Enrolment.objects.filter(contact__in=ids)

    def began(run: Any) -> Entry:
        title = gettext("%(flow)s began") % {"flow": titles.flow(flows[run.flow_id])}
        return Entry(run.moment, _("Flow"), "open", title, url=titles.page(run))

    def ended(run: Any) -> Entry:
        title = gettext("%(flow)s ended") % {"flow": titles.flow(flows[run.flow_id])}
        return Entry(
            run.moment, _("Flow"), "quiet", title, sentences.reason(run.end_reason), titles.page(run)
        )

    return [
        _Kind(runs.filter(ended_at__isnull=False).annotate(moment=F("ended_at")), ended),
        _Kind(runs.annotate(moment=F("started_at")), began),
    ]


def _consents(ids: Collection[int]) -> _Kind:
    topics = dict(Topic.objects.values_list("key", "name"))

    def tell(event: Any) -> Entry:
        how = str(sentences.WAYS.get(event.mechanism, event.mechanism))
        by = event.actor if event.source == "staff" else ""
        said = gettext("“%(words)s”") % {"words": event.verbatim} if event.verbatim else ""
        return Entry(
            at=event.moment,
            kind=_("Consent"),
            tone=_CONSENT_TONES.get(ConsentEvent.Action(event.action), "quiet"),
            title=stories.consent(event, topics.get(event.topic, "")),
            detail=", ".join(filter(None, [event.source, how, by, said])),
            url=titles.page(event),
        )

    return _Kind(ConsentEvent.objects.filter(contact__in=ids).annotate(moment=F("at")), tell)


def _replies(points: Collection[Any]) -> list[_Kind]:
    """What was written back from the person's numbers and mailboxes."""
    addresses = {channel: [p.address for p in points if p.channel == channel] for channel in (SMS, EMAIL)}
    texts = InboxEvent.objects.filter(name="sms.received", phone__in=addresses[SMS])
    letters = InboxEvent.objects.filter(name="email.received", email__in=addresses[EMAIL])
    return [
        _Kind(rows.annotate(moment=F("occurred_at")), partial(_reply, words))
        for rows, words in ((texts, _("texted back: “%(words)s”")), (letters, _("wrote back: “%(words)s”")))
    ]


def _reply(title: sentences.Words, event: Any) -> Entry:
    words = Truncator(event.data.get("body") or event.data.get("subject", "")).chars(300)
    meaning = sentences.REPLIES.get(event.data.get("meaning", ""), "")
    return Entry(
        event.moment, _("Reply"), "open", str(title) % {"words": words}, str(meaning), titles.page(event)
    )


def _clicks(ids: Collection[int], flows: Mapping[int, Flow]) -> _Kind:
    def tell(click: Any) -> Entry:
        message = click.message
        step = titles.step_of(flows[message.flow_id], message.step_key)
        words = {"who": click.get_verdict_display(), "message": step}
        return Entry(
            at=click.moment,
            kind=_("Click"),
            tone=_CLICK_TONES[Click.Verdict(click.verdict)],
            title=gettext("%(who)s followed a link of “%(message)s”") % words,
            detail="; ".join(str(sentences.SUSPICIONS.get(sign, sign)) for sign in click.suspicions),
            url=titles.page(click.message),
        )

    clicks = Click.objects.filter(message__contact__in=ids).select_related("message")
    return _Kind(clicks.annotate(moment=F("at")), tell)


def _orders(contact: Contact) -> list[_Kind]:
    """Orders of the account, and what the person bought as a guest.

    A guest's order is known by the event it made: Oscar has no index over the emails of guests.
    """
    as_guest = Belonging.objects.filter(kind="order", contact=contact).values("object_id")
    account = Order.objects.filter(user=contact.user_id) if contact.user_id else Order.objects.none()
    return [
        _Kind(orders.annotate(moment=F("date_placed")), _order)
        for orders in (account, Order.objects.filter(pk__in=as_guest, user=None))
    ]


def _order(order: Any) -> Entry:
    total = currency(order.total_incl_tax, order.currency)
    return Entry(
        at=order.moment,
        kind=_("Order"),
        tone="good",
        title=gettext("order %(number)s for %(total)s") % {"number": order.number, "total": total},
        detail=order.status or "",
        url=_order_page(order),
    )


def _order_page(order: Any) -> str:
    """In Oscar's dashboard, where merchants work; a headless store may have none."""
    try:
        return reverse("dashboard:order-detail", kwargs={"number": order.number})
    except NoReverseMatch:
        return titles.page(order)


def _suppressions(points: Collection[Any]) -> list[_Kind]:
    """The list keeps one row for an address: the last time it was blocked, and lifted."""
    mine = Suppression.objects.filter(digest__in=[point.digest for point in points])

    def lifted(row: Any) -> Entry:
        title = gettext("the address for %(channel)s is no longer blocked")
        return Entry(
            row.moment, _("Suppression"), "good", title % _of_channel(row), row.note, titles.page(row)
        )

    def began(row: Any) -> Entry:
        title = gettext("the address for %(channel)s was put on the suppression list") % _of_channel(row)
        detail = "; ".join(filter(None, [row.get_cause_display(), "" if row.lifted_at else row.note]))
        return Entry(row.moment, _("Suppression"), "bad", title, detail, titles.page(row))

    return [
        _Kind(mine.filter(lifted_at__isnull=False).annotate(moment=F("lifted_at")), lifted),
        _Kind(mine.annotate(moment=F("since")), began),
    ]


def _of_channel(row: Suppression) -> dict[str, str]:
    return {"channel": sentences.channels([row.channel])}


def _staff(ids: Collection[int]) -> _Kind:
    def tell(entry: Any) -> Entry:
        by = gettext("by %(who)s") % {"who": entry.user.get_username()}
        return Entry(entry.moment, _("Staff"), "open", entry.get_change_message(), by)

    return _Kind(acting.written_about(Contact, ids).annotate(moment=F("action_time")), tell)
