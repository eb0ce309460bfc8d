"""The words that come with a flow, written in the language of merchants' copy: something to start from.

A shipped file speaks all languages at once, through tags that copy may not use. Here it is written
out in one of them: what is translated becomes text, and variables, conditions and loops stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.template import Context, TemplateDoesNotExist
from django.template.base import Node, TextNode, VariableNode
from django.template.defaulttags import CommentNode, ForNode, IfNode, LoadNode, WithNode
from django.template.loader import get_template
from django.template.loader_tags import BlockNode, ExtendsNode
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils import translation
from django.utils.text import normalize_newlines

from . import copy_language
from .rendering import CopyKey, file_of

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
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
    except (TemplateDoesNotExist, _CannotUnfold):
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
            case IfNode():
                yield from self._if(node)
            case ForNode() | WithNode():
                yield from self._around(node)
            case ExtendsNode():
                found: Any = node
                blocks = {block.name: block for block in found.nodelist.get_nodes_by_type(BlockNode)}
                for name in _BODY:
                    yield self.of(blocks[name].nodelist) if name in blocks else ""
            case _:
                raise _CannotUnfold(type(node).__name__)

    def _variable(self, expression: str) -> str:
        return f"{{{{ {self._expression(expression)} }}}}"

    def _expression(self, expression: str) -> str:
        for name, text in self.named.items():
            parts = re.split(rf"(?<![\w.]){name}(?![\w.])", expression)
            expression = f'"{text}"'.join(parts)
        return expression

    def _translated(self, node: TranslateNode) -> str:
        context = Context({})
        text = str(node.render(context))
        if node.asvar:
            self.named[node.asvar] = str(context[node.asvar])
        return text

    def _block(self, node: Any) -> str:
        if node.asvar:
            raise _CannotUnfold("blocktranslate as")
        singular = self._message(node.singular, node)
        names = {name: value.token for name, value in node.extra_context.items()}
        if not node.plural:
            return self._filled(translation.gettext(singular), names)
        plural = self._message(node.plural, node)
        names[node.countervar] = node.counter.token
        one, many = (self._filled(translation.ngettext(singular, plural, n), names) for n in (1, 2))
        return f"{{% if {node.counter.token} == 1 %}}{one}{{% else %}}{many}{{% endif %}}"

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
                yield f"{{% {'elif' if number else 'if'} {_condition(condition)} %}}"
            yield self.of(branch)
        yield "{% endif %}"

    def _around(self, node: Any) -> Iterator[str]:
        """A loop, or names for values: the tag as it is written, around what is inside."""
        tag, *_rest = node.token.contents.split()
        yield f"{{% {node.token.contents} %}}"
        yield self.of(node.nodelist_loop if tag == "for" else node.nodelist)
        if tag == "for" and len(node.nodelist_empty):
            yield "{% empty %}" + self.of(node.nodelist_empty)
        yield f"{{% end{tag} %}}"


def _condition(condition: Any) -> str:
    """The condition of an `if` as it was written; Django keeps it as a tree of operators."""
    if condition.id == "literal":
        return str(condition.text)
    if condition.second is None:
        return f"{condition.id} {_condition(condition.first)}"
    return f"{_condition(condition.first)} {condition.id} {_condition(condition.second)}"
