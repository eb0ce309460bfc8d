"""The words beside consent boxes: how they read now, and how they read when somebody agreed.

The newest version that the merchant made for a box, country and language counts; where there is none,
the file `oscar_crosschannel/consent/<kind>.txt`. Words have slots, which are filled with plain text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Max, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils import translation

from ..conf import settings
from ..core.facts import EMAIL, SMS, Purpose
from ..models import ConsentEvent, ConsentTemplate, ConsentText, Topic
from . import topics as topic_words

#: Boxes that ship with the app besides one for each channel: what a shop prints beside a keyword, and
#: texts that somebody asks for and that advertise nothing.
SMS_KEYWORD, ORDER_TEXTS = "sms_keyword", "order_texts"
#: Every box that ships with the app, and the channel it is about. A store's own boxes are files in
#: `templates/oscar_crosschannel/consent` whose name begins with the channel: `sms_fair.txt`.
KINDS: Mapping[str, str] = {EMAIL: EMAIL, SMS: SMS, SMS_KEYWORD: SMS, ORDER_TEXTS: SMS}

#: What `{…}` in words may name.
SLOTS = ("brand", "frequency", "terms_url", "privacy_url", "support", "topics")

_SLOT = re.compile(r"\{(\w+)\}")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The words beside a consent box as a person reads them, and the topics they name."""

    words: str
    digest: str  #: of words, channel, language and topics; 64 hex characters
    topics: tuple[str, ...]
    kind: str
    version: int | None = None  #: id of the merchant's `ConsentTemplate`; None: the shipped file


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Words with their slots, and the keys of the topics that they name where nobody asks for others."""

    words: str
    topics: tuple[str, ...]
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTopic:
    """A topic as words name it."""

    name: str
    purpose: Purpose
    minimum_age: int | None = None  #: in years (rule 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """All that words in one language and country are made of, so that many boxes cost one statement."""

    language: str
    country: str
    #: newest by (kind, country, language)
    versions: Mapping[tuple[str, str, str], Version]
    #: by key, in the shopper's order
    topics: Mapping[str, NamedTopic]
    #: channels on which the person has ever answered, if `read` was asked about one
    decided: frozenset[str]

    def wording(self, kind: str, topics: Sequence[str] = ()) -> Wording:
        """The words of a box; with `topics`, they name exactly these. Asks no database."""
        return _filled(self.version(kind), kind, self, topics)

    def names(self, keys: Sequence[str]) -> list[str]:
        """How these topics are called, in the order in which they are given."""
        return [self.topics[key].name if key in self.topics else key for key in keys]

    def version(self, kind: str) -> Version:
        """The words in force for a box, with their slots. Asks no database."""
        for country in (self.country, ""):
            for language in _spoken(self.language):
                version = self.versions.get((kind, country, language))
                if version is not None and version.words:
                    return version
        return shipped(kind, self.language)


def wording(kind: str, language: str, *, country: str = "", topics: Sequence[str] = ()) -> Wording:
    """The words of one box as they are shown now. One statement; for several boxes see `read`."""
    return read(language, country=country).wording(kind, topics)


def read(language: str, *, country: str = "", user_id: int | None = None) -> Vocabulary:
    """What words are made of, and what the account's person has `decided`. One statement."""
    newest = (
        ConsentTemplate.objects.filter(country__in={country, ""}, language__in=_spoken(language))
        .order_by()
        .values("kind", "country", "language")
        .annotate(newest=Max("pk"))
        .values("newest")
    )
    found = _rows("version", ConsentTemplate.objects.filter(pk__in=newest), _OF_VERSIONS).union(
        _rows("topic", Topic.objects.all(), _OF_TOPICS),
        *([_rows("said", decided_by(user_id), _OF_ANSWERS)] if user_id is not None else []),
        all=True,
    )
    rows: dict[str, list[Any]] = {"version": [], "topic": [], "said": []}
    for what, *columns in found:
        rows[what].append(columns)
    return Vocabulary(
        language=language,
        country=country,
        versions={
            (kind, place, spoken): Version(words=words, topics=tuple(json.loads(keys)), id=number)
            for kind, place, spoken, words, keys, number, _ in rows["version"]
        },
        topics=_named(rows["topic"], language),
        decided=frozenset(channel for channel, *_ in rows["said"]),
    )


def decided_by(user_id: int) -> QuerySet[ConsentEvent]:
    """What the account's person ever answered, also as a guest before.

    An unconfirmed request decides nothing: anybody can type an address, and it may run out.
    """
    undecided = [ConsentEvent.Action.REQUEST, ConsentEvent.Action.EXPIRE, ConsentEvent.Action.UNASKED]
    answers: QuerySet[ConsentEvent] = ConsentEvent.objects.exclude(action__in=undecided).order_by()
    return answers.filter(contact__user_id=user_id) | answers.filter(contact__merged_into__user_id=user_id)


def shipped(kind: str, language: str) -> Version:
    """The words of the file, with their slots.

    Its first line is "topics: <key> <key> …": whoever changes the words says there what they permit.
    Raises `TemplateDoesNotExist` for a kind without a file.
    """
    template = get_template(f"oscar_crosschannel/consent/{kind}.txt")
    with translation.override(language):
        rendered = template.render({slot: f"{{{slot}}}" for slot in SLOTS})
    head, _, body = rendered.strip().partition("\n")
    label, _, keys = head.partition(":")
    words, topics = " ".join(body.split()), tuple(keys.split())
    if label.strip() != "topics" or not topics or not words:
        raise ImproperlyConfigured(
            f"consent/{kind}.txt must begin with a line 'topics: <key> …' before its words."
        )
    return Version(words=words, topics=topics)


def fill(words: str, *, topics: Sequence[str] = ()) -> str:
    """The words with their slots filled; `topics` are names. What is no slot stays as it is written."""
    values = {
        "brand": settings.BRAND,
        "frequency": settings.SMS_FREQUENCY,
        "terms_url": settings.TERMS_URL,
        "privacy_url": settings.PRIVACY_URL,
        "support": settings.SUPPORT_CONTACT or settings.BASE_URL,
        "topics": ", ".join(topics),
    }
    return _SLOT.sub(lambda slot: str(values.get(slot[1], slot[0])), words)


def unknown_slots(words: str) -> list[str]:
    """Names in braces that nobody fills, in the order in which they stand."""
    return [name for name in dict.fromkeys(_SLOT.findall(words)) if name not in SLOTS]


def missing_phrases(kind: str, country: str, language: str, words: str) -> list[str]:
    """Codes of what these words lack (rule 5); `words` with their slots, or settings written out.

    brand, topics: for every box. stop, help: for texts. rates, terms_url, privacy_url: for texts in the
    United States, Canada, and where nobody knows the country; there marketing also needs frequency,
    recurring_automated and no_condition. What must be said in so many words is asked of English only.
    """
    return [code for code in _expected(kind, country, language) if not _says(words, code)]


def says_any_hour(words: str, language: str) -> bool:
    """Whether these words say that messages may come at night (rule 39). Where we know no way to say it: no."""
    known = _ANY_HOUR.get(language.partition("-")[0], ())
    return any(phrase in words.casefold() for phrase in known)


def channel_of(kind: str) -> str:
    """The channel that a box is about."""
    return KINDS.get(kind) or kind.partition("_")[0]


def kind_for(channel: str, purpose: Purpose) -> str:
    """The box to show for a topic of this purpose."""
    return ORDER_TEXTS if channel == SMS and purpose is not Purpose.MARKETING else channel


def shown(
    digest: str,
    *,
    channel: str,
    language: str,
    now: datetime,
    kind: str = "",
    topics: Collection[str] = (),
) -> ConsentText | None:
    """The words a form showed, by their digest; None when nobody knows them (any more).

    Stored with their first answer, and from then on known whatever becomes of their version. A form that
    was opened before the merchant made a newer version is still known.
    """
    known: ConsentText | None = ConsentText.objects.filter(digest=digest, channel=channel).first()
    if known is not None:
        return known
    kind = kind or channel
    # all of it comes back from the form, so it may be anything
    if (
        not _KIND.fullmatch(kind)
        or channel_of(kind) != channel
        or not translation.check_for_language(language)
    ):
        return None
    for candidate in _ever_shown(kind, language, tuple(topics)):
        if candidate.digest == digest:
            return keep(candidate, language=language, now=now)
    return None


def keep(wording: Wording, *, language: str, now: datetime) -> ConsentText:
    """The immutable row of words as they were shown."""
    return _stored(
        channel_of(wording.kind),
        language,
        wording.topics,
        wording.words,
        now=now,
        kind=wording.kind,
        template_id=wording.version,
    )


def store(channel: str, language: str, topics: Sequence[str], words: str, *, now: datetime) -> ConsentText:
    """The immutable row of words from elsewhere; other words, or other topics for them, are another row."""
    return _stored(channel, language, topics, words, now=now)


def _stored(
    channel: str, language: str, topics: Sequence[str], words: str, *, now: datetime, **origin: Any
) -> ConsentText:
    text: ConsentText
    text, _ = ConsentText.objects.get_or_create(
        digest=_digest(channel, language, topics, words),
        defaults={
            "channel": channel,
            "language": language,
            "words": words,
            "topics": list(topics),
            "any_hour": says_any_hour(words, language),
            "created_at": now,
            **origin,
        },
    )
    return text


def _filled(version: Version, kind: str, vocabulary: Vocabulary, topics: Sequence[str]) -> Wording:
    named = tuple(topics) or version.topics or shipped(kind, vocabulary.language).topics
    words = version.words
    if topics and "{topics}" not in words:
        words += " ({topics})"  # words of before there was a slot: they must still name what is asked for
    filled = fill(words, topics=vocabulary.names(named))
    return Wording(
        words=filled,
        digest=_digest(channel_of(kind), vocabulary.language, named, filled),
        topics=named,
        kind=kind,
        version=version.id,
    )


def _ever_shown(kind: str, language: str, topics: tuple[str, ...]) -> Iterator[Wording]:
    """How the words of a box may have read in any country, the newest first."""
    vocabulary = read(language)
    try:
        versions = [shipped(kind, language)]
    except TemplateDoesNotExist:
        versions = []
    rows = ConsentTemplate.objects.filter(kind=kind, language__in=_spoken(language)).exclude(words="")
    made = [Version(words=row.words, topics=tuple(row.topics), id=row.pk) for row in rows.order_by("-pk")]
    for version in [*made, *versions]:
        for named in dict.fromkeys([(), topics]):
            yield _filled(version, kind, vocabulary, named)


def _spoken(language: str) -> list[str]:
    """The language, and without its region."""
    return list(dict.fromkeys([language, language.partition("-")[0]]))


#: Seven columns of each kind of row, so that one statement reads them all.
_NONE, _ZERO = Value(""), Value(0)
_OF_VERSIONS = ("kind", "country", "language", "words", Cast("topics", TextField()), "pk", _ZERO)
_OF_TOPICS = (
    "key",
    "purpose",
    Coalesce("words__language", _NONE),
    "name",
    Coalesce("words__name", _NONE),
    "position",
    Coalesce("minimum_age", _ZERO),
)
_OF_ANSWERS = ("channel", _NONE, _NONE, _NONE, _NONE, _ZERO, _ZERO)


def _rows(what: str, found: QuerySet[Any], columns: Sequence[Any]) -> QuerySet[Any, Any]:
    return found.order_by().values_list(Value(what), *columns)


def _named(rows: Sequence[Any], language: str) -> dict[str, NamedTopic]:
    further: dict[str, dict[str, str]] = {}
    for key, _purpose, spoken, _name, own, *_ in rows:
        further.setdefault(key, {}).update({spoken: own} if spoken else {})
    return {
        key: NamedTopic(
            name=topic_words.name(key, written, further[key], language),
            purpose=Purpose(purpose),
            minimum_age=minimum_age or None,
        )
        for key, purpose, _spoken_in, written, _own, _position, minimum_age in sorted(
            rows, key=lambda row: (row[5], row[0])
        )
    }


#: What must be read in the words, in any case; STOP and HELP must be shouted, for "help" is said anyway.
_PHRASES: Mapping[str, Sequence[str]] = {
    "recurring_automated": ("recurring automated",),
    "rates": ("message and data rates may apply",),
    "no_condition": ("consent is not a condition of purchase", "consent is not a condition of any purchase"),
}
#: By language, how words may say that messages come at night too.
_ANY_HOUR: Mapping[str, Sequence[str]] = {
    "en": ("at any hour", "at any time of day or night", "day and night"),
    "de": ("zu jeder tages- und nachtzeit", "zu jeder uhrzeit", "rund um die uhr"),
    "fr": ("à toute heure", "jour et nuit"),
}
_SHOUTED: Mapping[str, str] = {"stop": "STOP", "help": "HELP"}
_SETTINGS: Mapping[str, str] = {
    "brand": "BRAND",
    "frequency": "SMS_FREQUENCY",
    "terms_url": "TERMS_URL",
    "privacy_url": "PRIVACY_URL",
}
#: Where carriers ask for all of it, or nobody knows whether they do.
_STRICT = ("US", "CA", "PR", "")


def _expected(kind: str, country: str, language: str) -> Iterator[str]:
    yield from ("brand", "topics")
    if channel_of(kind) != SMS:
        return
    yield from ("stop", "help")
    if country not in _STRICT:
        return
    is_marketing, is_english = kind != ORDER_TEXTS, language.startswith("en")
    yield from ("terms_url", "privacy_url")
    yield from ("frequency",) if is_marketing else ()
    yield from ("rates",) if is_english else ()
    yield from ("recurring_automated", "no_condition") if is_marketing and is_english else ()


def _says(words: str, code: str) -> bool:
    if code in _SHOUTED:
        return _SHOUTED[code] in words
    if code in _PHRASES:
        return any(phrase in words.lower() for phrase in _PHRASES[code])
    filled = str(getattr(settings, _SETTINGS[code])) if code in _SETTINGS else ""
    return f"{{{code}}}" in words or bool(filled and filled in words)


def _digest(channel: str, language: str, topics: Sequence[str], words: str) -> str:
    return hashlib.sha256(json.dumps([channel, language, list(topics), words]).encode()).hexdigest()
