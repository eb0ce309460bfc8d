"""What the app adds to Oscar's pages shows there: the consent boxes, the way to the preference center, and
“text me when it ships”.

The app's versions of these pages extend Oscar's. A store's own version that extends them keeps what was
added; a full copy of Oscar's file loses it, and nobody notices until nobody is written to. So the templates
are followed as Django would render them, without rendering: no order and no form is known here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, register
from django.template import Engine, Template, TemplateDoesNotExist, TemplateSyntaxError
from django.template.base import FilterExpression, Node, Origin, VariableNode
from django.template.library import InclusionNode
from django.template.loader_tags import BlockNode, ExtendsNode, IncludeNode

from ..conf import settings
from .findings import TAG, AppConfigs, caution, written
from .installation import stands_after_oscar

#: Where Oscar asks, and the tag that brings the boxes there: inside a form, or naming it.
PAGES: Mapping[str, str] = {
    "oscar/checkout/gateway.html": "{% crosschannel_consent %}",
    "oscar/checkout/preview.html": '{% crosschannel_consent form="place_order_form" %}',
    "oscar/customer/login_registration.html": '{% crosschannel_consent form="register_form" %}',
    "oscar/customer/registration.html": '{% crosschannel_consent form="register_form" %}',
}

#: Further pages, the tag that is added there, and what it is to whom it is missing.
ADDED: Mapping[str, tuple[str, str, str]] = {
    "oscar/customer/baseaccountpage.html": (
        "{% crosschannel_account_tab %}",
        ", inside the list of the account's pages",
        "the way to the preference center: customers look for it in vain",
    ),
    "oscar/checkout/thank_you.html": (
        "{% crosschannel_order_texts %}",
        ", where it thanks for the order",
        "“Text me when it ships”: no buyer is asked",
    ),
}

_REQUEST = "django.template.context_processors.request"
_DJANGO_TEMPLATES = "django.template.backends.django.DjangoTemplates"


@register(TAG)
def check_consent_boxes(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Each page shows the boxes, unless the store takes that upon itself, or they show on none."""
    if not settings.TEMPLATE_INJECTION or stands_after_oscar():
        return []
    engine = Engine.get_default()
    return [
        caution(
            27,
            f"{engine.find_template(page)[1]} takes the place of Oscar's page and leaves out the consent boxes: "
            "nobody is asked there.",
            f"{{# in {page}{_where(tag)} #}}\n{{% load crosschannel_tags %}}{tag}",
        )
        for page, tag in PAGES.items()
        if not _shows(engine, page, tag)
    ]


@register(TAG)
def check_additions(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Each page shows what the app adds to it, unless the store takes that upon itself."""
    if not settings.TEMPLATE_INJECTION or stands_after_oscar():
        return []
    engine = Engine.get_default()
    return [
        caution(
            81,
            f"{engine.find_template(page)[1]} takes the place of Oscar's page and leaves out {what}.",
            f"{{# in {page}{where} #}}\n{{% load crosschannel_tags %}}{tag}",
        )
        for page, (tag, where, what) in ADDED.items()
        if not _shows(engine, page, tag)
    ]


@register(TAG)
def check_request_in_templates(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The tag knows who is asking."""
    if _REQUEST in Engine.get_default().context_processors:
        return []
    number = [entry["BACKEND"] for entry in django_settings.TEMPLATES].index(_DJANGO_TEMPLATES)
    return [
        caution(
            26,
            "Templates do not know the request: no consent box shows.",
            f'TEMPLATES[{number}]["OPTIONS"]["context_processors"].append({written(_REQUEST)})',
        )
    ]


def _where(tag: str) -> str:
    return "" if "form=" in tag else ", inside the form"


def _shows(engine: Engine, page: str, tag: str) -> bool:
    _, name, *_ = tag.split()
    try:
        return _Page(engine, page).shows(name)
    except (_Unknown, TemplateDoesNotExist, TemplateSyntaxError):
        return True  # nothing can be said here, and a wrong page says so itself


class _Unknown(Exception):
    """Only a request can tell which template this is."""


class _Page:
    """One template with all that it extends: what Django would put together."""

    def __init__(self, engine: Engine, name: str, around: Sequence[str] = ()) -> None:
        self._engine = engine
        self._names = [*around, name]  # of templates that include each other
        chain = list(_with_parents(engine, name))
        self._root = chain[-1]
        #: every version of each block, the one that counts first
        self._blocks: dict[str, list[BlockNode]] = defaultdict(list)
        for template in chain:
            for block in _of_kind(BlockNode, template):
                self._blocks[block.name].append(block)

    def shows(self, tag: str) -> bool:
        return self._among(self._root.nodelist, (), tag)

    def _among(self, nodes: Iterable[Node], overridden: Sequence[BlockNode], tag: str) -> bool:
        """Whether the tag is in these nodes, inside a block that took the place of `overridden`."""
        return any(self._in(node, overridden, tag) for node in nodes)

    def _in(self, node: Node, overridden: Sequence[BlockNode], tag: str) -> bool:
        if isinstance(node, BlockNode):
            return self._in_block(self._blocks[node.name], tag)
        if isinstance(node, VariableNode) and str(node.filter_expression) == "block.super":
            return self._in_block(overridden, tag)
        if isinstance(node, IncludeNode):
            return self._in_other(_constant(node.template), tag)
        if isinstance(node, InclusionNode):
            return node.func.__name__ == tag
        children = (getattr(node, name, ()) for name in node.child_nodelists)
        return any(self._among(nodes, overridden, tag) for nodes in children)

    def _in_block(self, versions: Sequence[BlockNode], tag: str) -> bool:
        return bool(versions) and self._among(versions[0].nodelist, versions[1:], tag)

    def _in_other(self, name: str, tag: str) -> bool:
        """An included template has blocks of its own. One that includes itself is followed once."""
        return name not in self._names and _Page(self._engine, name, self._names).shows(tag)


def _with_parents(engine: Engine, name: str) -> Iterator[Template]:
    """The template and what it extends; as Django has it, no file comes twice."""
    seen: list[Origin] = []
    while True:
        template, origin = engine.find_template(name, skip=seen)
        yield template
        extends = _of_kind(ExtendsNode, template)
        if not extends:
            return
        seen.append(origin)
        name = _constant(extends[0].parent_name)


def _of_kind(kind: type[Node], template: Template) -> list[Any]:
    return template.nodelist.get_nodes_by_type(kind)


def _constant(expression: FilterExpression) -> str:
    if not isinstance(expression.var, str):
        raise _Unknown
    return expression.var
