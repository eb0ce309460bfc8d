"""The words by which people sign up mean nothing else."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, register

from ..conf import settings
from ..core.keywords import Keyword, classify
from .findings import TAG, AppConfigs, error, written


@register(TAG)
def check_join_words(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Who texts STOP must not be signed up, and a word that means something else signs up nobody."""
    words = settings.SMS_JOIN_WORDS
    taken = {
        word: classify(word)
        for spoken in words.values()
        for word in spoken
        if classify(word, join=[word]) is not Keyword.JOIN
    }
    if not taken:
        return []
    left = {
        language: tuple(word for word in spoken if word not in taken) for language, spoken in words.items()
    }
    named = ", ".join(f"{word!r} ({meaning.value})" for word, meaning in sorted(taken.items()))
    return [
        error(
            60,
            f"CROSSCHANNEL_SMS_JOIN_WORDS has words that are understood as something else: {named}.",
            f"CROSSCHANNEL_SMS_JOIN_WORDS = {written(left)}",
        )
    ]
