"""Texts that Oscar itself has words for, in a store whose dispatcher sends them through this app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext, gettext_lazy as _

from ..core.facts import SMS
from ..core.plan import After, Blueprint, Context, On, Run, send
from ..oscar import dispatcher


class ShopTexts(Blueprint):
    """Texts of the shop’s own templates"""

    topic = "order_updates"
    priority = 10
    start = On(dispatcher.WRITTEN)
    glossary = {"text": _("What the shop’s template says")}

    word = send(SMS, at=After(minutes=0), expires=After(hours=24))

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        return {run.message_id: Context(values={"text": run.data["text"]}) for run in runs}

    def example(self) -> Context:
        return Context(values={"text": gettext("Thank you for your order 100023.")})
