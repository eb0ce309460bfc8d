"""Email that comes in: whom it is for by the tag in its address, and what is new in it."""

from __future__ import annotations

import re

#: Where what somebody wrote ends, and what they answer begins: a quoted line, a ruler, or a line that
#: names an address in brackets ("On Monday, the shop <news@…> wrote:", "From: the shop [mailto:news@…]").
_QUOTATION = re.compile(
    r"^[ \t]*(?:>|[-_=*]{5,}|.*[<\[](?:mailto:)?[^<>\[\]\s]+@[^<>\[\]\s]+[>\]])", re.MULTILINE
)
#: A line that a mail program marked as quoted.
_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
#: An answer is not longer; what follows is a quotation that no mail program marked.
_LONGEST = 2000


def tagged(address: str, tag: str) -> str:
    """The same mailbox with a tag: "shop+tag@example.com"."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{tag}@{domain}"


def tag_of(address: str) -> str:
    """What stands behind the last "+" before the "@"; empty for none."""
    _, plus, tag = address.rpartition("@")[0].rpartition("+")
    return tag if plus else ""


def new_words(text: str) -> str:
    """What somebody wrote above the message they answer."""
    found = _QUOTATION.search(text)
    return (text[: found.start()] if found else text)[:_LONGEST].strip()


def words_below(text: str) -> str:
    """What somebody wrote under or between the marked lines of the message they answer, if nothing stands above.

    Without marks nobody knows where the message ends: its own words would be taken for theirs. A line that
    touches the quotation says whose words follow ("On Monday, the shop wrote:"), and is nothing.
    """
    quotation, marked = _QUOTATION.search(text), _QUOTED.search(text)
    if quotation is None or marked is None or _PARAGRAPHS.search(text[: quotation.start()].lstrip()):
        return ""
    return _QUOTED.sub("", text[marked.end() :])[:_LONGEST].strip()


def paragraphs(text: str) -> list[str]:
    """Its paragraphs, without empty ones."""
    return [part.strip() for part in _PARAGRAPHS.split(text) if part.strip()]
