"""What a person means who answers with a word."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.keywords import Keyword, classify

# It works

STOPS = ["STOP", "QUIT", "END", "REVOKE", "OPT OUT", "OPTOUT", "OPT-OUT", "CANCEL", "UNSUBSCRIBE", "STOPALL"]
full_width = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})


@pytest.mark.rule(16)
@pytest.mark.parametrize("word", STOPS)
def test_every_word_of_the_rule_stops_in_any_dress(word: str) -> None:
    dresses = (
        word,
        word.lower(),
        word.title(),
        f"  {word}\n",
        f"{word}.",
        f'"{word}"!!',
        f"🛑 {word} 🛑",
        word.translate(full_width),
        f"\u200b{word[0]}\u200b{word[1:]}",
    )
    assert {classify(dress) for dress in dresses} == {Keyword.STOP}


@pytest.mark.rule(16, 18)
@pytest.mark.parametrize("word", ["ARRET", "arrêt", "Arrêtez", "BAJA", "Abmelden", "stopp", "afmelden"])
def test_stop_is_understood_in_other_languages(word: str) -> None:
    assert classify(word) is Keyword.STOP


@pytest.mark.rule(17)
@pytest.mark.parametrize(
    "body",
    ["stop please", "Please stop", "Stop texting me", "STOP STOP STOP", "Stop all", "s.t.o.p", "S T O P please",
     "opt me out", "cancel texts please", "bitte abmelden", "ok stop now"],
)  # fmt: skip
def test_stop_may_be_said_politely(body: str) -> None:
    assert classify(body) is Keyword.STOP


@pytest.mark.rule(17)
@pytest.mark.parametrize(
    "body",
    [
        "please don't text me again",
        "Please don’t text me again",
        "do not contact me",
        "no more texts",
        "leave me alone",
        "remove my number from your list",
        "take me off this list",
        "Why won't you stop?!",
        "STOP\n\nSent from my phone",
        "I said STOP sending me this",
        "unsubscribe me from everything right away",
        "yes stop",
        "wrong number",
    ],
)
def test_a_sentence_that_sounds_like_stop_goes_to_a_person(body: str) -> None:
    assert classify(body) is Keyword.REVIEW_STOP


@pytest.mark.rule(23)
@pytest.mark.parametrize("body", ["HELP", "help!", "Info", "help please", "help me", "AIDE", "Hilfe"])
def test_help_is_asked_for(body: str) -> None:
    assert classify(body) is Keyword.HELP


@pytest.mark.rule(10)
@pytest.mark.parametrize("body", ["START", "unstop", "start please"])
def test_start_is_start(body: str) -> None:
    assert classify(body) is Keyword.START


@pytest.mark.rule(9)
@pytest.mark.parametrize("body", ["YES", "Y", "yes!", "Ja", "Oui.", "Yes please", "ＹＥＳ", "y e s"])
def test_yes_is_yes(body: str) -> None:
    assert classify(body) is Keyword.YES


# It refuses


@pytest.mark.rule(17)
@pytest.mark.parametrize(
    "body",
    [
        "when does the sale end?",
        "cancel my order",
        "please cancel my order",
        "I quit my job, where is my parcel",
        "don't stop",
        "Don’t stop!!",
        "don´t stop",
        "do not stop texting me",
        "please never stop",
        "don't send the blue one",
        "nonstop fun",
        "in the end I bought it",
        "",
        "   ",
        "👍",
        "no",
        "yesterday",
        "is this yes or no?",
    ],
)
def test_what_only_looks_like_a_keyword_is_none(body: str) -> None:
    assert classify(body) is Keyword.NONE


@pytest.mark.rule(9)
@pytest.mark.parametrize("body", ["yes but where is my order", "yes to what?", "START", "ok", "sure"])
def test_nothing_but_a_plain_yes_confirms(body: str) -> None:
    assert classify(body) is not Keyword.YES


def test_stop_is_no_part_of_unstop() -> None:
    assert classify("unstop") is Keyword.START
    assert classify("please unstop me") is not Keyword.STOP


# It survives

spaces_and_marks = st.text(alphabet=' \t\r\n\u00a0\u2003.,;:!?"()[]…–-*~🙂', max_size=6)
#: What does not end a clause: "Don't! Stop" is not "Don't stop!".
within_a_clause = st.text(alphabet=' \t\u00a0\u2003:"()[]*~🙂', max_size=6)
bodies = st.sampled_from(
    [
        *STOPS,
        "stop please",
        "please don't text me again",
        "help",
        "start",
        "yes",
        "oui",
        "cancel my order",
        "don't stop",
    ]
)


@given(st.text())
def test_any_text_has_a_meaning(body: str) -> None:
    assert classify(body) in Keyword


@given(st.text(alphabet=st.characters(categories=["Cs", "Cf", "Mn", "Co", "Cc"])))
def test_broken_and_invisible_characters_mean_nothing(body: str) -> None:
    assert classify(body) is Keyword.NONE


@pytest.mark.rule(16)
@given(bodies, spaces_and_marks, spaces_and_marks, st.data())
def test_case_spaces_and_punctuation_change_no_meaning(
    body: str, before: str, after: str, data: st.DataObject
) -> None:
    dressed = "".join(data.draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in body)
    dressed = data.draw(within_a_clause.map(lambda gap: f" {gap} ")).join(dressed.split(" "))
    assert classify(before + dressed + after) is classify(body)


@given(st.text(alphabet=st.characters(categories=["L", "N", "Z", "P"]), max_size=40))
def test_a_yes_never_hides_a_stop(rest: str) -> None:
    assert classify(f"{rest} stop") is not Keyword.YES


@pytest.mark.rule(17)
@given(
    st.text(max_size=40),
    st.sampled_from(".!?;,\n…！。"),
    st.sampled_from(["STOP", "stopp", "Arrêtez", "niet. STOP"]),
)
def test_no_sentence_before_it_hides_a_word_of_stop(rest: str, mark: str, word: str) -> None:
    meanings = {
        classify(f"{before}{mark} {word}") for before in (rest, f"{rest} not", "Please don't", "Nein, nie")
    }
    assert meanings <= {Keyword.STOP, Keyword.REVIEW_STOP}
