"""Shipped words as merchants' copy: in one language, and with every branch that the file has.

The translations are Django's own: it ships with plurals and contexts in every language.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from oscar_crosschannel.services import copy_language
from oscar_crosschannel.services.rendering import CopyKey
from oscar_crosschannel.services.unfolding import unfolded

Ship = Callable[..., str]

SELECTED = "{% blocktranslate count total_count=n %}{{ total_count }} selected{% plural %}All {{ total_count }} selected{% endblocktranslate %}"


@pytest.fixture
def ship(tmp_path: Path, settings: Any) -> Ship:
    """Ships words with a flow; gives them unfolded."""
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    def shipped(file: str, language: str = "de", **others: str) -> str:
        folder = tmp_path / "oscar_crosschannel" / "messages" / "letter" / "only"
        folder.mkdir(parents=True)
        (folder / "email.txt").write_text("{% load i18n %}" + file, encoding="utf-8")
        for name, words in others.items():
            (tmp_path / f"{name}.txt").write_text("{% load i18n %}" + words, encoding="utf-8")
        return unfolded(CopyKey(1, "letter", "only", "email", language), "text")

    return shipped


def said(words: str, **context: Any) -> str:
    return copy_language.render(words, context, html=False)


# It works.


def test_a_translation_is_found_by_its_context(ship: Ship) -> None:
    words = ship(
        "{% blocktranslate context 'alt. month' %}May{% endblocktranslate %} {% translate 'May' %}", "pl"
    )
    with translation.override("pl"):
        assert words == f"{translation.pgettext('alt. month', 'May')} {translation.gettext('May')}"
        assert len(set(words.split())) == 2


@pytest.mark.parametrize("language", ["de", "fr", "ja", "en"])
@pytest.mark.parametrize("number", [0, 1, 2, 11, 21])
def test_a_plural_counts_as_its_language_does(ship: Ship, language: str, number: int) -> None:
    with translation.override(language):
        right = translation.ngettext("%(total_count)s selected", "All %(total_count)s selected", number)
    assert said(ship(SELECTED, language), n=number) == right % {"total_count": number}


def test_a_kept_translation_stands_wherever_its_name_stood(ship: Ship) -> None:
    words = ship(
        "{% translate 'May' as month %}"
        "{{ month }}|{% if month == kept %}same{% endif %}|{{ gone|default:month }}|{{ 'a month' }}|"
        "{% with m=month %}{{ m }}{% endwith %}|{% for month in list %}{{ month }}{% endfor %}"
    )
    assert said(words, kept="Mai", list=["x", "y"]) == "Mai|same|Mai|a month|Mai|xy"


def test_quotes_in_a_kept_translation_stay_quotes(ship: Ship) -> None:
    words = ship("""{% translate 'a "b" \\\\ c' as kept %}{{ kept }}{% if kept|length == 9 %}!{% endif %}""")
    assert said(words) == 'a "b" \\ c!'


def test_what_is_included_is_written_out(ship: Ship) -> None:
    words = ship("Hi {% include 'foot.txt' %}", foot="{% translate 'May' %} {{ brand }}")
    assert words == "Hi Mai {{ brand }}"


# It refuses.


@pytest.mark.parametrize("language", ["uk", "ar", "ru"])
def test_more_plurals_than_copy_can_tell_apart_are_not_unfolded(ship: Ship, language: str) -> None:
    assert ship(SELECTED, language) == ""


@pytest.mark.parametrize(
    "file",
    [
        "{% translate title %}",
        "{% blocktranslate asvar kept %}May{% endblocktranslate %}",
        "{% include 'foot.txt' with a=b %}",
        "{% include 'foot.txt' only %}",
        "{% include name %}",
        "{% include 'gone.txt' %}",
        "{% cycle 'a' 'b' %}",
        "{% if a %}" * 30 + "{% endif %}" * 30,
        "{% if a" + " and a" * 2000 + " %}{% endif %}",
    ],
)
def test_what_copy_has_no_words_for_is_not_unfolded(ship: Ship, file: str) -> None:
    assert ship(file, foot="{{ brand }}") == ""
