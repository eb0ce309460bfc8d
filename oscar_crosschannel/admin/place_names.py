"""What places are called: countries in the reader's language, states as their rows name them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from django.utils.translation import get_language, gettext_lazy as _, to_locale

from ..core import whereabouts
from ..core.lawbook import DEFAULT, MARKETING, UNSURE
from .sentences import Words

#: Rows of rules that are no place.
NO_PLACES: Mapping[str, Words] = {
    MARKETING: _("Your own hours, where a person’s clock is known"),
    UNSURE: _("Your own hours, where it is not known"),
    DEFAULT: _("Countries that are not on this list"),
}


def name(key: str) -> str:
    """The place of a key: "France", "Florida (United States)"; the key itself where nobody knows."""
    if key in NO_PLACES:
        return str(NO_PLACES[key])
    country, _, state = key.partition("-")
    nation = countries().get(country, country)
    return f"{whereabouts.state_name(country, state)} ({nation})" if state else nation


def countries() -> Mapping[str, str]:
    """ISO code → name in the active language."""
    return _countries(get_language() or "en")


@lru_cache(maxsize=16)
def _countries(language: str) -> Mapping[str, str]:
    try:
        territories = Locale.parse(to_locale(language)).territories
    except (UnknownLocaleError, ValueError):
        territories = Locale.parse("en").territories
    return {code: str(words) for code, words in territories.items() if len(code) == 2 and code not in _NONE}


#: What Unicode has beside countries: unions, and "unknown".
_NONE = {"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"}
