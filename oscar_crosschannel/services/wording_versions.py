"""Versions of the words beside consent boxes: which are in force where, and making a new one.

A version is never changed: what somebody agreed to stays as they read it (rule 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Max
from django.template import TemplateDoesNotExist
from django.utils.translation import gettext_lazy as _

from ..models import ConsentTemplate
from . import copies, wordings

#: What words may lack, by the codes of `wordings.missing_phrases`.
LACKING: Mapping[str, Any] = {
    "brand": _("who sends the messages: {brand}"),
    "topics": _("what they are about: {topics}"),
    "frequency": _("how many there may be: {frequency}"),
    "terms_url": _("the address of the terms: {terms_url}"),
    "privacy_url": _("the address of the privacy policy: {privacy_url}"),
    "recurring_automated": _("“recurring automated”"),
    "rates": _("“Message and data rates may apply”"),
    "no_condition": _("“Consent is not a condition of purchase”"),
    "stop": _("how to stop: STOP"),
    "help": _("how to get help: HELP"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A box in one language, for one country; without a country wherever no words are made for it."""

    kind: str
    country: str
    language: str


def places() -> list[Place]:
    """Every box in every language of the shop, and those that the merchant wrote words for."""
    rows = ConsentTemplate.objects.order_by().values_list("kind", "country", "language").distinct()
    own = [Place(kind=kind, country=country, language=language) for kind, country, language in rows]
    shipped = [
        Place(kind=kind, country="", language=language)
        for kind in wordings.KINDS
        for language in copies.languages()
    ]
    return list(dict.fromkeys([*shipped, *own]))


def versions(place: Place) -> list[ConsentTemplate]:
    """All versions for a place, the newest first."""
    rows = ConsentTemplate.objects.filter(kind=place.kind, country=place.country, language=place.language)
    return list(rows.order_by("-pk"))


def newest_of_all() -> dict[Place, ConsentTemplate]:
    """The merchant's version for each place that has one. Two statements."""
    ids = (
        ConsentTemplate.objects.order_by()
        .values("kind", "country", "language")
        .annotate(newest=Max("pk"))
        .values("newest")
    )
    return {
        Place(kind=row.kind, country=row.country, language=row.language): row
        for row in ConsentTemplate.objects.filter(pk__in=ids)
    }


def add(place: Place, *, words: str, topics: Sequence[str], by: str, now: datetime) -> ConsentTemplate:
    """A new version; without words, the shipped ones count again. Raises ValueError for words that lack something."""
    if words and wordings.missing_phrases(place.kind, place.country, place.language, words):
        raise ValueError("These words lack something that is expected there.")
    return ConsentTemplate.objects.create(
        kind=place.kind,
        country=place.country,
        language=place.language,
        words=words,
        topics=list(topics),
        made_at=now,
        made_by=by,
    )


def inherited(place: Place) -> wordings.Version | None:
    """What counts if the merchant has no words for exactly this place; None where there is no such box.

    That is what they wrote for the language without its region, or for all countries, or the file.
    """
    vocabulary = wordings.read(place.language, country=place.country)
    versions = dict(vocabulary.versions)
    versions.pop((place.kind, place.country, place.language), None)
    try:
        shipped = wordings.shipped(place.kind, place.language)
        version = replace(vocabulary, versions=versions).version(place.kind)
    except TemplateDoesNotExist:
        return None
    return replace(version, topics=version.topics or shipped.topics)


def preview(place: Place, words: str, topics: Sequence[str]) -> str:
    """The words as a person there would read them."""
    names = wordings.read(place.language, country=place.country).names(topics)
    return wordings.fill(words, topics=names)
