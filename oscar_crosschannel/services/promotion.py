"""What makes a message an advertisement, whatever its topic says (rule 39).

What belongs to an order or an account goes out at any hour and without consent, so it may not promote.
By the names below a message gives codes away or recommends; a blueprint that recommends products
calls them so. Words that say a code without asking whether there is one need a step that gives it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.template.base import Lexer, TokenType

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
    yield from mentions(source_of(file_of(key, part)))


def says_code(words: str) -> bool:
    """Whether these words say an exclusive code, asked for or not."""
    return any(map(_has_code, _said(words)))


def says_code_in_file(key: CopyKey, part: str) -> bool:
    """The same of the words that ship with a flow, and of what they include. Broken ones say nothing."""
    return any(map(_has_code, _said_in_file(key, part, _said)))


def promises_code(words: str) -> bool:
    """Whether these words say an exclusive code, and do not ask first whether there is one."""
    return any(map(_has_code, _unasked(words)))


def promises_code_in_file(key: CopyKey, part: str) -> bool:
    """The same of the words that ship with a flow, and of what they include. Broken ones say nothing."""
    return any(map(_has_code, _said_in_file(key, part, _unasked)))


def _has_code(tag: str) -> bool:
    return bool(_CODE.search(_QUOTED.sub("", tag)))


def _said_in_file(key: CopyKey, part: str, said: Callable[[str], Iterator[str]]) -> Iterator[str]:
    """What `said` finds in a shipped file, and in those that it includes there."""
    names, known = [file_of(key, part)], set()
    while names:
        name = names.pop()
        if name in known:
            continue
        known.add(name)
        for tag in said(source_of(name)):
            yield tag
            if found := _INCLUDED.match(tag):
                names.append(found[1])


def _said(words: str) -> Iterator[str]:
    """The tags and variables; not what is only asked for."""
    for tag, _is_asked in _tags(words):
        yield tag


def _unasked(words: str) -> Iterator[str]:
    """Those outside of every `if` that asks for a code."""
    for tag, is_asked in _tags(words):
        if not is_asked:
            yield tag


def _tags(words: str) -> Iterator[tuple[str, bool]]:
    """The tags and variables, without conditions, and of each whether an `if` around it asks for a code."""
    asking: list[bool] = []  # of each `if` that is open, whether it asks for a code
    for token in Lexer(words).tokenize():
        tag = token.contents.partition(" ")[0] if token.token_type is TokenType.BLOCK else ""
        if tag == "if":
            asking.append(_has_code(token.contents))
        elif tag == "elif":
            asking[-1:] = [is_asked or _has_code(token.contents) for is_asked in asking[-1:]]
        elif tag == "endif":
            del asking[-1:]
        elif token.token_type in (TokenType.VAR, TokenType.BLOCK):
            yield token.contents, any(asking)
