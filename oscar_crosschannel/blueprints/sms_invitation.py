"""Somebody gets our emails and has never said a word about texts: one email invites them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy as _

from ..conf import settings
from ..core.facts import EMAIL, SMS
from ..core.plan import After, Blueprint, Context, On, Run, send
from ..services import links, subscribers
from ..services.subscribers import GRANTED


class SmsInvitation(Blueprint):
    """Invitation to texts"""

    topic = "weekly_deals"
    start = On(f"{GRANTED}.{EMAIL}", once=True)
    stops = (On(f"{GRANTED}.{SMS}"),)
    priority = 70

    glossary = {
        "frequency": _("How many texts a month people are promised at most"),
        "links.join": _("Leads to the page on which one signs up for texts"),
    }

    invite = send("email", at=After(days=14), expires=After(days=28), only_if="texts_possible")

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """Who has said yes or no to texts is not asked again."""
        answered = subscribers.answered({run.contact_id for run in runs}, SMS, self.topic)
        return {run.message_id for run in runs if run.contact_id not in answered}

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        return {run.message_id: _context(links.join_texts_path(run.message_id)) for run in runs}

    def occasion(self, run: Run) -> str:
        day = date_format(localtime(run.anchor), "DATE_FORMAT")
        return gettext("You agreed to our emails on %(day)s.") % {"day": day}

    def example(self) -> Context:
        return _context("/")


def _context(path: str) -> Context:
    return Context(values={"frequency": settings.SMS_FREQUENCY}, links={"join": path})
