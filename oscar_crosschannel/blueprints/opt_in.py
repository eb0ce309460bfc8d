"""Asking the owner of an address whether a ticked box was meant.

The question goes through the ledger like every message, so it is asked once, survives a crash,
and is not asked any more when the answer came first. It offers nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from ..conf import settings
from ..core import phones
from ..core.facts import EMAIL, SMS
from ..core.plan import After, Blueprint, Context, On, Run, send
from ..models import ConsentEvent
from ..services import consents, links


class _OptIn(Blueprint):
    """A question that ends with the request it is about."""

    topic = "service"
    priority = 10

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Who has answered is not asked."""
        waiting = consents.unanswered(_requests(runs))
        return {run.message_id for run in runs if _request(run) in waiting}

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        requests = consents.unanswered(_requests(runs))
        return {
            run.message_id: self.words(requests[_request(run)]) for run in runs if _request(run) in requests
        }

    def words(self, request: ConsentEvent) -> Context:
        """What the copy may say about one request."""
        raise NotImplementedError


class OptInSms(_OptIn):
    """Confirm texts"""

    start = On("consent.requested.sms")

    ask = send(SMS, at=After(minutes=0), expires=After(hours=24))

    def words(self, request: ConsentEvent) -> Context:
        return Context(values={"frequency": settings.SMS_FREQUENCY})


class OptInEmail(_OptIn):
    """Confirm by email"""

    start = On("consent.requested.email")

    ask = send(EMAIL, at=After(minutes=0), expires=After(days=7))

    def words(self, request: ConsentEvent) -> Context:
        """`number` is masked, and set when the request is about texts."""
        values: dict[str, Any] = {
            "number": phones.mask(request.address) if request.channel == SMS else "",
            "days": settings.OPT_IN_EXPIRES[EMAIL] // timedelta(days=1),
            "unsubscribe_url": "",  # nothing was subscribed to yet
        }
        return Context(values=values, links={"confirm": links.confirm_path(request.pk)})


def _request(run: Run) -> int:
    return run.subjects["consent_request"]


def _requests(runs: Sequence[Run]) -> set[int]:
    return {_request(run) for run in runs}
