"""Email that comes in: whom it is for by the tag in its address, and what is new in it."""

from __future__ import annotations

import re

#: Where what somebody wrote ends, and what they answer begins: a quoted line, a ruler, or a line that
#: names an address in brackets ("On Monday, the shop <news@…> wrote:", "From: the shop [mailto:news@…]").
_QUOTATION = re.compile(
    r"^[ \t]*(?:>|[-_=*]{5,}|.*[<\[](?:mailto:)?[^<>\[\]\s]+@[^<>\[\]\s]+[>\]])", re.MULTILINE
)
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


def paragraphs(text: str) -> list[str]:
    """Its paragraphs, without empty ones."""
    return [part.strip() for part in _PARAGRAPHS.split(text) if part.strip()]
