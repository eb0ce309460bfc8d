"""The words by which people sign up."""

from __future__ import annotations

from typing import Any

import pytest

from .pasting import found, paste


@pytest.mark.rule(16)
@pytest.mark.parametrize("word", ["STOP", "Help", "start", "yes", "Stopp!", "please unsubscribe", "", "!"])
def test_a_word_to_join_that_means_something_else_is_named(word: str, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_JOIN_WORDS = {"en": ["JOIN", word]}
    findings = found()
    assert list(findings) == ["E060"]
    assert repr(word) in findings["E060"].msg

    paste(findings["E060"], settings)
    assert found() == {}
    assert settings.CROSSCHANNEL_SMS_JOIN_WORDS == {"en": ("JOIN",)}


def test_a_shop_may_do_without(settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_JOIN_WORDS = {}
    assert found() == {}
