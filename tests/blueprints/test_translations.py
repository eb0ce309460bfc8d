"""The German and French words that ship with the app."""

from __future__ import annotations

import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po

import oscar_crosschannel
from oscar_crosschannel.core.keywords import Keyword, classify
from oscar_crosschannel.core.sms import Encoding, segments
from oscar_crosschannel.services import wordings
from oscar_crosschannel.services.topics import SHIPPED

LOCALE = Path(oscar_crosschannel.__file__).parent / "locale"
#: Code that speaks to shoppers; what the staff reads stays English.
SPOKEN = ["oscar/*.py", "web/*.py", "services/replies.py", "services/confirmations.py", "services/topics.py"]
#: What a flow says by itself. The lazy words of blueprints are for staff.
FLOWS, SAID_BY_FLOWS = "blueprints/*.py", {"gettext": None, "gettext_noop": None, "ngettext": (1, 2)}
MARKS = {
    **dict.fromkeys(["_", "gettext", "gettext_lazy", "gettext_noop"]),
    **dict.fromkeys(["pgettext", "pgettext_lazy"], ((1, "c"), 2)),
    "ngettext": (1, 2),
}
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
SHOUTED = re.compile(r"\b[A-Z]{2,}\b")

pytestmark = pytest.mark.parametrize("language", ["de", "fr"])


def catalogue(language: str) -> Catalog:
    with (LOCALE / language / "LC_MESSAGES" / "django.po").open("rb") as file:
        return read_po(file, locale=language)


def entries(language: str) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


def forms(words: str | tuple[str, ...] | list[str]) -> list[str]:
    return [words] if isinstance(words, str) else list(words)


def words_in(template: str) -> set[str]:
    """The originals in a template, as `makemessages` would write them."""
    blocks = re.findall(r"{% blocktranslate[^%]*%}(.*?){% (?:plural|endblocktranslate)", template, re.DOTALL)
    trimmed = [" ".join(line.strip() for line in block.strip().splitlines()) for block in blocks]
    return {
        *re.findall(r'{% (?:translate|trans) "([^"]+)"', template),
        *(re.sub(r"{{ (\w+) }}", r"%(\1)s", words) for words in trimmed),
    }


def is_sent_as_text(message: Message) -> bool:
    return any(
        (path.endswith("/sms.txt") and "/messages/" in path)
        or path in ("services/replies.py", "services/confirmations.py")
        for path, _ in message.locations
    )


def words_of_topic(language: str, original: str) -> str:
    message = catalogue(language).get(original)
    assert message is not None, original
    return str(message.string)


def test_every_word_of_the_templates_is_in_the_catalogue(language: str) -> None:
    known = {forms(message.id)[0] for message in entries(language)}
    for path in (LOCALE.parent / "templates" / "oscar_crosschannel").rglob("*.*"):
        if "admin" not in path.parts:
            assert words_in(path.read_text()) <= known, f"{path}: run `manage.py makemessages`"


def test_every_word_that_the_code_says_to_shoppers_is_in_the_catalogue(language: str) -> None:
    known = {forms(message.id)[0] for message in entries(language)}
    for pattern, marks in (*((pattern, MARKS) for pattern in SPOKEN), (FLOWS, SAID_BY_FLOWS)):
        for path in LOCALE.parent.glob(pattern):
            with path.open("rb") as file:
                said = {forms(found[1])[0] for found in extract("python", file, keywords=marks)}
            assert said <= known, f"{path}: run `manage.py makemessages`"


def test_every_word_is_translated_but_those_in_oscars_own_forms(language: str) -> None:
    missing = [message.id for message in entries(language) if not all(forms(message.string))]
    in_oscars_forms = {
        message.id
        for message in entries(language)
        if all(path.startswith("templates/oscar/") for path, _ in message.locations)
    }
    assert set(missing) <= in_oscars_forms
    assert not [message.id for message in entries(language) if message.fuzzy]


def test_every_translation_keeps_the_values_of_its_original(language: str) -> None:
    for message in entries(language):
        if not all(forms(message.string)):
            continue
        wanted = {name for form in forms(message.id) for name in PLACEHOLDER.findall(form)}
        used = {name for form in forms(message.string) for name in PLACEHOLDER.findall(form)}
        assert used == wanted, message.id


@pytest.mark.rule(81)
def test_no_text_message_is_made_dearer_by_its_translation(language: str) -> None:
    texts = [message for message in entries(language) if is_sent_as_text(message)]
    assert texts
    for message in texts:
        for words in forms(message.string):
            assert segments(words).encoding is Encoding.GSM7, words


@pytest.mark.rule(81)
def test_the_names_of_topics_make_no_text_dearer(language: str) -> None:
    for topic in SHIPPED.values():
        assert words_of_topic(language, topic.description)
        assert segments(words_of_topic(language, topic.name)).encoding is Encoding.GSM7, topic.name


@pytest.mark.rule(5)
def test_shipped_consent_words_lack_nothing(language: str) -> None:
    for kind in wordings.KINDS:
        version = wordings.shipped(kind, language)
        assert version.words != wordings.shipped(kind, "en").words
        assert not wordings.missing_phrases(kind, "US", language, version.words), kind
        assert not wordings.unknown_slots(version.words), kind


@pytest.mark.parametrize("keyword", [Keyword.STOP, Keyword.HELP, Keyword.YES, Keyword.ORDERS])
def test_the_words_to_answer_with_are_understood(language: str, keyword: Keyword) -> None:
    """A text that asks for a word in English asks in its translation for one that means the same."""
    for message in filter(is_sent_as_text, entries(language)):
        if any(classify(word) is keyword for word in SHOUTED.findall(forms(message.id)[0])):
            for words in forms(message.string):
                assert any(classify(word) is keyword for word in SHOUTED.findall(words)), words


def test_the_compiled_file_is_that_of_the_readable_one(language: str) -> None:
    with (LOCALE / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        compiled = GNUTranslations(file)
    for message in entries(language):
        singular, *plural = forms(message.id)
        if plural:
            assert compiled.ngettext(singular, plural[0], 1) == message.string[0]
            assert compiled.ngettext(singular, plural[0], 2) == message.string[1]
        elif message.string:
            context = message.context
            words = compiled.pgettext(context, singular) if context else compiled.gettext(singular)
            assert words == message.string, "run `manage.py compilemessages`"
