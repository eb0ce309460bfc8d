"""The form of the preference center: what it shows, and what somebody changed in it.

Each field carries what it showed (`show_hidden_initial`), so that only what a person touched is
changed: what happened meanwhile in another tab, or by a STOP, is not undone by saving.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.forms import BoundField
from django.http import QueryDict
from django.utils.timezone import get_default_timezone
from django.utils.translation import get_language_info, gettext, gettext_lazy as _

from ..core import phones
from ..core.consent import Unasked
from ..core.facts import EMAIL, SMS
from ..core.lapse import age_on, months_after
from ..models import Contact, Suppression
from ..services import contacts, copies
from ..services.preferences import Choice, Preferences, Standing, Visitor, Wishes
from .because import CHANNELS, day, not_asked

#: A pause until a day of one's own may last so long. For more there is "stop".
LONGEST_PAUSE = timedelta(days=366)


class LongSelect(forms.Select):
    """A list of hundreds, drawn by one template: Django's own takes two per option, most of a page's time."""

    template_name = "oscar_crosschannel/elements/long_select.html"


class PreferencesForm(forms.Form):
    """Everything that can be chosen; boxes are fields named `<channel>-<topic>`."""

    phone = forms.CharField(
        label=_("Another mobile number"),
        help_text=_("With the country code, for example +1 206 555 0123. We text it, and you answer YES."),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )
    born_on = forms.DateField(
        label=_("Your date of birth"),
        help_text=_("Only for what has a minimum age. We keep the age, not the date."),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "autocomplete": "bday"}, format="%Y-%m-%d"),
    )
    primary_channel = forms.ChoiceField(
        label=_("If we can choose, write to me"),
        required=False,
        widget=forms.RadioSelect,
        show_hidden_initial=True,
    )
    fewer = forms.BooleanField(
        label=_("Fewer messages: about half as many as others get"), required=False, show_hidden_initial=True
    )
    pause = forms.ChoiceField(label=_("Pause"), required=False)
    pause_until = forms.DateField(
        label=_("Pause until this day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    language = forms.ChoiceField(label=_("Language"), required=False, show_hidden_initial=True)
    zone = forms.ChoiceField(
        label=_("Time zone"),
        help_text=_("So that no offer comes by text at night."),
        required=False,
        widget=LongSelect,
        show_hidden_initial=True,
    )

    def __init__(
        self, visitor: Visitor, found: Preferences, *, now: datetime, data: QueryDict | None = None
    ) -> None:
        contact = visitor.contact or Contact()
        super().__init__(
            data,
            initial={
                "primary_channel": contact.primary_channel,
                "fewer": contact.fewer,
                "language": _spoken(contact.language),
                "zone": contact.zone,
            },
            label_suffix="",
        )
        self._visitor, self._found, self._now = visitor, found, now
        self._posted = data or QueryDict()
        self._choices = {
            f"{choice.channel}-{choice.topic}": choice
            for each in found.topics
            for choice in each.choices
            if choice.standing is not Standing.ALWAYS
        }
        for name, choice in self._choices.items():
            self.fields[name] = forms.BooleanField(
                label=str(CHANNELS[choice.channel]),
                initial=choice.is_on,
                required=False,
                show_hidden_initial=True,
                widget=forms.CheckboxInput(attrs={"aria-describedby": f"id_{name}_standing"}),
            )
        self._offer(contact)

    def box(self, choice: Choice) -> BoundField | None:
        """The box of a choice; None where there is nothing to choose."""
        name = f"{choice.channel}-{choice.topic}"
        return self[name] if name in self._choices else None

    def wishes(self, circumstances: Mapping[str, Any]) -> Wishes:
        """What was changed; the form is valid."""
        on = [choice for name, choice in self._touched() if self.cleaned_data[name]]
        phone = self.cleaned_data["phone"]
        return Wishes(
            on=[(choice.channel, choice.topic) for choice in on],
            off=self.switched_off(),
            phone=phone,
            phone_topics=self._topics_of_phone() if phone else (),
            words=_shown_words(self._posted.getlist("words")),
            language=self._posted.get("words_language", "")[:12],
            proven_age=self._age(self.cleaned_data.get("born_on")),
            circumstances=circumstances,
            details=self._details(),
        )

    def switched_off(self) -> list[tuple[str, str]]:
        """The boxes that were emptied, (channel, topic); whatever is wrong elsewhere on the form."""
        if not self.is_bound:
            return []
        return [
            (choice.channel, choice.topic)
            for name, choice in self._touched()
            if self.cleaned_data.get(name) is False  # a box with a mistake of its own is not in it
        ]

    def refuse(self, why: Unasked) -> None:
        """Say what was not saved, beside what would have had to be confirmed; the form was valid."""
        ticked = [
            name for name, choice in self._touched() if choice.channel == EMAIL and self.cleaned_data[name]
        ]
        is_about_email = why is Unasked.MAILBOX_BLOCKED and ticked and not self.cleaned_data["phone"]
        self.add_error(ticked[0] if is_about_email else "phone", not_asked(why))

    def clean_phone(self) -> str:
        """The number as it is stored; empty for the one that is in use."""
        typed = self.cleaned_data["phone"].strip()
        if not typed:
            return ""
        texts = self._found.reaches[SMS]
        region = self._visitor.contact.country if self._visitor.contact is not None else ""
        number = contacts.normalise(SMS, typed, region=region)
        if number is None:
            raise forms.ValidationError(
                _("Texts cannot reach this number. Write it with “+” and the country code.")
            )
        if texts.point is not None and texts.point.current and number == texts.address:
            return ""
        return number

    def clean_pause_until(self) -> date | None:
        """A day from tomorrow on, and at most a year away."""
        until: date | None = self.cleaned_data["pause_until"]
        today = self._now.astimezone(self._zone()).date()
        if until is not None and not today < until <= today + LONGEST_PAUSE:
            raise forms.ValidationError(_("Choose a day from tomorrow on, within a year."))
        return until

    def clean_born_on(self) -> date | None:
        """A day on which somebody may be born who lives now."""
        born_on: date | None = self.cleaned_data["born_on"]
        try:
            self._age(born_on)
        except ValueError:
            raise forms.ValidationError(_("Nobody can be born on this day.")) from None
        return born_on

    def clean(self) -> dict[str, Any]:
        """What only makes sense together."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("pause") == "date" and "pause_until" in cleaned and not cleaned["pause_until"]:
            self.add_error("pause_until", _("Choose the day until which we shall be silent."))
        if "phone" in cleaned:
            self._check_texts(cleaned)
        self._check_age(cleaned)
        return cleaned

    def _check_texts(self, cleaned: Mapping[str, Any]) -> None:
        texts = self._found.reaches[SMS]
        ticked = [
            name for name, choice in self._choices.items() if choice.channel == SMS and cleaned.get(name)
        ]
        newly = [name for name, choice in self._touched() if choice.channel == SMS and cleaned.get(name)]
        if cleaned["phone"]:
            if not ticked:
                self.add_error("phone", _("Also tick what we shall text to this number."))
        elif newly and not texts.address:
            self.add_error("phone", _("Tell us the number for your texts."))
        elif newly and texts.block is not None and texts.block.scope == Suppression.Scope.EVERYTHING:
            self.add_error(
                "phone", _("The number we have is blocked: allow our texts first, or give another.")
            )

    def _check_age(self, cleaned: Mapping[str, Any]) -> None:
        needed = [
            each.topic.minimum_age
            for each in self._found.topics
            for name, choice in self._touched()
            if choice.topic == each.topic.key and each.topic.minimum_age and cleaned.get(name)
        ]
        if needed and (self._age(cleaned.get("born_on")) or 0) < max(needed):
            self.add_error(
                "born_on",
                gettext("Something you chose is only for people of %(years)d years and older.")
                % {"years": max(needed)},
            )

    def _age(self, born_on: date | None) -> int | None:
        return age_on(born_on, self._now.astimezone(self._zone()).date()) if born_on else None

    def _touched(self) -> Iterator[tuple[str, Choice]]:
        return ((name, choice) for name, choice in self._choices.items() if name in self.changed_data)

    def _topics_of_phone(self) -> list[str]:
        """What is to go to another number: what was chosen; else what stood ticked by itself."""
        ticked = {
            name: choice
            for name, choice in self._choices.items()
            if choice.channel == SMS and self.cleaned_data[name]
        }
        chosen = [choice.topic for name, choice in ticked.items() if self._goes_along(name, choice)]
        return chosen or [choice.topic for choice in ticked.values()]

    def _goes_along(self, name: str, choice: Choice) -> bool:
        """Whether a ticked text is to go to another number, too: chosen now, or chosen before."""
        return name in self.changed_data or choice.standing in (Standing.ON, Standing.PENDING)

    def _details(self) -> dict[str, Any]:
        chosen: dict[str, Any] = {
            name: self.cleaned_data[name]
            for name in ("language", "zone", "primary_channel", "fewer")
            if name in self.fields and name in self.changed_data
        }
        until = self._paused_until()
        return chosen if until is None else {**chosen, "paused_until": until}

    def _paused_until(self) -> datetime | None:
        """The midnight with which a newly chosen pause ends."""
        zone = self._zone()
        today = self._now.astimezone(zone)
        lengths = {
            "week": today + timedelta(days=7),
            "month": months_after(today, 1),
            "quarter": months_after(today, 3),
        }
        until = self.cleaned_data["pause_until"] or lengths.get(self.cleaned_data["pause"])
        return datetime.combine(until, time(), tzinfo=zone) if until is not None else None

    def _zone(self) -> Any:
        name = self.cleaned_data.get("zone") or (self._visitor.contact.zone if self._visitor.contact else "")
        return ZoneInfo(name) if name in phones.every_zone() else get_default_timezone()

    def _offer(self, contact: Contact) -> None:
        """Fill the lists, and leave out what there is no choice of."""
        self._fill(
            "primary_channel",
            [("", _("by email or by text")), ("email", _("by email")), ("sms", _("by text"))],
        )
        self._fill("pause", _pauses(contact, self._now))
        self._fill("zone", _zones(contact, self._found))
        languages = _languages(contact)
        if len(languages) > 1:
            self._fill("language", languages)
        else:
            del self.fields["language"]
        if not any(each.topic.minimum_age for each in self._found.topics):
            del self.fields["born_on"]
        for name in ("phone", "born_on", "pause", "pause_until", "language", "zone"):
            if name in self.fields:
                self.fields[name].widget.attrs["class"] = "form-control"

    def _fill(self, name: str, choices: Iterable[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(choices)


def _pauses(contact: Contact, now: datetime) -> list[tuple[str, str]]:
    until = contact.paused_until
    paused = until is not None and until > now
    return [
        (
            "",
            gettext("As it is: until %(day)s") % {"day": day(until)}
            if paused and until
            else gettext("No pause"),
        ),
        ("week", gettext("For a week")),
        ("month", gettext("For a month")),
        ("quarter", gettext("For three months")),
        ("date", gettext("Until the day below")),
    ]


def _languages(contact: Contact) -> list[tuple[str, str]]:
    """Each by its own name; who never chose may leave it to the shop."""
    known = [(code, _native(code, name)) for code, name in copies.languages().items()]
    return known if _spoken(contact.language) else [("", gettext("The shop’s")), *known]


def _spoken(language: str) -> str:
    """One of the shop's languages, or nothing."""
    known = copies.languages()
    return next((code for code in (language, language.partition("-")[0]) if code in known), "")


def _native(code: str, name: str) -> str:
    try:
        return str(get_language_info(code)["name_local"]).capitalize()
    except KeyError:
        return str(name)


def _zones(contact: Contact, found: Preferences) -> list[tuple[str, Any]]:
    """Those of the person's country first, then all, by continent."""
    texts = found.reaches[SMS].point
    country = contact.country or (texts.country if texts is not None else "")
    by_continent: dict[str, list[tuple[str, str]]] = {}
    for zone in phones.every_zone():
        by_continent.setdefault(zone.partition("/")[0], []).append((zone, _city(zone)))
    near = [(zone, _city(zone)) for zone in phones.zones_of_country(country)]
    own = [(contact.zone, contact.zone)] if contact.zone and contact.zone not in phones.every_zone() else []
    return [
        ("", gettext("By my number and address")),
        *own,
        *([(gettext("Your country"), near)] if len(near) > 1 else []),
        *by_continent.items(),
    ]


def _city(zone: str) -> str:
    """The zone America/Argentina/Buenos_Aires as "Argentina, Buenos Aires"."""
    return zone.partition("/")[2].replace("/", ", ").replace("_", " ")


def _shown_words(lines: Iterable[str]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """From lines "<kind> <digest> <topic> …", as the page has them."""
    parts = [line.split() for line in lines]
    return {
        kind: (digest, tuple(topics)) for kind, digest, *topics in (each for each in parts if len(each) > 1)
    }
