"""The language of merchants' words: variables, a few tags and filters, and nothing that reaches further.

It is a part of Django's template language. The engine has no loader and no library, what it knows is
named below, and what it is given is plain values that cannot be changed. Whoever may write words may
write no program.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

from django.template import Context, Engine, Library, TemplateSyntaxError, defaultfilters, defaulttags
from django.template.base import FilterExpression, Node, Template, TextNode, Variable, VariableNode
from django.template.defaulttags import ForNode, IfNode, WithNode
from django.utils.translation import gettext as _

TAGS = ("comment", "for", "if", "with")
#: None that turns off escaping, runs long on a short text, or tells what the server knows.
FILTERS = (
    "add", "capfirst", "cut", "date", "default", "default_if_none", "escape", "first", "join", "last",
    "length", "linebreaks", "linebreaksbr", "lower", "pluralize", "slice", "striptags", "time", "title",
    "truncatechars", "truncatewords", "upper", "urlencode", "yesno",
)  # fmt: skip
#: Loops inside loops, at most: a third could run for hours.
DEEPEST = 2

#: Something whose fields nobody knows.
_ANYTHING = object()
_FORLOOP = MappingProxyType(
    dict.fromkeys(["counter", "counter0", "revcounter", "revcounter0", "first", "last"], 0)
    | {"parentloop": _ANYTHING}
)
_OPENS = re.compile(r"\{\{|\{%")
_UNCLOSED = re.compile(r"Unclosed tag on line \d+: '(\w+)'. Looking for one of: (.*)\.$")
_NO_FILTER = re.compile(r"Invalid filter: '(\w+)'")


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with words, and in which line of them."""

    line: int
    sentence: str


class _Language(Engine):
    default_builtins: ClassVar[list[str]] = []


def _library() -> Library:
    library = Library()
    library.tags = {name: defaulttags.register.tags[name] for name in TAGS}
    library.filters = {name: defaultfilters.register.filters[name] for name in FILTERS}
    return library


_ENGINE = _Language(loaders=[], debug=False)
_ENGINE.template_builtins = [_library()]


def render(words: str, context: Mapping[str, Any], *, html: bool) -> str:
    """The words with their variables filled in; HTML is escaped. Raises the template engine's errors."""
    return _compiled(words).render(Context(dict(plain(context)), autoescape=html))


def flaws(words: str, example: Mapping[str, Any] | None) -> list[Flaw]:
    """What is wrong with words, in the order of their lines; nothing, if they can be rendered.

    `example` has every name that may be used, as the words will be given it; None: any name may be.
    """
    try:
        template = _compiled(words)
    except TemplateSyntaxError as error:
        return [_syntax_flaw(error)]
    known = _AnyName() if example is None else plain(example)
    found = dict.fromkeys(_judge(template.nodelist, known, depth=0))
    return sorted(found, key=lambda flaw: flaw.line)


def plain(value: Any) -> Any:
    """`value` as words may see it: no object, nothing marked as safe, nothing that can be changed."""
    if value is None or isinstance(value, (bool, int, float, Decimal, date, time, timedelta)):
        return value
    if isinstance(value, Mapping):
        return MappingProxyType({str(key): plain(item) for key, item in value.items()})
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(plain(item) for item in value)
    return "".join(str(value))  # a copy, which forgets that the string was marked as safe


@lru_cache(maxsize=512)
def _compiled(words: str) -> Template:
    return _ENGINE.from_string(words)


def _syntax_flaw(error: TemplateSyntaxError) -> Flaw:
    """The engine's error as a sentence; what it names, and where, is told by its token."""
    token: Any = getattr(error, "token", None)
    line = token.lineno if token else 1
    written, message = token.contents.strip() if token else "", str(error)
    is_tag = token is not None and token.token_type.name == "BLOCK"
    shown = f"{{% {written} %}}" if is_tag else f"{{{{ {written} }}}}"
    command = written.split()[0] if written else ""
    if unclosed := _UNCLOSED.search(message):
        missing = f"{{% end{unclosed[1]} %}}"
        return Flaw(
            line,
            _("“%(tag)s” is never closed: “%(missing)s” is missing.") % {"tag": shown, "missing": missing},
        )
    if no_filter := _NO_FILTER.search(message):
        return Flaw(line, _("There is no filter “%(name)s”.") % {"name": no_filter[1]})
    if is_tag and command in {"else", "elif", "empty", *(f"end{tag}" for tag in TAGS)}:
        return Flaw(line, _("“%(tag)s” has nothing to end: its beginning is missing.") % {"tag": shown})
    if is_tag and command not in TAGS:
        names = ", ".join(TAGS)
        return Flaw(
            line,
            _("“%(tag)s” cannot be used in copy; what can be: %(names)s.") % {"tag": shown, "names": names},
        )
    return Flaw(line, _("“%(tag)s” cannot be read.") % {"tag": shown})


class _AnyName(dict[str, Any]):
    """Where nobody knows which names there are."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Any:
        return _ANYTHING


Known = Mapping[str, Any]  #: names that may be used, each with an example


def _judge(nodes: Iterable[Node], known: Known, depth: int) -> Iterator[Flaw]:
    for node in nodes:
        yield from _judge_node(node, (node.token.lineno if node.token else None) or 1, known, depth)


def _judge_node(node: Any, line: int, known: Known, depth: int) -> Iterator[Flaw]:
    match node:
        case TextNode():
            if opened := _OPENS.search(node.s):
                line += node.s.count("\n", 0, opened.start())
                yield Flaw(line, _("“%(opened)s” is opened and never closed.") % {"opened": opened[0]})
        case VariableNode():
            yield from _unknown([node.filter_expression], known, line)
        case IfNode():
            for condition, branch in node.conditions_nodelists:
                yield from _unknown(_expressions(condition), known, line)
                yield from _judge(branch, known, depth)
        case WithNode():
            yield from _unknown(node.extra_context.values(), known, line)
            named = {name: _example(value, known) for name, value in node.extra_context.items()}
            yield from _judge(node.nodelist, ChainMap(named, known), depth)  # type: ignore[arg-type]
        case ForNode():
            if depth == DEEPEST:
                yield Flaw(line, _("Loops go at most %(most)d deep.") % {"most": DEEPEST})
                return
            loop: Any = node
            yield from _unknown([loop.sequence], known, line)
            yield from _judge(node.nodelist_loop, ChainMap(_loop(node, known), known), depth + 1)  # type: ignore[arg-type]
            yield from _judge(loop.nodelist_empty, known, depth)


def _loop(node: Any, known: Known) -> dict[str, Any]:
    """The names inside a loop."""
    names: list[str] = node.loopvars
    inside = _example(node.sequence, known)
    named = dict.fromkeys(names, _ANYTHING)
    if len(names) == 1 and isinstance(inside, tuple) and inside:
        named[names[0]] = inside[0]
    return {**named, "forloop": _FORLOOP}


def _expressions(condition: Any) -> Iterator[FilterExpression]:
    """The expressions of an `if`, whose operators form a tree."""
    if condition is None:  # else
        return
    if isinstance(getattr(condition, "value", None), FilterExpression):
        yield condition.value
    for side in ("first", "second"):
        if (operand := getattr(condition, side, None)) is not None:
            yield from _expressions(operand)


def _unknown(expressions: Iterable[FilterExpression], known: Known, line: int) -> Iterator[Flaw]:
    """The variables of these expressions that nobody will fill in."""
    for expression in expressions:
        arguments = [
            value for _filter, given in expression.filters for is_variable, value in given if is_variable
        ]
        for variable in (expression.var, *arguments):
            if isinstance(variable, Variable) and variable.lookups and _look_up(variable, known) is None:
                yield Flaw(line, _("There is no variable “%(name)s”.") % {"name": variable.var})


def _example(expression: FilterExpression, known: Known) -> Any:
    if not isinstance(expression.var, Variable):
        return _ANYTHING
    found = _look_up(expression.var, known)
    is_as_it_was = all(name.__name__ == "slice_filter" for name, _given in expression.filters)
    return found if found is not None and is_as_it_was else _ANYTHING


def _look_up(variable: Variable, known: Known) -> Any:
    """What a variable is in the example; None when there is no such thing."""
    found: Any = known
    for name in variable.lookups or ():
        if found is _ANYTHING or found is None:
            return _ANYTHING
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, tuple) and name.isdecimal():
            found = found[int(name)] if int(name) < len(found) else _ANYTHING
        else:
            return None
    return _ANYTHING if found is None else found
