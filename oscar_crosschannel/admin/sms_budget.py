"""What the shop wants to spend on texts in a day and a month, and what it has spent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _, ngettext

from ..models import SmsBudget
from ..services import prices, sms_budget
from ..services.sms_budget import Key, Standing
from . import sentences
from .editing import Sheet, SheetForm
from .overviews import OverviewAdmin
from .reading import badge

_TITLES: Mapping[str, sentences.Words] = {Key.DAY: _("today"), Key.MONTH: _("this month")}


def limit(most: int | None) -> str:
    """A budget in words: "at most 500 segments"."""
    if most is None:
        return gettext("no limit")
    words = ngettext("at most %(number)s segment", "at most %(number)s segments", most)
    return words % {"number": formats.number_format(most, force_grouping=True)}


def cost(taken: Mapping[str, int]) -> str:
    """What segments by country cost, as an estimate: "12.45 USD, without 3 segments whose price is not known"."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    unknown = 0
    for country, segments in taken.items():
        price = prices.of_segment(country) if country else None
        if price is None:
            unknown += segments
        else:
            sums[price.currency] += price.each * segments
    told = ", ".join(
        f"{formats.number_format(amount, 2)} {currency}" for currency, amount in sorted(sums.items())
    )
    if not unknown:
        return told or "–"
    without = ngettext(
        "%(count)d segment whose price is not known", "%(count)d segments whose price is not known", unknown
    ) % {"count": unknown}
    return gettext("%(cost)s, without %(unknown)s") % {"cost": told, "unknown": without} if told else without


class BudgetForm(SheetForm):
    """How many segments; empty is inherited."""

    def __init__(self, data: QueryDict | None, *, row: SmsBudget) -> None:
        super().__init__(data, initial={"most": row.most})
        project = sms_budget.inherited(Key(row.key))
        self.fields["most"] = forms.IntegerField(
            label=_("Segments at most"),
            required=False,
            min_value=0,
            max_value=1_000_000_000,
            widget=forms.NumberInput({"placeholder": gettext("no limit") if project is None else project}),
            help_text=_("Empty: as the project's settings say. 0 stops all texts for marketing."),
        )
        if row.most is not None:
            self.changed["most"] = gettext("project: %(value)s") % {"value": limit(project)}


class BudgetSheet(Sheet):
    row: SmsBudget

    @staticmethod
    def find(key: str, *, lock: bool) -> SmsBudget | None:
        return sms_budget.lock(key) if lock else sms_budget.find(key)

    def title(self) -> str:
        return gettext("Budget for texts of a %(time)s") % {"time": self.row.get_key_display()}

    def forms(self, data: QueryDict | None) -> Sequence[SheetForm]:
        return [BudgetForm(data, row=self.row)]

    def facts(self) -> Sequence[tuple[str, Any]]:
        stands = sms_budget.standing(self.row, self.now)
        return [
            (gettext("Segments %(time)s") % {"time": _TITLES[stands.key]}, stands.used),
            (gettext("Estimated cost"), cost(stands.taken)),
        ]

    def told(self) -> Mapping[str, str]:
        return {gettext("Budget"): limit(sms_budget.limit(self.row))}

    def keep(self, sections: Sequence[Any]) -> str:
        self.row.most = sections[0].cleaned_data["most"]
        sms_budget.keep(self.row.key, self.row.most, now=self.now)
        return ""

    def help(self) -> str:
        return gettext(
            "Texts that belong to an order or an account count, and go out in any case; what answers a text at "
            "once, such as HELP or STOP, does not count. Texts for marketing "
            "that find too little left wait until the next day or month begins, or go by another channel; "
            "what would be too late by then is not sent. A text that is too long for one segment takes several."
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A budget in the list."""

    stands: Standing
    title: str
    url: str
    limit: str
    cost: str
    badge: SafeString | str


@admin.register(SmsBudget)
class BudgetAdmin(OverviewAdmin):
    sheet = BudgetSheet

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def overview(self, request: HttpRequest) -> Mapping[str, Any]:
        """Both budgets, and what they have been used for."""
        return {"rows": [_row(stands) for stands in sms_budget.standings(timezone.now())]}


def _row(stands: Standing) -> Row:
    return Row(
        stands=stands,
        title=capfirst(str(_TITLES[stands.key])),
        url=reverse("admin:oscar_crosschannel_smsbudget_change", args=[stands.key]),
        limit=limit(stands.most),
        cost=cost(stands.taken),
        badge=_badge(stands),
    )


def _badge(stands: Standing) -> SafeString | str:
    if stands.is_closed:
        return badge(gettext("used up until %(time)s") % {"time": _at(stands.ends)}, "bad")
    return badge(_("nearly used up"), "doubt") if stands.percent >= sms_budget.ALERTS[0] else ""


def _at(instant: datetime) -> str:
    return formats.date_format(timezone.localtime(instant), "SHORT_DATETIME_FORMAT")
