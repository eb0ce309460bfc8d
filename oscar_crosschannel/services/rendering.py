"""Words: the merchant's copy if there is a row, else the file that ships with the flow.

Copy in rows is rendered in a language of its own (`copy_language`), which reaches no object, and put
into the frame of every email, so that no footer is ever forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings as django_settings
from django.db.models import Q
from django.template import Context as TemplateContext, TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.utils import timezone, translation
from django.utils.safestring import mark_safe

from ..channels.loading import channel
from ..core.facts import EMAIL
from ..models import Copy
from . import copy_language

#: File of each part, by channel.
FILES: Mapping[str, Mapping[str, str]] = {
    EMAIL: {"subject": "subject.txt", "text": "email.txt", "html": "email.html"},
}

_MESSAGES = "oscar_crosschannel/messages"
#: Possessive: thousands of comments are read once, not in every way they could be told apart.
_DOCUMENT = re.compile(r"(?:\s++|<!--(?>.*?-->))*+<(?:!doctype|html)\b", re.IGNORECASE | re.DOTALL)
_STYLES = re.compile(r"\s*(?:<style\b.*?</style>\s*)*", re.IGNORECASE | re.DOTALL)
_ROW = re.compile(r"<tr\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CopyKey:
    """Where the words of a message are found."""

    flow_id: int
    flow_key: str
    step_key: str
    channel: str
    language: str


def load_copies(keys: Collection[CopyKey]) -> dict[CopyKey, Copy]:
    """The merchant's rows for these keys: one statement. A regional language falls back to its base."""
    wanted = Q(pk__in=[])
    for flow_id, step_key in {(key.flow_id, key.step_key) for key in keys}:
        wanted |= Q(flow_id=flow_id, step_key=step_key)
    found = {
        (copy.flow_id, copy.step_key, copy.channel, copy.language): copy
        for copy in Copy.objects.filter(wanted, variant="")
    }
    copies = {}
    for key in keys:
        for language in languages_of(key):
            if (copy := found.get((key.flow_id, key.step_key, key.channel, language))) is not None:
                copies[key] = copy
                break
    return copies


def languages_of(key: CopyKey) -> Iterator[str]:
    """The languages in which a merchant's words may be, the best first.

    Where nothing comes with the flow, words in the shop's own language are better than none.
    """
    yield key.language
    yield key.language.split("-")[0]
    if not has_file(key, "text"):
        yield django_settings.LANGUAGE_CODE
        yield django_settings.LANGUAGE_CODE.split("-")[0]


def render(
    key: CopyKey, copy: Copy | None, parts: Collection[str], context: Mapping[str, Any], *, zone: str = ""
) -> dict[str, str]:
    """Rendered words by part, in the language of `key`; times as clocks in `zone` show them.

    Raises the template engine's errors; a file that does not exist gives an empty optional part.
    """
    clock = timezone.override(ZoneInfo(zone) if zone else None)
    with translation.override(key.language or django_settings.LANGUAGE_CODE), clock:
        return {part: _part(key, copy, part, context) for part in sorted(parts)}


def _part(key: CopyKey, copy: Copy | None, part: str, context: Mapping[str, Any]) -> str:
    words = getattr(copy, part) if copy is not None else None
    if words is not None:
        own = copy_language.render(words, context, html=part == "html")
        return _framed(own, part, context) if key.channel == EMAIL else own
    html = part == "html"
    try:
        template = get_template(file_of(key, part))
    except TemplateDoesNotExist:
        if html:
            return ""
        raise
    # the backend's own render() would escape plain text
    rendered: str = template.template.render(TemplateContext(dict(context), autoescape=html))  # type: ignore[attr-defined]
    return rendered if html else rendered.strip()


def file_of(key: CopyKey, part: str) -> str:
    """Name of the template that has the words of a part when no row does."""
    return f"{_MESSAGES}/{key.flow_key}/{key.step_key}/{FILES.get(key.channel, {}).get(part, f'{key.channel}.txt')}"


def has_file(key: CopyKey, part: str) -> bool:
    """Whether words for this part come with the flow."""
    try:
        get_template(file_of(key, part))
    except TemplateDoesNotExist:
        return False
    except Exception:
        return True  # there is one, and it is broken
    return True


def ships(key: CopyKey) -> bool:
    """Whether a message can be made of the files that come with the flow; HTML may be missing."""
    return all(has_file(key, part) for part in channel(key.channel).parts - {"html"})


def source_of(name: str) -> str:
    """A template as it is written in its file; empty where there is none, or a broken one, which says nothing."""
    try:
        file: Any = get_template(name)
    except (TemplateDoesNotExist, TemplateSyntaxError):
        return ""
    return str(file.template.source)


def _framed(words: str, part: str, context: Mapping[str, Any]) -> str:
    """A merchant's body of an email with what no email may lack; a whole HTML document stands for itself."""
    if part == "html" and words.strip() and not _DOCUMENT.match(words):
        styles = _STYLES.match(words)
        begins = styles.end() if styles else 0
        frame = get_template(f"{_MESSAGES}/own_words.html")
        told = {
            "own_styles": mark_safe(words[:begins]),
            "body": mark_safe(words[begins:]),
            "rows": bool(_ROW.match(words, begins)),
        }
        return str(frame.render({**context, **told}))
    way_out = context.get("unsubscribe_url") or context.get("preferences_url")
    if part == "text" and words.strip() and way_out and way_out not in words:
        frame = get_template(f"{_MESSAGES}/own_words.txt")
        return str(frame.render({**context, "body": mark_safe(words.rstrip())}))
    return words
