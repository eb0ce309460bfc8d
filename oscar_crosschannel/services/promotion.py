"""What makes a message an advertisement, whatever its topic says (rule 39).

What belongs to an order or an account goes out at any hour and without consent, so it may not promote.
By the names below a message gives codes away or recommends; a blueprint that recommends products
calls them so. Words that say a code without asking whether there is one need a step that gives it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.base import Lexer, TokenType
from django.template.loader import get_template

from ..core.facts import Purpose
from .rendering import CopyKey, file_of, source_of
from .topics import QUESTIONS

#: Purposes whose messages need no consent and no quiet hours.
MAY_NOT_PROMOTE = frozenset({Purpose.TRANSACTIONAL, Purpose.CRITICAL})
#: Topics that may not promote either, whatever their purpose: they come before any consent (rule 8).
_BEFORE_CONSENT = frozenset({QUESTIONS})
#: Names of a message's values that promote.
PROMOTING = ("voucher", "offers", "recommendations", "join_texts_url")

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_NAME = re.compile(rf"(?<![\w.])(?:{'|'.join(PROMOTING)})(?!\w)")
_CODE = re.compile(r"(?<![\w.])voucher(?!\w)")
_INCLUDED = re.compile(r"include\s+[\"']([^\"']+)[\"']")


@dataclass(frozen=True, slots=True)
class Mention:
    """Where words promote: the name they use, and its line."""

    name: str
    line: int


def is_barred(purpose: str, topic: str) -> bool:
    """Whether messages of this purpose, about this topic, may not promote."""
    return purpose in MAY_NOT_PROMOTE or topic in _BEFORE_CONSENT


def mentions(words: str) -> Iterator[Mention]:
    """Where these words, of a merchant or of a file, use a name that promotes."""
    for token in Lexer(words).tokenize():
        if token.token_type in (TokenType.VAR, TokenType.BLOCK):
            for found in _NAME.finditer(_QUOTED.sub("", token.contents)):
                yield Mention(found[0], token.lineno or 1)


def mentions_in_file(key: CopyKey, part: str) -> Iterator[Mention]:
    """The same of the words that ship with a flow."""
    yield from mentions(source_of(key, part))


def says_code(words: str) -> bool:
    """Whether these words say an exclusive code, and do not ask first whether there is one."""
    return any(_CODE.search(_QUOTED.sub("", tag)) for tag in _unasked(words))


def says_code_in_file(key: CopyKey, part: str) -> bool:
    """The same of the words that ship with a flow, and of what they include. Broken ones say nothing."""
    names, known = [file_of(key, part)], set()
    while names:
        name = names.pop()
        if name in known:
            continue
        known.add(name)
        words = _written(name)
        if says_code(words):
            return True
        names += [found[1] for tag in _unasked(words) if (found := _INCLUDED.match(tag))]
    return False


def _unasked(words: str) -> Iterator[str]:
    """The tags and variables outside of every `if` that asks for a code."""
    asking: list[bool] = []  # of each `if` that is open, whether it asks for a code
    for token in Lexer(words).tokenize():
        tag = token.contents.partition(" ")[0] if token.token_type is TokenType.BLOCK else ""
        if tag == "if":
            asking.append(bool(_CODE.search(_QUOTED.sub("", token.contents))))
        elif tag == "endif":
            del asking[-1:]
        elif token.token_type in (TokenType.VAR, TokenType.BLOCK) and not any(asking):
            yield token.contents


def _written(name: str) -> str:
    try:
        file: Any = get_template(name)
    except (TemplateDoesNotExist, TemplateSyntaxError):
        return ""
    return str(file.template.source)
