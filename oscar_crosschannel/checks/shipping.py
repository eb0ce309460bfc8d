"""What the shop says of its parcels is understood, and the pages of carriers can be linked to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError

from ..conf import settings
from ..core import tracking as numbers
from ..oscar import parcels, tracking
from .findings import TAG, AppConfigs, caution, error, may_ask, with_entries, written

_KINDS = ", ".join(f'"{kind}"' for kind in parcels.KINDS)


@register(TAG)
def check_shipping_words(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Each entry says something that can become of a parcel, and each status is one of the shop's."""
    found: list[CheckMessage] = []
    for name in ("SHIPPING_EVENTS", "SHIPPING_STATUSES"):
        table: Mapping[str, str] = getattr(settings, name)
        if wrong := {key: kind for key, kind in table.items() if kind not in parcels.KINDS}:
            message = (
                f"CROSSCHANNEL_{name}: nothing of what can become of a parcel ({_KINDS}) is said by {wrong}."
            )
            found.append(error(90, message, _without(name, table, wrong)))
    table = settings.SHIPPING_STATUSES
    if _is_own("SHIPPING_STATUSES") and (unknown := _unknown(table, _statuses())):
        message = f"CROSSCHANNEL_SHIPPING_STATUSES names statuses that no order or line can have: {_listed(unknown)}."
        found.append(caution(91, message, _without("SHIPPING_STATUSES", table, unknown)))
    return found


@register(TAG, Tags.database)
def check_shipping_events(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """The types of shipping events are those that the shop has, and one of them says that a parcel was sent."""
    if not may_ask(databases):
        return []
    try:
        types = list(apps.get_model("order", "ShippingEventType").objects.order_by("pk"))
    except DatabaseError:  # before the first migration
        return []
    table = settings.SHIPPING_EVENTS
    names = {word for each in types for word in (each.code, each.name)}
    if _is_own("SHIPPING_EVENTS") and (unknown := _unknown(table, names)):
        message = (
            "CROSSCHANNEL_SHIPPING_EVENTS names types of shipping events that the shop does not have: "
            f"{_listed(unknown)}."
        )
        return [caution(92, message, _without("SHIPPING_EVENTS", table, unknown))]
    if _is_own("SHIPPING_EVENTS") and not table:
        return []  # the shop tells of its parcels itself
    by_status = any(parcels.kind_of_status(status) == parcels.SHIPPED for status in _statuses())
    if not types or by_status or any(parcels.kind_of_type(each) == parcels.SHIPPED for each in types):
        return []
    message = (
        "No customer hears that a parcel was sent: none of the shop's shipping event types says so "
        f"({_listed(each.code for each in types)}), and no status."
    )
    return [caution(93, message, _maps_all(types))]


@register(TAG)
def check_carriers(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The project's carriers have pages that texts may lead to, and numbers that can be recognised."""
    try:
        wrong = [fault for carrier in tracking.carriers() for fault in numbers.faults(carrier)]
        re.compile(settings.TRACKING_NUMBER)
    except (AttributeError, TypeError, re.error) as problem:
        wrong = [str(problem)]
    if not wrong:
        return []
    return [
        error(
            94,
            f"CROSSCHANNEL_CARRIERS or CROSSCHANNEL_TRACKING_NUMBER cannot be used: {'; '.join(wrong)}",
            'CROSSCHANNEL_CARRIERS = {"post": {"name": "Post", "number": r"[A-Z]{2}\\d{9}[A-Z]{2}", '
            '"url": "https://post.example/track/{number}"}}\n'
            f"CROSSCHANNEL_TRACKING_NUMBER = {numbers.ANY_NUMBER!r}",
        )
    ]


def _is_own(name: str) -> bool:
    """Whether the project wrote it: the shipped words stand for many shops, and none has all of them."""
    return hasattr(django_settings, f"CROSSCHANNEL_{name}")


def _statuses() -> set[str]:
    """Every status that an order or a line can have."""
    order, line = apps.get_model("order", "Order"), apps.get_model("order", "Line")
    return {status for model in (order, line) for status in _of_pipeline(model.pipeline)}


def _of_pipeline(pipeline: Mapping[str, Collection[str]]) -> Iterator[str]:
    for status, following in pipeline.items():
        yield status
        yield from following


def _unknown(table: Mapping[str, str], known: Collection[str]) -> list[str]:
    folded = {word.casefold() for word in known}
    return [word for word in table if word.casefold() not in folded]


def _without(name: str, table: Mapping[str, str], wrong: Collection[str]) -> str:
    kept = {word: kind for word, kind in table.items() if word not in wrong}
    return f"# Or correct them; each may say one of {_KINDS}.\nCROSSCHANNEL_{name} = {written(kept)}"


def _maps_all(types: Sequence[Any]) -> str:
    """A line to be corrected by who knows the types: the first one may be that of a parcel that was sent."""
    line = with_entries("CROSSCHANNEL_SHIPPING_EVENTS", **{types[0].code: parcels.SHIPPED})
    return f"# Better: the type that says so, if it is another; each may say one of {_KINDS}.\n{line}"


def _listed(words: Collection[str] | Iterator[str]) -> str:
    return ", ".join(repr(word) for word in words)
