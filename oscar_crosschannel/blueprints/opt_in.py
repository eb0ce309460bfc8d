"""Asking the owner of an address whether a ticked box was meant.

The question goes through the ledger like every message, so it is asked once, survives a crash,
and is not asked any more when the answer came first. It offers nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy as _

from ..conf import settings
from ..core import phones
from ..core.facts import EMAIL, SMS
from ..core.plan import After, Blueprint, Context, On, Run, send
from ..core.timing import HORIZON
from ..models import ConsentEvent
from ..services import consents, links, topics, wordings


class _OptIn(Blueprint):
    """A question that ends with the request it is about."""

    priority = 10

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Who has answered is not asked."""
        return set(self.open_requests(runs))

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        requests = self.open_requests(runs)
        called = _names(requests.values())
        return {
            message_id: self.words(request, called[request.pk]) for message_id, request in requests.items()
        }

    def open_requests(self, runs: Sequence[Run]) -> dict[int, ConsentEvent]:
        """What is still to be asked, by message id."""
        waiting = consents.unanswered({_request(run) for run in runs})
        return {run.message_id: waiting[_request(run)] for run in runs if _request(run) in waiting}

    def occasion(self, run: Run) -> str:
        day = date_format(localtime(run.anchor), "DATE_FORMAT")
        return gettext("Somebody asked for our messages on %(day)s and gave this address.") % {"day": day}

    def words(self, request: ConsentEvent, topics: str) -> Context:
        """What the copy may say about one request, which is for `topics`."""
        raise NotImplementedError


class OptInSms(_OptIn):
    """Confirm texts"""

    topic = topics.QUESTIONS  # its hours bind: nobody knows yet who has the number
    start = On("consent.requested.sms")
    glossary = {
        "topics": _("What was asked for"),
        "frequency": _("How many texts a month people are promised at most"),
    }

    # the longest that hours may be closed, and a day; the request's own end comes before
    ask = send(SMS, at=After(minutes=0), expires=After(days=HORIZON.days + 1))

    def open_requests(self, runs: Sequence[Run]) -> dict[int, ConsentEvent]:
        """Of several numbers that somebody gave only the last is asked: the others were mistakes."""
        requests = super().open_requests(runs)
        if not requests:
            return {}
        asked = consents.numbers_asked({run.contact_id for run in runs}, now=runs[0].now)
        numbers = {run.message_id: asked.get(run.contact_id) for run in runs}
        return {
            message_id: request
            for message_id, request in requests.items()
            if request.address == numbers[message_id]
        }

    def words(self, request: ConsentEvent, topics: str) -> Context:
        return Context(values={"topics": topics, "frequency": settings.SMS_FREQUENCY})

    def example(self) -> Context:
        values = {"topics": gettext("Basket reminders"), "frequency": settings.SMS_FREQUENCY}
        return Context(values=values)


class OptInEmail(_OptIn):
    """Confirm by email"""

    topic = "service"
    start = On("consent.requested.email")
    glossary = {
        "topics": _("What was asked for"),
        "number": _("The phone number to be confirmed, masked; empty if it is about emails"),
        "days": _("How many days the link works"),
        "links.confirm": _("Leads to the page that confirms"),
    }

    ask = send(EMAIL, at=After(minutes=0), expires=After(days=7))

    def words(self, request: ConsentEvent, topics: str) -> Context:
        """`number` is masked, and set when the request is about texts."""
        values: dict[str, Any] = {
            "topics": topics,
            "number": phones.mask(request.address) if request.channel == SMS else "",
            "days": consents.opt_in_expiry(EMAIL) // timedelta(days=1),
            "unsubscribe_url": "",  # nothing was subscribed to yet
        }
        return Context(values=values, links={"confirm": links.confirm_path(request.pk)})

    def example(self) -> Context:
        days = consents.opt_in_expiry(EMAIL) // timedelta(days=1)
        topics = gettext("Basket reminders")
        return Context(
            values={"topics": topics, "number": "", "days": days, "unsubscribe_url": ""},
            links={"confirm": "/"},
        )


def _names(requests: Collection[ConsentEvent]) -> dict[int, str]:
    """What each request is for, in the language in which it was made. One statement for each language."""
    by_language = {
        language: wordings.read(language)
        for language in {request.text.language for request in requests if request.text is not None}
    }
    return {
        request.pk: ", ".join(by_language[request.text.language].names(consents.topics_of(request)))
        for request in requests
        if request.text is not None
    }


def _request(run: Run) -> int:
    return run.subjects["consent_request"]
