"""Email address or password of an account changed: its owner hears of it at once, on every channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy as _

from ..conf import settings
from ..core.facts import EMAIL, SMS
from ..core.plan import After, Blueprint, Context, On, Run, send
from ..oscar import security


class SecurityAlert(Blueprint):
    """An account was changed"""

    topic = "account_security"
    priority = 0
    start = On(security.CHANGED)
    glossary = {
        "changed.email": _("Whether it was the email address"),
        "changed.password": _("Whether it was the password"),
        "at": _("When, as a moment"),
        "support": _("Where customers get help; empty if the shop’s settings do not say"),
        "links.password": _("Leads to where one sets a new password; missing in a shop without such a page"),
    }

    alert = send(EMAIL, SMS, at=After(minutes=0), expires=After(hours=24))

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        return {run.message_id: _context(run) for run in runs}

    def occasion(self, run: Run) -> str:
        day = date_format(localtime(run.anchor), "DATE_FORMAT")
        return gettext("Something about your account was changed on %(day)s.") % {"day": day}

    def example(self) -> Context:
        return _said(email=True, password=True, at=datetime(2026, 3, 10, 9, 30, tzinfo=UTC))


class SecurityAlertOldAddress(SecurityAlert):
    """An account no longer has this email address"""

    start = On(security.LEFT)

    # the address is all that is known here: whoever has the phone is told by the alert above
    alert = send(EMAIL, at=After(minutes=0), expires=After(hours=24))


def _context(run: Run) -> Context:
    with translation.override(run.language):
        changed = {name: bool(run.data.get(name)) for name in ("email", "password")}
        return _said(**changed, at=run.anchor)


def _said(*, email: bool, password: bool, at: datetime) -> Context:
    values = {
        "changed": {"email": email, "password": password},
        "at": at,
        "support": settings.SUPPORT_CONTACT,
    }
    try:
        return Context(values=values, links={"password": reverse("password-reset")})
    except NoReverseMatch:
        return Context(values=values)
