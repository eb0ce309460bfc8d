"""What a person means who answers a text with a word.

Carriers only know whole single words. The law asks for more: any reasonable way to say stop counts
(47 CFR 64.1200(a)(10)), so a sentence that sounds like it suspends marketing and goes to a person.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class Keyword(StrEnum):
    """The meaning of an inbound text."""

    STOP = "stop"  #: revokes, at once
    REVIEW_STOP = "review_stop"  #: sounds like stop: suspend marketing, and ask somebody to read it
    HELP = "help"
    START = "start"  #: lifts the carrier's block; it is no consent
    YES = "yes"  #: confirms a pending request, if there is one
    NONE = "none"


#: FCC and Twilio words, and what people say instead in the languages of the app and its neighbours.
_STOP = frozenset({
    "STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT",
    "ARRET", "ARRETER", "ARRETEZ", "DESABONNER", "DESABONNEMENT", "DESINSCRIRE",  # French
    "ABMELDEN", "ABBESTELLEN", "STOPP",  # German
    "STOPPEN", "AFMELDEN", "UITSCHRIJVEN", "AFMELD", "AVSLUTA",  # Dutch, Danish, Swedish
    "BAJA", "ALTO", "PARAR", "CANCELAR", "SAIR",  # Spanish, Portuguese
    "ANNULLA", "CANCELLA", "CANCELLAMI",  # Italian
})  # fmt: skip
_HELP = frozenset({"HELP", "INFO", "AIDE", "HILFE", "AYUDA", "AIUTO", "AJUDA"})
_START = frozenset({"START", "UNSTOP"})
_YES = frozenset({"YES", "Y", "JA", "OUI"})

_POLITE = frozenset({
    "PLEASE", "PLS", "PLZ", "THANKS", "THANK", "THX", "YOU", "OK", "OKAY", "HI", "HELLO", "HEY", "NOW",
    "BITTE", "DANKE", "MERCI", "SVP", "POR", "FAVOR", "GRACIAS",
})  # fmt: skip
#: What may stand around a word of `_STOP` without giving it another object ("cancel my order").
_ABOUT_TEXTS = _POLITE | {
    "ME", "US", "TEXT", "TEXTS", "TEXTING", "MESSAGE", "MESSAGES", "MESSAGING", "SENDING", "SMS",
}  # fmt: skip

#: Longer texts say more than a keyword, whatever they begin with.
_MOST_WORDS = 5

_APOSTROPHE = re.compile("['’‘‛ʼ＇`´]")
_SPELLED = re.compile(r"\b\w( \w){2,}\b")

_OPT_OUT = re.compile(r"\bOPT (ME )?OUT\b")
_STOP_ALL = re.compile(r"\bSTOP ALL\b")
_DO_NOT_STOP = re.compile(r"^((PLEASE|PLS|PLZ|HEY|OK|NO) )*(DONT|DO NOT|NEVER) (EVER )?(STOP|UNSUBSCRIBE)\b")
_SOUNDS_LIKE_STOP = re.compile(
    r"""
    \b(
        STOP | STOPALL | UNSUBSCRIBE[DS]? | OPTOUT
      | (DONT|DO\ NOT|NEVER|QUIT|CEASE)\ (EVER\ )?(TEXT(ING)?|MESSAG(E|ING)|CONTACT(ING)?|CALL(ING)?|SMS)
      | (DONT|DO\ NOT|NEVER|QUIT|CEASE)\ (EVER\ )?SEND(ING)?\ (ME|US|ANY|ANYTHING|MORE|THESE|TEXTS?|MESSAGES?|SMS)
      | NO\ MORE\ (TEXTS?|MESSAGES?|SMS)
      | REMOVE\ (ME|MY\ NUMBER) | TAKE\ ME\ OFF | DELETE\ MY\ NUMBER | LOSE\ MY\ NUMBER
      | LEAVE\ ME\ ALONE | WRONG\ (NUMBER|PERSON)
    )\b
    """,
    re.VERBOSE,
)


def classify(body: str) -> Keyword:
    """The meaning of `body`, whatever its case, width, accents, spaces and punctuation."""
    text = _OPT_OUT.sub("OPTOUT", _normalised(body))
    text = _STOP_ALL.sub("STOPALL", text)
    words = frozenset(text.split())
    if len(text.split()) <= _MOST_WORDS:
        for meaning, keywords, filler in (
            (Keyword.STOP, _STOP, _ABOUT_TEXTS),
            (Keyword.HELP, _HELP, _ABOUT_TEXTS),
            (Keyword.START, _START, _POLITE),
            (Keyword.YES, _YES, _POLITE),
        ):
            if words & keywords and words <= keywords | filler:
                return meaning
    if _SOUNDS_LIKE_STOP.search(_DO_NOT_STOP.sub("", text)):
        return Keyword.REVIEW_STOP
    return Keyword.NONE


def _normalised(body: str) -> str:
    """Upper-case words with one space between them; "S.T.O.P" is one word, as is "don't"."""
    plain = unicodedata.normalize("NFKD", _APOSTROPHE.sub("", body)).upper()
    letters = [
        character if character.isalnum() else " "
        for character in plain
        if unicodedata.category(character) not in ("Mn", "Cf")  # accents, and what nobody sees
    ]
    return _SPELLED.sub(lambda word: word[0].replace(" ", ""), " ".join("".join(letters).split()))
