"""Where and when people may be texted: the rules of every place, shipped and changed, on one list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst, get_text_list
from django.utils.translation import gettext, gettext_lazy as _, ngettext

from ..conf import settings
from ..core.calendars import is_calendar
from ..core.facts import Basis, Cap
from ..core.lawbook import DEFAULT, MARKETING, UNSURE, PlaceRule
from ..core.whereabouts import Place, may_be_any_state, state_of
from ..models import ConsentEvent, TextingRule
from ..services import limits, texting_rules
from . import place_names, sentences, weeks
from .durations import DurationField
from .editing import Sheet, SheetForm
from .overviews import OpeningAdmin
from .reading import badge

#: From the strictest on; each accepts what those before it accept.
_LADDER = (Basis.EXPRESS_WRITTEN, Basis.EXPRESS, Basis.SOFT_OPT_IN, Basis.IMPLIED)
_BASES = dict(ConsentEvent.Basis.choices)

_BEYOND: Mapping[str, sentences.Words] = {
    "hours": _("hours that are closed in the shipped rule"),
    "holidays_closed": _("public holidays"),
    "bases": _("a consent that the shipped rule does not accept"),
    "most": _("more texts"),
    "one_way": _("texts without another way out than a reply"),
}

_PLACE = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")
_INHERITED = ""


class PlaceForm(SheetForm):
    """What a merchant may change about the rules of one place."""

    def __init__(self, data: QueryDict | None, *, row: TextingRule) -> None:
        self._row, self._inherited = row, texting_rules.inherited(row.place)
        rule = texting_rules.in_force(row)
        super().__init__(data, initial=_initial(row, rule))
        self.fields |= weeks.fields() | self._rules() | self._sources()
        self._show_changes()

    def _rules(self) -> dict[str, forms.Field]:
        was = self._inherited
        fields: dict[str, forms.Field] = {}
        if is_calendar(self._row.place):
            is_closed = bool(was.week and was.week.calendar)
            fields["holidays_closed"] = _choice(
                _("Public holidays"),
                {"yes": _("closed"), "no": _("as other days")},
                "yes" if is_closed else "no",
            )
        if self._row.place not in (MARKETING, UNSURE):
            fields |= {
                "most": forms.IntegerField(
                    label=_("Texts to one number, at most"),
                    required=False,
                    min_value=1,
                    max_value=1000,
                    widget=forms.NumberInput(
                        {"placeholder": was.cap.most if was.cap else gettext("no limit")}
                    ),
                ),
                "most_within": DurationField(
                    inherited=was.cap.window if was.cap else timedelta(hours=24), label=_("Within")
                ),
                "bases": self._bases(),
                "one_way": _choice(
                    _("Replies"),
                    {
                        "no": _("reach the shop"),
                        "yes": _("are not possible: each text needs another way out"),
                    },
                    "yes" if was.one_way else "no",
                ),
            }
        return fields

    def _bases(self) -> forms.ChoiceField:
        was = self._inherited.bases
        choices = {
            _joined(_LADDER[: number + 1]): _accepts(_LADDER[: number + 1]) for number in range(len(_LADDER))
        }
        for known in filter(None, [was, self._row.bases]):
            choices.setdefault(_joined(known), _accepts(known))
        inherited = gettext("as the country") if was is None else _accepts(was)
        return forms.ChoiceField(
            label=_("Consent that permits them"),
            required=False,
            choices=[(_INHERITED, _as_shipped(inherited)), *choices.items()],
        )

    def _sources(self) -> dict[str, forms.Field]:
        was = self._inherited
        told = formats.date_format(was.reviewed_on) if was.reviewed_on else gettext("never")
        return {
            "reviewed_on": forms.DateField(
                label=_("Compared with the law on"),
                required=False,
                widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
                help_text=gettext("Shipped: %(value)s.") % {"value": told},
            ),
            "source": forms.CharField(
                label=_("Source"),
                required=False,
                widget=forms.Textarea({"rows": 2, "class": "cc-words", "placeholder": was.source}),
                help_text=_("Which law or advice it comes from."),
            ),
        }

    def _show_changes(self) -> None:
        """Beside what was changed, what it would be."""
        row, was = self._row, self._inherited
        shipped = {
            "mon": row.hours is not None and _hours(was),
            "holidays_closed": row.holidays_closed is not None and _holidays(was),
            "most": row.most is not None and _cap(was),
            "bases": row.bases is not None and _consent(was),
            "one_way": row.one_way is not None and _replies(was),
            "source": row.source is not None and was.source,
        }
        self.changed = {
            name: gettext("shipped: %(value)s") % {"value": value} for name, value in shipped.items() if value
        }

    @property
    def groups(self) -> Any:
        first_rule = next(iter(name for name in self.fields if name not in weeks.fields()))
        groups: list[Any] = [(_("Open hours, on the person’s own clock"), self.rows(before=first_rule))]
        if first_rule != "reviewed_on":
            groups.append((_("Rules"), self.rows(since=first_rule, before="reviewed_on")))
        groups.append((_("Where it comes from"), self.rows(since="reviewed_on")))
        return groups

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if self.errors:
            return said
        has_cap = self._inherited.cap is not None
        if not has_cap and (said.get("most") is None) != (said.get("most_within") is None):
            self.add_error("most", gettext("Say both, how many and within what time."))
            return said
        wanted = self.wanted()
        added = [name for name in texting_rules.beyond(wanted) if self._changes(name, wanted)]
        if added:
            self._require_proof(added, wanted)
        return said

    def wanted(self) -> TextingRule:
        """The row as the form says it; not saved."""
        said = self.cleaned_data
        values = model_to_dict(self._row) | {
            "hours": self._wanted_hours(),
            "reviewed_on": said["reviewed_on"],
        }
        values["source"] = said["source"] or None
        if "holidays_closed" in said:
            values["holidays_closed"] = _truth(said["holidays_closed"])
        if "most" in said:
            bases = said["bases"].split("+") if said["bases"] else None
            values |= {
                "most": said["most"],
                "most_within": said["most_within"],
                "bases": bases,
                "one_way": _truth(said["one_way"]),
            }
        values.pop("id", None)
        return TextingRule(id=self._row.pk, **values)

    def _wanted_hours(self) -> dict[str, str] | None:
        week = weeks.of(self.cleaned_data)
        was = self._inherited.week.days if self._inherited.week else None
        has_none = was is None and not any(week)
        return None if has_none or week == was else weeks.as_row(week)

    def _changes(self, name: str, wanted: TextingRule) -> bool:
        names = (name, "most_within") if name == "most" else (name,)
        return any(getattr(wanted, each) != getattr(self._row, each) for each in names)

    def _require_proof(self, added: Sequence[str], wanted: TextingRule) -> None:
        """More than the law that is known permits: only knowingly, and with a source."""
        more = get_text_list([str(_BEYOND[name]) for name in added], gettext("and"))
        self.fields["beyond"] = forms.BooleanField(
            label=_("Permit it nevertheless"),
            required=False,
            help_text=_("The shop answers for it."),
        )
        if not wanted.source:
            self.add_error("source", gettext("Name the source that permits it."))
        if not self.data.get("beyond"):
            told = gettext("This permits more than the shipped rule: %(more)s. Tick it if that is meant.")
            self.add_error("beyond", told % {"more": more})


def _initial(row: TextingRule, rule: PlaceRule) -> dict[str, Any]:
    """The hours are those in force; the rest only what was changed."""
    return {
        **weeks.initial(rule.week.days if rule.week and _has_hours(row, rule) else None),
        "holidays_closed": _word(row.holidays_closed),
        "most": row.most,
        "most_within": row.most_within,
        "bases": _joined(row.bases) if row.bases is not None else _INHERITED,
        "one_way": _word(row.one_way),
        "reviewed_on": row.reviewed_on,
        "source": row.source,
    }


def _has_hours(row: TextingRule, rule: PlaceRule) -> bool:
    """A state that only closes its holidays leaves the hours to its country."""
    was = texting_rules.inherited(row.place)
    return row.hours is not None or was.week is not None


def _choice(label: Any, choices: Mapping[str, Any], inherited: str) -> forms.ChoiceField:
    first = (_INHERITED, _as_shipped(str(choices[inherited])))
    return forms.ChoiceField(label=label, required=False, choices=[first, *choices.items()])


def _as_shipped(value: str) -> str:
    return gettext("%(value)s (as shipped)") % {"value": value}


def _word(truth: bool | None) -> str:
    return {None: _INHERITED, True: "yes", False: "no"}[truth]


def _truth(word: str) -> bool | None:
    return {_INHERITED: None, "yes": True, "no": False}[word]


def _joined(bases: Iterable[str]) -> str:
    return "+".join(sorted(bases, key=[*_BASES].index))


def _accepts(bases: Iterable[str]) -> str:
    return get_text_list([str(_BASES[basis]) for basis in sorted(bases, key=[*_BASES].index)], gettext("or"))


# ------------------------------------------------------------------------------------- a rule in words


def _hours(rule: PlaceRule) -> str:
    return weeks.told(rule.week.days) if rule.week else gettext("those of the country")


def _holidays(rule: PlaceRule) -> str:
    return gettext("closed") if rule.week and rule.week.calendar else gettext("as other days")


def _cap(rule: PlaceRule) -> str:
    return cap_sentence(rule.cap) if rule.cap else gettext("no limit")


def _consent(rule: PlaceRule) -> str:
    return _accepts(rule.bases) if rule.bases is not None else gettext("as the country")


def _replies(rule: PlaceRule) -> str:
    return gettext("not possible") if rule.one_way else gettext("possible")


def cap_sentence(cap: Cap) -> str:
    """How many texts to one number: "at most 3 in 1 day"."""
    words = {"count": cap.most, "time": sentences.length(cap.window)}
    return ngettext("at most %(count)d in %(time)s", "at most %(count)d in %(time)s", cap.most) % words


# ------------------------------------------------------------------------------------------- the sheet


class PlaceSheet(Sheet):
    """The rules of one place."""

    row: TextingRule

    @staticmethod
    def find(key: str, *, lock: bool) -> TextingRule | None:
        if key.isdecimal():
            key = TextingRule.objects.filter(pk=key).values_list("place", flat=True).first() or ""
        if key not in place_names.NO_PLACES:
            written = _PLACE.fullmatch(key)
            if not written or written[1] not in place_names.countries():
                return None
            if may_be_any_state(Place(country=written[1], state=written[2] or "")):
                return None
        return texting_rules.lock(key) if lock else texting_rules.find(key)

    def title(self) -> str:
        return place_names.name(self.row.place)

    def lead(self) -> str:
        if self.row.place == MARKETING:
            return gettext(
                "Marketing texts go out while these hours and those of the person’s place are open."
            )
        if self.row.place == UNSURE:
            return gettext(
                "For people who may be in several time zones: open is only what is open on every clock."
            )
        if self.row.place == DEFAULT:
            return gettext(
                "What counts in a country without rules of its own, and where nobody knows the country."
            )
        return gettext("A state adds to the rules of its country.") if "-" in self.row.place else ""

    def facts(self) -> Sequence[tuple[str, Any]]:
        return () if self.row.place in place_names.NO_PLACES else [(gettext("Code"), self.row.place)]

    def forms(self, data: QueryDict | None) -> Sequence[SheetForm]:
        return [PlaceForm(data, row=self.row)]

    def told(self) -> Mapping[str, str]:
        rule = texting_rules.in_force(self.row)
        return {
            gettext("Hours"): _hours(rule),
            gettext("Public holidays"): _holidays(rule),
            gettext("Texts to one number"): _cap(rule),
            gettext("Consent that permits them"): _consent(rule),
            gettext("Replies"): _replies(rule),
            gettext("Compared with the law on"): formats.date_format(rule.reviewed_on)
            if rule.reviewed_on
            else "",
            gettext("Source"): rule.source,
        }

    def keep(self, sections: Sequence[Any]) -> str:
        self.row = sections[0].wanted()
        texting_rules.keep(self.row, now=self.now)
        return gettext("permitted knowingly") if sections[0].data.get("beyond") else ""

    def buttons(self) -> Sequence[tuple[str, Any]]:
        found: list[tuple[str, Any]] = [("reviewed", _("Compared with the law today"))]
        if limits.changes(self.row):
            found.append(("reset", _("As shipped again")))
        return found

    def press(self, button: str) -> str:
        if button == "reviewed":
            texting_rules.review(self.row, on=timezone.localdate(self.now))
        else:
            self.row = TextingRule(pk=self.row.pk, place=self.row.place)
            texting_rules.keep(self.row, now=self.now)
        return ""

    def help(self) -> str:
        return gettext(
            "Leave both times of a day empty to close it; 00:00 as an end is midnight. Changes count from the "
            "worker’s next tick on. This is data, and no legal advice."
        )


# -------------------------------------------------------------------------------------------- the list


@dataclass(frozen=True, slots=True)
class Row:
    """A place in the list."""

    key: str
    name: str
    url: str
    badge: SafeString | str
    hours: str
    limit: str
    consent: str
    reviewed: str
    is_old: bool
    is_state: bool


@admin.register(TextingRule)
class PlaceAdmin(OpeningAdmin):
    sheet = PlaceSheet

    def asked(self, words: QueryDict) -> str:
        country, state = words.get("country", ""), words.get("state", "").strip()
        code = state_of(country, state) or state.upper()
        return f"{country}-{code}" if code else country

    def unknown(self, key: str) -> str:
        return gettext("“%(place)s” is no place that is known.") % {"place": key}

    def overview(self, request: HttpRequest) -> Mapping[str, Any]:
        """All places."""
        return {
            "rows": list(_rows()),
            "countries": sorted(place_names.countries().items(), key=lambda item: item[1]),
            "may_change": self.has_change_permission(request),
        }

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """POST says that those chosen were compared with the law."""
        if request.method != "POST":
            return super().changelist_view(request, extra_context)
        if not self.has_change_permission(request):
            raise PermissionDenied
        return self._review(request)

    def _review(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        known = limits.load().book.rows
        chosen = [key for key in dict.fromkeys(request.POST.getlist("place")) if key in known]
        with transaction.atomic():
            for key in sorted(chosen):
                row = texting_rules.lock(key)
                texting_rules.review(row, on=timezone.localdate(now))
                self.log_change(request, row, gettext("compared with the law"))
        words = ngettext("%(count)d rule is up to date.", "%(count)d rules are up to date.", len(chosen))
        messages.success(request, words % {"count": len(chosen)})
        return self._back()


def _rows() -> Iterator[Row]:
    book = limits.load().book
    changed = {row.place: limits.changes(row) for row in TextingRule.objects.all()}
    shipped = texting_rules.shipped()
    old = {rule.key for rule in book.stale(timezone.localdate(), settings.REVIEW_RULES_AFTER)}
    names = {key: place_names.name(key) for key in book.rows}
    no_places = list(place_names.NO_PLACES)

    def order(key: str) -> tuple[Any, ...]:
        """What is no place first; states below their country."""
        if key in no_places:
            return (0, no_places.index(key))
        country, _, state = key.partition("-")
        return (1, place_names.name(country), country, names[key] if state else "")

    for key in sorted(book.rows, key=order):
        rule = book.rows[key]
        if key not in shipped and not changed.get(key):
            continue  # a place of the merchant's own that says nothing any more
        own = badge(_("changed"), "open") if key in shipped else badge(_("yours"), "open")
        hours = _hours(rule)
        if rule.week and rule.week.calendar:
            hours = gettext("%(hours)s, public holidays closed") % {"hours": hours}
        yield Row(
            key=key,
            name=names[key],
            url=_url(key),
            badge=own if changed.get(key) else "",
            hours=capfirst(hours),
            limit=cap_sentence(rule.cap) if rule.cap else "",
            consent=_accepts(rule.bases) if rule.bases is not None and key not in (MARKETING, UNSURE) else "",
            reviewed=formats.date_format(rule.reviewed_on) if rule.reviewed_on else "",
            is_old=key in old,
            is_state="-" in key,
        )


def _url(key: str) -> str:
    return reverse("admin:oscar_crosschannel_textingrule_change", args=[quote(key)])
