"""Two people edit the same thing: the second is told, and neither loses a word.

A form carries what its fields showed. If the rows say something else when it comes back, the
fields that the second editor left alone take the new values, and nothing is saved until they agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.db.models import Model
from django.http import QueryDict
from django.utils.translation import gettext

from . import acting

#: Name of the hidden input.
FIELD = "seen"

Shown = Mapping[str, str]  #: name of an input → what it shows


def shown(forms_shown: Iterable[forms.Form]) -> dict[str, str]:
    """What these unbound forms show, input by input, as a browser would send it back."""
    values: dict[str, str] = {}
    for form in forms_shown:
        for bound in form:
            _add(values, bound)
    return values


def _add(values: dict[str, str], bound: forms.BoundField) -> None:
    value: Any = bound.initial
    match bound.field.widget:
        case forms.MultiWidget() as found:
            widget: Any = found
            for suffix, part in zip(widget.widgets_names, widget.decompress(value), strict=True):
                values[bound.html_name + suffix] = str(part)
        case forms.CheckboxInput():
            values[bound.html_name] = "on" if value else ""
        case _:
            values[bound.html_name] = "" if value is None else _one_newline(str(value))


def token(now_shown: Shown) -> str:
    """The value of the hidden input."""
    return json.dumps(now_shown)


def merged(data: QueryDict, now_shown: Shown) -> QueryDict | None:
    """`data` on top of what others saved meanwhile; None when nobody saved anything."""
    seen = _read(data.get(FIELD, ""))
    if seen == now_shown:
        return None
    together = data.copy()
    for name, value in now_shown.items():
        if _one_newline(data.get(name, "")) == seen.get(name):
            together[name] = value
    return together


def sentence(row: Model, *, name: str = "") -> str:
    """Who was faster, and what they did; of a row that is edited on several pages, to what the log calls `name`."""
    entries = acting.written_about(type(row), [row.pk])
    last = (entries.filter(object_repr=name) if name else entries).first()
    told = gettext("Your changes are below, and not saved yet: look them over, and save again.")
    if last is None:
        return gettext("Somebody else changed this while you were editing. %(told)s") % {"told": told}
    return gettext("%(who)s changed this while you were editing: %(what)s. %(told)s") % {
        "who": last.user.get_username(),
        "what": last.get_change_message(),
        "told": told,
    }


def _read(raw: str) -> dict[str, str]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _one_newline(text: str) -> str:
    """Browsers send line ends in their own way."""
    return text.replace("\r\n", "\n")
