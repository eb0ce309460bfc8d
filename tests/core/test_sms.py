"""Segments of a text message: what it costs before it is sent."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from oscar_crosschannel.core.sms import Encoding, Segments, public_shortener, segments, smart_encode

GSM = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ÄÖÑÜ§¿äöñüàaZ"
EXTENSION = "\f^{}\\[~]|€"


@pytest.mark.rule(81)
@pytest.mark.parametrize(
    ("text", "encoding", "count"),
    [
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 153 * 2, "GSM-7", 2),
        ("a" * (153 * 2 + 1), "GSM-7", 3),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        ("ж" * 70, "UCS-2", 1),
        ("ж" * 71, "UCS-2", 2),
        ("ж" * 67 * 2, "UCS-2", 2),
        ("ж" * (67 * 2 + 1), "UCS-2", 3),
        ("😀" * 35, "UCS-2", 1),
        ("😀" * 36, "UCS-2", 2),
        ("a" * 152 + "€" + "a" * 151, "GSM-7", 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 3),  # 306 septets, and one of padding
        ("\r\n" * 80, "GSM-7", 1),
        ("", "GSM-7", 1),
    ],
)
def test_a_text_takes_the_segments_of_the_published_table(text: str, encoding: str, count: int) -> None:
    found = segments(text)
    assert (found.encoding, found.count) == (encoding, count)


@pytest.mark.rule(82)
def test_every_character_that_forces_ucs2_is_named_once() -> None:
    assert segments("Ça va, très bien – or çe soir, – …") == Segments(Encoding.UCS2, 34, 1, "–ç…")
    assert segments("plain").forced_by == ""


@pytest.mark.parametrize("character", list("çê`’“”–—…•\u00a0\t😀"))
def test_characters_that_look_harmless_force_ucs2(character: str) -> None:
    assert segments(character).forced_by == character


@pytest.mark.rule(81)
def test_smart_encoding_saves_a_text_from_a_curly_quote() -> None:
    text = "You’ve left “something” behind…"
    assert segments(text).encoding == "UCS-2"
    assert smart_encode(text) == 'You\'ve left "something" behind...'
    assert segments(smart_encode(text)).encoding == "GSM-7"


def test_smart_encoding_composes_letters_that_came_in_two_parts() -> None:
    assert smart_encode("cafe\u0301") == "café"


def test_a_text_that_needs_ucs2_anyway_keeps_its_typography() -> None:
    text = "«Чай» – со скидкой…"
    assert smart_encode(text) == text


def test_smart_encoding_leaves_a_text_that_it_would_make_longer() -> None:
    assert smart_encode("…" * 70) == "…" * 70


@given(st.text(alphabet=GSM + EXTENSION, max_size=700))
def test_every_gsm_text_fits_what_it_is_counted_as(text: str) -> None:
    found = segments(text)
    assert found.encoding is Encoding.GSM7
    assert found.units == len(text) + sum(text.count(character) for character in EXTENSION)
    assert found.units <= (160 if found.count == 1 else 153 * found.count)
    assert found.count == 1 or found.units > 153 * (found.count - 1) - (found.count - 1)


@given(st.text(max_size=300), st.sampled_from("ж漢😀’"))
def test_every_other_text_is_counted_in_utf16(text: str, character: str) -> None:
    found = segments(text + character)
    assert found.encoding is Encoding.UCS2
    assert found.units == len((text + character).encode("utf-16-le", "surrogatepass")) // 2
    assert found.units <= (70 if found.count == 1 else 67 * found.count)


@given(st.text(alphabet=GSM + EXTENSION + "’“”–…\u00a0\u200bж😀", max_size=400))
def test_smart_encoding_never_costs_a_segment_and_is_done_once(text: str) -> None:
    plain = smart_encode(text)
    assert segments(plain).count <= segments(text).count
    assert smart_encode(plain) == plain


@pytest.mark.rule(83)
@pytest.mark.parametrize(
    "text",
    [
        "Go to bit.ly/3xYz now",
        "http://BIT.LY/3xYz",
        "See https://www.tinyurl.com/abc",
        "(t.co/abc)",
        "goo.gl",
    ],
)
def test_a_public_shortener_is_found(text: str) -> None:
    assert public_shortener(text)


@pytest.mark.rule(83)
@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example/r/abc",
        "https://shop.example/t.co/abc",
        "https://cat.co/abc",
        "Write to us@t.co",
        "https://rabbit.ly/abc",
        "Ends 5 p.m.",
        "",
    ],
)
def test_the_shops_own_links_are_not_mistaken_for_a_shortener(text: str) -> None:
    assert public_shortener(text) == ""
