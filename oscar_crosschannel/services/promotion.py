"""What makes a message an advertisement, whatever its topic says (rule 39).

What belongs to an order or an account goes out at any hour and without consent, so it may not promote.
By the names below a message gives codes away or recommends; a blueprint that recommends products
calls them so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.template.base import Lexer, TokenType

from ..core.facts import Purpose
from .rendering import CopyKey, source_of
from .topics import QUESTIONS

#: Purposes whose messages need no consent and no quiet hours.
MAY_NOT_PROMOTE = frozenset({Purpose.TRANSACTIONAL, Purpose.CRITICAL})
#: Topics that may not promote either, whatever their purpose: they come before any consent (rule 8).
_BEFORE_CONSENT = frozenset({QUESTIONS})
#: Names of a message's values that promote.
PROMOTING = ("voucher", "offers", "recommendations", "join_texts_url")

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_NAME = re.compile(rf"(?<![\w.])(?:{'|'.join(PROMOTING)})(?!\w)")


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
