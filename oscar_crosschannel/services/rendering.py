"""Words: the merchant's copy if there is a row, else the file that ships with the flow.

Copy in rows is rendered by an engine that knows no loader, no tag library and no object: the
context holds plain values only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings as django_settings
from django.db.models import Q
from django.template import Context as TemplateContext, Engine, TemplateDoesNotExist
from django.template.base import Template
from django.template.loader import get_template
from django.utils import timezone, translation

from ..core.facts import EMAIL
from ..models import Copy

#: File of each part, by channel.
FILES: Mapping[str, Mapping[str, str]] = {
    EMAIL: {"subject": "subject.txt", "text": "email.txt", "html": "email.html"},
}


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
        for language in (key.language, key.language.split("-")[0]):
            if (copy := found.get((key.flow_id, key.step_key, key.channel, language))) is not None:
                copies[key] = copy
                break
    return copies


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
    html = part == "html"
    words = getattr(copy, part) if copy is not None else None
    if words is not None:
        return _from_row(words).render(TemplateContext(dict(context), autoescape=html))
    name = FILES.get(key.channel, {}).get(part, f"{key.channel}.txt")
    try:
        template = get_template(f"oscar_crosschannel/messages/{key.flow_key}/{key.step_key}/{name}")
    except TemplateDoesNotExist:
        if html:
            return ""
        raise
    # the backend's own render() would escape plain text
    rendered: str = template.template.render(TemplateContext(dict(context), autoescape=html))  # type: ignore[attr-defined]
    return rendered if html else rendered.strip()


@lru_cache(maxsize=512)
def _from_row(words: str) -> Template:
    return Engine(debug=False, libraries={}, builtins=[]).from_string(words)
