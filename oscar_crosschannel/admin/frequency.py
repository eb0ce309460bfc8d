"""How often a person may hear from the shop: the limits, shipped, changed and the merchant's own, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _

from ..core.facts import Cap
from ..models import FrequencyCap
from ..services import frequency, limits, topics
from . import sentences, titles
from .durations import DurationField
from .editing import Sheet, SheetForm
from .overviews import OverviewAdmin
from .reading import badge

_INHERITED, _ON, _OFF = "", "on", "off"

#: What is counted, by channel; no channel: all together.
_COUNTED: Mapping[str, sentences.Words] = {"": _("messages"), "email": _("emails"), "sms": _("texts")}


def sentence(cap: Cap, names: Mapping[str, str]) -> str:
    """A limit in words: "At most 4 emails in 7 days". `names` are those of topics, by key."""
    words = {
        "count": cap.most,
        "what": _what(cap, names),
        "time": sentences.length(cap.window),
    }
    if cap.most == 1 and cap.other_intents_only:
        return gettext("At least %(time)s between two %(what)s about different things") % words
    if cap.most == 1:
        return gettext("At least %(time)s between two %(what)s") % words
    return gettext("At most %(count)d %(what)s in %(time)s") % words


def _what(cap: Cap, names: Mapping[str, str]) -> str:
    (channel,) = cap.channels if len(cap.channels) == 1 else ("",)
    what = str(_COUNTED.get(channel, channel))
    if cap.campaigns_only:
        what = gettext("%(what)s of campaigns") % {"what": what}
    if cap.topics:
        topics_named = ", ".join(names.get(key, key) for key in sorted(cap.topics))
        return gettext("%(what)s about “%(topics)s”") % {"what": what, "topics": topics_named}
    if cap.legal:
        return gettext("%(what)s to one number, whatever they say") % {"what": what}
    return gettext("marketing %(what)s") % {"what": what}


def _names() -> dict[str, str]:
    return {topic.key: titles.topic(topic) for topic in topics.in_order()}


class NumbersForm(SheetForm):
    """How many within what time; what is left empty is inherited."""

    def __init__(self, data: QueryDict | None, *, row: FrequencyCap, cap: Cap | None) -> None:
        self._row, self._cap = row, cap
        super().__init__(data, initial={"most": row.most, "window": row.window, **self._more_initial()})
        most, window = (cap.most, cap.window) if cap else (4, timedelta(days=7))
        self.fields |= self._more_fields()
        self.fields |= {
            "most": forms.IntegerField(
                label=_("At most"),
                required=False,
                min_value=1,
                max_value=1000,
                widget=forms.NumberInput({"placeholder": most} if cap else {}),
                help_text=_("1 means: so much time between two of them."),
            ),
            "window": DurationField(inherited=window, label=_("Within")),
        }

    def _more_initial(self) -> dict[str, Any]:
        return {}

    def _more_fields(self) -> dict[str, forms.Field]:
        return {}

    def wanted(self) -> FrequencyCap:
        """The row as the form says it; not saved."""
        said, row = self.cleaned_data, self._row
        return FrequencyCap(
            pk=row.pk,
            key=row.key,
            name=row.name,
            channel=row.channel,
            topic=row.topic,
            most=said["most"],
            window=said["window"],
            enabled=row.enabled,
        )

    def clean_window(self) -> timedelta | None:
        window: timedelta | None = self.cleaned_data["window"]
        if window is not None and not window:
            raise forms.ValidationError(gettext("Within no time, nothing can be counted."))
        return window


class ShippedForm(NumbersForm):
    """A limit that ships with the app, or is the project's."""

    _cap: Cap

    def __init__(self, data: QueryDict | None, *, row: FrequencyCap, cap: Cap) -> None:
        super().__init__(data, row=row, cap=cap)
        if row.most is not None:
            self.changed["most"] = gettext("shipped: %(value)s") % {"value": cap.most}
        if row.window is not None:
            self.changed["window"] = gettext("shipped: %(value)s") % {"value": sentences.length(cap.window)}

    def _more_initial(self) -> dict[str, Any]:
        return {"enabled": {None: _INHERITED, True: _ON, False: _OFF}[self._row.enabled]}

    def _more_fields(self) -> dict[str, forms.Field]:
        if self._cap.legal:
            return {}
        choices = [(_INHERITED, _("in force (as shipped)")), (_ON, _("in force")), (_OFF, _("off"))]
        return {"enabled": forms.ChoiceField(label=_("This limit is"), required=False, choices=choices)}

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if not self._cap.legal:
            return said
        told = gettext("This limit is law: it can only be made narrower (%(shipped)s).")
        shipped = {"shipped": sentence(self._cap, {})}
        if (said.get("most") or 0) > self._cap.most:
            self.add_error("most", told % shipped)
        if said.get("window") is not None and said["window"] < self._cap.window:
            self.add_error("window", told % shipped)
        return said

    def wanted(self) -> FrequencyCap:
        row = super().wanted()
        row.enabled = {_INHERITED: None, _ON: True, _OFF: False}[self.cleaned_data.get("enabled", _INHERITED)]
        return row


class OwnForm(NumbersForm):
    """A limit of the merchant's own, which has all its values."""

    def __init__(self, data: QueryDict | None, *, row: FrequencyCap) -> None:
        super().__init__(data, row=row, cap=None)
        self.fields["most"].required = True

    def _more_initial(self) -> dict[str, Any]:
        row = self._row
        return {
            "name": row.name,
            "channel": row.channel,
            "topic": row.topic,
            "enabled": bool(row.enabled),
        }

    def _more_fields(self) -> dict[str, forms.Field]:
        known = _names()
        if self._row.topic:
            known.setdefault(self._row.topic, self._row.topic)
        return {
            "name": forms.CharField(
                label=_("Name"),
                max_length=100,
                widget=forms.TextInput({"class": "vTextField"}),
                help_text=_("For you; shoppers never see it."),
            ),
            "channel": forms.ChoiceField(
                label=_("Counts"),
                required=False,
                choices=[(key, capfirst(str(words))) for key, words in _COUNTED.items()],
            ),
            "topic": forms.ChoiceField(
                label=_("About"), required=False, choices=[("", _("all topics")), *known.items()]
            ),
            "enabled": forms.BooleanField(label=_("In force"), required=False),
        }

    def clean_window(self) -> timedelta | None:
        window = super().clean_window()
        if window is None:
            raise forms.ValidationError(gettext("Say within what time."))
        return window

    def wanted(self) -> FrequencyCap:
        row, said = super().wanted(), self.cleaned_data
        row.name, row.channel, row.topic = said["name"], said["channel"], said["topic"]
        row.enabled = said["enabled"]
        return row


class LimitSheet(Sheet):
    """One frequency limit."""

    row: FrequencyCap

    @property
    def shipped(self) -> Cap | None:
        return frequency.shipped().get(self.row.key)

    @staticmethod
    def find(key: str, *, lock: bool) -> FrequencyCap | None:
        if key.isdecimal():
            key = FrequencyCap.objects.filter(pk=key).values_list("key", flat=True).first() or ""
        return frequency.lock(key) if lock else frequency.find(key)

    @staticmethod
    def blank() -> FrequencyCap:
        return FrequencyCap(enabled=True)

    def title(self) -> str:
        if self.shipped:
            return name(self.shipped)
        return self.row.name or gettext("A new limit")

    def lead(self) -> str:
        cap = _cap(self.row, self.shipped)
        if cap is None:
            return ""
        return (
            f"{sentence(cap, _names())}." if _is_on(self.row, self.shipped) else gettext("This limit is off.")
        )

    def forms(self, data: QueryDict | None) -> Sequence[SheetForm]:
        if self.shipped:
            return [ShippedForm(data, row=self.row, cap=self.shipped)]
        return [OwnForm(data, row=self.row)]

    def told(self) -> Mapping[str, str]:
        cap = _cap(self.row, self.shipped)
        words = {
            gettext("Limit"): sentence(cap, _names()) if cap else "",
            gettext("In force"): gettext("yes") if _is_on(self.row, self.shipped) else gettext("no"),
        }
        return words if self.shipped else {gettext("Name"): self.row.name, **words}

    def keep(self, sections: Sequence[Any]) -> str:
        self.row = sections[0].wanted()
        frequency.keep(self.row, now=self.now)
        return ""

    def buttons(self) -> Sequence[tuple[str, Any]]:
        return [("reset", _("As shipped again"))] if self.shipped and _is_changed(self.row) else ()

    def press(self, button: str) -> str:
        self.row = FrequencyCap(pk=self.row.pk, key=self.row.key)
        frequency.keep(self.row, now=self.now)
        return ""

    def help(self) -> str:
        if self.shipped and self.shipped.legal:
            return gettext(
                "Counts every message to a number, of whomever and about whatever. It cannot be switched off."
            )
        return gettext(
            "Counts what may have been delivered, in any such stretch of time that ends now. What has no room "
            "waits until there is some, or until it is no longer worth sending. Who asked for fewer messages "
            "gets half as many."
        )


def name(cap: Cap) -> str:
    """A shipped limit's name in the reader's language, a project's as it is written."""
    return str(_SHIPPED.get(cap.key, cap.name))


_SHIPPED: Mapping[str, sentences.Words] = {
    "emails-a-week": _("emails a week"),
    "campaign-emails-a-week": _("campaign emails a week"),
    "pause-between-emails": _("pause between emails"),
    "texts-a-month": _("texts a month"),
    "texts-a-day": _("texts a day"),
    "messages-a-week": _("messages a week"),
    "pause-between-subjects": _("pause between subjects"),
    "texts-a-day-by-law": _("texts a day by law"),
}


def _cap(row: FrequencyCap, shipped: Cap | None) -> Cap | None:
    """The limit with the row's numbers; None: it has none yet."""
    if shipped is not None:
        most = shipped.most if row.most is None else row.most
        return replace(shipped, most=most, window=shipped.window if row.window is None else row.window)
    if row.most is None or row.window is None:
        return None
    channels, about = frozenset({row.channel} - {""}), frozenset({row.topic} - {""})
    return Cap(name=row.name, most=row.most, window=row.window, channels=channels, topics=about)


def _is_on(row: FrequencyCap, shipped: Cap | None) -> bool:
    if shipped is not None:
        return shipped.legal or row.enabled is not False
    return bool(row.enabled)


def _is_changed(row: FrequencyCap) -> bool:
    return any(value is not None for value in (row.most, row.window, row.enabled))


# -------------------------------------------------------------------------------------------- the list


@dataclass(frozen=True, slots=True)
class Row:
    """A limit in the list."""

    name: str
    url: str
    sentence: str
    badge: SafeString | str
    is_on: bool


@admin.register(FrequencyCap)
class FrequencyAdmin(OverviewAdmin):
    sheet = LimitSheet

    def overview(self, request: HttpRequest) -> Mapping[str, Any]:
        """All limits: those that ship, and the merchant's own."""
        return {"rows": list(_rows()), "may_add": self.has_add_permission(request)}

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only limits of the merchant's own can be deleted; the others are switched off."""
        is_own = obj is None or getattr(obj, "key", "") not in frequency.shipped()
        return is_own and admin.ModelAdmin.has_delete_permission(self, request, obj)

    def delete_model(self, request: HttpRequest, obj: FrequencyCap) -> None:
        frequency.delete(obj, now=timezone.now())


def _rows() -> Iterator[Row]:
    rows = {row.key: row for row in FrequencyCap.objects.all()}
    names = _names()
    for cap in limits.configured_caps():
        row = rows.pop(cap.key, FrequencyCap(key=cap.key))
        told = badge(_("changed"), "open") if _is_changed(row) else ""
        yield _row(row, cap, capfirst(name(cap)), badge(_("law"), "quiet") if cap.legal else told, names)
    for row in rows.values():
        yield _row(row, None, row.name, badge(_("yours"), "open"), names)


def _row(
    row: FrequencyCap, shipped: Cap | None, title: str, told: SafeString | str, names: Mapping[str, str]
) -> Row:
    cap = _cap(row, shipped)
    return Row(
        name=title or row.key,
        url=reverse("admin:oscar_crosschannel_frequencycap_change", args=[quote(row.key)]),
        sentence=sentence(cap, names) if cap else gettext("has no numbers yet"),
        badge=told,
        is_on=_is_on(row, shipped),
    )
