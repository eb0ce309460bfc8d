"""What a person means who answers a message in their own words.

Carriers only know whole single words. The law asks for more: any reasonable way to say stop counts
(47 CFR 64.1200(a)(10)), so a sentence that sounds like it suspends marketing and goes to a person.
In doubt a text is doubtful: a message too few costs less than one that nobody wanted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from enum import StrEnum

from . import stop_phrases


class Keyword(StrEnum):
    """The meaning of what somebody answered."""

    STOP = "stop"  #: revokes, at once
    REVIEW_STOP = "review_stop"  #: sounds like stop: suspend marketing, and ask somebody to read it
    HELP = "help"
    START = "start"  #: lifts the carrier's block; it is no consent
    YES = "yes"  #: confirms a pending request, if there is one
    ORDERS = "orders"  #: keeps texts about orders, if that was asked
    JOIN = "join"  #: signs up, by a word that the shop chose
    NONE = "none"


#: FCC and Twilio words, and what people say instead in the languages of the app and its neighbours.
_STOP = frozenset({
    "STOP", "STOPALL", "UNSUBSCRIBE", "UNSUB", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "STOPP",
    "ARRET", "ARRETER", "ARRETEZ", "DESABONNER", "DESABONNEMENT", "DESINSCRIRE", "DESINSCRIPTION",  # French
    "ABMELDEN", "ABBESTELLEN", "AUFHOREN", "AUFHOEREN",  # German
    "STOPPEN", "AFMELDEN", "UITSCHRIJVEN",  # Dutch
    "BAJA", "ALTO", "CANCELAR", "BASTA",  # Spanish; the last is Italian, too
    "PARAR", "SAIR", "DESCADASTRAR",  # Portuguese
    "ANNULLA", "CANCELLA", "CANCELLAMI", "DISISCRIVIMI",  # Italian
    "AFMELD", "AVSLUTA", "SLUTA", "AVREGISTRERA", "AVMELD",  # Danish, Swedish, Norwegian
    "REZYGNUJE", "WYPISZ",  # Polish
    "СТОП", "ОТПИСАТЬСЯ", "停止", "退订",
})  # fmt: skip
_HELP = frozenset({"HELP", "INFO", "AIDE", "HILFE", "AYUDA", "AIUTO", "AJUDA", "HULP"})
_START = frozenset({"START", "UNSTOP"})
_YES = frozenset({"YES", "Y", "JA", "OUI", "SI", "SIM"})
_ORDERS = frozenset(
    {"ORDERS", "COMMANDES", "BESTELLUNGEN", "PEDIDOS", "ORDINI", "ENCOMENDAS", "BESTELLINGEN"}
)

_POLITE = frozenset({
    "PLEASE", "PLS", "PLZ", "THANKS", "THANK", "THX", "YOU", "OK", "OKAY", "HI", "HELLO", "HEY", "NOW",
    "BITTE", "DANKE", "MERCI", "SVP", "STP", "POR", "FAVOR", "GRACIAS", "PER", "FAVORE", "GRAZIE",
    "OBRIGADO", "OBRIGADA", "GRAAG", "ALSTUBLIEFT", "AUB", "DANK", "TACK", "TAK",
})  # fmt: skip
#: Of `_STOP`, what also stands in a list ("soprano, alto, tenor"): amid the commas of a longer text it says nothing.
_LISTED = frozenset({"ALTO", "BAJA", "END"})
#: What may stand around a word of `_STOP` without giving it another object ("cancel my order").
_ABOUT_TEXTS = _POLITE | {
    "ME", "US", "TEXT", "TEXTS", "TEXTING", "MESSAGE", "MESSAGES", "MESSAGING", "SENDING", "SMS",
    "MENSAJES", "MENSAGENS", "MESSAGGI", "NACHRICHTEN", "BERICHTEN",
}  # fmt: skip

_MEANINGS = (
    (Keyword.STOP, _STOP, _ABOUT_TEXTS),
    (Keyword.HELP, _HELP, _ABOUT_TEXTS),
    (Keyword.START, _START, _POLITE),
    (Keyword.YES, _YES, _POLITE),
    (Keyword.ORDERS, _ORDERS, _POLITE),
)

#: Longer texts say more than a keyword, whatever they begin with.
_MOST_WORDS = 5
#: Shorter words lie too close to others ("shop", "quite") to be taken for a misspelling.
_FEWEST_LETTERS = 6
#: Of "stop" itself, those that are no other word.
_MISSPELT_STOP = frozenset(
    {"STPO", "SOTP", "TSOP", "STOOP", "SSTOP", "STTOP", "STOPO", "STOPE", "STIP", "STPP"}
)
#: Long words that speak of nothing but messages, so that one misspelt in a sentence counts.
_UNMISTAKABLE = frozenset({
    "UNSUBSCRIBE", "DESABONNER", "DESINSCRIRE", "ABMELDEN", "ABBESTELLEN", "AFMELDEN", "UITSCHRIJVEN", "DESCADASTRAR",
    "AVREGISTRERA",
})  # fmt: skip
#: One letter from a way to say stop, and quite another word.
_OTHER_WORDS = frozenset({
    "ANMELDEN", "ANMELD", "SHOPPEN", "AUFHOLEN", "STOPFEN",  # German
    "CHANCE", "CHANEL", "CANCER", "EVOKE", "EVOKES", "EVOKED", "CANELE", "ARRIERE",  # English, French
    "CANELA", "CANELO", "CARCEL", "CARRETE", "CANNELLA", "CANCELLO", "CANCELLI",  # Spanish, Italian
    "STAPPEN", "STOMPEN", "STIPPEN", "STEPPEN", "TOPPEN", "TROPPEN", "ANSLUTA", "WPISZ", "STOPIEN",  # Dutch and others
})  # fmt: skip

#: A phone's way to show that somebody likes a text: it repeats the text.
_REACTION = re.compile(
    r"\W*(liked|loved|disliked|laughed at|emphasi[sz]ed|questioned|removed an? \w+ from|reacted \S+ to) [“\"«„]",
    re.IGNORECASE,
)
_APOSTROPHE = re.compile("['’‘‛ʼ＇`´]")
#: What says "don't" in one clause says nothing of the next: "Please don't. STOP". A link parts clauses, too.
_SENTENCE_ENDS = re.compile(r"https?://\S+|[.!?;\n。–—]|\s-+\s")
_COMMA = re.compile("[,、]")
_CLAUSE_ENDS = re.compile(f"{_SENTENCE_ENDS.pattern}|{_COMMA.pattern}")
_SPELLED = re.compile(r"\b\w( \w){2,}\b")
_DRAWN_OUT = re.compile(r"([^\W\d])\1{2,}")  # "stoooop"
#: Several words that mean one.
_ONE_WORD = {
    "OPTOUT": re.compile(r"\bOPT (ME )?OUT\b"),
    "STOP": re.compile(r"\b(STOPP?){2,}\b"),
    "STOPALL": re.compile(r"\bSTOP ALL\b"),
    "DONT": re.compile(r"\bDO NOT\b"),
}


def _shortened(word: str) -> set[str]:
    """The word, and what is left of it without any one letter. Words that share such a rest are a slip apart."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def _misspelt(keywords: Collection[str]) -> frozenset[str]:
    """What `_is_nearly` compares with."""
    return frozenset(rest for word in keywords if len(word) >= _FEWEST_LETTERS for rest in _shortened(word))


_NEARLY_STOP, _NEARLY_UNMISTAKABLE = _misspelt(_STOP), _misspelt(_UNMISTAKABLE)
_MOST_LETTERS = max(map(len, _STOP | _UNMISTAKABLE)) + 2

_MACHINE_BEGINS = stop_phrases.pattern(stop_phrases.MACHINES_BEGIN)
_HARMLESS = stop_phrases.pattern(stop_phrases.HARMLESS)
_ECHOES = stop_phrases.pattern(stop_phrases.ECHOES)
_SOUNDS_LIKE_STOP = stop_phrases.pattern(stop_phrases.SOUND_LIKE_STOP)


def classify(body: str, *, join: Collection[str] = ()) -> Keyword:
    """The meaning of `body`, whatever its case, width, accents, spaces and punctuation.

    `join`: the words by which one signs up. A word that means something else already means that.
    """
    if is_by_machine(body):
        return Keyword.NONE
    text = f" {_normalised(body)} "
    words = text.split()
    if len(words) <= _MOST_WORDS and (meaning := _keyword(set(words))):
        return meaning
    bare = " ".join(word for word in words if word not in _POLITE)
    if bare and bare in {_normalised(word) for word in join}:
        return Keyword.JOIN
    sounds = _sounds_like_stop(body, may_echo=len(words) > _MOST_WORDS)
    return Keyword.REVIEW_STOP if sounds else Keyword.NONE


def is_by_machine(body: str) -> bool:
    """Whether nobody wrote this: a phone or mailbox answers by itself, or repeats a text that somebody liked."""
    return bool(_REACTION.match(body) or _MACHINE_BEGINS.match(f" {_normalised(body)} "))


def _keyword(words: set[str]) -> Keyword | None:
    """What a text of these few words means as a whole."""
    for meaning, keywords, filler in _MEANINGS:
        if words & keywords and words <= keywords | filler:
            return meaning
    misspelt = {
        word for word in words - _ABOUT_TEXTS if word in _MISSPELT_STOP or _is_nearly(word, _NEARLY_STOP)
    }
    return Keyword.REVIEW_STOP if misspelt and words <= misspelt | _ABOUT_TEXTS else None


def _sounds_like_stop(body: str, *, may_echo: bool) -> bool:
    """Whether a longer text may mean stop. Only one that `may_echo` may be a machine's that repeats ours."""
    plain = unicodedata.normalize("NFKC", _APOSTROPHE.sub("", body))
    clauses = [f" {_normalised(clause)} " for clause in _CLAUSE_ENDS.split(plain)]
    if may_echo:
        clauses = [_ECHOES.sub("", clause) for clause in clauses]
    clauses = [_HARMLESS.sub("", clause) for clause in clauses]
    # lines may be wrapped within a phrase, and words be spelled with full stops
    whole = f" {_normalised(' '.join(clauses))} "
    return (
        any(_SOUNDS_LIKE_STOP.search(text) for text in (whole, *clauses))
        or any(_says_stop(clause) for clause in clauses if clause.strip() not in _LISTED)
        or not _LISTED.isdisjoint(_ends_of_sentences(plain))
        or any(_is_nearly(word, _NEARLY_UNMISTAKABLE) for word in whole.split())
    )


def _ends_of_sentences(text: str) -> set[str]:
    """The first and the last clause of each sentence, whatever greeting stands before and thanks behind."""
    ends: set[str] = set()
    for sentence in _SENTENCE_ENDS.split(text):
        clauses = [_normalised(clause) for clause in _COMMA.split(sentence)]
        said = [clause for clause in clauses if not _POLITE.issuperset(clause.split())]
        ends.update(said[:1], said[-1:])
    return ends


def _says_stop(clause: str) -> bool:
    """Whether a clause says stop and nothing else."""
    return _keyword(set(clause.split())) in (Keyword.STOP, Keyword.REVIEW_STOP)


def _is_nearly(word: str, misspelt: Collection[str]) -> bool:
    """Whether a word has a letter too few, too many, a wrong one, or two in the wrong order."""
    if word in _OTHER_WORDS or not _FEWEST_LETTERS <= len(word) + 1 <= _MOST_LETTERS:
        return False
    return not _shortened(word).isdisjoint(misspelt)


def _normalised(body: str) -> str:
    """Upper-case words with one space between them; "S.T.O.P" is one word, as is "don't"."""
    plain = unicodedata.normalize("NFKD", _APOSTROPHE.sub("", body)).upper()
    letters = [
        character if character.isalnum() else " "
        for character in plain
        if unicodedata.category(character) not in ("Mn", "Cf")  # accents, and what nobody sees
    ]
    text = _SPELLED.sub(lambda word: word[0].replace(" ", ""), " ".join("".join(letters).split()))
    text = _DRAWN_OUT.sub(r"\1", text)
    for word, several in _ONE_WORD.items():
        text = several.sub(word, text)
    return text
