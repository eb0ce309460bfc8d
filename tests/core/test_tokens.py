"""Signed links that need no row."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.tokens import CLICK, MAC_BYTES, UNSUBSCRIBE, code, make, read

OLD, NEW = b"the key of last year", b"the key of this year"
numbers = st.integers(0, 2**63 - 1)
links = st.integers(0, 255)


# It works


@pytest.mark.rule(44)
@given(numbers, links)
def test_a_token_says_what_it_was_made_for(number: int, link: int) -> None:
    assert read(CLICK, make(CLICK, number, link, keys=[NEW]), keys=[NEW]) == (number, link)


@pytest.mark.rule(44)
def test_a_token_survives_a_change_of_keys() -> None:
    token = make(UNSUBSCRIBE, 7, keys=[OLD])
    assert read(UNSUBSCRIBE, token, keys=[NEW, OLD]) == (7, 0)
    assert make(UNSUBSCRIBE, 7, keys=[NEW, OLD]) == make(UNSUBSCRIBE, 7, keys=[NEW])


def test_a_token_is_short_enough_for_a_text() -> None:
    assert len(make(CLICK, 10_000_000, 3, keys=[NEW])) <= 22
    assert MAC_BYTES * 8 >= 60


def test_a_row_has_one_code_and_another_row_another() -> None:
    codes = {code("BACK-", number, key=NEW) for number in range(500)}
    assert len(codes) == 500
    assert code("BACK-", 7, key=NEW) == code("BACK-", 7, key=NEW) != code("BACK-", 7, key=OLD)
    alphabet = set(string.ascii_uppercase + "234567")
    assert all(len(each) == 17 and set(each[5:]) <= alphabet for each in codes)


# It refuses


@pytest.mark.rule(44)
def test_a_click_never_unsubscribes() -> None:
    assert read(UNSUBSCRIBE, make(CLICK, 7, keys=[NEW]), keys=[NEW]) is None


@pytest.mark.rule(44)
@given(numbers, links, st.data())
def test_a_changed_token_says_nothing(number: int, link: int, data: st.DataObject) -> None:
    token = make(CLICK, number, link, keys=[NEW])
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(
        st.sampled_from(string.ascii_letters + string.digits + "-_").filter(lambda c: c != token[place])
    )
    assert read(CLICK, token[:place] + letter + token[place + 1 :], keys=[NEW]) is None
    assert read(CLICK, token[:place], keys=[NEW]) is None
    assert read(CLICK, f"{token}=", keys=[NEW]) is None


def test_a_foreign_key_signs_nothing() -> None:
    assert read(CLICK, make(CLICK, 7, keys=[OLD]), keys=[NEW]) is None


# It survives


@given(st.text() | st.text(alphabet=string.ascii_letters + string.digits + "-_=+/", max_size=40))
def test_what_anybody_types_is_no_token(text: str) -> None:
    assert read(CLICK, text, keys=[NEW]) is None
