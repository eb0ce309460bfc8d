"""What merchants may write: a part of a template language that reaches nothing but plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.template import TemplateSyntaxError
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from oscar_crosschannel.services.copy_language import FILTERS, LONGEST, TooMuch, flaws, plain, render

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
        ("{% with words='a b' %}{{ words|title|slice:':1' }}{% endwith %}", "A"),
        ("{{ count|add:1 }}{{ name|add:'!' }}{{ name|join:'-' }}", "3Ada!Ada"),
        ("{% for one in items reversed %}{{ one.price }}{% endfor %}", "$8.50"),
        ("{% for field in voucher %}{{ field }} {% endfor %}", "code valid_until "),
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
    "name",
    ["safe", "safeseq", "center", "ljust", "pprint", "json_script", "wordwrap", "random", "unordered_list"],
)
def test_no_filter_turns_off_escaping_or_tells_what_the_server_knows(name: str) -> None:
    assert told(f"{{{{ name|{name} }}}}") == [(1, f"There is no filter “{name}”.")]


#: Values as bad as they can be. Python refuses to write down a number any longer than this one.
ODD: Mapping[str, Any] = {
    "text": "a\n\n&<ß' " * (LONGEST // 9),
    "format": "r" * LONGEST,
    "empty": "",
    "number": -(10**4200),
    "fraction": Decimal("NaN"),
    "list": ({"a": "x" * LONGEST}, None, "x"),
    "map": {"a": 1},
    "nothing": None,
    "day": datetime(2026, 3, 13, tzinfo=UTC),
    "span": timedelta(days=10**8),
}


@pytest.mark.parametrize("name", FILTERS)
def test_no_filter_raises_or_makes_more_than_a_part_of_copy_may_have(name: str) -> None:
    shapes = [f"{{{{ x|{name}|length }}}}", f"{{{{ x|{name}:y|length }}}}"]
    readable = [shape for shape in shapes if not flaws(shape, {"x": "", "y": ""})]
    assert readable
    for words in readable:
        for value in ODD.values():
            for given in (*map(ODD.get, ("text", "format", "number", "list", "nothing")), 1, "1"):
                try:
                    length = render(words, {"x": value, "y": given}, html=True)
                except TooMuch:
                    continue
                assert int(length) <= LONGEST


def nested(begin: str, end: str, times: int, inside: str) -> str:
    return begin * times + inside + end * times


LOOP, END = "{% for x in many %}", "{% endfor %}"


@pytest.mark.parametrize(
    "words",
    [
        "{{ many|join:huge }}",
        nested("{% with a=a|add:a %}", "{% endwith %}", 19, "{{ a }}"),
        "{{ day|date:long }}",
        nested(LOOP, END, 2, "{{ a }}"),
        nested(LOOP, END, 2, "and again" * 99),
        nested(LOOP, END, 2, "{% if a|upper == 'b' %}{% endif %}"),
        nested(LOOP, END, 2, "{% for y in many %}{% endfor %}"),
        "{{ long|escape" + "|upper|lower" * 5000 + " }}",
        "{{ ampersands|escape }}",
        "{{ many }}" * 9000,
        "{% if long|upper == 'b' %}{% endif %}" * 30,
        "{{ long|truncatechars:1 }}" * 30,
    ],
)
def test_words_that_would_grow_or_run_without_end_are_stopped(words: str) -> None:
    context = {
        "a": "a" * 9999,
        "long": "a" * LONGEST,
        "ampersands": "&" * LONGEST,
        "huge": "a" * 10**6,
        "many": list(range(10**5)),
        "day": ODD["day"],
    }
    with pytest.raises(TooMuch, match="too long"):
        render(words, context, html=True)


def test_lists_are_not_put_together_and_letters_are_no_list() -> None:
    assert said(nested("{% with name=name|join:name %}", "{% endwith %}", 4, "{{ name }}")) == "Ada"
    assert said(nested("{% with items=items|add:items %}", "{% endwith %}", 19, "{{ items|length }}")) == "1"


@pytest.mark.parametrize(
    ("over", "name"), [("'ab'", "'ab'"), ("name", "name"), ("5", "5"), ("count", "count"), ("long", "long")]
)
def test_a_loop_goes_over_a_list_and_nothing_else(over: str, name: str) -> None:
    words = "{% with long='abc' %}{% for x in " + over + " %}{{ x }}{% empty %}-{% endfor %}{% endwith %}"
    assert told(words) == [(1, f"“{name}” is no list, so there is nothing to go over.")]
    assert said(words) == "-"
    assert said("{% for x in name|upper %}{{ x }}{% endfor %}") == ""


def test_nothing_is_called_because_text_can_be_told_to_grow() -> None:
    assert said("{{ name.upper }}{{ name.encode.hex.encode.hex }}{{ items.count }}{{ voucher.keys }}") == ""
    assert told("{{ anything.encode.hex }}", None) == []


@pytest.mark.parametrize(
    ("words", "flaw"),
    [
        (nested("{% if name %}\n", "{% endif %}", 600, ""), (21, "Tags go at most 20 deep.")),
        (nested("{% with a=name %}", "{% endwith %}", 21, ""), (1, "Tags go at most 20 deep.")),
        ("{% if " + "not " * 600 + "name %}{% endif %}", (1, "A condition has at most 50 words.")),
        (
            "\n{% if name %}{% elif name" + " and name" * 600 + " %}{% endif %}",
            (2, "A condition has at most 50 words."),
        ),
        ("{{ items." + "9" * 5000 + " }}", (1, "There is no variable “items." + "9" * 5000 + "”.")),
    ],
)
def test_words_that_go_deeper_than_python_are_told_apart(words: str, flaw: tuple[int, str]) -> None:
    assert told(words) == [flaw]


def test_as_deep_as_words_may_go_they_can_be_said() -> None:
    inside = "{% if name" + " and name" * 24 + " %}deep{% endif %}"
    words = nested("{% if name %}", "{% endif %}", 19, inside)
    assert told(words) == []
    assert said(words) == "deep"


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
        ("a\n{% %}", (2, "“{%  %}” cannot be used in copy; what can be: comment, for, if, with.")),
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


@pytest.mark.parametrize(
    "words",
    [
        "{% if not name %}{{ name|cut:1 }}{% endif %}",
        "{% if not name %}{{ name|join:1 }}{{ name|add:name }}{{ name|date:1 }}{{ name|default:gone }}{% endif %}",
        "{% for a, b in items %}{{ a }}{% endfor %}",
        "{% if name|length > name and name in count %}{% endif %}",
        "{{ name.0.title }}{{ forloop.counter }}{{ items.7.title }}",
        "{{ items|first|upper }}{{ items|last|slice:name }}{{ count|truncatechars:name }}",
    ],
)
@pytest.mark.parametrize("name", ["", None, "Ada", 7, {"a": 1}, ["a"]])
def test_what_was_read_once_can_be_said_of_anybody(words: str, name: Any) -> None:
    assert isinstance(said(words, name=name), str)


def test_loops_take_apart_what_has_as_many_parts() -> None:
    pairs = [("a", 1), "no", ("b", 2), (1, 2, 3)]
    assert said("{% for word, number in pairs %}{{ word }}{{ number }}{% endfor %}", pairs=pairs) == "a1b2"


def test_tags_in_a_comment_do_not_count() -> None:
    assert told("{% comment %}" + "{% if %}" * 30 + "{% endcomment %}Hi") == []


def test_css_with_braces_is_no_broken_variable() -> None:
    assert told("<style>@media print{.a{width:100%}}</style>") == []
