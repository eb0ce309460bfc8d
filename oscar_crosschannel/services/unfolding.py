"""The words that come with a flow, written in the language of merchants' copy: something to start from.

A shipped file speaks all languages at once, through tags that copy may not use. Here it is written
out in one of them: what is translated becomes text, and variables, conditions and loops stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.template import Context, TemplateDoesNotExist
from django.template.base import Node, TextNode, Variable, VariableNode
from django.template.defaulttags import CommentNode, ForNode, IfNode, LoadNode, WithNode
from django.template.loader import get_template
from django.template.loader_tags import BlockNode, ExtendsNode, IncludeNode
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils import translation
from django.utils.text import normalize_newlines

from . import copy_language
from .rendering import CopyKey, file_of

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
#: Numbers that show every plural form: the rules of all languages repeat after 100.
_NUMBERS = range(201)
#: The blocks of the frame of emails that a body can be made of.
_BODY = ("styles", "content")


class _CannotUnfold(Exception):
    """The file uses what copy has no words for."""


def unfolded(key: CopyKey, part: str) -> str:
    """The shipped words of a part as copy in the language of `key`; empty if they cannot be written so."""
    try:
        template: Any = get_template(file_of(key, part))
        with translation.override(key.language):
            words = _Unfolding().of(template.template.nodelist)
    except (TemplateDoesNotExist, RecursionError, _CannotUnfold):
        return ""
    words = normalize_newlines(words).strip()
    return "" if copy_language.flaws(words, None) else words


class _Unfolding:
    """One file, node by node. Remembers translations that the file keeps under a name."""

    def __init__(self) -> None:
        self.named: dict[str, str] = {}

    def of(self, nodes: Iterable[Node]) -> str:
        return "".join(part for node in nodes for part in self._node(node))

    def _node(self, node: Any) -> Iterator[str]:
        match node:
            case TextNode():
                yield node.s
            case VariableNode():
                yield self._variable(node.filter_expression.token)
            case LoadNode() | CommentNode():
                return
            case TranslateNode():
                yield self._translated(node)
            case BlockTranslateNode():
                yield self._block(node)
            case ExtendsNode():
                found: Any = node
                blocks = {block.name: block for block in found.nodelist.get_nodes_by_type(BlockNode)}
                for name in _BODY:
                    yield self.of(blocks[name].nodelist) if name in blocks else ""
            case _:
                yield from self._tag(node)

    def _tag(self, node: Any) -> Iterator[str]:
        match node:
            case IfNode():
                yield from self._if(node)
            case ForNode():
                yield from self._for(node)
            case WithNode():
                yield from self._with(node)
            case IncludeNode():
                yield self._included(node)
            case _:
                raise _CannotUnfold(type(node).__name__)

    def _variable(self, expression: str) -> str:
        return f"{{{{ {self._expression(expression)} }}}}"

    def _expression(self, expression: str) -> str:
        """As it was written, but kept translations stand for their names; what is quoted stays."""
        pieces = enumerate(_QUOTED.split(expression))
        return "".join(piece if number % 2 else self._spelled_out(piece) for number, piece in pieces)

    def _spelled_out(self, expression: str) -> str:
        if not self.named:
            return expression
        names = "|".join(map(re.escape, self.named))
        return re.sub(
            rf"(?<![\w.])(?:{names})(?![\w.])", lambda found: _quoted(self.named[found[0]]), expression
        )

    @contextmanager
    def _hidden(self, names: Collection[str]) -> Iterator[None]:
        """Where these names mean something else."""
        before = self.named
        self.named = {name: text for name, text in before.items() if name not in names}
        yield
        self.named = before

    def _translated(self, node: TranslateNode) -> str:
        if getattr(node.filter_expression.var, "lookups", None):
            raise _CannotUnfold("translate a variable")
        context = Context({})
        text = str(node.render(context))
        if node.asvar:
            self.named[node.asvar] = str(context[node.asvar])
        return text

    def _block(self, node: Any) -> str:
        if node.asvar:
            raise _CannotUnfold("blocktranslate as")
        context = _constant(node.message_context) if node.message_context else None
        singular = self._message(node.singular, node)
        names = {name: value.token for name, value in node.extra_context.items()}
        if not node.plural:
            found = translation.pgettext(context, singular) if context else translation.gettext(singular)
            return self._filled(found, names)
        names[node.countervar] = node.counter.token
        forms = _forms(singular, self._message(node.plural, node), context)
        one, many = (self._filled(form, names) for form in (forms[1], forms[2]))
        if one == many:
            return one
        # the French count nothing as one
        compared = "<=" if forms[0] == forms[1] else "=="
        return f"{{% if {self._expression(node.counter.token)} {compared} 1 %}}{one}{{% else %}}{many}{{% endif %}}"

    @staticmethod
    def _message(tokens: Any, node: Any) -> str:
        message, _names = node.render_token_list(tokens)
        return str(message)

    def _filled(self, message: str, names: dict[str, str]) -> str:
        """A translated message with its placeholders as variables again."""
        written = _PLACEHOLDER.sub(lambda found: self._variable(names.get(found[1], found[1])), message)
        return written.replace("%%", "%")

    def _if(self, node: Any) -> Iterator[str]:
        for number, (condition, branch) in enumerate(node.conditions_nodelists):
            if condition is None:
                yield "{% else %}"
            else:
                written = self._expression(_condition(condition))
                yield f"{{% {'elif' if number else 'if'} {written} %}}"
            yield self.of(branch)
        yield "{% endif %}"

    def _for(self, node: Any) -> Iterator[str]:
        backwards = " reversed" if node.is_reversed else ""
        over = self._expression(node.sequence.token)
        yield f"{{% for {', '.join(node.loopvars)} in {over}{backwards} %}}"
        with self._hidden(node.loopvars):
            yield self.of(node.nodelist_loop)
        if len(node.nodelist_empty):
            yield "{% empty %}" + self.of(node.nodelist_empty)
        yield "{% endfor %}"

    def _with(self, node: Any) -> Iterator[str]:
        names = node.extra_context
        values = (f"{name}={self._expression(value.token)}" for name, value in names.items())
        yield f"{{% with {' '.join(values)} %}}"
        with self._hidden(names):
            yield self.of(node.nodelist)
        yield "{% endwith %}"

    def _included(self, node: Any) -> str:
        if node.extra_context or node.isolated_context:
            raise _CannotUnfold("include with")
        template: Any = get_template(_constant(node.template))
        return self.of(template.template.nodelist)


def _forms(singular: str, plural: str, context: str | None) -> list[str]:
    """A translated plural for 0, 1 and 2. Copy can tell one from many, and no more."""
    forms = [
        translation.npgettext(context, singular, plural, number)
        if context
        else translation.ngettext(singular, plural, number)
        for number in _NUMBERS
    ]
    if forms[0] not in forms[1:3] or any(form != forms[2] for form in forms[2:]):
        raise _CannotUnfold("more than two plural forms")
    return forms[:3]


def _constant(expression: Any) -> str:
    if isinstance(expression.var, Variable) or expression.filters:
        raise _CannotUnfold("not a text")
    return str(expression.var)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _condition(condition: Any) -> str:
    """The condition of an `if` as it was written; Django keeps it as a tree of operators."""
    if condition.id == "literal":
        return str(condition.text)
    if condition.second is None:
        return f"{condition.id} {_condition(condition.first)}"
    return f"{_condition(condition.first)} {condition.id} {_condition(condition.second)}"
