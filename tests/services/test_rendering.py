"""Words: the merchant's row if there is one, else the flow's file, in the person's language."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.test.utils import CaptureQueriesContext
from django.utils.safestring import mark_safe

from oscar_crosschannel.models import Copy, Flow
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.rendering import CopyKey, load_copies, render
from tests.services.stage import Letter

pytestmark = pytest.mark.django_db

PARTS = frozenset({"subject", "text", "html"})


@pytest.fixture
def flow() -> Flow:
    load_plans()
    return Flow.objects.get(key=Letter.key)


@pytest.fixture
def files(tmp_path: Path, settings: Any) -> Path:
    """Where the files of the step are; Django finds them there."""
    templates = deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [tmp_path]
    settings.TEMPLATES = templates
    home = tmp_path / "oscar_crosschannel" / "messages" / "letter" / "only"
    home.mkdir(parents=True)
    return home


def key(flow: Flow, channel: str = "email", language: str = "en") -> CopyKey:
    return CopyKey(flow.pk, flow.key, "only", channel, language)


def words(flow: Flow, **changes: Any) -> Copy:
    return Copy.objects.create(
        **{"flow": flow, "step_key": "only", "channel": "email", "language": "en", **changes}
    )


# It works.


def test_files_are_the_words_when_nobody_wrote_others(flow: Flow, files: Path) -> None:
    (files / "subject.txt").write_text("Hello {{ name }}\n")
    (files / "email.txt").write_text("A & B for {{ name }}\n")
    (files / "email.html").write_text("<p>{{ name }}</p>")
    said = render(key(flow), None, PARTS, {"name": "O'Hara & Sons"})
    assert said == {
        "subject": "Hello O'Hara & Sons",
        "text": "A & B for O'Hara & Sons",
        "html": "<p>O&#x27;Hara &amp; Sons</p>",
    }


def test_a_row_replaces_a_file_part_by_part(flow: Flow, files: Path) -> None:
    (files / "subject.txt").write_text("from the file")
    (files / "email.txt").write_text("from the file")
    row = words(flow, subject="{{ name }}, look", text=None, html="")
    assert render(key(flow), row, PARTS, {"name": "A & B"}) == {
        "subject": "A & B, look", "text": "from the file", "html": "",
    }  # fmt: skip


def test_a_row_in_the_language_of_the_region_comes_before_the_base(flow: Flow) -> None:
    base, swiss = words(flow, language="de", text="a"), words(flow, language="de-ch", text="b")
    wanted = [key(flow, language=language) for language in ("de", "de-ch", "de-at", "fr")]
    assert load_copies(wanted) == {wanted[0]: base, wanted[1]: swiss, wanted[2]: base}


def test_where_no_words_ship_the_shops_own_language_is_better_than_none(flow: Flow, files: Path) -> None:
    english = words(flow, language="en")
    assert load_copies([key(flow, language="fr")]) == {key(flow, language="fr"): english}


def test_words_that_ship_are_better_than_those_of_another_language(flow: Flow, files: Path) -> None:
    (files / "email.txt").write_text("Bonjour")
    words(flow, language="en")
    assert load_copies([key(flow, language="fr")]) == {}


def test_dates_and_phrases_speak_the_persons_language(flow: Flow) -> None:
    row = words(flow, language="de", text="{{ day|date:'F' }}")
    assert render(key(flow, language="de"), row, {"text"}, {"day": date(2026, 3, 1)}) == {"text": "März"}


def test_the_words_of_a_chunk_cost_one_statement(flow: Flow) -> None:
    for channel in ("email", "sms"):
        for language in ("nl", "de", "fr"):
            words(flow, channel=channel, language=language, text="x")
    wanted = [
        key(flow, channel, language) for channel in ("email", "sms") for language in ("nl", "de", "fr", "it")
    ]
    with CaptureQueriesContext(connection) as queries:
        found = load_copies(wanted)
    assert (len(found), len(queries)) == (6, 1)


FRAME = {
    "brand": "Quillbrook",
    "postal_address": "4 Weir Lane",
    "unsubscribe_url": "https://shop.example/u/",
    "preferences_url": "https://shop.example/p/",
    "why_url": "https://shop.example/w/",
}


def test_a_merchants_html_gets_the_frame_so_that_no_footer_is_lost(flow: Flow) -> None:
    row = words(flow, html="<style>.own-look { color: red }</style><h1>Hello</h1>")
    page = BeautifulSoup(render(key(flow), row, {"html"}, FRAME)["html"], "html.parser")
    assert "4 Weir Lane" in page.get_text()
    assert [link["href"] for link in page.find_all("a", string="Unsubscribe")] == ["https://shop.example/u/"]
    assert page.select_one(".card .cell h1") is not None
    assert "own-look" in "".join(style.get_text() for style in page.select("head style"))


def test_rows_of_the_card_stand_in_the_card(flow: Flow) -> None:
    row = words(flow, html='<style>.x { color: red }</style>\n<tr><td class="mine">Hello</td></tr>')
    page = BeautifulSoup(render(key(flow), row, {"html"}, FRAME)["html"], "html.parser")
    cell = page.select_one("td.mine")
    assert cell is not None
    assert cell.find_parent("table")["class"] == ["card"]


def test_a_whole_document_stands_for_itself(flow: Flow) -> None:
    document = "<!-- mine -->\n<!DOCTYPE html><html><body>{{ brand }}</body></html>"
    said = render(key(flow), words(flow, html=document), {"html"}, FRAME)
    assert said["html"] == document.replace("{{ brand }}", "Quillbrook")


@pytest.mark.parametrize("after", ["<p>Hello</p>", "<!--", "<html>Hello</html>"])
def test_thousands_of_comments_are_read_once(flow: Flow, after: str) -> None:
    words_with_comments = "<!-- for Outlook -->\n" * 5000 + after
    said = render(key(flow), words(flow, html=words_with_comments), {"html"}, FRAME)["html"]
    assert ("4 Weir Lane" not in said) is ("<html>" in after)


def test_a_merchants_text_gets_the_way_out_unless_it_has_it(flow: Flow) -> None:
    bare, with_it = words(flow, text="A & B"), words(flow, language="de", text="Aus: {{ unsubscribe_url }}")
    assert render(key(flow), bare, {"text"}, FRAME)["text"].startswith("A & B\n\n--\n")
    assert "https://shop.example/u/" in render(key(flow), bare, {"text"}, FRAME)["text"]
    assert render(key(flow), with_it, {"text"}, FRAME)["text"] == "Aus: https://shop.example/u/"


def test_what_nobody_can_stop_still_says_why_it_came(flow: Flow) -> None:
    row = words(flow, text="A & B", html="<h1>Hello</h1>")
    for said in render(key(flow), row, {"text", "html"}, {**FRAME, "unsubscribe_url": ""}).values():
        assert "https://shop.example/p/" in said
        assert "https://shop.example/w/" in said
        assert "Unsubscribe" not in said


# It refuses.


def test_html_escapes_what_people_typed_also_in_a_row(flow: Flow) -> None:
    row = words(flow, html="<p>{{ name }}</p>")
    said = render(key(flow), row, {"html"}, {"name": mark_safe("<script>")})
    assert "<p>&lt;script&gt;</p>" in said["html"]
    assert "<script>" not in said["html"]


@pytest.mark.parametrize(
    "attack", ["{% load static %}", "{% include 'oscar/base.html' %}", "{% extends 'x' %}"]
)
def test_a_row_reaches_no_library_and_no_file(flow: Flow, attack: str) -> None:
    with pytest.raises((TemplateSyntaxError, TemplateDoesNotExist)):
        render(key(flow), words(flow, text=attack), {"text"}, {})


def test_a_missing_text_is_an_error_and_a_missing_html_is_none(flow: Flow, files: Path) -> None:
    (files / "subject.txt").write_text("Hello")
    assert render(key(flow), None, {"subject", "html"}, {}) == {"subject": "Hello", "html": ""}
    with pytest.raises(TemplateDoesNotExist):
        render(key(flow), None, {"text"}, {})


# It survives.


def test_a_variable_nobody_gave_is_empty(flow: Flow) -> None:
    assert render(key(flow), words(flow, text="[{{ nothing.at.all }}]"), {"text"}, {}) == {"text": "[]"}
