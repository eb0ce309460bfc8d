"""Somebody signs up: a code at once by text, the shop's story in two emails, and a word before the code ends.

Two flows, because a step is over when the next one falls due, and the code must be able to wait for days: a number
whose confirmation was asked for on a Saturday night may answer on Tuesday.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..core.plan import After, Blueprint, Context, On, Run, send
from ..services import vouchers
from ..services.subscribers import JOINED
from .shopfront import Shopfront

#: A code that works for longer does not end soon. It ends eight days after it was given, on the third at the latest.
SOON = timedelta(days=4)
#: The question for a number waits for open hours, over a Sunday and a holiday at most, and is good for a day.
LONGEST_QUESTION = timedelta(days=4)


class Welcome(Shopfront, Blueprint):
    """Welcome"""

    topic = "weekly_deals"
    start = On(JOINED, once=True)
    priority = 40

    # Nothing by email at once: the shop's own mail about the new account comes then.
    story = send("email", at=After(days=1))
    guide = send("email", at=After(days=3), expires=After(days=7))


class WelcomeCode(Shopfront, Blueprint):
    """Welcome code"""

    topic = "weekly_deals"
    start = On(JOINED, once=True)
    priority = 40

    glossary = {
        **Shopfront.glossary,
        "code": _("The code of the first message, as long as nobody has used it; else empty"),
        "code_until": _("Until when it works; written as you like, such as {{ code_until|date:'j F, H:i' }}"),
    }

    # Where merchants add emails as the second choice, they come when nobody confirmed the number.
    # It may have waited for a day, for a number's confirmation or a left basket: who has bought meanwhile needs no
    # discount on a first order.
    hello = send(
        "sms",
        at=After(minutes=0),
        patience=LONGEST_QUESTION,
        voucher=True,
        voucher_valid=timedelta(days=8),
        unless="purchased",
    )
    expiring = send("sms", at=After(days=7), unless="purchased")

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        """About the shop, and the code. Nobody is told that a code ends soon unless it does."""
        about_shop, codes = super().context(runs), _codes(runs)
        return {
            run.message_id: _with_code(about_shop[run.message_id], codes.get(run.message_id, {}))
            for run in runs
            if run.step != "expiring" or _ends_soon(run, codes.get(run.message_id))
        }

    def example(self) -> Context:
        code = {"code": "WELCOME4YOU", "code_until": timezone.now() + timedelta(days=1)}
        return _with_code(super().example(), code)


def _codes(runs: Sequence[Run]) -> dict[int, dict[str, Any]]:
    """By message: the code of its run, as long as it works."""
    grants = vouchers.of_runs({run.enrolment_id for run in runs if run.enrolment_id is not None})
    used = vouchers.used(grants.values())
    return {
        run.message_id: {"code": grant.code, "code_until": grant.valid_until}
        for run in runs
        if (grant := grants.get(run.enrolment_id or 0)) is not None
        and grant.pk not in used
        and grant.valid_until > run.now
    }


def _ends_soon(run: Run, code: Mapping[str, Any] | None) -> bool:
    """Merchants may let codes work for longer, and the last message come earlier."""
    return code is not None and code["code_until"] <= run.now + SOON


def _with_code(said: Context, code: Mapping[str, Any]) -> Context:
    return replace(said, values={"code": "", "code_until": None, **said.values, **code})
