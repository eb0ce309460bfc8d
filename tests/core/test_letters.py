"""Email that comes in: its tag, and what is new in it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core import letters


@pytest.mark.parametrize("mailbox", ["shop@in.example", "a1b2+x@inbound.example"])
@given(tag=st.text(alphabet=st.sampled_from("abcXYZ019-_"), min_size=1, max_size=40))
def test_a_tag_is_found_again(mailbox: str, tag: str) -> None:
    assert letters.tag_of(letters.tagged(mailbox, tag)) == tag


@pytest.mark.parametrize("address", ["shop@in.example", "", "shop", "shop@in+ab.example"])
def test_an_address_without_a_tag_has_none(address: str) -> None:
    assert letters.tag_of(address) == ""


@pytest.mark.parametrize(
    "quotation",
    [
        "On Tue, 10 Mar 2026 at 12:00, Quillbrook <news@shop.example> wrote:\n> Reply STOP",
        "Am 10.03.26 um 12:00 schrieb Quillbrook <news@shop.example>:\nUnsubscribe here",
        "Le mar. 10 mars 2026, Quillbrook\n<news@shop.example> a écrit :\n> se désabonner",
        "-----Original Message-----\nunsubscribe",
        "________________________________\nFrom: Quillbrook <news@shop.example>\nunsubscribe",
        "From: Quillbrook [mailto:news@shop.example]\nunsubscribe",
        "> unsubscribe",
    ],
)
def test_what_is_quoted_is_not_what_somebody_wrote(quotation: str) -> None:
    said = letters.new_words(f"Where is my kettle?\n\n{quotation}")
    assert said.startswith("Where is my kettle?")
    assert not {"unsubscribe", "désabonner", "STOP"} & set(said.replace(".", " ").split())


def test_an_address_in_a_sentence_quotes_nothing() -> None:
    words = "Please remove ann@example.com from your list"
    assert letters.new_words(words) == words


QUOTED = "> Your kettle waits\n>\n> Reply STOP to unsubscribe"


@pytest.mark.parametrize(
    "above",
    [
        "",
        "On Monday, Quillbrook <news@shop.example> wrote:\n",
        "Le mar. 10 mars 2026, Quillbrook\n<news@shop.example> a écrit :\n",
        "Am 10.03.26 schrieb Quillbrook:\n",
    ],
)
def test_words_under_a_quotation_are_found(above: str) -> None:
    assert letters.words_below(f"{above}{QUOTED}\n\nPlease unsubscribe me.\n") == "Please unsubscribe me."
    assert letters.words_below(f"{above}> Hello\nNo more.\n> Bye\n") == "No more."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Please unsubscribe me.",
        f"Where is my kettle?\n\n{QUOTED}\n\nunsubscribe",
        "On Monday, Quillbrook <news@shop.example> wrote:\nunsubscribe",
        "-----Original Message-----\nunsubscribe",
        QUOTED,
    ],
)
def test_under_words_or_without_marks_nothing_is_taken_for_an_answer(text: str) -> None:
    assert letters.words_below(text) == ""


@given(st.text())
def test_any_text_has_words_or_none(text: str) -> None:
    assert len(letters.new_words(text)) <= 2000
    assert len(letters.words_below(text)) <= 2000
    assert all(letters.paragraphs(text))
