"""The words beside consent boxes: which are in force where, and writing a new version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext, gettext_lazy as _

from ..models import ConsentTemplate
from ..services import copies, topics, wording_versions, wordings
from ..services.wording_versions import Place
from . import place_names, sentences, titles
from .editing import Sheet, SheetForm
from .overviews import OpeningAdmin
from .reading import badge

#: Boxes in words; a store's own is called by its name.
_KINDS: Mapping[str, sentences.Words] = {
    "email": _("Box for emails"),
    "sms": _("Box for texts"),
    "sms_keyword": _("Beside a word to text"),
    "order_texts": _("Box for texts about an order"),
}

_SLOTS: Mapping[str, sentences.Words] = {
    "{brand}": _("Name of the shop"),
    "{topics}": _("What the messages are about, as shoppers read it"),
    "{frequency}": _("How many texts a month people are promised at most"),
    "{terms_url}": _("Address of the terms"),
    "{privacy_url}": _("Address of the privacy policy"),
    "{support}": _("Where people get help"),
}

#: Stands for "wherever no words are made for the country" in an address.
_ANY = "any"
_TOPIC = "topic_"


class WordingForm(SheetForm):
    """A version in the making. Without words, the inherited ones count."""

    words = forms.CharField(
        label=_("Words"),
        required=False,
        max_length=2000,
        widget=forms.Textarea({"rows": 7, "class": "cc-words", "spellcheck": "true"}),
    )

    def __init__(self, data: QueryDict | None, *, place: Place, row: ConsentTemplate) -> None:
        self._place = place
        inherited = wording_versions.inherited(place)
        assert inherited is not None, "`WordingSheet.find` found the box"
        self.inherited = inherited
        if data is not None and data.get("do") == "start" and not data.get("words", "").strip():
            data = data.copy()
            data["words"] = self.inherited.words
        named = tuple(row.topics) if row.words and row.topics else self.inherited.topics
        initial = {"words": row.words, **{f"{_TOPIC}{key}": True for key in named}}
        super().__init__(data, initial=initial)
        self.fields["words"].widget.attrs["placeholder"] = self.inherited.words
        for topic in topics.in_order():
            if topic.offered or topic.key in named:
                self.fields[f"{_TOPIC}{topic.key}"] = forms.BooleanField(
                    label=titles.topic(topic), required=False
                )

    @property
    def groups(self) -> Any:
        first = next(name for name in self.fields if name.startswith(_TOPIC))
        return [("", self.rows(before=first)), (_("Topics that these words name"), self.rows(since=first))]

    @property
    def topics(self) -> tuple[str, ...]:
        """Those that are ticked, as far as can be read."""
        return tuple(
            name.removeprefix(_TOPIC)
            for name in self.fields
            if name.startswith(_TOPIC) and self[name].value()
        )

    @property
    def written(self) -> str:
        """The words as they are typed, or those that an empty field takes."""
        return " ".join(str(self["words"].value() or "").split()) or self.inherited.words

    def clean_words(self) -> str:
        words = " ".join(self.cleaned_data["words"].split())
        for name in wordings.unknown_slots(words):
            self.add_error("words", gettext("There is no “{%(name)s}”.") % {"name": name})
        if words:
            place = self._place
            for code in wordings.missing_phrases(place.kind, place.country, place.language, words):
                self.add_error(
                    "words", gettext("It lacks %(what)s.") % {"what": wording_versions.LACKING[code]}
                )
        return words

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("words") and not self.topics:
            self.add_error("words", gettext("Tick at least one topic: words that name none permit nothing."))
        return said


class WordingSheet(Sheet):
    """The words of one box in one language, for one country."""

    row: ConsentTemplate
    template = "consenttemplate/edit.html"

    @property
    def place(self) -> Place:
        return _place(self.row)

    @staticmethod
    def find(key: str, *, lock: bool) -> ConsentTemplate | None:
        """The newest version. It is never changed, so there is nothing to lock."""
        if key.isdecimal():
            row = ConsentTemplate.objects.filter(pk=key).first()
            return WordingSheet.find(_key(_place(row)), lock=lock) if row else None
        kind, _dot, rest = key.partition(".")
        country, _dot, language = rest.partition(".")
        place = Place(kind=kind, country="" if country == _ANY else country, language=language)
        if language not in copies.languages() or (
            place.country and place.country not in place_names.countries()
        ):
            return None
        if wording_versions.inherited(place) is None:
            return None
        rows = wording_versions.versions(place)
        return (
            rows[0]
            if rows
            else ConsentTemplate(kind=place.kind, country=place.country, language=place.language)
        )

    def title(self) -> str:
        return ", ".join([kind_name(self.place.kind), _language(self.place), _country(self.place)])

    def lead(self) -> str:
        return gettext(
            "Who agreed to other words keeps having agreed to those: a version is never changed, only followed "
            "by another."
        )

    def forms(self, data: QueryDict | None) -> Sequence[SheetForm]:
        return [WordingForm(data, place=self.place, row=self.row)]

    def told(self) -> Mapping[str, str]:
        row = self.row
        return {
            gettext("Words"): row.words or gettext("as shipped"),
            gettext("Topics"): ", ".join(row.topics) if row.words else "",
        }

    def keep(self, sections: Sequence[Any]) -> str:
        (form,) = sections
        self._add(form.cleaned_data["words"], form.topics)
        return ""

    def _add(self, words: str, named: Sequence[str]) -> None:
        about = list(named) if words else []
        if (words, about) != (self.row.words, list(self.row.topics)):
            self.row = wording_versions.add(
                self.place, words=words, topics=about, by=self.user.get_username(), now=self.now
            )

    def buttons(self) -> Sequence[tuple[str, Any]]:
        return [("reset", _("As shipped again"))] if self.row.words else ()

    def press(self, button: str) -> str:
        self._add("", ())
        return ""

    def history(self) -> Sequence[Any]:
        return ()  # the versions are

    def more(self, sections: Sequence[Any]) -> Mapping[str, Any]:
        (form,) = sections
        return {
            "read": wording_versions.preview(self.place, form.written, form.topics),
            "slots": _SLOTS.items(),
            "can_start": not str(form["words"].value() or "").strip(),
            "versions": wording_versions.versions(self.place),
        }


def kind_name(kind: str) -> str:
    """A box in words."""
    return str(_KINDS.get(kind, kind))


def _place(row: ConsentTemplate) -> Place:
    return Place(kind=row.kind, country=row.country, language=row.language)


def _key(place: Place) -> str:
    return ".".join([place.kind, place.country or _ANY, place.language])


def _url(place: Place) -> str:
    return reverse("admin:oscar_crosschannel_consenttemplate_change", args=[quote(_key(place))])


def _language(place: Place) -> str:
    return copies.languages().get(place.language, place.language)


def _country(place: Place) -> str:
    return place_names.name(place.country) if place.country else gettext("all countries")


# -------------------------------------------------------------------------------------------- the list


@dataclass(frozen=True, slots=True)
class Row:
    """The words of one place in the list."""

    url: str
    language: str
    country: str
    badge: SafeString
    words: str


@admin.register(ConsentTemplate)
class WordingAdmin(OpeningAdmin):
    sheet = WordingSheet

    def asked(self, words: QueryDict) -> str:
        kind, country, language = (words.get(part, "") for part in ("kind", "country", "language"))
        return _key(Place(kind=kind, country=country, language=language))

    def unknown(self, key: str) -> str:
        return gettext("There is no such box.")

    def overview(self, request: HttpRequest) -> Mapping[str, Any]:
        """All boxes, and the words beside each."""
        boxes: dict[str, list[Row]] = {}
        for place, row in _rows():
            boxes.setdefault(kind_name(place.kind), []).append(row)
        return {
            "boxes": list(boxes.items()),
            "kinds": [
                (kind, kind_name(kind)) for kind in dict.fromkeys(p.kind for p in wording_versions.places())
            ],
            "languages": copies.languages().items(),
            "countries": sorted(place_names.countries().items(), key=lambda item: item[1]),
        }


def _rows() -> Iterator[tuple[Place, Row]]:
    newest = wording_versions.newest_of_all()
    for place in wording_versions.places():
        inherited = wording_versions.inherited(place)
        own = newest.get(place)
        if inherited is None:
            continue  # its file is gone
        since = timezone.localtime(own.made_at) if own and own.words else None
        yield (
            place,
            Row(
                url=_url(place),
                language=_language(place),
                country=capfirst(_country(place)),
                badge=badge(_("your words"), "open") if since else badge(_("shipped words"), "quiet"),
                words=Truncator(own.words if own and own.words else inherited.words).chars(120),
            ),
        )
