"""Everything between the shop and one contact, newest first: what was said, agreed, clicked and bought."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy as _
from oscar.core.loading import get_model
from oscar.templatetags.currency_filters import currency

from ..core.facts import EMAIL
from ..core.lifecycle import OPEN, State
from ..models import Click, ConsentEvent, Contact, Enrolment, Message, Topic
from . import sentences, stories, titles

#: Entries on one page.
MOST = 100

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


def of(contact: Contact, now: datetime) -> list[Entry]:
    """The newest `MOST` entries of a contact and of those merged into it, in one statement per kind."""
    ids = [contact.pk, *Contact.objects.filter(merged_into=contact).values_list("pk", flat=True)]
    entries = [*_runs(ids), *_messages(ids, now), *_consents(ids), *_clicks(ids), *_orders(contact)]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:MOST]


def _runs(ids: Collection[int]) -> Iterator[Entry]:
    runs = Enrolment.objects.filter(contact__in=ids).select_related("flow").order_by("-id")
    for run in runs[:MOST]:
        title, url = titles.flow(run.flow.key), titles.page(run)
        yield Entry(run.started_at, _("Flow"), "open", gettext("%(flow)s began") % {"flow": title}, url=url)
        if run.ended_at:
            ended = gettext("%(flow)s ended") % {"flow": title}
            yield Entry(run.ended_at, _("Flow"), "quiet", ended, sentences.reason(run.end_reason), url)


def _messages(ids: Collection[int], now: datetime) -> Iterator[Entry]:
    messages = Message.objects.filter(contact__in=ids).select_related("flow").order_by("-id")
    for message in messages[:MOST]:
        state = State(message.state)
        yield Entry(
            at=message.due_at if state in OPEN else message.resolved_at or message.due_at,
            kind=_("Message"),
            tone=sentences.TONES[state],
            title=f"{titles.flow(message.flow.key)}: {titles.step(message.step_key)}",
            detail=stories.sentence(message, now),
            url=titles.page(message),
        )


def _consents(ids: Collection[int]) -> Iterator[Entry]:
    topics = dict(Topic.objects.values_list("key", "name"))
    for event in ConsentEvent.objects.filter(contact__in=ids).order_by("-id")[:MOST]:
        said = gettext("“%(words)s”") % {"words": event.verbatim} if event.verbatim else ""
        yield Entry(
            at=event.at,
            kind=_("Consent"),
            tone=_CONSENT_TONES.get(ConsentEvent.Action(event.action), "quiet"),
            title=stories.consent(event, topics.get(event.topic, "")),
            detail=", ".join(filter(None, [event.source, event.mechanism, said])),
            url=titles.page(event),
        )


def _clicks(ids: Collection[int]) -> Iterator[Entry]:
    clicks = Click.objects.filter(message__contact__in=ids).select_related("message__flow").order_by("-id")
    for click in clicks[:MOST]:
        yield Entry(
            at=click.at,
            kind=_("Click"),
            tone=_CLICK_TONES[Click.Verdict(click.verdict)],
            title=gettext("%(who)s followed a link of “%(message)s”")
            % {"who": click.get_verdict_display(), "message": titles.step(click.message.step_key)},
            detail="; ".join(str(sentences.SUSPICIONS.get(sign, sign)) for sign in click.suspicions),
            url=titles.page(click.message),
        )


def _orders(contact: Contact) -> Iterator[Entry]:
    """Orders of the account, and those a guest placed with an email of the contact."""
    emails = [point.address for point in contact.points.all() if point.channel == EMAIL]
    mine = Q(guest__in=emails)
    if contact.user_id:
        mine |= Q(user=contact.user_id)
    orders = Order.objects.annotate(guest=Lower("guest_email")).filter(mine)
    for order in orders.order_by("-date_placed")[:MOST]:
        total = currency(order.total_incl_tax, order.currency)
        yield Entry(
            at=order.date_placed,
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
