"""How a text becomes segments, which is what an SMS costs, and which links carriers filter.

GSM 03.38 in one page: a text made only of the 127 basic and 10 extension characters is coded in
7-bit septets (an extension character takes two); one other character, be it a curly quote, turns the
whole text into UCS-2 and more than halves the room. A text that fits one segment has all of it
(160 septets or 70 code units); a longer one spends a header in every segment (153 or 67).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")

#: Typographic characters and what a phone shows as well. Only look-alikes: letters keep their accents.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`ʹʼ＇", "'"),
        **dict.fromkeys("“”„‟″«»＂", '"'),
        **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
        **dict.fromkeys("\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006", " "),
        **dict.fromkeys("\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000", " "),
        **dict.fromkeys("\u200b\u2060\ufeff\u00ad", ""),
        "…": "...",
        "‹": "<",
        "›": ">",
        "⁄": "/",
        "•": "-",
    }
)

#: Link shorteners that anyone may use. Carriers filter texts with them as spam.
PUBLIC_SHORTENERS = frozenset(
    [
        "adf.ly",
        "bit.ly",
        "bitly.com",
        "bl.ink",
        "buff.ly",
        "cutt.ly",
        "goo.gl",
        "is.gd",
        "j.mp",
        "lnkd.in",
        "ow.ly",
        "rb.gy",
        "rebrand.ly",
        "s.id",
        "shorturl.at",
        "short.io",
        "soo.gd",
        "t.co",
        "t.ly",
        "t2m.io",
        "tiny.cc",
        "tiny.one",
        "tinyurl.com",
        "tr.im",
        "twil.io",
        "urlz.fr",
        "v.gd",
        "x.co",
    ]
)
_HOST = re.compile(r"(?:https?://|(?<![\w.@/-]))((?:[a-z0-9-]+\.)+[a-z]{2,})", re.IGNORECASE)


class Encoding(StrEnum):
    """How a phone network codes a text. The values are the networks' own names."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


#: Units in a lone segment and in each of several.
_ROOM = {Encoding.GSM7: (160, 153), Encoding.UCS2: (70, 67)}


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text takes."""

    encoding: Encoding
    units: int  #: septets for GSM-7, UTF-16 code units for UCS-2
    count: int  #: segments, which is what providers bill
    forced_by: str = ""  #: the characters that need UCS-2, each once; empty for GSM-7


def segments(text: str) -> Segments:
    """Count the segments of `text`; an empty one takes one.

    Same answers as Twilio's calculator, which only differs in keeping joined emoji (a family, a
    flag) whole at a border between segments.
    """
    forced_by = "".join(dict.fromkeys(character for character in text if not _is_gsm(character)))
    encoding = Encoding.UCS2 if forced_by else Encoding.GSM7
    sizes = [_units(character, encoding) for character in text]
    return Segments(encoding, sum(sizes), _count(sizes, *_ROOM[encoding]), forced_by)


def smart_encode(text: str) -> str:
    """`text` with look-alikes for typographic characters, if that makes it GSM-7; else `text` itself.

    A text that needs UCS-2 anyway keeps its typography: nothing would be saved. Nor would it by a
    row of ellipses, each of which becomes three dots.
    """
    plain = unicodedata.normalize("NFC", text).translate(_PLAIN)
    found = segments(plain)
    return text if found.forced_by or found.count > segments(text).count else plain


def public_shortener(text: str) -> str:
    """Host of the first link in `text` that uses a public shortener; empty if there is none."""
    hosts = (match[1].lower().removeprefix("www.") for match in _HOST.finditer(text))
    return next((host for host in hosts if host in PUBLIC_SHORTENERS), "")


def _is_gsm(character: str) -> bool:
    return character in _BASIC or character in _EXTENSION


def _units(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return 2 if character in _EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1


def _count(sizes: list[int], alone: int, each: int) -> int:
    """Fill segments one character at a time: a pair of units is never split, so dividing is wrong."""
    if sum(sizes) <= alone:
        return 1
    count, used = 1, 0
    for size in sizes:
        if used + size > each:
            count, used = count + 1, 0
        used += size
    return count
