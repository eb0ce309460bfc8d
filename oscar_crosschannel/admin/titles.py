"""What flows, steps and topics are called, and where the page of a row is."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext

from ..conf import flows
from ..models import Topic
from ..services import topics


def flow(key: str) -> str:
    """The title that the blueprint gives a flow; its key once no blueprint is left."""
    blueprint = flows.get(key)
    return gettext(blueprint.plan().title) if blueprint else key


def step(key: str) -> str:
    """A step's key as words."""
    return capfirst(key.replace("_", " "))


def topic(row: Topic) -> str:
    """What shoppers who speak the reader's language read."""
    return topics.words(row, get_language() or settings.LANGUAGE_CODE).name


def page(row: Model) -> str:
    """Address of a row's page in the admin; empty when the project has none for it."""
    model = row._meta
    try:
        return reverse(f"admin:{model.app_label}_{model.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return ""


def link(row: Model, text: str) -> SafeString | str:
    """`text`, leading to the row's page if there is one."""
    url = page(row)
    return format_html('<a href="{}">{}</a>', url, text) if url else text
