"""The language of merchants' words: variables, a few tags and filters, and nothing that reaches further.

It is a part of Django's template language. The engine has no loader and no library, what it knows is
named below, and what it is given is plain values that cannot be changed. Whoever may write words may
write no program: nothing they write can call anything, run long, or grow without end, and what was
kept once never raises when a message goes out, whatever the message is given.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache, wraps
from types import MappingProxyType
from typing import Any, ClassVar

from django.template import Context, Engine, Library, TemplateSyntaxError, defaultfilters, defaulttags
from django.template.base import (
    FilterExpression,
    Lexer,
    Node,
    NodeList,
    Template,
    TextNode,
    TokenType,
    Variable,
    VariableNode,
)
from django.template.defaulttags import ForNode, IfNode, WithNode
from django.utils.translation import gettext as _, gettext_lazy

TAGS = ("comment", "for", "if", "with")
#: None that turns off escaping, runs long on a text of 100,000 letters, or tells what the server knows.
FILTERS = (
    "add", "capfirst", "cut", "date", "default", "default_if_none", "escape", "first", "join", "last",
    "length", "linebreaks", "linebreaksbr", "lower", "pluralize", "slice", "striptags", "time", "title",
    "truncatechars", "truncatewords", "upper", "urlencode", "yesno",
)  # fmt: skip
#: Loops inside loops, at most: nobody reads a third.
DEEPEST = 2
#: Tags inside tags, and words of one condition, at most: Python goes only so deep.
DEEPEST_TAGS, LONGEST_CONDITION = 20, 50
#: Characters that a filter may make: as many as a part of copy may have.
LONGEST = 100_000
#: What one part may take: characters that filters read and write, that loops repeat, that variables say.
#: It is a second's work, and 50 times what a long order takes.
MOST_WORK = 2_000_000


class _Anything:
    """Something whose fields nobody knows."""


_ANYTHING = _Anything()
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


class TooMuch(Exception):
    """Words that would grow, or run, without end. The message is a sentence, in whichever language it is read."""

    def __init__(self) -> None:
        super().__init__(gettext_lazy("The words would grow too long: look at what they repeat."))


class _TooDeep(TemplateSyntaxError):
    """Words that are too entangled to be read."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.sentence)
        self.flaw = flaw


class _Meter:
    """What is left to the words that are being rendered."""

    def __init__(self) -> None:
        self.left = MOST_WORK

    def spend(self, work: int) -> None:
        self.left -= work
        self.check()

    def check(self) -> None:
        if self.left < 0:
            raise TooMuch


#: Filters are not told what they work for.
_meter: ContextVar[_Meter] = ContextVar("meter")


class _Language(Engine):
    default_builtins: ClassVar[list[str]] = []


def _library() -> Library:
    library = Library()
    library.tags = {name: defaulttags.register.tags[name] for name in TAGS}
    library.filters = {name: _bounded(name, defaultfilters.register.filters[name]) for name in FILTERS}
    return library


def _bounded(name: str, made_by: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of Django's that leaves alone what it cannot work on, and makes nothing without end."""
    most = _MOST.get(name)

    @wraps(made_by)
    def bounded(value: Any, *given: Any, **how: Any) -> Any:
        meter = _meter.get()
        meter.spend(sum(map(_size, (value, *given))))
        if most is not None and given and most(value, given[0]) > LONGEST:
            raise TooMuch
        if isinstance(value, _LEFT_ALONE.get(name, ())):
            return value
        try:
            made = made_by(value, *given, **how)
        except Exception:
            return value
        meter.spend(_size(made))
        if _size(made) > LONGEST:
            raise TooMuch
        return made

    return bounded


#: Lists are not put together, and the letters of a text are no list.
_LEFT_ALONE: Mapping[str, type] = {"add": tuple, "join": str}
#: How much those filters may make whose value and argument do not tell: asked before they make it.
_MOST: Mapping[str, Callable[[Any, Any], int]] = {
    "join": lambda value, between: _size(value) * _size(between),
    "date": lambda _value, form: 40 * _size(form),
    "time": lambda _value, form: 40 * _size(form),
}


def _size(value: Any) -> int:
    return len(value) if isinstance(value, Collection) else 10


_ENGINE = _Language(loaders=[], debug=False)
_ENGINE.template_builtins = [_library()]


def render(words: str, context: Mapping[str, Any], *, html: bool) -> str:
    """The words with their variables filled in; HTML is escaped.

    Raises `TooMuch`, and `TemplateSyntaxError` for words in which there are flaws.
    """
    meter = _Meter()
    before = _meter.set(meter)
    try:
        rendered: str = _compiled(words).render(Context(dict(plain(context)), autoescape=html))
    finally:
        _meter.reset(before)
    meter.check()  # a condition takes every error for a no
    return rendered


def flaws(words: str, example: Mapping[str, Any] | None) -> list[Flaw]:
    """What is wrong with words, in the order of their lines; nothing, if they can be rendered.

    `example` has every name that may be used, as the words will be given it; None: any name may be.
    """
    try:
        template = _compiled(words)
    except _TooDeep as error:
        return [error.flaw]
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
    _refuse_depths(words)
    template = _ENGINE.from_string(words)
    for node in template.nodelist.get_nodes_by_type(Node):
        _tame(node)
    return template


def _refuse_depths(words: str) -> None:
    """Before they are read, because reading goes as deep as the words do."""
    depth, commented = 0, False
    for token in Lexer(words).tokenize():
        if token.token_type is not TokenType.BLOCK:
            continue
        tag, *operands = token.contents.split() or [""]
        commented = tag == "comment" or (commented and tag != "endcomment")
        if commented or tag == "endcomment":
            continue
        depth += (tag in TAGS) - (tag.startswith("end") and tag[3:] in TAGS)
        line = token.lineno or 1
        if depth > DEEPEST_TAGS:
            raise _TooDeep(Flaw(line, _("Tags go at most %(most)d deep.") % {"most": DEEPEST_TAGS}))
        if tag in {"if", "elif"} and len(operands) > LONGEST_CONDITION:
            words_at_most = {"most": LONGEST_CONDITION}
            raise _TooDeep(Flaw(line, _("A condition has at most %(most)d words.") % words_at_most))


def _tame(node: Any) -> None:
    """What Django leaves open is closed: names only look things up, loops and variables count their work."""
    for expression in _expressions_of(node):
        expression.var = _Name.of(expression.var)
        for _filter, given in expression.filters:
            given[:] = [(is_name, _Name.of(value) if is_name else value) for is_name, value in given]
    match node:
        case VariableNode():
            node.filter_expression.filters.append((_counted, []))
        case ForNode():
            loop: Any = node
            loop.sequence.filters.append((_looped(len(loop.loopvars), _cost(loop.nodelist_loop)), []))


class _Name(Variable):
    """A name that is looked up among values, and empty if it is not there. Nothing is called.

    Django would call what it finds, and text has methods that make more text of it.
    """

    @classmethod
    def of(cls, variable: Any) -> Any:
        return cls(variable.var) if isinstance(variable, Variable) else variable

    def resolve(self, context: Any) -> Any:
        if self.lookups is None:
            return super().resolve(context)
        found = context
        for name in self.lookups:
            found = _inside(found, name)
        return found


def _inside(value: Any, name: str) -> Any:
    if isinstance(value, (Mapping, Context)):
        return value.get(name, "")
    number = _number(name)
    return value[number] if isinstance(value, tuple) and number is not None and number < len(value) else ""


def _number(name: str) -> int | None:
    """Which thing of a list is meant; Python refuses to read very long numbers."""
    return int(name) if name.isdecimal() and len(name) < 10 else None


def _counted(value: Any) -> Any:
    """What a variable says, which is paid for by its length."""
    _meter.get().spend(_size(value if isinstance(value, str) else str(value)))
    return value


def _looped(names: int, cost: int) -> Callable[[Any], Any]:
    def looped(value: Any) -> Collection[Any]:
        """What a loop goes over, paid for in advance. In a text, or a number, there is nothing to go over."""
        if isinstance(value, str) or not isinstance(value, Collection):
            return ()
        fits = [each for each in value if names == 1 or (isinstance(each, tuple) and len(each) == names)]
        _meter.get().spend(len(fits) * cost)
        return fits

    return looped


def _cost(nodes: NodeList) -> int:
    """What a loop takes each time, beside its variables and the loops inside."""
    inside = nodes.get_nodes_by_type(Node)
    return 10 + sum(len(node.s) if isinstance(node, TextNode) else 10 for node in inside)


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
    yield from _unknown(_expressions_of(node), known, line)
    match node:
        case TextNode():
            if opened := _OPENS.search(node.s):
                line += node.s.count("\n", 0, opened.start())
                yield Flaw(line, _("“%(opened)s” is opened and never closed.") % {"opened": opened[0]})
        case IfNode():
            for _condition, branch in node.conditions_nodelists:
                yield from _judge(branch, known, depth)
        case WithNode():
            named = {name: _example(value, known) for name, value in node.extra_context.items()}
            yield from _judge(node.nodelist, ChainMap(named, known), depth)  # type: ignore[arg-type]
        case ForNode():
            if depth == DEEPEST:
                yield Flaw(line, _("Loops go at most %(most)d deep.") % {"most": DEEPEST})
                return
            loop: Any = node
            if not isinstance(_example(loop.sequence, known), (_Anything, tuple, Mapping)):
                name = {"name": loop.sequence.token}
                yield Flaw(line, _("“%(name)s” is no list, so there is nothing to go over.") % name)
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


def _expressions_of(node: Any) -> Iterator[FilterExpression]:
    """What a node itself resolves, without the nodes inside."""
    match node:
        case VariableNode():
            yield node.filter_expression
        case IfNode():
            for condition, _branch in node.conditions_nodelists:
                yield from _expressions(condition)
        case WithNode():
            yield from node.extra_context.values()
        case ForNode():
            loop: Any = node
            yield loop.sequence


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
        found = expression.var  # a text
    elif not expression.var.lookups:
        found = expression.var.literal
    else:
        found = _look_up(expression.var, known)
    is_as_it_was = all(name.__name__ in {"slice_filter", "looped"} for name, _given in expression.filters)
    return found if found is not None and is_as_it_was else _ANYTHING


def _look_up(variable: Variable, known: Known) -> Any:
    """What a variable is in the example; None when there is no such thing."""
    found: Any = known
    for name in variable.lookups or ():
        if found is _ANYTHING or found is None:
            return _ANYTHING
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, tuple) and (number := _number(name)) is not None:
            found = found[number] if number < len(found) else _ANYTHING
        else:
            return None
    return _ANYTHING if found is None else found
