"""Topics in the reader's words: the merchant's, or those that ship with the app, in every language it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext, gettext_noop

from ..core.facts import Purpose
from ..models import Topic

_T = TypeVar("_T")

#: The topic of the question by text whether a number was meant.
QUESTIONS = "questions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How a topic is called, and what it is about; the description may be empty."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """A topic that every installation begins with. Its words are translated until the merchant changes them."""

    name: str
    description: str
    purpose: Purpose
    #: whether shoppers choose it; the others are only what pages of the shop ask for
    offered: bool = True
    #: it is asked for with an email address, so that texts about it take a consent of their own
    texts_by_consent: bool = False


#: By key, in the order in which shoppers see them.
SHIPPED: Mapping[str, Shipped] = {
    "weekly_deals": Shipped(
        name=gettext_noop("Weekly deals"),
        description=gettext_noop("New things and offers, once or twice a week."),
        purpose=Purpose.MARKETING,
    ),
    "basket_reminders": Shipped(
        name=gettext_noop("Basket reminders"),
        description=gettext_noop("A nudge when something was left in the basket."),
        purpose=Purpose.MARKETING,
    ),
    "reviews": Shipped(
        name=gettext_noop("Review requests"),
        description=gettext_noop("A question how you like it, two weeks after you bought something."),
        purpose=Purpose.MARKETING,
    ),
    "events": Shipped(
        name=gettext_noop("Events"),
        description=gettext_noop("Reminders of events booked in the shop."),
        purpose=Purpose.REQUESTED,
    ),
    # what pages of the shop ask for: Oscar's form for a product that is sold out
    "stock_alerts": Shipped(
        name=gettext_noop("Back in stock"),
        description=gettext_noop("Something you asked about can be bought again."),
        purpose=Purpose.REQUESTED,
        offered=False,
        texts_by_consent=True,
    ),
    "order_updates": Shipped(
        name=gettext_noop("Order updates"),
        description=gettext_noop("What happens with an order."),
        purpose=Purpose.TRANSACTIONAL,
    ),
    "event_changes": Shipped(
        name=gettext_noop("Changed events"),
        description=gettext_noop("An event you booked takes place at another time, or not at all."),
        purpose=Purpose.CRITICAL,
        offered=False,
    ),
    "account_security": Shipped(
        name=gettext_noop("Account security"),
        description=gettext_noop("The email address or password of your account was changed."),
        purpose=Purpose.CRITICAL,
        offered=False,
    ),
    "service": Shipped(
        name=gettext_noop("Service"),
        description=gettext_noop("Confirmations of what was asked for on these pages."),
        purpose=Purpose.TRANSACTIONAL,
        offered=False,
    ),
    # apart from `service`, because quiet hours and legal caps bind it: whoever asked may have mistyped
    QUESTIONS: Shipped(
        name=gettext_noop("Questions by text"),
        description=gettext_noop("Whether a number that was given in the shop may be texted."),
        purpose=Purpose.REQUESTED,
        offered=False,
    ),
}


def texts_by_consent(key: str) -> bool:
    """Whether asking for a topic is no asking for texts about it."""
    return key in SHIPPED and SHIPPED[key].texts_by_consent


def in_order() -> QuerySet[Topic]:
    """All topics in the shopper's order, ready for `words`. Two statements."""
    return Topic.objects.prefetch_related("words")


def words(topic: Topic, language: str) -> Words:
    """How `topic` is called in a language ("de", "pt-br"); reads `topic.words`, which lists prefetch.

    The merchant's words for the language, or for it without its region. Else the row's own, which
    are translated while they are the shipped ones.
    """
    return _further(topic).get(language.lower()) or inherited(topic, language)


def name(key: str, written: str, further: Mapping[str, str], language: str) -> str:
    """The name alone, for whoever read columns: `written` is the row's, `further` are those by language."""
    by_language = {spoken.lower(): own for spoken, own in further.items()}
    for spoken in (language.lower(), language.lower().partition("-")[0]):
        if spoken in by_language:
            return by_language[spoken]
    shipped = SHIPPED.get(key)
    with translation.override(language):
        return _in_force(written, shipped.name) if shipped else written


def inherited(topic: Topic, language: str) -> Words:
    """How `topic` would be called if nobody had written words for exactly this language."""
    base, _, region = language.lower().partition("-")
    if region and (own := _further(topic).get(base)):
        return own
    shipped = SHIPPED.get(topic.key)
    if shipped is None:
        return Words(name=topic.name, description=topic.description)
    with translation.override(language):
        return Words(
            name=_in_force(topic.name, shipped.name),
            description=_in_force(topic.description, shipped.description),
        )


def _further(topic: Topic) -> dict[str, Words]:
    """The merchant's words by language, beside those of the row itself."""
    rows = topic.words.all() if topic.pk else ()
    return {row.language.lower(): Words(name=row.name, description=row.description) for row in rows}


def _in_force(written: str, shipped: str) -> str:
    return gettext(shipped) if written == shipped else written
