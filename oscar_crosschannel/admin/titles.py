"""What flows, steps and topics are called, and where the page of a row is."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext

from ..conf import flows, triggers
from ..core.plan import Plan
from ..models import Flow, Message, Topic
from ..services import topics
from . import sentences


def flow(row: Flow) -> str:
    """The title that the blueprint, or the merchant, gives a flow; its key once no blueprint is left."""
    blueprint = flows.get(row.key)
    return gettext(blueprint.plan().title) if blueprint else row.title or row.key


def plan(planned: Plan) -> str:
    """The title of a flow as it runs."""
    return gettext(planned.title)


def step(key: str, title: str | None = "") -> str:
    """What a step is called: its title if it has one, else its key as words."""
    return title or capfirst(key.replace("_", " "))


def step_of(row: Flow, key: str) -> str:
    """What a step is called whose plan is not at hand; reads `row.steps`, which lists prefetch."""
    named = {each.key: each.title for each in row.steps.all()}
    return step(key, named.get(key))


def message(row: Message) -> str:
    """Which message of which flow: "Abandoned cart: Nudge"; reads `row.flow.steps`, which lists prefetch."""
    return f"{flow(row.flow)}: {step_of(row.flow, row.step_key)}"


def event(name: str) -> str:
    """What happened, as a piece of a sentence, or in the words of the trigger that merchants know it by."""
    trigger = triggers.get(name)
    return str(trigger.title) if trigger and name not in sentences.EVENTS else sentences.event(name)


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
