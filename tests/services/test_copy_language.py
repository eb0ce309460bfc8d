"""What merchants may write: a part of a template language that reaches nothing but plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.template import TemplateSyntaxError
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from oscar_crosschannel.services.copy_language import flaws, plain, render

EXAMPLE: Mapping[str, Any] = {
    "name": "Ada",
    "count": 2,
    "items": [{"title": "Tea", "price": "$8.50"}],
    "links": {"basket": "https://shop.example/cc/l/x/"},
    "voucher": {"code": "TEA1", "valid_until": datetime(2026, 3, 13, 12, tzinfo=UTC)},
}


def said(words: str, **context: Any) -> str:
    return render(words, {**EXAMPLE, **context}, html=False)


def told(words: str, example: Mapping[str, Any] | None = EXAMPLE) -> list[tuple[int, str]]:
    return [(flaw.line, flaw.sentence) for flaw in flaws(words, example)]


class Spy:
    """An object with something to hide."""

    secret = "the key"

    def __str__(self) -> str:
        return "a spy"

    def delete(self) -> str:
        raise AssertionError("words called a method")


# It works.


@pytest.mark.parametrize(
    ("words", "reads"),
    [
        ("Hi {{ name|default:'you' }}", "Hi Ada"),
        (
            "{% if count > 1 and name %}{{ count }} things{% elif count %}one{% else %}none{% endif %}",
            "2 things",
        ),
        ("{% for one in items %}{{ forloop.counter }}. {{ one.title }}{% empty %}-{% endfor %}", "1. Tea"),
        ("{% with code=voucher.code %}{{ code|lower }}{% endwith %}", "tea1"),
        ("{{ voucher.valid_until|date:'j F' }}{% comment %} not said {% endcomment %}", "13 March"),
        ("{{ items.0.title|upper|truncatechars:2 }}", "T…"),
    ],
)
def test_words_say_what_they_are_given(words: str, reads: str) -> None:
    assert told(words) == []
    assert said(words) == reads


def test_html_is_escaped_and_text_is_not() -> None:
    assert render("{{ name }}", {"name": "A & B"}, html=True) == "A &amp; B"
    assert render("{{ name }}", {"name": "A & B"}, html=False) == "A & B"


# It refuses.


@pytest.mark.parametrize(
    "tag",
    ["load i18n", "include 'x'", "extends 'x'", "debug", "url 'home'", "csrf_token", "now 'Y'", "autoescape off", "block x",
     "static 'x'", "lorem", "cycle 'a' 'b'", "filter lower", "templatetag openblock", "verbatim", "spaceless"],
)  # fmt: skip
def test_no_other_tag_is_known(tag: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        said(f"{{% {tag} %}}")
    assert told(f"Hello\n\n{{% {tag} %}}") == [
        (3, f"“{{% {tag} %}}” cannot be used in copy; what can be: comment, for, if, with.")
    ]


@pytest.mark.parametrize(
    "name", ["safe", "safeseq", "center", "ljust", "pprint", "json_script", "wordwrap", "random"]
)
def test_no_filter_turns_off_escaping_or_runs_long(name: str) -> None:
    assert told(f"{{{{ name|{name} }}}}") == [(1, f"There is no filter “{name}”.")]


def test_an_object_is_no_more_than_its_name() -> None:
    assert said("{{ spy }}|{{ spy.secret }}|{{ spy.delete }}", spy=Spy()) == "a spy||"
    user = get_user_model()(username="ada", password="hash")
    assert said("{{ user.password }}{{ user.delete }}", user=user) == ""


def test_nothing_that_words_are_given_can_be_changed() -> None:
    context = {"items": [1, 2], "voucher": {"code": "X"}, "links": {"a": {"b"}}}
    assert said("{{ items.clear }}{{ items.pop }}{{ voucher.clear }}{{ voucher.popitem }}", **context) == ""
    assert context == {"items": [1, 2], "voucher": {"code": "X"}, "links": {"a": {"b"}}}


def test_nothing_stays_marked_as_safe() -> None:
    assert render("{{ a }}{{ b.c }}", {"a": mark_safe("<b>"), "b": {"c": mark_safe("<i>")}}, html=True) == (
        "&lt;b&gt;&lt;i&gt;"
    )
    assert type(plain(mark_safe("<b>"))) is str
    assert type(plain(gettext_lazy("Hello"))) is str
    assert plain([Decimal(1), None, True, {2}]) == (Decimal(1), None, True, (2,))


@pytest.mark.parametrize(
    ("words", "flaw"),
    [
        ("Hi\n{{ nam }}", (2, "There is no variable “nam”.")),
        ("{{ voucher.cod }}", (1, "There is no variable “voucher.cod”.")),
        ("{{ name.upper }}", (1, "There is no variable “name.upper”.")),
        ("{% for one in items %}\n{{ one.titel }}{% endfor %}", (2, "There is no variable “one.titel”.")),
        ("{{ one.title }}", (1, "There is no variable “one.title”.")),
        ("{% if cout > 1 %}{% endif %}", (1, "There is no variable “cout”.")),
        ("{% if name and not count or x %}{% endif %}", (1, "There is no variable “x”.")),
        ("{{ name|default:nick }}", (1, "There is no variable “nick”.")),
        ("{% with x=y %}{% endwith %}", (1, "There is no variable “y”.")),
        ("{% for one in things %}{{ one.any }}{% endfor %}", (1, "There is no variable “things”.")),
        ("a\n\n{% if name %}b", (3, "“{% if name %}” is never closed: “{% endif %}” is missing.")),
        ("a{% endif %}", (1, "“{% endif %}” has nothing to end: its beginning is missing.")),
        ("a\n{{ name | }}", (2, "“{{ name | }}” cannot be read.")),
        ("{{ }}", (1, "“{{  }}” cannot be read.")),
        ("a\nb {{ name } c", (2, "“{{” is opened and never closed.")),
        ("a\n\n{% if name }", (3, "“{%” is opened and never closed.")),
        ("{% for a b %}{% endfor %}", (1, "“{% for a b %}” cannot be read.")),
    ],
)
def test_what_is_wrong_is_told_with_its_line(words: str, flaw: tuple[int, str]) -> None:
    assert told(words) == [flaw]


def test_all_unknown_variables_are_named_once_and_in_order() -> None:
    assert told("{{ b }}\n{{ a }}{{ a }}\n{{ name }}") == [
        (1, "There is no variable “b”."),
        (2, "There is no variable “a”."),
    ]


def test_loops_do_not_go_deep_enough_to_run_for_hours() -> None:
    loop = "{% for x in items %}"
    assert told(loop * 2 + "{% endfor %}" * 2) == []
    assert told(loop * 3 + "{% endfor %}" * 3) == [(1, "Loops go at most 2 deep.")]


# It survives.


def test_without_an_example_every_name_may_be_right() -> None:
    assert told("{{ anything.at.all }}{% for x in things %}{{ x.y }}{% endfor %}", None) == []
    assert told("{% load x %}", None) != []


def test_what_an_example_cannot_tell_is_not_judged() -> None:
    example = {"things": [], "maybe": None}
    assert told("{% for x in things %}{{ x.y }}{% endfor %}{{ maybe.z }}", example) == []


def test_css_with_braces_is_no_broken_variable() -> None:
    assert told("<style>@media print{.a{width:100%}}</style>") == []
